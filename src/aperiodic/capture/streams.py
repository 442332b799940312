"""What is known of the streams of a connection: which have brought a frame, which are silent, which are stale."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aperiodic.venues.feed import Channel, Subscription

__all__ = ["StreamState", "Survey", "look_at"]

_LEAST_PULSE_S: Final = 5.0


@dataclass(slots=True)
class StreamState:
    """What is known of one stream.

    Attributes:
        subscription: The stream.
        watch: Takes its frames where they are watched, as the numbers of books are; None for others.
        asked: When it was asked for, seconds of the monotonic clock; 0: not yet.
        seen: Frames since then.
        counted: Frames at the last look.
        changed: When the last look found new frames, seconds of the monotonic clock.
        first_s: Time from asking to the first frame, seconds; None before.
        acknowledged: When the venue said that it was taken, ns; 0: not yet.
        is_silent: Whether it was named as silent, and has been silent since.
        asked_again: Whether it was asked for once more because of that.
    """

    subscription: Subscription
    watch: Callable[[bytes, int], object] | None = None
    asked: float = 0.0
    seen: int = 0
    counted: int = 0
    changed: float = 0.0
    first_s: float | None = None
    acknowledged: int = 0
    is_silent: bool = False
    asked_again: bool = False


@dataclass(slots=True)
class Survey:
    """What a look at all streams found.

    Attributes:
        live: Names of the streams that began to bring frames, or do so again, each with the time since when it is
            known to have worked, ns: a first frame proves what the venue acknowledged before; 0: not known.
        silent: Streams that are overdue since this look.
        pulsing: Streams that have a pulse and have brought a frame.
        stale: Those of them that are overdue.
        slowest_pulse_s: Longest time without a frame that says nothing, seconds.
        is_settled: Whether every stream has brought a frame, was named as silent, or need not bring any.
    """

    live: dict[str, int] = field(default_factory=dict)
    silent: list[StreamState] = field(default_factory=list)
    pulsing: int = 0
    stale: int = 0
    slowest_pulse_s: float = 0.0
    is_settled: bool = True


def look_at(streams: Mapping[str, StreamState], now: float) -> Survey:
    """Compare the streams with the last look, and remember this one.

    Args:
        streams: The streams by name.
        now: Seconds of the monotonic clock.
    """
    survey = Survey()
    for name, state in streams.items():
        channel = state.subscription.channel
        if state.seen != state.counted:
            if state.first_s is None:
                state.first_s = now - state.asked
                survey.live[name] = state.acknowledged if _is_in_time(state) else 0
            elif state.is_silent:
                survey.live[name] = 0
            state.counted, state.changed, state.is_silent, state.asked_again = state.seen, now, False, False
        elif state.asked and _is_overdue(state, now):
            survey.stale += state.seen > 0
            if not state.is_silent:
                state.is_silent = True
                survey.silent.append(state)
        if channel.pulse_s is not None:
            survey.pulsing += state.seen > 0
            survey.slowest_pulse_s = max(survey.slowest_pulse_s, 2 * channel.pulse_s)
        survey.is_settled &= bool(state.seen) or state.is_silent or channel.first_s is None
    return survey


def _is_overdue(state: StreamState, now: float) -> bool:
    channel = state.subscription.channel
    if not state.seen:
        first_s = _first_s(channel)
        return first_s is not None and now - state.asked > first_s
    return channel.pulse_s is not None and now - state.changed > max(2 * channel.pulse_s, _LEAST_PULSE_S)


def _is_in_time(state: StreamState) -> bool:
    """Whether the first frame came as soon as the pulse of its channel would have it."""
    pulse_s = state.subscription.channel.pulse_s
    return pulse_s is None or (state.first_s or 0.0) <= pulse_s


def _first_s(channel: Channel) -> float | None:
    return channel.first_s
