"""Partials of what only derivatives have: mark prices, funding rates and open interest.

These streams have about an event a second, so every interval is computed straight from the day's events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from aperiodic.engine.partials.asof import values_as_of
from aperiodic.engine.partials.compensated import add
from aperiodic.engine.partials.jit import kernel
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.market import Interval, Stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Columns = dict[str, NDArray[np.float64] | NDArray[np.int64]]

__all__ = ["FUNDING_RATE", "MARK_PRICE", "OPEN_INTEREST"]


class Ranges(NamedTuple):
    """Which events each bar is made of.

    Attributes:
        start: Start of the bar, µs.
        first: Position of its first event.
        last: Position of its last event.
    """

    start: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @classmethod
    def of(cls, times: NDArray[np.int64], interval: Interval) -> Ranges:
        """Divide events, ascending in time, into bars."""
        start, first = np.unique(times - times % interval.microseconds, return_index=True)
        return cls(start, first, np.append(first, times.size)[1:] - 1)


@kernel
def summed(
    values: NDArray[np.float64], first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return number, sum and sum of squared distances from the mean of each bar's values that are not NaN."""
    counts = np.zeros(first.size, np.int64)
    sums = np.zeros(first.size)
    squares = np.zeros(first.size)
    for bar in range(first.size):
        high, low, mean = 0.0, 0.0, 0.0
        for i in range(first[bar], last[bar] + 1):
            value = values[i]
            if np.isnan(value):
                continue
            counts[bar] += 1
            high, low = add(high, low, value)
            distance = value - mean
            mean += distance / counts[bar]
            squares[bar] += distance * (value - mean)
        sums[bar] = high
    return counts, sums, squares


def _mark_price_bars(ticks: DayTicks) -> dict[Interval, pl.DataFrame]:
    updates = ticks.day[Stream.MARK_PRICE]
    times, mark = updates["time"].to_numpy(), updates["mark_price"].to_numpy()
    (index,) = values_as_of(times, ticks, Stream.INDEX_PRICE, ("index_price",))
    (trade,) = values_as_of(times, ticks, Stream.TRADES, ("price",))
    basis, spread = mark - index, mark - trade
    basis_bps, spread_bps = _share(basis, index) * 10_000.0, _share(spread, trade) * 10_000.0
    frames = {}
    for interval in Interval:
        bars = Ranges.of(times, interval)
        basis_count, basis_sum, _ = summed(basis, bars.first, bars.last)
        basis_bps_count, _, basis_bps_square_sum = summed(basis_bps, bars.first, bars.last)
        spread_count, spread_sum, _ = summed(spread, bars.first, bars.last)
        spread_bps_count, _, spread_bps_square_sum = summed(spread_bps, bars.first, bars.last)
        frames[interval] = _frame(
            bars,
            {
                "mark_price": mark[bars.last],
                "index_price": index[bars.last],
                "last_price": trade[bars.last],
                "first_mark_price": mark[bars.first],
                "first_index_price": _first_known(index, bars),
                "first_last_price": _first_known(trade, bars),
                "basis_count": basis_count,
                "basis_sum": basis_sum,
                "basis_bps_count": basis_bps_count,
                "basis_bps_square_sum": basis_bps_square_sum,
                "spread_count": spread_count,
                "spread_sum": spread_sum,
                "spread_bps_count": spread_bps_count,
                "spread_bps_square_sum": spread_bps_square_sum,
            },
        )
    return frames


def _funding_rate_bars(ticks: DayTicks) -> dict[Interval, pl.DataFrame]:
    updates, before = ticks.day[Stream.FUNDING_RATE], ticks.before[Stream.FUNDING_RATE]
    times, rates = updates["time"].to_numpy(), updates["funding_rate"].to_numpy()
    # NaN differs from every rate: the first ever is a change.
    known = np.append(before["funding_rate"].item() if before.height else np.nan, rates)
    changes = np.append(0, (known[1:] != known[:-1]).cumsum())
    frames = {}
    for interval in Interval:
        bars = Ranges.of(times, interval)
        frames[interval] = _frame(
            bars,
            {
                "funding_rate": rates[bars.last],
                "rate_changes": changes[bars.last + 1] - changes[bars.first],
                "interval_seconds": np.full(bars.start.size, interval.seconds),
            },
        )
    return frames


def _open_interest_bars(ticks: DayTicks) -> dict[Interval, pl.DataFrame]:
    # Venues send zero, or nothing, where they do not know it.
    updates = ticks.day[Stream.OPEN_INTEREST].filter(pl.col("open_interest") > 0)
    times, amounts = updates["time"].to_numpy(), updates["open_interest"].to_numpy()
    (mark,) = values_as_of(times, ticks, Stream.MARK_PRICE, ("mark_price",))
    steps = np.diff(amounts)
    moves = np.append(np.nan, np.where(steps != 0.0, steps / amounts[:-1] * 100.0, np.nan))[: amounts.size]
    frames = {}
    for interval in Interval:
        bars = Ranges.of(times, interval)
        within = moves.copy()
        within[bars.first] = np.nan
        move_count, _, move_square_sum = summed(within, bars.first, bars.last)
        frames[interval] = _frame(
            bars,
            {
                "open_interest": amounts[bars.last],
                "first_open_interest": amounts[bars.first],
                "mark_price": mark[bars.last],
                "first_mark_price": mark[bars.first],
                "move_count": move_count,
                "move_square_sum": move_square_sum,
            },
        )
    return frames


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.full(part.size, np.nan)
    np.divide(part, whole, out=shares, where=whole != 0.0)
    return shares


def _first_known(values: NDArray[np.float64], bars: Ranges) -> NDArray[np.float64]:
    """Return each bar's first value that is not NaN, if any: a value once known stays known."""
    at = np.maximum(bars.first, np.isnan(values).sum())
    return np.where(at <= bars.last, values[np.minimum(at, bars.last)], np.nan)


def _frame(bars: Ranges, columns: Columns) -> pl.DataFrame:
    """Return `time` and the named partials of `catalog/partials_derivatives.py`, null where they are NaN."""
    frame = pl.DataFrame(columns, nan_to_null=True)
    return frame.insert_column(0, pl.Series("time", bars.start).cast(pl.Datetime("us")))


MARK_PRICE: Final = FamilyKernel(
    version=2,
    columns={
        Stream.MARK_PRICE: ("mark_price",),
        Stream.INDEX_PRICE: ("index_price",),
        Stream.TRADES: ("price",),
    },
    bars=_mark_price_bars,
    looks_back=frozenset({Stream.INDEX_PRICE, Stream.TRADES}),
)
FUNDING_RATE: Final = FamilyKernel(
    version=2,
    columns={Stream.FUNDING_RATE: ("funding_rate",)},
    bars=_funding_rate_bars,
    looks_back=frozenset({Stream.FUNDING_RATE}),
)
OPEN_INTEREST: Final = FamilyKernel(
    version=2,
    columns={Stream.OPEN_INTEREST: ("open_interest",), Stream.MARK_PRICE: ("mark_price",)},
    bars=_open_interest_bars,
    looks_back=frozenset({Stream.MARK_PRICE}),
)
