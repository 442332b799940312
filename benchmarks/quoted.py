"""Further inputs: quotes and order books around the day's trades, and a month of smaller days of trades.

Made when first asked for and kept between runs, in chunks, so that making them takes little memory.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from aperiodic.lake.writing import PARQUET_OPTIONS
from aperiodic.market import BOOK_DEPTH, DAY_US, Stream, book_columns, tick_schema
from benchmarks.inputs import FIRST_DAY_US, QUICK, SEED, STEP, TICK, day_of_trades, event_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from benchmarks.inputs import Inputs

__all__ = ["DAYS", "make_book", "make_days", "make_quotes"]

DAYS: Final = 30
"""How many smaller days of trades there are, one after the other."""

_GENERATOR: Final = 2
"""Raised whenever a generator here would make other ticks, so that no run uses a stale file."""

_QUOTES_AT_ONCE: Final = 2_000_000
_BOOKS_AT_ONCE: Final = 50_000
_ONE_SIDED: Final = 1e-6


def make_quotes(inputs: Inputs) -> str:
    """Return the path of the day's quotes in the store, after making them unless they are there."""
    path = f"quotes-{inputs.quotes}-seed{SEED}-v{_GENERATOR}.parquet"
    _keep(inputs, path, lambda: _chunks(inputs, Stream.QUOTES, inputs.quotes, _QUOTES_AT_ONCE, _quotes))
    return path


def make_book(inputs: Inputs) -> str:
    """Return the path of the day's order books in the store, after making them unless they are there."""
    path = f"book-{inputs.snapshots}-seed{SEED}-v{_GENERATOR}.parquet"
    _keep(inputs, path, lambda: _chunks(inputs, Stream.BOOK, inputs.snapshots, _BOOKS_AT_ONCE, _books))
    return path


def make_days(inputs: Inputs) -> list[str]:
    """Return the paths of consecutive days of trades in the store, after making them unless they are there."""
    paths = [f"day-{number:02}-{QUICK}-seed{SEED}-v{_GENERATOR}.parquet" for number in range(DAYS)]
    for number, path in enumerate(paths):
        _keep(inputs, path, partial(_day, number))
    return paths


def _keep(inputs: Inputs, path: str, chunks: Callable[[], Iterable[pl.DataFrame]]) -> None:
    """Write chunks as one file with the settings of a tick file, unless it is there."""
    kept = inputs.folder / path
    if kept.exists():
        return
    with TemporaryDirectory(dir=inputs.folder, prefix=".draft-") as folder:
        parts = []
        for number, chunk in enumerate(chunks()):
            parts.append(Path(folder) / str(number))
            chunk.write_parquet(parts[-1])
        whole = Path(folder) / "whole"
        pl.scan_parquet(parts).sink_parquet(whole, **PARQUET_OPTIONS)
        whole.replace(kept)


def _day(number: int) -> Iterator[pl.DataFrame]:
    yield day_of_trades(np.random.default_rng([SEED, number]), QUICK, FIRST_DAY_US + number * DAY_US)


def _chunks(
    inputs: Inputs,
    stream: Stream,
    count: int,
    at_once: int,
    values: Callable[[np.random.Generator, NDArray[np.int64]], dict[str, NDArray[np.float64]]],
) -> Iterator[pl.DataFrame]:
    """Make ticks whose `values` are drawn around the best bid, in ticks of price, that the latest trade tells of."""
    rng = np.random.default_rng([SEED, list(Stream).index(stream)])
    trades = pl.read_parquet(inputs.trades_file, columns=["exchange_timestamp", "side", "price"])
    trade_times = trades["exchange_timestamp"].to_physical().to_numpy()
    bought = (trades["side"] == "buy").to_numpy()
    best_bids = np.rint(trades["price"].to_numpy() / TICK).astype(np.int64) - bought
    sent, arrived = event_times(rng, count, FIRST_DAY_US)
    schema = tick_schema(stream)
    for begin in range(0, count, at_once):
        times = sent[begin : begin + at_once]
        latest = np.maximum(np.searchsorted(trade_times, times, side="right") - 1, 0)
        columns = {
            "exchange_timestamp": times,
            "local_timestamp": arrived[begin : begin + at_once],
            **values(rng, best_bids[latest]),
            "sequence": np.arange(begin + 1, begin + 1 + times.size),
        }
        yield pl.DataFrame(columns, nan_to_null=True).cast(schema).select(schema.names())


def _quotes(rng: np.random.Generator, best_bids: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Make quotes, most of them one tick wide; very few lack the bid."""
    prices = {"bid_price": best_bids, "ask_price": best_bids + rng.geometric(0.9, best_bids.size)}
    columns = {name: np.round(ticks * TICK, 1) for name, ticks in prices.items()}
    columns |= {name: _amounts(rng, best_bids.shape) for name in ("bid_amount", "ask_amount")}
    lacking = rng.random(best_bids.size) < _ONE_SIDED
    columns["bid_price"][lacking] = np.nan
    columns["bid_amount"][lacking] = np.nan
    return columns


def _books(rng: np.random.Generator, best_bids: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Make books with all levels, each a few ticks from the one before."""
    shape = (best_bids.size, BOOK_DEPTH)
    columns: dict[str, NDArray[Any]] = {"depth": np.full(best_bids.size, BOOK_DEPTH)}
    for side, best, away in (("bid", best_bids, -1), ("ask", best_bids + 1, 1)):
        gaps = rng.geometric(0.4, shape)
        gaps[:, 0] = 0
        prices = np.round((best[:, np.newaxis] + away * np.cumsum(gaps, axis=1)) * TICK, 1)
        amounts = _amounts(rng, shape)
        columns |= dict(zip(book_columns(side, "price"), prices.T, strict=True))
        columns |= dict(zip(book_columns(side, "amount"), amounts.T, strict=True))
    return columns


def _amounts(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    steps = np.ceil(np.exp(5.0 + 1.5 * rng.standard_normal(shape)))
    amounts: NDArray[np.float64] = np.round(steps * STEP, 3)
    return amounts
