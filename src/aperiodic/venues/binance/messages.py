"""Binance messages as typed structs. Prices and amounts come as decimal text and are read as the nearest float64.

Whole numbers that identify something fit int64; larger ones make the message invalid.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Protocol, TypeAlias

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType, convert, field
from msgspec.json import Decoder, encode

__all__ = [
    "AGGREGATED_TRADE",
    "BOOK_TICKER",
    "DEPTH_HEAD",
    "DEPTH_SNAPSHOT",
    "DEPTH_UPDATE",
    "ENVELOPE",
    "MARK_PRICE",
    "MARK_PRICES",
    "OPEN_INTEREST",
    "TRADE",
    "AggregatedTrade",
    "BookTicker",
    "DepthHead",
    "DepthSnapshot",
    "DepthUpdate",
    "Envelope",
    "MarkPrice",
    "OfMarket",
    "OpenInterest",
    "Trade",
    "book_ticker_with_gaps",
    "depth_name",
    "with_pairs",
]

Number: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Level: TypeAlias = tuple[float, float]


class OfMarket(Protocol):
    """A message of one instrument: `margin` (`st`) is 1 for USD-margined, 2 for coin-margined, older ones have none."""

    symbol: str
    margin: int | None


class Envelope(Struct, gc=False):
    """The outside of a frame: a combined stream's wrapper, a bare event, a REST answer or an acknowledgement."""

    stream: str = ""
    data: Raw | UnsetType = UNSET
    event: str = field(name="e", default="")
    last_update_id: Raw | UnsetType = field(name="lastUpdateId", default=UNSET)
    open_interest: Raw | UnsetType = field(name="openInterest", default=UNSET)
    best_bid_amount: Raw | UnsetType = field(name="B", default=UNSET)
    request_id: Raw | UnsetType = field(name="id", default=UNSET)
    symbols: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
    code: Raw | UnsetType = UNSET


class Trade(Struct, gc=False):
    """`trade`: one fill. `kind` (X) is absent on spot; `best_match` (M) is sent by spot only."""

    symbol: str = field(name="s")
    number: Number = field(name="t")
    time: int = field(name="T")
    price: float = field(name="p")
    amount: float = field(name="q")
    buyer_is_maker: bool = field(name="m")
    kind: str = field(name="X", default="MARKET")
    best_match: bool | None = field(name="M", default=None)
    margin: int | None = field(name="st", default=None)


class AggregatedTrade(Struct, gc=False):
    """`aggTrade`: the fills `first`..`last` of one taker order at one price."""

    symbol: str = field(name="s")
    number: Number = field(name="a")
    first: Number = field(name="f")
    last: Number = field(name="l")
    time: int = field(name="T")
    price: float = field(name="p")
    amount: float = field(name="q")
    buyer_is_maker: bool = field(name="m")
    best_match: bool | None = field(name="M", default=None)
    margin: int | None = field(name="st", default=None)


class BookTicker(Struct, gc=False):
    """`bookTicker`: the best quote; spot sends no time."""

    symbol: str = field(name="s")
    number: Number = field(name="u")
    bid_price: float | None = field(name="b", default=None)
    bid_amount: float | None = field(name="B", default=None)
    ask_price: float | None = field(name="a", default=None)
    ask_amount: float | None = field(name="A", default=None)
    time: int | None = field(name="T", default=None)
    event_time: int | None = field(name="E", default=None)
    margin: int | None = field(name="st", default=None)


class DepthHead(Struct, kw_only=True):
    """`depthUpdate` without its levels: what the updates `first`..`last` changed; spot sends neither `pu` nor `T`."""

    symbol: str = field(name="s")
    event_time: int = field(name="E")
    first: Number = field(name="U")
    last: Number = field(name="u")
    time: int | None = field(name="T", default=None)
    previous: Number | None = field(name="pu", default=None)
    margin: int | None = field(name="st", default=None)


class DepthUpdate(DepthHead, kw_only=True):
    """`depthUpdate`: absolute levels changed by the updates `first`..`last`."""

    bids: list[Level] = field(name="b")
    asks: list[Level] = field(name="a")


class DepthName(Struct):
    """Whose book a `depthUpdate` changes."""

    event: str = field(name="e")
    symbol: str = field(name="s")


class DepthSnapshot(Struct):
    """REST `depth`: the book after update `number`, cut at the limit that was asked for."""

    number: Number = field(name="lastUpdateId")
    bids: list[Level]
    asks: list[Level]


class MarkPrice(Struct, gc=False):
    """`markPriceUpdate`: `next_funding_time` is 0 and the rate empty or zero for dated futures."""

    symbol: str = field(name="s")
    event_time: int = field(name="E")
    mark_price: float = field(name="p")
    index_price: str = field(name="i", default="")
    funding_rate: str = field(name="r", default="")
    next_funding_time: int = field(name="T", default=0)
    margin: int | None = field(name="st", default=None)


class OpenInterest(Struct, gc=False):
    """REST `openInterest`: in base units."""

    symbol: str
    open_interest: float = field(name="openInterest")
    time: int
    margin: int | None = field(name="st", default=None)


ENVELOPE: Final = Decoder(Envelope)
# Not strict: numbers written as text are read as numbers, by the decoder and not by Python.
TRADE: Final = Decoder(Trade, strict=False)
AGGREGATED_TRADE: Final = Decoder(AggregatedTrade, strict=False)
BOOK_TICKER: Final = Decoder(BookTicker, strict=False)
DEPTH_HEAD: Final = Decoder(DepthHead, strict=False)
DEPTH_UPDATE: Final = Decoder(DepthUpdate, strict=False)
DEPTH_SNAPSHOT: Final = Decoder(DepthSnapshot, strict=False)
MARK_PRICE: Final = Decoder(MarkPrice, strict=False)
MARK_PRICES: Final = Decoder(list[MarkPrice], strict=False)
OPEN_INTEREST: Final = Decoder(OpenInterest, strict=False)

_ANY_OBJECT: Final = Decoder(dict[str, Any])
_DEPTH_NAME: Final = Decoder(DepthName)
_LEVEL: Final = 2


def book_ticker_with_gaps(raw: bytes | Raw) -> BookTicker:
    """Read a `bookTicker` of a book with an empty side, whose price may be empty text.

    Raises:
        msgspec.ValidationError: It is no `bookTicker` even so.
    """
    fields = {name: value for name, value in _ANY_OBJECT.decode(raw).items() if value != ""}
    return convert(fields, BookTicker, strict=False)


def with_pairs(raw: bytes | Raw) -> bytes:
    """Return a depth message with each level cut to price and amount: old ones have a third, empty element.

    Raises:
        msgspec.DecodeError: It is no such message.
    """
    message = _ANY_OBJECT.decode(raw)
    for side in ("b", "a", "bids", "asks"):
        levels = message.get(side)
        if isinstance(levels, list):
            message[side] = [level[:_LEVEL] if isinstance(level, list) else level for level in levels]
    return encode(message)


def depth_name(line: bytes) -> str | None:
    """Return whose book a line of a recording changes, None if it changes none."""
    if b"depthUpdate" not in line:
        return None
    frame = line[line.find(b"{") :]
    try:
        envelope = ENVELOPE.decode(frame)
        named = _DEPTH_NAME.decode(frame if envelope.data is UNSET else envelope.data)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return named.symbol if named.event == "depthUpdate" else None
