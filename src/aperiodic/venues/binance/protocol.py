"""How Binance's sockets and REST hosts are spoken with.

| subject | rule | source |
|---|---|---|
| subscribing | `{"method":"SUBSCRIBE","params":[…],"id":n}`; any name is acknowledged `{"result":null,"id":n}` | Binance, WebSocket Market Streams; measured |
| refusal | futures `{"error":{"code","msg"},"id"}`, spot `{"code","msg","id"}` | measured; Binance, Spot API |
| data | `{"stream":"<name>","data":{…}}` | the same |
| end | `!serverShutdown`, or an event `serverShutdown` | Binance, Spot API, 2026-05-08 |
| streams | 1,024 a connection; one more closes it with 1008 | measured |
| messages | futures 10 a second, spot 5 with pings and pongs | documented |
| connections | 300 in 5 minutes; each lives 24 hours | documented |
| REST weight | futures 2,400, spot 6,000 in each minute of UTC; `X-MBX-USED-WEIGHT-1M` tells what is used | measured, documented |
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from aperiodic.market import Exchange
from aperiodic.venues.binance.chain import DepthChain
from aperiodic.venues.binance.channels import FUTURES_CHANNELS, SPOT_CHANNELS
from aperiodic.venues.binance.endpoints import FUTURES_ENDPOINTS, SPOT_ENDPOINTS
from aperiodic.venues.feed import Frame, FrameKind, Heartbeat, Limits, Request, Subscription
from aperiodic.venues.framing import KnownFrames, in_chunks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.venues.feed import Channel, Endpoint

__all__ = ["FUTURES_FEED", "SPOT_FEED"]

_MAJORS: Final[tuple[str, ...]] = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
_STREAM: Final = b'{"stream":"'
_STREAM_LENGTH: Final = len(_STREAM)
_WEIGHT: Final = "x-mbx-used-weight-1m"
_HEARTBEAT: Final = Heartbeat(after_s=60.0)
_SHUTDOWN: Final = Frame(FrameKind.CLOSING, code="serverShutdown", message="the server will shut down")


class _Said(Struct):
    stream: str = ""
    event: str = msgspec.field(name="e", default="")
    number: Any = msgspec.field(name="id", default=None)
    error: dict[str, Any] | None = None
    code: Any = None
    message: Any = msgspec.field(name="msg", default="")
    result: Raw | None = None


class _Time(Struct):
    time: int = msgspec.field(name="serverTime")


_SAID: Final = Decoder(_Said)
_TIME: Final = Decoder(_Time)


class BinanceFeed:
    """One of Binance's markets; see `aperiodic.venues.feed.Feed`."""

    def __init__(
        self,
        exchange: Exchange,
        endpoints: tuple[Endpoint, ...],
        channels: tuple[Channel, ...],
        limits: Limits,
        *,
        api: str,
        geo_hint: str,
        snapshot_weight: int,
        instruments_weight: int,
    ) -> None:
        self.exchange = exchange
        self.endpoints = endpoints
        self.channels = channels
        self.limits = limits
        self.heartbeat = _HEARTBEAT
        self.majors = _MAJORS
        self.geo_hint = geo_hint
        self._api = api
        self._spot = exchange is Exchange.BINANCE
        self._snapshot_weight = snapshot_weight
        self._instruments_weight = instruments_weight
        self._known = KnownFrames(_decode)

    def path(self, channels: Sequence[Channel]) -> str:
        """Return the path of combined streams; spot tells microseconds if asked to."""
        del channels
        return "/stream?timeUnit=MICROSECOND" if self._spot else "/stream"

    def subscription(self, channel: Channel, native: str, template: str = "") -> Subscription:
        """Return `btcusdt@trade`, as the frames are labelled."""
        return Subscription(channel, native, (template or channel.template).format(native=native.lower()))

    def subscribe(self, streams: Sequence[Subscription], request: int) -> list[bytes]:
        """Return SUBSCRIBE messages."""
        return self._messages("SUBSCRIBE", streams, request)

    def unsubscribe(self, streams: Sequence[Subscription], request: int) -> list[bytes]:
        """Return UNSUBSCRIBE messages."""
        return self._messages("UNSUBSCRIBE", streams, request)

    def read(self, frame: bytes) -> Frame:
        """Tell a frame by the name of its stream."""
        if frame.startswith(_STREAM):
            return self._known.read(frame[: frame.find(b'"', _STREAM_LENGTH) + 1], frame)
        return _decode(frame)

    def chain(self, native: str) -> DepthChain:
        """Begin to watch a book."""
        del native
        return DepthChain()

    def snapshot(self, native: str) -> Request:
        """Ask for 1,000 levels a side."""
        path = f"{self._api}/depth?symbol={native}&limit=1000"
        return Request(path, self._snapshot_weight, native=native, kind="snapshot")

    def instruments(self) -> Request:
        """Ask for `exchangeInfo`."""
        return Request(f"{self._api}/exchangeInfo", self._instruments_weight, kind="instruments")

    def time(self) -> Request:
        """Ask for the time."""
        return Request(f"{self._api}/time", 1, kind="time")

    def read_time(self, body: bytes) -> int | None:
        """Read `serverTime`."""
        try:
            return _TIME.decode(body).time
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def polls(self, natives: Sequence[str]) -> list[Request]:
        """Ask for the open interest of futures: of the majors every 10 s, of others every 60 s."""
        if self._spot:
            return []
        return [
            Request(
                f"{self._api}/openInterest?symbol={native}",
                1,
                native=native,
                kind="open_interest",
                every_s=10.0 if native in self.majors else 60.0,
            )
            for native in natives
        ]

    def used_weight(self, headers: Mapping[str, str]) -> int | None:
        """Read `X-MBX-USED-WEIGHT-1M`."""
        told = headers.get(_WEIGHT, "")
        return int(told) if told.isascii() and told.isdigit() else None

    def _messages(self, method: str, streams: Sequence[Subscription], request: int) -> list[bytes]:
        return [
            msgspec.json.encode({"method": method, "params": [each.name for each in chunk], "id": number})
            for number, chunk in enumerate(in_chunks(streams, self.limits.names_per_message), request)
        ]


