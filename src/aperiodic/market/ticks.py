"""Tick streams: which exist, and the columns of their files.

A tick file holds one stream of one instrument and one UTC day of exchange time, in the venue's own order: by
`sequence` where the venue numbers its events, else as recorded. `sequence` is that number (trade id, update id),
null where there is none; published raw files leave it out. Times are whole microseconds, UTC; arrival times are
floored from nanoseconds. Prices are in quote units, amounts in base units.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import polars as pl

__all__ = ["BOOK_DEPTH", "SIDE", "Source", "Stream", "book_columns", "tick_schema"]

BOOK_DEPTH: Final = 25
"""Levels a side kept in a book tick."""

SIDE: Final = pl.Enum(["buy", "sell"])
"""The taker's side of a trade."""

_TIME: Final = pl.Datetime("us", "UTC")


class Stream(StrEnum):
    """A kind of tick, named as its files and the raw datasets are."""

    TRADES = "trades"
    QUOTES = "quotes"
    BOOK = "book"
    MARK_PRICE = "mark_price"
    INDEX_PRICE = "index_price"
    FUNDING_RATE = "funding_rate"
    OPEN_INTEREST = "open_interest"


class Source(StrEnum):
    """Where data comes from. One tick day never mixes sources; bars over several days may be `MIXED`."""

    RECORDING = "recording"
    TARDIS = "tardis"
    SIMULATED = "simulated"
    MIXED = "mixed"


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
    },
    Stream.MARK_PRICE: {"mark_price": pl.Float64()},
    Stream.INDEX_PRICE: {"index_price": pl.Float64()},
    Stream.FUNDING_RATE: {"funding_rate": pl.Float64(), "next_funding_time": _TIME},
    Stream.OPEN_INTEREST: {"open_interest": pl.Float64()},
}


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
