"""A trial of a venue that keeps nothing: does every channel bring what it should?"""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from aperiodic.capture.plan import choose_channels
from aperiodic.capture.session import Session
from aperiodic.venues import feed_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aperiodic.capture.settings import CaptureSettings
    from aperiodic.capture.streams import StreamState
    from aperiodic.market import Exchange
    from aperiodic.venues.feed import Channel, Subscription

__all__ = ["ChannelReport", "Report", "check"]

_MOST_FIELDS: Final = 50
_MOST_LISTED: Final = 8
_NUMBERS: Final = ("t", "tradeId")
"""Fields that number trades one by one."""


@dataclass(slots=True)
class ChannelReport:
    """What a channel brought.

    Attributes:
        channel: Its name.
        host: Class of host that brought it.
        stream: Example of a stream.
        streams: Streams asked for.
        proven: Streams that brought a frame.
        frames: Frames that came.
        first_s: Median time from asking to the first frame, seconds; None where none came.
        unknown: Fields that are not known.
        breaks: Numbers that were missing: of trades, or of books.
        verdict: The judgement in words; `ok` when there is nothing to say.
    """

    channel: str
    host: str
    stream: str
    streams: int = 0
    proven: int = 0
    frames: int = 0
    first_s: float | None = None
    unknown: tuple[str, ...] = ()
    breaks: int = 0
    verdict: str = "ok"

    @property
    def is_good(self) -> bool:
        """Whether the channel works."""
        return self.verdict == "ok"