def _decode(frame: bytes) -> Frame:
    try:
        said = _SAID.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Frame(FrameKind.OTHER, code="unreadable")
    if said.event == "serverShutdown" or said.stream == "!serverShutdown":
        return _SHUTDOWN
    if said.stream:
        head = said.stream.partition("@")[0]
        return Frame(FrameKind.DATA, said.stream, "" if head.startswith("!") else head.upper())
    return _answered(said)


def _answered(said: _Said) -> Frame:
    number = said.number if isinstance(said.number, int) else None
    code, message = said.code, said.message
    if said.error is not None:
        code, message = said.error.get("code", ""), said.error.get("msg", "")
    if code is not None:
        return Frame(FrameKind.REFUSED, request=number, code=str(code), message=str(message))
    if number is not None:
        return Frame(FrameKind.ACKNOWLEDGED, request=number)
    return Frame(FrameKind.OTHER, code=said.event or "unlabelled")


FUTURES_FEED: Final = BinanceFeed(
    Exchange.BINANCE_FUTURES,
    FUTURES_ENDPOINTS,
    FUTURES_CHANNELS,
    Limits(
        streams=1_024,
        planned_streams=200,
        names_per_message=200,
        messages_per_s=5.0,
        connections=None,
        dials=300,
        dials_s=300.0,
        life_s=86_400.0,
        weight=2_400,
    ),
    api="/fapi/v1",
    geo_hint="Binance serves no futures to this country (the US and some others). Capture from a machine elsewhere.",
    snapshot_weight=20,
    instruments_weight=1,
)

SPOT_FEED: Final = BinanceFeed(
    Exchange.BINANCE,
    SPOT_ENDPOINTS,
    SPOT_CHANNELS,
    Limits(
        streams=1_024,
        planned_streams=200,
        names_per_message=200,
        messages_per_s=2.0,
        connections=None,
        dials=300,
        dials_s=300.0,
        life_s=86_400.0,
        weight=6_000,
    ),
    api="/api/v3",
    geo_hint="Use the mirrors for market data: data-stream.binance.vision and data-api.binance.vision.",
    snapshot_weight=50,
    instruments_weight=20,
)
