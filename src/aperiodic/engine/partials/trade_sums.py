"""Sums over trades: one pass fills 1-second bars, which merge into every longer interval.

A bar's state is exact under merging: counts are integers, sums are double-double pairs, and the first and last price
let a merge count the pair of trades that straddles the edge between two inner bars. Pairs that straddle the edge of
the final bar itself never count: bars are independent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from aperiodic.catalog.partials import LARGE_FROM, MEDIUM_FROM, SIZE_BUCKETS
from aperiodic.engine.partials.compensated import add, add_pair, two_sum
from aperiodic.engine.partials.jit import inlined, kernel
from aperiodic.engine.partials.merge_tree import merge_tree
from aperiodic.market import DAY_US, Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "TradeBars",
    "amount_sums",
    "fold_trades",
    "merge_bars",
    "price_sums",
    "sum_columns",
    "to_frame",
    "trade_bars",
]

_SECOND_US: Final = 1_000_000

# Columns of `prices`.
_OPEN, _HIGH, _LOW, _CLOSE = range(4)

# Columns of `counts`, and the first six of `sums`: side · bucket.
_BUCKETS: Final = len(SIZE_BUCKETS)

# Further columns of `sums`.
_VOLUME: Final = 6  # buy, then sell
_PRICE: Final = 8
_RETURN_SQUARE: Final = 9
_SUMS: Final = 10


class TradeBars(NamedTuple):
    """Columns of a run of bars, ascending in time; only the first `n` rows that a kernel returned are filled.

    Attributes:
        start: Start of the bar, µs.
        counts: Trades by side and size bucket.
        sums: Double-double sums: notional by side and bucket, volume by side, price, squared simple return.
        prices: Open, high, low, close.
    """

    start: NDArray[np.int64]
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]
    prices: NDArray[np.float64]

    @classmethod
    def empty(cls, rows: int) -> TradeBars:
        """Room for `rows` bars."""
        return cls(
            start=np.zeros(rows, np.int64),
            counts=np.zeros((rows, 2 * _BUCKETS), np.int64),
            sums=np.zeros((rows, _SUMS, 2), np.float64),
            prices=np.zeros((rows, 4), np.float64),
        )

    def head(self, rows: int) -> TradeBars:
        """The first `rows` bars."""
        return TradeBars(self.start[:rows], self.counts[:rows], self.sums[:rows], self.prices[:rows])


@kernel
def fold_trades(
    times: NDArray[np.int64],
    sides: NDArray[np.uint8],
    prices: NDArray[np.float64],
    amounts: NDArray[np.float64],
    bars: TradeBars,
    used: int,
) -> int:
    """Add trades, ascending in time, to 1-second bars, of which `used` are filled already.

    Args:
        times: µs since the epoch.
        sides: 0 where the taker bought, 1 where it sold.
        prices: Quote units per base unit, positive.
        amounts: Base units, positive.
        bars: Zeroed from row `used` on, with room for every second that occurs.
        used: Filled rows; the last of them is continued.

    Returns:
        The number of filled rows.
    """
    row, i = used - 1, 0
    while i < times.size:
        start = times[i] - times[i] % _SECOND_US
        if row < 0 or bars.start[row] != start:
            row += 1
            bars.start[row] = start
            bars.prices[row, :] = prices[i]  # the first step of a bar is zero
        counts, sums, edges = bars.counts[row], bars.sums[row], bars.prices[row]
        high, low, close = edges[_HIGH], edges[_LOW], edges[_CLOSE]
        while i < times.size and times[i] - start < _SECOND_US:
            price, amount, side = prices[i], amounts[i], sides[i]
            step = price / close - 1.0
            high, low, close = max(high, price), min(low, price), price
            notional = price * amount
            bucket = side * _BUCKETS + (notional >= MEDIUM_FROM) + (notional >= LARGE_FROM)
            counts[bucket] += 1
            _collect(sums, bucket, notional)
            _collect(sums, _VOLUME + side, amount)
            _collect(sums, _PRICE, price)
            _collect(sums, _RETURN_SQUARE, step * step)
            i += 1
        edges[_HIGH], edges[_LOW], edges[_CLOSE] = high, low, close
        for k in range(_SUMS):
            sums[k, 0], sums[k, 1] = two_sum(sums[k, 0], sums[k, 1])
    return row + 1


@kernel
def merge_bars(shorter: TradeBars, length_us: int, bars: TradeBars) -> int:
    """Merge bars into zeroed bars of `length_us`; return how many those are."""
    row = -1
    for i in range(shorter.start.size):
        start = shorter.start[i] - shorter.start[i] % length_us
        if row < 0 or bars.start[row] != start:
            row += 1
            bars.start[row] = start
            bars.prices[row, :] = shorter.prices[i, :]
        else:
            step = shorter.prices[i, _OPEN] / bars.prices[row, _CLOSE] - 1.0
            _add_to(bars.sums, row, _RETURN_SQUARE, step * step)
            bars.prices[row, _HIGH] = max(bars.prices[row, _HIGH], shorter.prices[i, _HIGH])
            bars.prices[row, _LOW] = min(bars.prices[row, _LOW], shorter.prices[i, _LOW])
            bars.prices[row, _CLOSE] = shorter.prices[i, _CLOSE]
        for k in range(shorter.counts.shape[1]):
            bars.counts[row, k] += shorter.counts[i, k]
        for k in range(_SUMS):
            bars.sums[row, k, 0], bars.sums[row, k, 1] = add_pair(
                bars.sums[row, k, 0], bars.sums[row, k, 1], shorter.sums[i, k, 0], shorter.sums[i, k, 1]
            )
    return row + 1


@kernel
def sum_columns(
    sums: NDArray[np.float64], columns: NDArray[np.int64], signs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return double-double totals of some columns of `sums`, each taken with its sign, row by row."""
    totals = np.empty((sums.shape[0], 2))
    for i in range(sums.shape[0]):
        high, low = 0.0, 0.0
        for k in range(columns.size):
            column, sign = columns[k], signs[k]
            high, low = add_pair(high, low, sign * sums[i, column, 0], sign * sums[i, column, 1])
        totals[i, 0], totals[i, 1] = high, low
    return totals


