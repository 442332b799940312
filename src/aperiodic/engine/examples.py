"""A worked example of every field: a few ticks, and the bars that the engine makes of them.

The ticks are the same for all datasets: two minutes of an imaginary perpetual on 2025-05-01, made up so that every
kind of event occurs. Documentation and `aperiodic explain` compute from them; no result is written down anywhere.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aperiodic.engine.families import KERNELS
from aperiodic.engine.fields import dataset_frame
from aperiodic.engine.partials.kernel import DayTicks
from aperiodic.market import BOOK_DEPTH, Clock, Exchange, Interval, Stream, book_columns, tick_schema
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aperiodic.catalog import Dataset, Family

__all__ = ["example_bars", "example_ticks"]

_BEGIN: Final = day_start_us(date(2025, 5, 1))
_SECOND: Final = 1_000_000

# Seconds after midnight, side, price, amount. The first minute holds the runs B B S S S B S B.
_TRADES: Final = (
    *((1, "buy", 100.0, 1.0), (5, "buy", 101.0, 30.0), (12, "sell", 100.0, 0.5), (20, "sell", 99.0, 15.0)),
    *((31, "sell", 98.0, 3.0), (40, "buy", 99.0, 1.0), (47, "sell", 97.0, 20.0), (55, "buy", 98.0, 4.0)),
    *((61, "buy", 98.5, 12.0), (75, "sell", 98.0, 6.0), (90, "buy", 99.0, 0.5), (110, "buy", 99.5, 11.0)),
)
# Seconds, bid price, bid amount, ask price, ask amount.
_QUOTES: Final = (
    *((0, 99.5, 4.0, 100.0, 2.0), (4, 100.0, 3.0, 100.5, 5.0), (11, 100.0, 6.0, 100.5, 2.0)),
    *((30, 98.0, 5.0, 99.0, 5.0), (46, 97.0, 8.0, 98.0, 1.0), (60, 98.0, 7.0, 98.5, 3.0)),
    *((74, 98.0, 2.0, 99.0, 6.0), (109, 99.0, 4.0, 99.5, 4.0)),
)
# Seconds, bid amounts and ask amounts from the best level on; prices are half a unit apart around 99.
_BOOKS: Final = (
    (2, (4.0, 3.0, 6.0, 2.0, 5.0, 8.0), (2.0, 5.0, 4.0, 7.0, 1.0, 3.0)),
    (33, (5.0, 3.0, 6.0, 2.0, 5.0, 8.0), (1.0, 5.0, 4.0, 7.0, 1.0, 3.0)),
    (70, (2.0, 1.0, 6.0), (6.0, 5.0, 4.0, 7.0)),
)
# Seconds and value.
_MARK: Final = ((3, 100.1), (30, 98.9), (58, 97.8), (63, 98.4), (100, 99.2))
_INDEX: Final = ((3, 100.0), (30, 98.6), (57, 97.9), (63, 98.1), (100, 99.0))
_FUNDING: Final = ((3, 0.0001), (30, 0.0001), (58, 0.00012), (63, 0.00012))
_OPEN_INTEREST: Final = ((5, 5000.0), (25, 5050.0), (50, 5040.0), (80, 5060.0), (118, 5061.0))


def example_ticks(stream: Stream) -> pl.DataFrame:
    """Return the example's ticks of one stream, without its numbers, as a tick file holds them."""
    return _frame(stream).drop("sequence")


def example_bars(dataset: Dataset) -> pl.DataFrame:
    """Return the dataset's 1-minute bars of the example, on the exchange clock."""
    partials = _partials(dataset.family)[Interval.M1]
    return dataset_frame(dataset, partials)


@cache
def _partials(family: Family) -> Mapping[Interval, pl.DataFrame]:
    kernel = KERNELS[family]
    day, before = {}, {}
    for stream, columns in kernel.columns.items():
        time = pl.col(Clock.EXCHANGE.column).to_physical().alias("time")
        day[stream] = _frame(stream).select(time, *columns)
        before[stream] = day[stream].clear()
    return kernel.bars(DayTicks(Exchange.BINANCE_FUTURES, Clock.EXCHANGE, _BEGIN, day, before))


def _frame(stream: Stream) -> pl.DataFrame:
    rows: dict[Stream, list[dict[str, Any]]] = {
        Stream.TRADES: [
            {"id": str(number), "side": side, "price": price, "amount": amount, "second": second}
            for number, (second, side, price, amount) in enumerate(_TRADES, 1)
        ],
        Stream.QUOTES: [
            {"second": second, "bid_price": bid, "bid_amount": bids, "ask_price": ask, "ask_amount": asks}
            for second, bid, bids, ask, asks in _QUOTES
        ],
        Stream.BOOK: [_book(second, bids, asks) for second, bids, asks in _BOOKS],
        Stream.MARK_PRICE: [{"second": second, "mark_price": value} for second, value in _MARK],
        Stream.INDEX_PRICE: [{"second": second, "index_price": value} for second, value in _INDEX],
        Stream.FUNDING_RATE: [{"second": second, "funding_rate": value} for second, value in _FUNDING],
        Stream.OPEN_INTEREST: [{"second": second, "open_interest": value} for second, value in _OPEN_INTEREST],
    }
    schema = tick_schema(stream)
    times = {"exchange_timestamp", "local_timestamp"}
    filled = [
        {name: _BEGIN + row["second"] * _SECOND if name in times else row.get(name) for name in schema}
        for row in rows[stream]
    ]
    return pl.DataFrame(filled, schema=schema, orient="row")


def _book(second: int, bids: tuple[float, ...], asks: tuple[float, ...]) -> dict[str, Any]:
    row: dict[str, Any] = {"second": second, "depth": BOOK_DEPTH}
    for side, amounts, best, step in (("bid", bids, 98.5, -0.5), ("ask", asks, 99.5, 0.5)):
        levels = zip(book_columns(side, "price"), book_columns(side, "amount"), amounts, strict=False)
        for level, (price, amount, value) in enumerate(levels):
            row[price] = best + level * step
            row[amount] = value
    return row
