"""How Hyperliquid's socket and REST host are spoken with.

| subject | rule | source |
|---|---|---|
| subscribing | `{"method":"subscribe","subscription":{"type","coin"}}`, one a message; answered `subscriptionResponse` | Hyperliquid, WebSocket |
| unknown coin | the connection is cut without a word | measured |
| refusal | `{"channel":"error","data":"…"}` | the same |
| heartbeat | `{"method":"ping"}`, answered `{"channel":"pong"}`; closed after 60 s in which the server sent nothing | Hyperliquid, Timeouts |
| limits | 10 connections, 30 new ones a minute, 1,000 subscriptions, 2,000 messages a minute | Hyperliquid, Rate limits |
| REST | weight 1,200 a minute | the same |
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from aperiodic.market import Exchange
from aperiodic.venues.feed import Frame, FrameKind, Heartbeat, Limits, Request, Subscription
from aperiodic.venues.framing import KnownFrames
from aperiodic.venues.hyperliquid.channels import CHANNELS, FAST_BOOK
from aperiodic.venues.hyperliquid.endpoints import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.venues.feed import Channel

__all__ = ["FEED"]

_COIN: Final = b'"coin":"'
_HEAD: Final = 120
_TAIL: Final = 32
_FAST: Final = b'"fast":true'
_OTHERS: Final = frozenset({"notification", "user", "post"})
_JSON: Final = {"Content-Type": "application/json"}


class _Coin(Struct):
    coin: str = ""


class _Book(Struct):
    coin: str = ""
    fast: bool = False


class _Envelope(Struct):
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Answer(Struct):
    method: str = ""
    subscription: dict[str, Any] = msgspec.field(default_factory=dict)


class _Time(Struct):
    time: int


_ENVELOPE: Final = Decoder(_Envelope)
_COINS: Final = Decoder(list[_Coin])
_BOOK: Final = Decoder(_Book)
_ANSWER: Final = Decoder(_Answer)
_TEXT: Final = Decoder(str)
_TIME: Final = Decoder(_Time)


class HyperliquidFeed:
    """Hyperliquid's perpetuals; see `aperiodic.venues.feed.Feed`."""

    exchange = Exchange.HYPERLIQUID_PERPS
    endpoints = ENDPOINTS
    channels = CHANNELS
    limits = Limits(
        streams=1_000,
        planned_streams=500,
        names_per_message=1,
        messages_per_s=25.0,
        connections=10,
        dials=30,
        dials_s=60.0,
        life_s=None,
        weight=1_200,
    )
    heartbeat = Heartbeat(after_s=25.0, text=b'{"method":"ping"}', idle_s=60.0)
    majors: tuple[str, ...] = ("BTC", "ETH", "SOL")
    geo_hint = "Hyperliquid's API answers from most countries; the refusal may come from a proxy or a firewall between."

    def __init__(self) -> None:
        self._known = KnownFrames(_decode)

    def path(self, channels: Sequence[Channel]) -> str:
        """Return nothing: the address is the same for all."""
        del channels
        return ""

    def subscription(self, channel: Channel, native: str, template: str = "") -> Subscription:
        """Return `trades:BTC`; the fast form of the book is `l2Book.fast:BTC`."""
        return Subscription(channel, native, (template or channel.template).format(native=native))

    def subscribe(self, streams: Sequence[Subscription], request: int) -> list[bytes]:
        """Return one message a stream; they are not numbered."""
        del request
        return [_message("subscribe", each.name) for each in streams]

    def unsubscribe(self, streams: Sequence[Subscription], request: int) -> list[bytes]:
        """Return one message a stream."""
        del request
        return [_message("unsubscribe", each.name) for each in streams]

    def read(self, frame: bytes) -> Frame:
        """Tell a frame by its channel and coin."""
        begin = frame.find(_COIN, 0, _HEAD)
        if begin < 0 or frame.startswith(b'{"channel":"subscriptionResponse"'):
            return _decode(frame)
        start = frame[: frame.find(b'"', begin + len(_COIN)) + 1]
        if start.startswith(b'{"channel":"l2Book"') and _FAST in frame[-_TAIL:]:
            start += b"fast"
        return self._known.read(start, frame)

    def chain(self, native: str) -> None:
        """Return None: every frame of the book is a whole one."""
        del native

    def snapshot(self, native: str) -> None:
        """Return None, for the same reason."""
        del native

    def instruments(self) -> Request:
        """Ask for `meta`."""
        return Request("/info", 20, body=b'{"type":"meta"}', headers=_JSON, kind="instruments")

    def time(self) -> Request:
        """Ask for `exchangeStatus`."""
        return Request("/info", 2, body=b'{"type":"exchangeStatus"}', headers=_JSON, kind="time")

    def read_time(self, body: bytes) -> int | None:
        """Read `time`."""
        try:
            return _TIME.decode(body).time
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def polls(self, natives: Sequence[str]) -> list[Request]:
        """Return nothing: everything has a channel."""
        del natives
        return []

    def used_weight(self, headers: Mapping[str, str]) -> int | None:
        """Return None: Hyperliquid does not tell."""
        del headers
        return None


def _message(method: str, name: str) -> bytes:
    kind, _, coin = name.partition(":")
    wanted: dict[str, Any] = {"type": kind.partition(".")[0], "coin": coin}
    if kind == FAST_BOOK:
        wanted["fast"] = True
    return msgspec.json.encode({"method": method, "subscription": wanted})


def _decode(frame: bytes) -> Frame:
    try:
        envelope = _ENVELOPE.decode(frame)
        return _told(envelope.channel, envelope.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Frame(FrameKind.OTHER, code="unreadable")


def _told(channel: str, data: msgspec.Raw) -> Frame:
    if channel == "pong":
        return Frame(FrameKind.HEARTBEAT)
    if channel == "error":
        return Frame(FrameKind.REFUSED, code="error", message=_TEXT.decode(data)[:500])
    if channel == "subscriptionResponse":
        wanted = _ANSWER.decode(data).subscription
        kind = FAST_BOOK if wanted.get("type") == "l2Book" and wanted.get("fast") is True else wanted.get("type", "")
        return Frame(FrameKind.ACKNOWLEDGED, names=(f"{kind}:{wanted.get('coin', '')}",))
    if not channel or channel in _OTHERS:
        return Frame(FrameKind.OTHER, code=channel or "unlabelled")
    if channel == "trades":
        trades = _COINS.decode(data)
        coin = trades[0].coin if trades else ""
    else:
        book = _BOOK.decode(data)
        coin = book.coin
        if channel == "l2Book" and book.fast:
            channel = FAST_BOOK
    if not coin:
        return Frame(FrameKind.OTHER, code=channel)
    return Frame(FrameKind.DATA, f"{channel}:{coin}", coin)


FEED: Final = HyperliquidFeed()
