"""Hyperliquid messages as typed structs. Numbers come as decimal text and are read as the nearest float64.

A price or amount out of its range makes the message invalid, as does a number that does not fit int64.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.json import Decoder

from aperiodic.venues.events import LARGEST, SMALLEST

__all__ = [
    "ARCHIVED_BOOK",
    "ASSET_CONTEXT",
    "BEST_QUOTE",
    "BOOK",
    "ENVELOPE",
    "NODE_BLOCK",
    "NODE_FILL",
    "NODE_TRADE",
    "TRADES",
    "ArchivedBook",
    "AssetContext",
    "BestQuote",
    "BookFrame",
    "Envelope",
    "Level",
    "NodeFill",
    "NodeTrade",
    "Trade",
]

Number: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Positive: TypeAlias = Annotated[float, Meta(ge=SMALLEST, le=LARGEST)]
Amount: TypeAlias = Annotated[float, Meta(ge=0, le=LARGEST)]
Rate: TypeAlias = Annotated[float, Meta(gt=-1, lt=1)]


class Envelope(Struct):
    """The outside of a frame."""

    channel: str
    data: Raw | UnsetType = UNSET


class Trade(Struct, gc=False):
    """`trades`: one fill. Side B is a taker who buys, A one who sells; `number` names a fill but orders nothing."""

    coin: str
    number: Number = field(name="tid")
    price: Positive = field(name="px")
    amount: Positive = field(name="sz")
    side: Literal["A", "B"]
    time: int


class Level(Struct, gc=False):
    """One level of a book."""

    price: Positive = field(name="px")
    amount: Amount = field(name="sz")


class BookFrame(Struct):
    """`l2Book`: the best 20 levels, bids and asks; where `fast`, the best 5."""

    coin: str
    time: int
    levels: tuple[list[Level], list[Level]]
    fast: bool | None = False


class BestQuote(Struct):
    """`bbo`: best bid and best ask; null, or not there, where a side is empty."""

    coin: str
    time: int
    levels: Annotated[list[Level | None], Meta(max_length=2)] = field(name="bbo")


class ArchivedData(Struct):
    """The frame inside a line of an archived book."""

    data: BookFrame


class ArchivedBook(Struct):
    """A line of a published book file: a frame as it was recorded there."""

    raw: ArchivedData


class NodeFill(Struct, gc=False):
    """One side of a trade, as nodes write it; `crossed` on the taker's."""

    coin: str
    price: Positive = field(name="px")
    amount: Positive = field(name="sz")
    side: Literal["A", "B"]
    time: int
    number: Number = field(name="tid")
    crossed: bool


class NodeBlock(Struct):
    """The fills of a block, each after the wallet's address."""

    events: list[tuple[str, NodeFill]]


class NodeParty(Struct, gc=False):
    """One side of a trade in `node_trades`."""

    order: int = field(name="oid")


class NodeTrade(Struct):
    """A line of `node_trades`; the taker comes first."""

    coin: str
    price: Positive = field(name="px")
    amount: Positive = field(name="sz")
    side: Literal["A", "B"]
    time: str
    hash: str
    parties: tuple[NodeParty, NodeParty] = field(name="side_info")


class Context(Struct, gc=False):
    """The numbers of `activeAssetCtx`; open interest in base units, funding per hour."""

    mark_price: Positive | None = field(name="markPx", default=None)
    oracle_price: Positive | None = field(name="oraclePx", default=None)
    funding: Rate | None = None
    open_interest: Amount | None = field(name="openInterest", default=None)


class AssetContext(Struct):
    """`activeAssetCtx`."""

    coin: str
    context: Context = field(name="ctx")


ARCHIVED_BOOK: Final = Decoder(ArchivedBook, strict=False)
ENVELOPE: Final = Decoder(Envelope)
NODE_BLOCK: Final = Decoder(NodeBlock, strict=False)
NODE_FILL: Final = Decoder(tuple[str, NodeFill], strict=False)
NODE_TRADE: Final = Decoder(NodeTrade, strict=False)
# Not strict: numbers written as text are read as numbers, by the decoder and not by Python.
TRADES: Final = Decoder(list[Trade], strict=False)
BOOK: Final = Decoder(BookFrame, strict=False)
BEST_QUOTE: Final = Decoder(BestQuote, strict=False)
ASSET_CONTEXT: Final = Decoder(AssetContext, strict=False)
