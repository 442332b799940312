"""Partials of quotes: one pass fills 1-second bars, which merge into every longer interval.

Only two-sided quotes count: both prices and both amounts above zero. The kernel leaves the others out as it goes,
which costs less than filtering a day's quotes beforehand.

A quote holds until the next one or until its bar ends, and every bar has an end of its own. So a bar's state sums
price times time held between its first and its last quote only: a merge adds how long the left bar's last quote held
until the right bar's first, and `to_frame` how long the last one held until the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from aperiodic.engine.partials.compensated import add, add_pair, two_sum
from aperiodic.engine.partials.jit import kernel
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.engine.partials.merge_tree import merge_tree
from aperiodic.market import DAY_US, Interval, Stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KERNEL", "QuoteBars", "fold_quotes", "merge_bars", "quote_bars", "to_frame"]

_SECOND_US: Final = 1_000_000
_ROWS_AT_ONCE: Final = 1 << 17
"""Quotes taken out of a frame at a time: as many as a tick file keeps together, which are read where they lie."""

_COLUMNS: Final = ("bid_price", "bid_amount", "ask_price", "ask_amount")

# Columns of `times`, and of `last` in the order of `_COLUMNS`.
_FIRST, _LAST = range(2)
_BID_PRICE, _BID_AMOUNT, _ASK_PRICE, _ASK_AMOUNT = range(4)

# Columns of `sums`.
_TERMS: Final = (
    "bid_price_time",
    "ask_price_time",
    "bid_amount",
    "ask_amount",
    "bid_notional",
    "ask_notional",
    "imbalance",
    "imbalance_ratio",
    "bid_ask_ratio",
    "bid_percentage",
    "ask_percentage",
    "spread",
    "spread_bps",
    "spread_depth_ratio",
)
_SUMS: Final = len(_TERMS)
_BID_PRICE_TIME, _ASK_PRICE_TIME = range(2)
_HIGH, _LOW = range(2)


class QuoteBars(NamedTuple):
    """Columns of a run of bars, ascending in time; only the first `n` rows that a kernel returned are filled.

    Attributes:
        start: Start of the bar, µs.
        counts: Number of quotes.
        times: Time of the first and of the last quote, µs.
        last: The last quote: bid price and amount, ask price and amount.
        sums: Sums of `_TERMS` as two parts whose total is the sum: all high parts of a bar, then all low parts.
    """

    start: NDArray[np.int64]
    counts: NDArray[np.int64]
    times: NDArray[np.int64]
    last: NDArray[np.float64]
    sums: NDArray[np.float64]

    @classmethod
    def empty(cls, rows: int) -> QuoteBars:
        """Room for `rows` bars."""
        return cls(
            start=np.zeros(rows, np.int64),
            counts=np.zeros(rows, np.int64),
            times=np.zeros((rows, 2), np.int64),
            last=np.zeros((rows, len(_COLUMNS)), np.float64),
            sums=np.zeros((rows, 2, _SUMS), np.float64),
        )

    def head(self, rows: int) -> QuoteBars:
        """The first `rows` bars."""
        return QuoteBars(self.start[:rows], self.counts[:rows], self.times[:rows], self.last[:rows], self.sums[:rows])


@kernel
def fold_quotes(
    times: NDArray[np.int64],
    bid_prices: NDArray[np.float64],
    bid_amounts: NDArray[np.float64],
    ask_prices: NDArray[np.float64],
    ask_amounts: NDArray[np.float64],
    bars: QuoteBars,
    used: int,
) -> int:
    """Add quotes, ascending in time, to 1-second bars, of which `used` are filled already.

    Quotes without a price or an amount above zero on each side are left out.

    Args:
        times: µs since the epoch.
        bid_prices: Quote units per base unit; NaN where there is none.
        bid_amounts: Base units; NaN where there is none.
        ask_prices: Quote units per base unit; NaN where there is none.
        ask_amounts: Base units; NaN where there is none.
        bars: Zeroed from row `used` on, with room for every second that occurs.
        used: Filled rows; the last of them is continued.

    Returns:
        The number of filled rows.
    """
    terms = np.empty(_SUMS)
    row = used - 1
    for i in range(times.size):
        bid, bid_amount, ask, ask_amount = bid_prices[i], bid_amounts[i], ask_prices[i], ask_amounts[i]
        if not (bid > 0.0 and bid_amount > 0.0 and ask > 0.0 and ask_amount > 0.0):
            continue
        time = times[i]
        if row < 0 or time - bars.start[row] >= _SECOND_US:
            row += 1
            bars.start[row] = time - time % _SECOND_US
            bars.times[row, :] = time
        held = time - bars.times[row, _LAST]
        depth = bid_amount + ask_amount
        imbalance = bid_amount - ask_amount
        spread = ask - bid
        terms[:] = (
            bars.last[row, _BID_PRICE] * held,
            bars.last[row, _ASK_PRICE] * held,
            bid_amount,
            ask_amount,
            bid * bid_amount,
            ask * ask_amount,
            imbalance,
            imbalance / depth,
            bid_amount / ask_amount,
            bid_amount / depth,
            ask_amount / depth,
            spread,
            spread / ((bid + ask) / 2.0) * 10_000.0,
            spread / depth,
        )
        # What rounding lost is only added up here, without carrying it over: all sums advance side by side.
        for k in range(_SUMS):
            total, lost = two_sum(bars.sums[row, _HIGH, k], terms[k])
            bars.sums[row, _HIGH, k] = total
            bars.sums[row, _LOW, k] += lost
        bars.counts[row] += 1
        bars.times[row, _LAST] = time
        bars.last[row, _BID_PRICE] = bid
        bars.last[row, _BID_AMOUNT] = bid_amount
        bars.last[row, _ASK_PRICE] = ask
        bars.last[row, _ASK_AMOUNT] = ask_amount
    return row + 1


@kernel
def merge_bars(shorter: QuoteBars, length_us: int, bars: QuoteBars) -> int:
    """Merge bars into zeroed bars of `length_us`; return how many those are."""
    row = -1
    for i in range(shorter.start.size):
        start = shorter.start[i] - shorter.start[i] % length_us
        if row < 0 or bars.start[row] != start:
            row += 1
            bars.start[row] = start
            bars.times[row, _FIRST] = shorter.times[i, _FIRST]
        else:
            held = shorter.times[i, _FIRST] - bars.times[row, _LAST]
            for k, price in ((_BID_PRICE_TIME, _BID_PRICE), (_ASK_PRICE_TIME, _ASK_PRICE)):
                bars.sums[row, _HIGH, k], bars.sums[row, _LOW, k] = add(
                    bars.sums[row, _HIGH, k], bars.sums[row, _LOW, k], bars.last[row, price] * held
                )
        for k in range(_SUMS):
            bars.sums[row, _HIGH, k], bars.sums[row, _LOW, k] = add_pair(
                bars.sums[row, _HIGH, k],
                bars.sums[row, _LOW, k],
                shorter.sums[i, _HIGH, k],
                shorter.sums[i, _LOW, k],
            )
        bars.counts[row] += shorter.counts[i]
        bars.times[row, _LAST] = shorter.times[i, _LAST]
        bars.last[row, :] = shorter.last[i, :]
    return row + 1


def quote_bars(quotes: pl.DataFrame) -> dict[Interval, QuoteBars]:
    """Compute the bars of all intervals of one UTC day.

    Args:
        quotes: `time` in µs since the epoch, ascending and within one UTC day, and both sides' prices and amounts.
    """
    bars = QuoteBars.empty(min(quotes.height, DAY_US // _SECOND_US))
    used = 0
    for part in quotes.iter_slices(_ROWS_AT_ONCE):
        bid_prices, bid_amounts, ask_prices, ask_amounts = (part[name].to_numpy() for name in _COLUMNS)
        used = fold_quotes(part["time"].to_numpy(), bid_prices, bid_amounts, ask_prices, ask_amounts, bars, used)
    bars = bars.head(used)
    return merge_tree(bars, merge_bars)


def to_frame(bars: QuoteBars, length_us: int) -> pl.DataFrame:
    """Return bars of `length_us` as `time` and the named partials of `catalog/partials_quotes.py`."""
    end = bars.start + length_us
    sums = bars.sums[:, _HIGH] + bars.sums[:, _LOW]
    held_last = end - bars.times[:, _LAST]
    sums[:, _BID_PRICE_TIME] += bars.last[:, _BID_PRICE] * held_last
    sums[:, _ASK_PRICE_TIME] += bars.last[:, _ASK_PRICE] * held_last
    columns: dict[str, NDArray[np.int64] | NDArray[np.float64]] = {
        "n_quotes": bars.counts,
        "held_time": end - bars.times[:, _FIRST],
        "span_time": bars.times[:, _LAST] - bars.times[:, _FIRST],
    }
    columns |= {name: bars.last[:, k] for k, name in enumerate(_COLUMNS)}
    columns |= {f"{name}_sum": sums[:, k] for k, name in enumerate(_TERMS)}
    frame = pl.DataFrame({name: np.ascontiguousarray(values) for name, values in columns.items()})
    return frame.insert_column(0, pl.Series("time", bars.start).cast(pl.Datetime("us")))


def _bars(ticks: DayTicks) -> dict[Interval, pl.DataFrame]:
    tree = quote_bars(ticks.day[Stream.QUOTES])
    return {interval: to_frame(bars, interval.microseconds) for interval, bars in tree.items()}


KERNEL: Final = FamilyKernel(version=2, columns={Stream.QUOTES: _COLUMNS}, bars=_bars)
