"""Tick streams: the columns of their files.

A tick file holds one stream of one instrument and one UTC day of exchange time, in the venue's own order: by
`sequence` where the venue numbers its events, else as recorded. `sequence` is that number (trade id, update id),
null where there is none. Times are whole microseconds, UTC; arrival times are
floored from nanoseconds. Prices are in quote units, amounts in base units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import polars as pl

from aperiodic.market.streams import Stream

__all__ = [
    "BOOK_DEPTH",
    "SIDE",
    "TICK_SCHEMA_VERSION",
    "TickColumn",
    "book_columns",
    "shown_levels",
    "tick_columns",
    "tick_schema",
]

TICK_SCHEMA_VERSION: Final = 2
"""Counts up when a column of tick files is added, dropped or means something else."""

BOOK_DEPTH: Final = 25
"""Levels a side kept in a book tick."""

_ENOUGH: Final = 20

SIDE: Final = pl.Enum(["buy", "sell"])
"""The taker's side of a trade."""

_TIME: Final = pl.Datetime("us", "UTC")


def book_columns(side: str, what: str) -> list[str]:
    """Names of the book's columns of one side ("bid", "ask") and kind ("price", "amount"), best level first."""
    return [f"{side}_{what}_{level:02d}" for level in range(1, BOOK_DEPTH + 1)]


_VALUES: Final[dict[Stream, dict[str, pl.DataType]]] = {
    Stream.TRADES: {"id": pl.String(), "side": SIDE, "price": pl.Float64(), "amount": pl.Float64()},
    Stream.QUOTES: dict.fromkeys(("bid_price", "bid_amount", "ask_price", "ask_amount"), pl.Float64()),
    Stream.BOOK: {
        name: pl.Float64()
        for side in ("bid", "ask")
        for level in zip(book_columns(side, "price"), book_columns(side, "amount"), strict=True)
        for name in level
    }
    | {"depth": pl.Int64()},
    Stream.MARK_PRICE: {"mark_price": pl.Float64()},
    Stream.INDEX_PRICE: {"index_price": pl.Float64()},
    Stream.FUNDING_RATE: {"funding_rate": pl.Float64(), "next_funding_time": _TIME},
    Stream.OPEN_INTEREST: {"open_interest": pl.Float64()},
}


def shown_levels(most: int) -> int:
    """Return the `depth` of a book tick made of a message that shows `most` levels a side: 20 are enough for 25."""
    return BOOK_DEPTH if most >= _ENOUGH else most


def tick_schema(stream: Stream) -> pl.Schema:
    """Columns of a tick file of this stream, in order: the two times, the values, `sequence`."""
    return pl.Schema(
        {
            "exchange_timestamp": _TIME,
            "local_timestamp": _TIME,
            **_VALUES[stream],
            "sequence": pl.Int64(),
        }
    )


@dataclass(frozen=True, slots=True)
class TickColumn:
    """One column of the tick files of a stream.

    Attributes:
        name: Column name.
        type: Polars type.
        unit: Unit of the values, as printed in tables; empty where there is none.
        description: What it holds, and when it is null.
    """

    name: str
    type: pl.DataType
    unit: str
    description: str


def tick_columns(stream: Stream) -> tuple[TickColumn, ...]:
    """Describe the columns of a tick file of this stream, in order."""
    columns = []
    for name, dtype in tick_schema(stream).items():
        book = _BOOK_COLUMN.fullmatch(name) if stream is Stream.BOOK else None
        unit, description = _WORDS[name] if book is None else _book_words(*book.groups())
        columns.append(TickColumn(name, dtype, unit, description))
    return tuple(columns)


_BOOK_COLUMN: Final = re.compile(r"(bid|ask)_(price|amount)_([0-9]{2})")
_PRICE: Final = "quote units per base unit"
_AMOUNT: Final = "base units"
_MOMENT: Final = "UTC"
_WORDS: Final[dict[str, tuple[str, str]]] = {
    "exchange_timestamp": (
        _MOMENT,
        "When it happened by the matching engine's clock; where the venue tells no such time, when it arrived.",
    ),
    "local_timestamp": (
        _MOMENT,
        "When it arrived at the capture host, floored to whole microseconds; null in ticks of a venue's archive.",
    ),
    "id": ("", "The venue's id of the trade."),
    "side": ("", "The taker's side: buy or sell."),
    "price": (_PRICE, "Price of the trade."),
    "amount": (_AMOUNT, "Amount of the trade; contracts are converted."),
    "bid_price": (_PRICE, "Best bid; null while that side is empty."),
    "bid_amount": (_AMOUNT, "Amount at the best bid; null while that side is empty."),
    "ask_price": (_PRICE, "Best ask; null while that side is empty."),
    "ask_amount": (_AMOUNT, "Amount at the best ask; null while that side is empty."),
    "depth": (
        "levels",
        "How many levels a side its message could show, 5 or 25 (20 count as 25); deeper ones are unknown.",
    ),
    "mark_price": (_PRICE, "Price at which the venue values positions."),
    "index_price": (_PRICE, "The venue's index of spot prices (Hyperliquid: the oracle's price)."),
    "funding_rate": ("fraction of 1", "Rate that longs pay to shorts at the next funding, negative the other way."),
    "next_funding_time": (_MOMENT, "When that funding is due; null where the venue does not tell."),
    "open_interest": (_AMOUNT, "Open contracts, converted."),
    "sequence": ("", "The venue's number of the event (trade id, update id); null where there is none."),
}


def _book_words(side: str, what: str, level: str) -> tuple[str, str]:
    unit, noun = (_PRICE, "Price") if what == "price" else (_AMOUNT, "Amount")
    return unit, f"{noun} of the {side}'s level {int(level)}, the best being 1; null where there are fewer levels."
