"""The messages of the live stream, declared for its documents: who sends them, what they mean, and an example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from aperiodic.server.api.example_values import BTC
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.stream.connection import DRAIN, LAPSED, OVER, RATE, RESTART, SLOW

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CLOSE_CODES", "MESSAGES", "REFUSALS", "Message"]

_CHANNEL: Final = "ohlcv.binance-futures.1m"


class AskedChannel(msgspec.Struct, omit_defaults=True):
    """A channel as an object.

    Attributes:
        dataset: Dataset of the catalog.
        exchange: Venue.
        interval: Length of the bars.
        timestamp: Their clock, `exchange` or `true`; by default `exchange`, below a minute `true`.
        symbols: 1 to 500 instruments; left out for all that there are.
    """

    dataset: str
    exchange: str
    interval: str
    timestamp: str | None = None
    symbols: list[str] | None = None


class Subscribe(msgspec.Struct, tag_field="op", tag="subscribe", omit_defaults=True):
    """Asks for channels.

    Attributes:
        channels: 1 to 200 channels: `dataset.exchange.interval`, with `.exchange` or `.true` behind it for a clock, or
            objects.
        id: Comes back in the answer.
        since: First the bars that start at or after this time, µs since 1970, at most 200,000 a channel.
    """

    channels: list[str | AskedChannel]
    id: str | None = None
    since: int | None = None


class Unsubscribe(msgspec.Struct, tag_field="op", tag="unsubscribe", omit_defaults=True):
    """Gives channels up.

    Attributes:
        channels: Names of channels.
        id: Comes back in the answer.
    """

    channels: list[str]
    id: str | None = None


class Ping(msgspec.Struct, tag_field="op", tag="ping", omit_defaults=True):
    """Asks for a sign of life.

    Attributes:
        id: Comes back in the answer.
    """

    id: str | None = None


class Rejected(msgspec.Struct):
    """A channel that was refused.

    Attributes:
        channel: As the client wrote it.
        code: `unknown_channel`, `not_entitled`, `not_live`, `limit_exceeded` or `invalid_message`.
        message: Why.
    """

    channel: str
    code: str
    message: str


class Subscribed(msgspec.Struct, tag_field="op", tag="subscribed", omit_defaults=True):
    """Answers a subscription.

    Attributes:
        channels: What is streamed from now on.
        rejected: What was refused.
        id: That of the question.
        replayed: Where `since` was asked for: whether all rows since then follow.
    """

    channels: list[str]
    rejected: list[Rejected]
    id: str | None = None
    replayed: bool | None = None


class Unsubscribed(msgspec.Struct, tag_field="op", tag="unsubscribed", omit_defaults=True):
    """Answers that channels were given up.

    Attributes:
        channels: What is streamed no more.
        rejected: What was not subscribed to.
        id: That of the question.
    """

    channels: list[str]
    rejected: list[Rejected]
    id: str | None = None


class Pong(msgspec.Struct, tag_field="op", tag="pong", omit_defaults=True):
    """Answers a ping.

    Attributes:
        id: That of the question.
    """

    id: str | None = None


class Heartbeat(msgspec.Struct, tag_field="op", tag="heartbeat"):
    """Says, after 20 s without a message, that the connection lives."""


class Problem(msgspec.Struct, tag_field="op", tag="error", omit_defaults=True):
    """Says that a message could not be read.

    Attributes:
        code: `invalid_message` or `limit_exceeded`.
        message: What is wrong.
        id: That of the question, where there is one.
    """

    code: str
    message: str
    id: str | None = None


class Row(msgspec.Struct, omit_defaults=True):
    """A bar that is over.

    Attributes:
        channel: The channel that it was asked for with.
        data: `symbol`, `interval`, `time` (start of the bar, µs since 1970), the fields of the dataset (null where they
            are undefined), `complete` (whether nothing is known to be missing from the ticks behind it) and `revision`
            (0, then counted up when the bar is corrected). Rows of files lack the last two.
        snapshot: Whether it is the newest one at the time of the subscription.
    """

    channel: str
    data: dict[str, str | int | float | bool | None]
    snapshot: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        sender: Who sends it.
        example: One of its kind; the words of its type say what it means.
    """

    sender: Literal["client", "server"]
    example: msgspec.Struct

    @property
    def name(self) -> str:
        """Name of its type."""
        return type(self.example).__name__

    @property
    def fields(self) -> Mapping[str, Any]:
        """The example as JSON values."""
        found: dict[str, Any] = msgspec.to_builtins(self.example)
        return found


MESSAGES: Final = (
    Message("client", Subscribe([_CHANNEL, AskedChannel("flow", "binance-futures", "1m", symbols=[BTC])], "s1")),
    Message("client", Unsubscribe([_CHANNEL], "u1")),
    Message("client", Ping("p1")),
    Message("server", Subscribed([_CHANNEL], [Rejected("ohlc.binance-futures.1m", "unknown_channel", "…")], "s1")),
    Message("server", Unsubscribed([_CHANNEL], [], "u1")),
    Message("server", Pong("p1")),
    Message("server", Heartbeat()),
    Message("server", Problem("invalid_message", 'A message has an "op": subscribe, unsubscribe or ping.')),
    Message(
        "server",
        Row(
            _CHANNEL,
            {
                "symbol": BTC,
                "interval": "1m",
                "time": 1_795_000_020_000_000,
                "open": 103_249.5,
                "close": 103_250.0,
                "complete": True,
                "revision": 0,
            },
        ),
    ),
)
"""All messages."""

REFUSALS: Final = (
    ErrorCode.MISSING_KEY,
    ErrorCode.UNKNOWN_KEY,
    ErrorCode.REVOKED_KEY,
    ErrorCode.EXPIRED_KEY,
    ErrorCode.LIVE_NOT_IN_PLAN,
    ErrorCode.SCOPE_MISSING,
    ErrorCode.CLIENT_OBSOLETE,
    ErrorCode.UPGRADE_REQUIRED,
    ErrorCode.TOO_MANY_STREAMS,
    ErrorCode.LEDGER_UNAVAILABLE,
)
"""Errors in the place of a connection."""

CLOSE_CODES: Final[Mapping[int, str]] = {
    DRAIN: "The server stops: connect again.",
    RATE: "More than 120 messages in a minute: do not connect again.",
    1009: "A message was longer than 256 KiB.",
    RESTART: "Rows were missed that the server cannot tell any more: connect again, and fetch what is missing.",
    SLOW: "Rows were not read fast enough: connect again, with `since`.",
    OVER: "A replay is over.",
    LAPSED: "The key or its plan no longer includes live data: do not connect again.",
}
"""Why the server ends a connection."""