@dataclass(slots=True)
class Report:
    """What a trial found.

    Attributes:
        exchange: The venue.
        seconds: How long it was listened to.
        channels: What each channel brought.
        clock_offset_ms: Venue's clock less this machine's, ms; None where it did not tell.
        clock_rtt_ms: Time of the request that told it, ms.
        rest_asked: REST requests.
        unlisted: Names that were asked for and that the venue does not list.
        is_reached: Whether any of its hosts answered.
        said: What else a person should know.
    """

    exchange: Exchange
    seconds: float
    channels: list[ChannelReport] = field(default_factory=list)
    clock_offset_ms: float | None = None
    clock_rtt_ms: float | None = None
    rest_asked: int = 0
    unlisted: tuple[str, ...] = ()
    is_reached: bool = True
    said: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether everything that was asked for came."""
        return bool(self.channels) and not self.unlisted and all(each.is_good for each in self.channels)


class _Follower:
    """Looks into the frames of all streams."""

    def __init__(self) -> None:
        self.frames: dict[str, int] = {}
        self.unknown: dict[str, set[str]] = {}
        self.breaks: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def see(self, stream: Subscription, message: bytes) -> None:
        channel = stream.channel
        self.frames[stream.name] = self.frames.get(stream.name, 0) + 1
        if not channel.fields:
            return
        try:
            data = _FRAMES.decode(message).data
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._note(channel, "(no JSON)")
            return
        for entry in data if isinstance(data, list) else [data]:
            if not isinstance(entry, dict):
                continue
            for name in _names(entry) - channel.fields:
                self._note(channel, name)
            self._number(stream, entry)

    def _note(self, channel: Channel, name: str) -> None:
        unknown = self.unknown.setdefault(channel.name, set())
        if len(unknown) < _MOST_FIELDS:
            unknown.add(name[:40])

    def _number(self, stream: Subscription, entry: dict[str, Any]) -> None:
        told = next((entry[name] for name in _NUMBERS if name in entry), None)
        if not isinstance(told, int | str) or not str(told).isdigit():
            return
        number = int(told)
        last = self._last.get(stream.name, number - 1)
        if number > last + 1:
            self.breaks[stream.channel.name] = self.breaks.get(stream.channel.name, 0) + 1
        self._last[stream.name] = max(last, number)


class _Frame(msgspec.Struct):
    data: Any = None


_FRAMES: Final = msgspec.json.Decoder(_Frame)


def _names(entry: dict[str, Any]) -> set[str]:
    inner = {f"{name}.{each}" for name, value in entry.items() if isinstance(value, dict) for each in value}
    return set(entry) | inner


async def check(
    exchange: Exchange,
    natives: Sequence[str] | None,
    settings: CaptureSettings,
    *,
    channels: Sequence[str] = (),
    seconds: float = 300.0,
    say: Callable[[str], object] = lambda _words: None,
) -> Report:
    """Listen to a venue for a while.

    Args:
        exchange: The venue.
        natives: The venue's names of the instruments; None for all that it lists.
        settings: How it is captured; its home should be a folder that is thrown away afterwards.
        channels: Names of channels; the default ones if there are none.
        seconds: How long.
        say: Takes what a person should know, at once.

    Raises:
        InvalidInputError: The venue cannot be captured, or a channel is not known.
        CaptureError: It cannot begin.
        OSError: The system refused.
    """
    feed = feed_of(exchange)
    follower = _Follower()
    chosen = choose_channels(feed, channels)
    session = Session(feed, settings, chosen, natives, shard="check", say=say, follow=follower.see)
    running = asyncio.create_task(session.run())
    await asyncio.wait({running}, timeout=seconds)
    report = _report(session, follower, seconds)
    session.stop()
    await running
    return report


def _report(session: Session, follower: _Follower, seconds: float) -> Report:
    states: dict[str, list[tuple[str, StreamState]]] = {}
    for keeper in session.keepers:
        if keeper.current is not None:
            for state in keeper.current.streams.values():
                states.setdefault(state.subscription.channel.name, []).append((keeper.current.host, state))
    clock, told = session.clock, session.said
    return Report(
        session.feed.exchange,
        seconds,
        [
            _channel(session, follower, channel, states.get(channel.name, []))
            for channel in session.channels
            if channel.host != "rest"
        ],
        None if clock.offset_us is None else clock.offset_us / 1e3,
        None if clock.rtt_us is None else clock.rtt_us / 1e3,
        session.rest.asked,
        tuple(session.unlisted),
        session.rest.answered > 0 or bool(states),
        [words for _, words in told],
    )


def _channel(
    session: Session, follower: _Follower, channel: Channel, states: list[tuple[str, StreamState]]
) -> ChannelReport:
    example = states[0][1].subscription.name if states else channel.template
    report = ChannelReport(channel.name, channel.host, example)
    usual = [state for host, state in states if host == channel.host and _is_usual(session, state)]
    others = [(host, state) for host, state in states if state not in usual and state.seen]
    report.streams = len(usual)
    report.proven = sum(state.seen > 0 for state in usual)
    report.frames = sum(follower.frames.get(state.subscription.name, 0) for _, state in states)
    waits = [state.first_s for _, state in states if state.first_s is not None]
    report.first_s = statistics.median(waits) if waits else None
    report.unknown = tuple(sorted(follower.unknown.get(channel.name, ())))
    report.breaks = follower.breaks.get(channel.name, 0)
    if session.books.snapshots and "book" in channel.name:
        report.breaks += session.books.resyncs
    if others and not report.proven:
        host, state = others[0]
        report.verdict = f"silent as {example}; delivers as {state.subscription.name} on {host}"
    elif not usual:
        report.verdict = "never connected"
    elif channel.first_s is not None and (early := sum(not state.seen and not state.is_silent for state in usual)):
        report.verdict = f"{early} of {len(usual)} brought nothing yet: listen for more than {channel.first_s:.0f} s"
    elif not report.proven and channel.first_s is not None:
        taken = sum(state.acknowledged > 0 for state in usual)
        report.verdict = f"silent ({taken} of {len(usual)} acknowledged)"
    elif report.proven < len(usual) and channel.first_s is not None:
        silent = [state.subscription.name for state in usual if not state.seen]
        report.verdict = f"{len(silent)} of {len(usual)} silent: " + ", ".join(silent[:_MOST_LISTED])
    elif report.breaks:
        report.verdict = f"numbers were missing {report.breaks} times"
    return report


def _is_usual(session: Session, state: StreamState) -> bool:
    subscription = state.subscription
    return session.feed.subscription(subscription.channel, subscription.native).name == subscription.name