def trade_bars(
    times: NDArray[np.int64], sides: NDArray[np.uint8], prices: NDArray[np.float64], amounts: NDArray[np.float64]
) -> dict[Interval, TradeBars]:
    """Compute the bars of all intervals of one UTC day.

    Args:
        times: µs since the epoch, ascending, all within one UTC day.
        sides: 0 where the taker bought, 1 where it sold.
        prices: Quote units per base unit.
        amounts: Base units.
    """
    seconds = min(times.size, DAY_US // _SECOND_US)
    bars = TradeBars.empty(seconds)
    bars = bars.head(fold_trades(times, sides, prices, amounts, bars, 0))
    return merge_tree(bars, merge_bars)


def price_sums(bars: TradeBars) -> NDArray[np.float64]:
    """Double-double sums of the prices, row by row."""
    return np.ascontiguousarray(bars.sums[:, _PRICE])


def amount_sums(bars: TradeBars) -> NDArray[np.float64]:
    """Double-double sums of the amounts, row by row."""
    return _totals(bars, _VOLUME, _VOLUME + 1)


def to_frame(bars: TradeBars) -> pl.DataFrame:
    """Return bars as `time` and the named partials of `catalog/partials.py`."""
    buys, sells = range(_BUCKETS), range(_BUCKETS, 2 * _BUCKETS)
    columns: dict[str, NDArray[np.int64] | NDArray[np.float64]] = {
        "n_trades": bars.counts.sum(axis=1),
        "open_price": bars.prices[:, _OPEN],
        "high_price": bars.prices[:, _HIGH],
        "low_price": bars.prices[:, _LOW],
        "close_price": bars.prices[:, _CLOSE],
        "price_sum": bars.sums[:, _PRICE, 0],
        "volume": amount_sums(bars)[:, 0],
        "notional": _totals(bars, *buys, *sells)[:, 0],
        "net_notional": _totals(bars, *buys, minus=sells)[:, 0],
        "return_square_sum": bars.sums[:, _RETURN_SQUARE, 0],
    }
    for s, (side, own) in enumerate({"buy": buys, "sell": sells}.items()):
        columns[f"{side}_volume"] = bars.sums[:, _VOLUME + s, 0]
        columns[f"{side}_notional"] = _totals(bars, *own)[:, 0]
        columns[f"{side}_count"] = bars.counts[:, own.start : own.stop].sum(axis=1)
        for k, bucket in zip(own, SIZE_BUCKETS, strict=True):
            columns[f"{side}_{bucket}_notional"] = bars.sums[:, k, 0]
            columns[f"{side}_{bucket}_count"] = bars.counts[:, k]
    frame = pl.DataFrame({name: np.ascontiguousarray(values) for name, values in columns.items()})
    return frame.insert_column(0, pl.Series("time", bars.start).cast(pl.Datetime("us")))


@inlined
def _collect(sums: NDArray[np.float64], column: int, x: float) -> None:
    """Add a number to a sum and what rounding loses to its low part: as exact as `add` for one bar, and quicker."""
    sums[column, 0], lost = two_sum(sums[column, 0], x)
    sums[column, 1] += lost


@inlined
def _add_to(sums: NDArray[np.float64], row: int, column: int, x: float) -> None:
    sums[row, column, 0], sums[row, column, 1] = add(sums[row, column, 0], sums[row, column, 1], x)


def _totals(bars: TradeBars, *columns: int, minus: Sequence[int] = ()) -> NDArray[np.float64]:
    signs = np.repeat([1.0, -1.0], [len(columns), len(minus)])
    return sum_columns(bars.sums, np.array([*columns, *minus]), signs)
