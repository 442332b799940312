"""What a live stream tells: rows, the server's answer to a subscription, and what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NotRequired, TypedDict

from aperiodic.market import AperiodicDataError
from aperiodic.market.time import time_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from aperiodic.client.types import Exchange, Interval, TimestampType

__all__ = [
    "ChannelRejection",
    "StreamChannel",
    "StreamClosedError",
    "StreamMessage",
    "StreamSubscription",
    "StreamSubscriptionError",
    "StreamWarning",
]

_REASONS: Final = {
    1006: "the connection broke",
    1008: "too many requests on one connection",
    1013: "rows were read too slowly",
    4001: "the plan has no live data any more, or the key was changed",
}
"""What a close code means where the server gives no reason."""


class StreamChannel(TypedDict):
    """A channel as an object; as text it is `dataset.exchange.interval`, with a clock `dataset.exchange.interval.true`.

    Without `symbols` it has every symbol that the plan allows. Without `timestamp` the clock is the venue's from a
    minute on, and the arrival time below.
    """

    dataset: str
    exchange: Exchange | str
    interval: Interval | str
    timestamp: NotRequired[TimestampType | str]
    symbols: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One row of a channel.

    Attributes:
        channel: As the server named it when it accepted the subscription.
        data: The row as it was published: `symbol`, `interval`, `time` (start of the bar, µs since the epoch), the
            fields of the dataset, and on this platform `complete` and `revision`. A field without a value is None.
        snapshot: Whether it is the newest row that existed when the subscription began, and not a new one.
    """

    channel: str
    data: dict[str, Any]
    snapshot: bool = False

    @property
    def symbol(self) -> str | None:
        """Instrument; None when the row names none."""
        value = self.data.get("symbol")
        return value if isinstance(value, str) else None

    @property
    def time_us(self) -> int | None:
        """Start of the bar, µs since the epoch; None when the row has no time."""
        value = self.data.get("time")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def time(self) -> datetime | None:
        """Start of the bar, in UTC; None when the row has no time that a `datetime` can hold."""
        try:
            return None if self.time_us is None else time_at(self.time_us)
        except OverflowError:
            return None

    @property
    def complete(self) -> bool | None:
        """Whether nothing is known to be missing from the ticks behind the row; None when the server does not say."""
        value = self.data.get("complete")
        return value if isinstance(value, bool) else None

    @property
    def revision(self) -> int:
        """How often the row was corrected since it was first published; 0 when the server does not say."""
        value = self.data.get("revision")
        return value if isinstance(value, int) else 0

    @property
    def corrected(self) -> bool:
        """Whether the row takes the place of one that was published before."""
        return self.revision > 0


@dataclass(frozen=True, slots=True)
class ChannelRejection:
    """A channel that the server did not accept, or took away.

    Attributes:
        channel: Its name.
        code: `not_entitled`, `not_live`, `unknown_channel`, `limit_exceeded` or `invalid_message`.
        message: Why, in words.
    """

    channel: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.channel} ({self.code}): {self.message}"


@dataclass(frozen=True, slots=True)
class StreamSubscription:
    """The server's answer to a subscription.

    Attributes:
        channels: What it sends.
        rejected: What it does not, and why.
        replayed: Whether the rows since the time that was asked for come first, all of them.
    """

    channels: tuple[str, ...]
    rejected: tuple[ChannelRejection, ...] = ()
    replayed: bool = False


class StreamWarning(UserWarning):
    """The stream goes on, but not all is well: a channel was refused, a frame was no row, the connection was lost."""


class StreamSubscriptionError(AperiodicDataError):
    """There is nothing to stream: the server refused every channel, or took away the last.

    Attributes:
        rejected: The channels and the reasons.
    """

    def __init__(self, message: str, rejected: Sequence[ChannelRejection] = ()) -> None:
        super().__init__(
            message,
            code="subscription_refused",
            hint="Channels are named dataset.exchange.interval; the plan decides which of them are live.",
        )
        self.rejected = tuple(rejected)
        self.args = (message, self.rejected)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}"


class StreamClosedError(AperiodicDataError):
    """The server closed the connection.

    Attributes:
        code: The close code of the WebSocket, 1006 when the connection broke without one. 1008 and 4000 to 4999 are
            final: 4001 says that the plan has no live data any more, or that the key was changed.
        reason: What the server gave as the reason, or nothing.
    """

    code: int  # type: ignore[assignment]  # a close code here, as published; elsewhere the machine-readable reason

    def __init__(self, code: int, reason: str = "") -> None:
        why = reason or _REASONS.get(code, "")
        super().__init__(f"The server closed the stream with code {code}{f': {why}' if why else ''}.")
        self.code = code
        self.reason = reason
        self.args = (code, reason)

    def __str__(self) -> str:
        return self.message
