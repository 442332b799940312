"""How OKX's sockets and REST host are spoken with.

| subject | rule | source |
|---|---|---|
| subscribing | `{"id","op":"subscribe","args":[{"channel","instId"},…]}`, answered for each argument | OKX, WebSocket |
| refusal | `{"event":"error","code","msg"}` | the same |
| end | `{"event":"notice","code":"64008"}` some 60 s before | the same |
| heartbeat | text `ping`, answered by text `pong`; closed after 30 s without data | the same |
| connections | 3 new ones a second; 480 subscriptions an hour on each | the same |
| books | fewer than 30 a connection | OKX' advice |
| REST | limits an endpoint; the strictest that is used, 40 in 2 s for books, is kept for all | OKX, REST |
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from aperiodic.market import Exchange
from aperiodic.venues.feed import Frame, FrameKind, Heartbeat, Limits, Request, Subscription
from aperiodic.venues.framing import KnownFrames, in_chunks
from aperiodic.venues.okx.chain import BookNumbers
from aperiodic.venues.okx.channels import CHANNELS
from aperiodic.venues.okx.endpoints import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.venues.feed import Channel

__all__ = ["FEED"]

_ARGUMENT: Final = b'{"arg":{'
_CLOSING: Final = "64008"
_PONG: Final = b"pong"
_HEARTBEAT_FRAME: Final = Frame(FrameKind.HEARTBEAT)


class _Argument(Struct):
    channel: str = ""
    instrument: str = msgspec.field(name="instId", default="")


class _Said(Struct):
    argument: _Argument | None = msgspec.field(name="arg", default=None)
    event: str = ""
    code: str = ""
    message: str = msgspec.field(name="msg", default="")
    number: str = msgspec.field(name="id", default="")


class _Stamp(Struct):
    time: str = msgspec.field(name="ts")


class _Stamps(Struct):
    data: list[_Stamp]


_SAID: Final = Decoder(_Said)
_TIME: Final = Decoder(_Stamps)


class OkxFeed:
    """OKX' perpetual swaps; see `aperiodic.venues.feed.Feed`."""

    exchange = Exchange.OKX_PERPS
    endpoints = ENDPOINTS
    channels = CHANNELS
    limits = Limits(
        streams=480,
        planned_streams=120,
        names_per_message=480,
        messages_per_s=2.0,
        connections=None,
        dials=3,
        dials_s=1.0,
        life_s=None,
        weight=40,
        weight_s=2.0,
    )
    heartbeat = Heartbeat(after_s=20.0, text=b"ping", answer=_PONG, idle_s=30.0)
    majors: tuple[str, ...] = ("BTC-USDT-SWAP", "ETH-USDT-SWAP", "SOL-USDT-SWAP")
    geo_hint = (
        "OKX serves the US from us.okx.com and wsus.okx.com, the EEA from eea.okx.com and wseea.okx.com: name them in "
        "APERIODIC_REST_OKX_PERPS, APERIODIC_WS_OKX_PERPS_PUBLIC and APERIODIC_WS_OKX_PERPS_BUSINESS."
    )

    def __init__(self) -> None:
        self._known = KnownFrames(_decode)

    def path(self, channels: Sequence[Channel]) -> str:
        """Return nothing: the class of host is the whole address."""
        del channels
        return ""

    def subscription(self, channel: Channel, native: str, template: str = "") -> Subscription:
        """Return `trades-all:BTC-USDT-SWAP`: the channel and the instrument, or its index."""
        index = native.removesuffix("-SWAP")
        return Subscription(channel, native, (template or channel.template).format(native=native, index=index))

    def subscribe(self, streams: Sequence[Subscription], request: int) -> list[bytes]:
        """Return subscribing messages of many arguments."""
        return self._messages("subscribe", streams, request)

    def unsubscribe(self, streams: Sequence[Subscription], request: int) -> list[bytes]:
        """Return unsubscribing messages."""
        return self._messages("unsubscribe", streams, request)

    def read(self, frame: bytes) -> Frame:
        """Tell a frame by its argument."""
        if frame.startswith(_ARGUMENT):
            return self._known.read(frame[: frame.find(b"}") + 1], frame)
        if frame == _PONG:
            return _HEARTBEAT_FRAME
        return _decode(frame)

    def chain(self, native: str) -> BookNumbers:
        """Begin to watch a book."""
        del native
        return BookNumbers()

    def snapshot(self, native: str) -> Request:
        """Ask for 400 levels a side, as the channel has."""
        return Request(f"/api/v5/market/books?instId={native}&sz=400", 1, native=native, kind="snapshot")

    def instruments(self) -> Request:
        """Ask for all swaps."""
        return Request("/api/v5/public/instruments?instType=SWAP", 2, kind="instruments")

    def time(self) -> Request:
        """Ask for the time."""
        return Request("/api/v5/public/time", 4, kind="time")

    def read_time(self, body: bytes) -> int | None:
        """Read `ts`."""
        try:
            stamps = _TIME.decode(body).data
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        told = stamps[0].time if stamps else ""
        return int(told) if told.isascii() and told.isdigit() else None

    def polls(self, natives: Sequence[str]) -> list[Request]:
        """Return nothing: everything has a channel."""
        del natives
        return []

    def used_weight(self, headers: Mapping[str, str]) -> int | None:
        """Return None: OKX does not tell."""
        del headers
        return None

    def _messages(self, what: str, streams: Sequence[Subscription], request: int) -> list[bytes]:
        return [
            msgspec.json.encode({"id": str(number), "op": what, "args": [_argument(each.name) for each in chunk]})
            for number, chunk in enumerate(in_chunks(streams, self.limits.names_per_message), request)
        ]


def _argument(name: str) -> dict[str, str]:
    channel, _, instrument = name.partition(":")
    return {"channel": channel, "instId": instrument}


def _decode(frame: bytes) -> Frame:
    try:
        said = _SAID.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Frame(FrameKind.OTHER, code="unreadable")
    argument = said.argument
    name = "" if argument is None else f"{argument.channel}:{argument.instrument}"
    if said.event:
        return _event(said, (name,) if name else ())
    if argument is None:
        return Frame(FrameKind.OTHER, code="unlabelled")
    return Frame(FrameKind.DATA, name, argument.instrument)


def _event(said: _Said, names: tuple[str, ...]) -> Frame:
    number = int(said.number) if said.number.isascii() and said.number.isdigit() else None
    if said.event in {"subscribe", "unsubscribe"}:
        return Frame(FrameKind.ACKNOWLEDGED, names=names, request=number)
    if said.event == "notice" and said.code == _CLOSING:
        return Frame(FrameKind.CLOSING, code=said.code, message=said.message)
    if said.event == "error" or said.event.endswith("-error"):
        return Frame(FrameKind.REFUSED, names=names, request=number, code=said.code, message=said.message)
    return Frame(FrameKind.OTHER, names=names, request=number, code=said.code or said.event, message=said.message)


FEED: Final = OkxFeed()
