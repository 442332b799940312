"""What the columns of Tardis CSV files mean, and which values are refused.

| type | columns besides exchange, symbol, timestamp, local_timestamp | becomes | source |
|---|---|---|---|
| `trades` | id, side, price, amount | trades; `sequence` = id where the venue counts trades up by one | docs.tardis.dev, Downloadable CSV files |
| `quotes` | ask_amount, ask_price, bid_price, bid_amount; empty where a side is empty | quotes | the same |
| `book_snapshot_5`, `book_snapshot_25` | asks[i].price, asks[i].amount, bids[i].price, bids[i].amount | book, further levels null | the same |
| `derivative_ticker` | funding_timestamp, funding_rate, open_interest, index_price, mark_price; empty where unknown | one tick of each that changed | the same |

Times are µs. Amounts are as the venue sends them: base units, but contracts on OKX, which therefore gives prices and
rates only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.engine.errors import ImportSourceError
from aperiodic.market import BOOK_DEPTH, SIDE, Stream, shown_levels
from aperiodic.venues.checks import Check, finite, not_negative, number, positive, time_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.venues import Venue

__all__ = ["COMMON", "Table", "recognise", "time_column"]

COMMON: Final = ("exchange", "symbol", "timestamp", "local_timestamp")
"""Columns that every type begins with."""

_RECORDED: Final = re.compile(r"(\d[\d.]*:? |\S+ -> \d[\d.]*: )?[{\[]")
"""How a line of a recording begins."""
_SHOWN: Final = 80
_LEVEL: Final = re.compile(r"(ask|bid)s\[(\d{1,3})\]\.(price|amount)")
_TRADES: Final = frozenset({"id", "side", "price", "amount"})
_QUOTES: Final = frozenset({"ask_amount", "ask_price", "bid_price", "bid_amount"})
_DERIVATIVES: Final = frozenset({"funding_timestamp", "funding_rate", "open_interest", "index_price", "mark_price"})


@dataclass(frozen=True, slots=True)
class Table:
    """How a type of file is read. Expressions see the file's columns as text.

    Attributes:
        checks: Made in this order, after those common to all types.
        streams: Value columns of the ticks by stream, without the two times; a missing one stays null.
        only_changes: Whether a row makes a tick only where the values differ from the symbol's row before.
        left_out: Notes on what is not taken over.
        number: The venue's number of a row, where its rows count up by one.
        contracts: Value columns with amounts that are contracts, each with the column of their price.
    """

    checks: Sequence[Check]
    streams: dict[Stream, Sequence[pl.Expr]]
    only_changes: bool = False
    left_out: Sequence[str] = ()
    number: pl.Expr | None = None
    contracts: Sequence[tuple[str, str]] = ()


def recognise(header: Sequence[str], venue: Venue | None, *, sized: bool = False) -> Table:
    """Return how to read a file with these columns, of a venue if it is known.

    Args:
        header: The columns.
        venue: The venue.
        sized: Whether the sizes of contracts are known, where amounts are contracts.

    Raises:
        ImportSourceError: `unknown_table` when it is none of the known types, `contract_size_needed` when amounts are
            contracts.
    """
    columns = frozenset(header) - frozenset(COMMON)
    if len(set(header)) == len(header) and set(COMMON) <= set(header):
        contracts = venue is not None and venue.counts_contracts
        if columns >= _DERIVATIVES:
            return _derivatives(contracts=contracts)
        levels = sorted(columns)
        table = None
        if columns >= _TRADES:
            table = _trades(numbered=venue is not None and Stream.TRADES in venue.numbered)
        elif columns >= _QUOTES:
            table = _quotes()
        elif levels and all(_is_level(name) for name in levels):
            table = _book(levels)
        if table is not None and contracts and sized:
            return replace(table, contracts=_amounts(table))
        if table is not None and contracts:
            raise ImportSourceError(
                "The amounts in this file are contracts, whose size the file does not tell.",
                code="contract_size_needed",
                hint="Import derivative_ticker files, or tell the sizes: aperiodic backfill --tardis --instruments FILE",
            )
        if table is not None:
            return table
    line = ",".join(header)
    hint = "Known types: trades, quotes, book_snapshot_5, book_snapshot_25, derivative_ticker."
    if _RECORDED.match(line):
        hint = "This looks like a recording: aperiodic import recording --exchange EXCHANGE FILE"
    shown = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
    raise ImportSourceError(
        f"The first line, {shown!r}, names the columns of no known type of Tardis file.",
        code="unknown_table",
        hint=hint,
    )


def time_column(name: str) -> pl.Expr:
    """Read a column of µs; null where it is no number or no time between 2009 and 2100."""
    return time_of(pl.col(name).cast(pl.Int64, strict=False)).alias(name)


def _amounts(table: Table) -> list[tuple[str, str]]:
    """Return the columns of amounts, each with that of its price."""
    names = [value.meta.output_name() for values in table.streams.values() for value in values]
    return [(name, name.replace("amount", "price")) for name in names if "amount" in name]


def _is_level(name: str) -> bool:
    match = _LEVEL.fullmatch(name)
    return match is not None and int(match[2]) < BOOK_DEPTH


def _trades(*, numbered: bool) -> Table:
    counted = pl.col("id").cast(pl.Int64, strict=False)
    checks = (
        [Check("bad_id", "the id is not a whole number", ~(counted >= 0).fill_null(value=False))] if numbered else []
    )
    checks += [
        Check("unknown_side", "the side is neither 'buy' nor 'sell'", ~pl.col("side").is_in(["buy", "sell"])),
        finite("price", "amount"),
        positive("price", "amount"),
    ]
    values = [pl.col("id"), pl.col("side").cast(SIDE, strict=False), number("price"), number("amount")]
    if numbered:
        values.append(counted.alias("sequence"))
    return Table(checks, {Stream.TRADES: values}, number=counted if numbered else None)


def _quotes() -> Table:
    names = sorted(_QUOTES)
    return Table([finite(*names), not_negative(*names)], {Stream.QUOTES: [number(name) for name in names]})


def _book(levels: Sequence[str]) -> Table:
    values, deepest = [], 0
    for name in levels:
        match = _LEVEL.fullmatch(name)
        if match is not None:
            deepest = max(deepest, int(match[2]) + 1)
            values.append(number(name).alias(f"{match[1]}_{match[3]}_{int(match[2]) + 1:02d}"))
    values.append(pl.lit(shown_levels(deepest), dtype=pl.Int64()).alias("depth"))
    return Table([finite(*levels), not_negative(*levels)], {Stream.BOOK: values})


def _derivatives(*, contracts: bool) -> Table:
    streams: dict[Stream, Sequence[pl.Expr]] = {
        Stream.MARK_PRICE: [number("mark_price")],
        Stream.INDEX_PRICE: [number("index_price")],
        Stream.FUNDING_RATE: [number("funding_rate"), time_column("funding_timestamp").alias("next_funding_time")],
        Stream.OPEN_INTEREST: [number("open_interest")],
    }
    bad_time = (pl.col("funding_timestamp") != "") & time_column("funding_timestamp").is_null()
    if contracts:
        del streams[Stream.OPEN_INTEREST]
    return Table(
        [
            finite("mark_price", "index_price", "funding_rate", "open_interest"),
            not_negative("mark_price", "index_price", "open_interest"),
            Check("bad_time", "the funding time is not µs between 2009 and 2100", bad_time),
        ],
        streams,
        only_changes=True,
        left_out=["open_interest_in_contracts_left_out"] if contracts else [],
    )
