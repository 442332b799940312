"""Partials of order books: one pass fills 1-second bars, which merge into every longer interval.

A level that a snapshot lacks is NaN, and so is what cannot be computed without it; sums over snapshots leave it out
and count the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aperiodic.catalog.partials_book import DEPTHS, QUANTITIES
from aperiodic.engine.partials.bars import SECOND_US, start_of
from aperiodic.engine.partials.compensated import SUM, add_to, collect, rounded, two_sum
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.engine.partials.recorded_day import RecordedDay
from aperiodic.jit import kernel
from aperiodic.market import BOOK_DEPTH, Stream, book_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl
    from numpy.typing import NDArray

__all__ = ["BOOK_BAR", "KERNEL", "finish_books", "fold_books", "merge_books"]

_ROWS_AT_ONCE: Final = 1 << 12
"""Snapshots copied out of a frame at a time: few enough to stay in the processor's cache."""

_AMOUNTS: Final = [*book_columns("bid", "amount"), *book_columns("ask", "amount")]
_DEPTH: Final = "depth"
_NAMES: Final = [f"{quantity}_{depth}" for quantity in QUANTITIES for depth in DEPTHS]

# First columns of the quantities of `QUANTITIES`, each of which has one column for every depth.
_N: Final = len(DEPTHS)
_BID, _ASK, _IMBALANCE, _IMBALANCE_RATIO, _BID_ASK_RATIO = range(0, len(_NAMES), _N)
_SUMS: Final = len(_NAMES)
_LASTS: Final = 2 * _N

BOOK_BAR: Final = np.dtype(
    [
        ("start", np.int64),
        ("ticks", np.int64, (_N,)),  # snapshots that could show as many levels as each depth asks for
        (
            "last",
            np.float64,
            (_LASTS,),
        ),  # sums of the last such snapshot's best bids, then asks; NaN where there is none
        ("counts", np.int64, (_SUMS,)),  # snapshots at which each quantity is defined
        ("sums", SUM, (_SUMS,)),  # of the quantities over those
    ]
)
"""What is known of the snapshots of a bar; quantities are in the order of `QUANTITIES`, depths within each of them."""


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
def fold_books(
    times: NDArray[np.int64],
    amounts: NDArray[np.float64],
    shown: NDArray[np.int64],
    bars: NDArray[Any],
    used: int,
) -> int:
    """Add snapshots, ascending in time, to 1-second bars, of which `used` are filled already.

    Args:
        times: µs since the epoch.
        amounts: Base units, a row a snapshot: bids, then asks, best level first; NaN where there is no level.
        shown: How many levels a side a snapshot could show; for a greater depth it says nothing.
        bars: Zeroed from row `used` on, with room for every second that occurs.
        used: Filled rows; the last of them is continued.

    Returns:
        The number of filled rows.
    """
    values = np.empty(_SUMS)
    row = used - 1
    for i in range(times.size):
        start = start_of(times[i], SECOND_US)
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row].start = start
            bars[row].last[:] = np.nan
        bar = bars[row]
        sum_best(amounts[i, :BOOK_DEPTH], values[_BID : _BID + _N])
        sum_best(amounts[i, BOOK_DEPTH:], values[_ASK : _ASK + _N])
        for n in range(_N):
            if shown[i] < DEPTHS[n]:
                for k in range(n, _SUMS, _N):
                    values[k] = np.nan
                continue
            bar.ticks[n] += 1
            bar.last[_BID + n], bar.last[_ASK + n] = values[_BID + n], values[_ASK + n]
            bid, ask = values[_BID + n], values[_ASK + n]
            depth = bid + ask
            values[_IMBALANCE + n] = bid - ask
            values[_IMBALANCE_RATIO + n] = (bid - ask) / depth if depth != 0.0 else np.nan
            values[_BID_ASK_RATIO + n] = bid / ask if ask != 0.0 else np.nan
        for k in range(_SUMS):
            if np.isnan(values[k]):
                continue
            collect(bar.sums[k], values[k])
            bar.counts[k] += 1
    return row + 1


@kernel
def merge_books(shorter: NDArray[Any], length_us: int, bars: NDArray[Any], used: int) -> int:
    """Merge bars into bars of `length_us`, zeroed from row `used` on; return how many are filled then."""
    row = used - 1
    for i in range(shorter.size):
        other = shorter[i]
        start = start_of(other.start, length_us)
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row].start = start
            bars[row].last[:] = np.nan
        bar = bars[row]
        for n in range(_N):
            if other.ticks[n] > 0:
                bar.ticks[n] += other.ticks[n]
                bar.last[_BID + n], bar.last[_ASK + n] = other.last[_BID + n], other.last[_ASK + n]
        for k in range(_SUMS):
            bar.counts[k] += other.counts[k]
            add_to(bar.sums[k], other.sums[k].high, other.sums[k].low)
    return row + 1


def finish_books(bars: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return bars as the named partials of `catalog/partials_book.py`."""
    sums = rounded(bars["sums"])
    columns: dict[str, NDArray[Any]] = {name: bars["last"][:, k] for k, name in enumerate(_NAMES[:_LASTS])}
    columns |= {f"{name}_sum": sums[:, k] for k, name in enumerate(_NAMES)}
    return columns | {f"{name}_count": bars["counts"][:, k] for k, name in enumerate(_NAMES)}


class BookDay(RecordedDay):
    """The bars of a day of order books."""

    def __init__(self, _ticks: DayTicks) -> None:
        super().__init__(BOOK_BAR, merge_books, lambda bars, _interval: finish_books(bars))

    def fold(self, events: Mapping[Stream, pl.DataFrame]) -> None:
        """Add snapshots; null amounts are levels that are not there."""
        seconds = self.seconds
        for part in events[Stream.BOOK].iter_slices(_ROWS_AT_ONCE):
            amounts = part[_AMOUNTS].to_numpy(order="c")
            shown = part[_DEPTH]
            if shown.null_count():
                shown = shown.fill_null(BOOK_DEPTH)
            seconds.used = fold_books(part["time"].to_numpy(), amounts, shown.to_numpy(), seconds.room, seconds.used)


KERNEL: Final = FamilyKernel(columns={Stream.BOOK: (*_AMOUNTS, _DEPTH)}, open_day=BookDay)
