"""OKX messages as typed structs. Numbers come as decimal text; prices and amounts are read as the nearest float64.

A price or amount out of its range makes the message invalid, as does a number that does not fit int64.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

from aperiodic.venues.events import LARGEST, SMALLEST

__all__ = [
    "ARCHIVED_BOOK",
    "BOOK",
    "BOOK_TEXTS",
    "ENVELOPE",
    "FUNDING_RATES",
    "INDEX_PRICES",
    "INSTRUMENTS",
    "MARK_PRICES",
    "OPEN_INTERESTS",
    "TRADES",
    "ArchivedBook",
    "BookFrame",
    "BookTexts",
    "Envelope",
    "FundingRate",
    "IndexPrice",
    "Instrument",
    "Level",
    "MarkPrice",
    "OpenInterest",
    "TextLevel",
    "Trade",
]

Number: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Positive: TypeAlias = Annotated[float, Meta(ge=SMALLEST, le=LARGEST)]
Amount: TypeAlias = Annotated[float, Meta(ge=0, le=LARGEST)]

Level: TypeAlias = tuple[Positive, Amount, str, str]
"""Price, contracts, a field out of use, number of orders."""

TextLevel: TypeAlias = tuple[str, str, str, str]
"""The same as it was sent."""


class Channel(Struct, gc=False):
    """Which subscription a frame belongs to."""

    name: str = field(name="channel")
    instrument: str = field(name="instId", default="")


class Envelope(Struct):
    """The outside of a frame: data of a channel, an event such as an acknowledgement, or a REST answer."""

    channel: Channel | None = field(name="arg", default=None)
    data: Raw | UnsetType = UNSET
    action: str = ""
    event: str = ""
    code: str = ""


class Trade(Struct, gc=False):
    """`trades`, `trades-all`: `number` is the last of the `count` fills that are told as one."""

    number: Number = field(name="tradeId")
    price: Positive = field(name="px")
    contracts: Positive = field(name="sz")
    side: Literal["buy", "sell"]
    time: int = field(name="ts")
    count: Annotated[int, Meta(ge=1, le=2**31)] = 1


class BookFrame(Struct):
    """`books`, `books-l2-tbt`, `books50-l2-tbt`, `bbo-tbt` and REST `books`; the last two have fewer fields."""

    bids: list[Level]
    asks: list[Level]
    time: int = field(name="ts")
    checksum: int = 0
    number: Number | None = field(name="seqId", default=None)
    previous: int | None = field(name="prevSeqId", default=None)


class BookTexts(Struct):
    """The levels of a book frame as they were sent: checksums are made of these."""

    bids: list[TextLevel]
    asks: list[TextLevel]


class ArchivedBook(Struct):
    """A line of a published book file; levels are price, contracts, number of orders."""

    instrument: str = field(name="instId")
    action: Literal["snapshot", "update"]
    time: int = field(name="ts")
    asks: list[tuple[Positive, Amount, Raw]]
    bids: list[tuple[Positive, Amount, Raw]]


class MarkPrice(Struct, gc=False):
    """`mark-price`."""

    instrument: str = field(name="instId")
    price: Positive = field(name="markPx")
    time: int = field(name="ts")


class IndexPrice(Struct, gc=False):
    """`index-tickers`: `index` is `BTC-USDT` for `BTC-USDT-SWAP`."""

    index: str = field(name="instId")
    price: Positive = field(name="idxPx")
    time: int = field(name="ts")


class FundingRate(Struct, gc=False):
    """`funding-rate`: what is settled at `funding_time`; older frames have no time of their own."""

    instrument: str = field(name="instId")
    funding_time: int = field(name="fundingTime")
    rate: str = field(name="fundingRate", default="")
    time: int | None = field(name="ts", default=None)


class OpenInterest(Struct, gc=False):
    """`open-interest`: `oiCcy` is in base units."""

    instrument: str = field(name="instId")
    amount: Amount = field(name="oiCcy")
    time: int = field(name="ts")


class Instrument(Struct, gc=False):
    """REST `instruments`: the size fields are empty for spot."""

    name: str = field(name="instId")
    kind: str = field(name="instType")
    contract_type: str = field(name="ctType", default="")
    contract_value: str = field(name="ctVal", default="")
    contract_multiplier: str = field(name="ctMult", default="")
    tick_size: str = field(name="tickSz", default="")
    lot_size: str = field(name="lotSz", default="")
    list_time: str = field(name="listTime", default="")
    continuous_time: str = field(name="contTdSwTime", default="")
    expiry_time: str = field(name="expTime", default="")
    state: str = "live"


ARCHIVED_BOOK: Final = Decoder(ArchivedBook, strict=False)
ENVELOPE: Final = Decoder(Envelope)
# Not strict: numbers written as text are read as numbers, by the decoder and not by Python.
TRADES: Final = Decoder(list[Trade], strict=False)
BOOK: Final = Decoder(list[BookFrame], strict=False)
BOOK_TEXTS: Final = Decoder(list[BookTexts])
MARK_PRICES: Final = Decoder(list[MarkPrice], strict=False)
INDEX_PRICES: Final = Decoder(list[IndexPrice], strict=False)
FUNDING_RATES: Final = Decoder(list[FundingRate], strict=False)
OPEN_INTERESTS: Final = Decoder(list[OpenInterest], strict=False)
INSTRUMENTS: Final = Decoder(list[Instrument])
