"""Partials of order books: one pass fills 1-second bars, which merge into every longer interval.

A level that a snapshot lacks is NaN, and so is what cannot be computed without it; sums over snapshots leave it out
and count the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from aperiodic.catalog.partials_book import DEPTHS, QUANTITIES
from aperiodic.engine.partials.compensated import add_pair, two_sum
from aperiodic.engine.partials.jit import kernel
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.engine.partials.merge_tree import merge_tree
from aperiodic.market import BOOK_DEPTH, DAY_US, Interval, Stream, book_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KERNEL", "BookBars", "book_bars", "fold_book", "merge_bars", "to_frame"]

_SECOND_US: Final = 1_000_000
_ROWS_AT_ONCE: Final = 1 << 12
"""Snapshots copied out of a frame at a time: few enough to stay in the processor's cache."""

_AMOUNTS: Final = (*book_columns("bid", "amount"), *book_columns("ask", "amount"))
_NAMES: Final = [f"{quantity}_{depth}" for quantity in QUANTITIES for depth in DEPTHS]

# First columns of the quantities of `QUANTITIES`, each of which has one column for every depth.
_N: Final = len(DEPTHS)
_BID, _ASK, _IMBALANCE, _IMBALANCE_RATIO, _BID_ASK_RATIO = range(0, len(_NAMES), _N)
_SUMS: Final = len(_NAMES)
_LASTS: Final = 2 * _N
_HIGH, _LOW = range(2)


class BookBars(NamedTuple):
    """Columns of a run of bars, ascending in time; only the first `n` rows that a kernel returned are filled.

    Attributes:
        start: Start of the bar, µs.
        last: Sums of the best levels of the last snapshot: bids, then asks; NaN where a side is empty.
        counts: Number of snapshots at which each quantity is defined, by quantity and depth.
        sums: Sums of the quantities over those as two parts whose total is the sum: all high parts of a bar, then
            all low parts.
    """

    start: NDArray[np.int64]
    last: NDArray[np.float64]
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]

    @classmethod
    def empty(cls, rows: int) -> BookBars:
        """Room for `rows` bars."""
        return cls(
            start=np.zeros(rows, np.int64),
            last=np.zeros((rows, _LASTS), np.float64),
            counts=np.zeros((rows, _SUMS), np.int64),
            sums=np.zeros((rows, 2, _SUMS), np.float64),
        )

    def head(self, rows: int) -> BookBars:
        """The first `rows` bars."""
        return BookBars(self.start[:rows], self.last[:rows], self.counts[:rows], self.sums[:rows])


@kernel
def sum_best(amounts: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
    """Write the correctly rounded sums of the best levels of one side, for every depth; NaN where there is no level.

    Args:
        amounts: Base units, best level first; NaN where there is none.
        sums: Where to write, one place a depth.
    """
    high, low, levels, n = 0.0, 0.0, 0, 0
    for amount in amounts:
        if np.isnan(amount):
            continue
        high, lost = two_sum(high, amount)
        low += lost
        levels += 1
        if levels == DEPTHS[n]:
            sums[n] = high + low
            n += 1
    for shallow in range(n, _N):
        sums[shallow] = high + low if levels else np.nan


@kernel
def fold_book(times: NDArray[np.int64], amounts: NDArray[np.float64], bars: BookBars, used: int) -> int:
    """Add snapshots, ascending in time, to 1-second bars, of which `used` are filled already.

    Args:
        times: µs since the epoch.
        amounts: Base units, a row a snapshot: bids, then asks, best level first; NaN where there is no level.
        bars: Zeroed from row `used` on, with room for every second that occurs.
        used: Filled rows; the last of them is continued.

    Returns:
        The number of filled rows.
    """
    values = np.empty(_SUMS)
    row = used - 1
    for i in range(times.size):
        start = times[i] - times[i] % _SECOND_US
        if row < 0 or bars.start[row] != start:
            row += 1
            bars.start[row] = start
        sum_best(amounts[i, :BOOK_DEPTH], values[_BID : _BID + _N])
        sum_best(amounts[i, BOOK_DEPTH:], values[_ASK : _ASK + _N])
        bars.last[row, :] = values[:_LASTS]
        for n in range(_N):
            bid, ask = values[_BID + n], values[_ASK + n]
            depth = bid + ask
            values[_IMBALANCE + n] = bid - ask
            values[_IMBALANCE_RATIO + n] = (bid - ask) / depth if depth != 0.0 else np.nan
            values[_BID_ASK_RATIO + n] = bid / ask if ask != 0.0 else np.nan
        for k in range(_SUMS):
            if np.isnan(values[k]):
                continue
            bars.sums[row, _HIGH, k], lost = two_sum(bars.sums[row, _HIGH, k], values[k])
            bars.sums[row, _LOW, k] += lost
            bars.counts[row, k] += 1
    return row + 1


@kernel
def merge_bars(shorter: BookBars, length_us: int, bars: BookBars) -> int:
    """Merge bars into zeroed bars of `length_us`; return how many those are."""
    row = -1
    for i in range(shorter.start.size):
        start = shorter.start[i] - shorter.start[i] % length_us
        if row < 0 or bars.start[row] != start:
            row += 1
            bars.start[row] = start
        bars.last[row, :] = shorter.last[i, :]
        for k in range(_SUMS):
            bars.counts[row, k] += shorter.counts[i, k]
            bars.sums[row, _HIGH, k], bars.sums[row, _LOW, k] = add_pair(
                bars.sums[row, _HIGH, k],
                bars.sums[row, _LOW, k],
                shorter.sums[i, _HIGH, k],
                shorter.sums[i, _LOW, k],
            )
    return row + 1


def book_bars(book: pl.DataFrame) -> dict[Interval, BookBars]:
    """Compute the bars of all intervals of one UTC day.

    Args:
        book: `time` in µs since the epoch, ascending and within one UTC day, and the amounts of both sides' levels,
            null where there is no level.
    """
    bars = BookBars.empty(min(book.height, DAY_US // _SECOND_US))
    used = 0
    for part in book.iter_slices(_ROWS_AT_ONCE):
        amounts = part.select(_AMOUNTS).to_numpy(order="c")
        used = fold_book(part["time"].to_numpy(), amounts, bars, used)
    bars = bars.head(used)
    return merge_tree(bars, merge_bars)


def to_frame(bars: BookBars) -> pl.DataFrame:
    """Return bars as `time` and the named partials of `catalog/partials_book.py`; what is undefined is null."""
    sums = bars.sums[:, _HIGH] + bars.sums[:, _LOW]
    series = [pl.Series("time", bars.start).cast(pl.Datetime("us"))]
    series += [
        pl.Series(name, np.ascontiguousarray(bars.last[:, k]), nan_to_null=True)
        for k, name in enumerate(_NAMES[:_LASTS])
    ]
    series += [pl.Series(f"{name}_sum", np.ascontiguousarray(sums[:, k])) for k, name in enumerate(_NAMES)]
    series += [pl.Series(f"{name}_count", np.ascontiguousarray(bars.counts[:, k])) for k, name in enumerate(_NAMES)]
    return pl.DataFrame(series)


def _bars(ticks: DayTicks) -> dict[Interval, pl.DataFrame]:
    return {interval: to_frame(bars) for interval, bars in book_bars(ticks.day[Stream.BOOK]).items()}


KERNEL: Final = FamilyKernel(version=2, columns={Stream.BOOK: _AMOUNTS}, bars=_bars)
