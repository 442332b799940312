"""Partials of trades: sums, moments, neighbouring trades, quantiles and reversals of every bar of a day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import polars as pl

from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.engine.partials.moments import FOURTH, HIGHEST, LOWEST, SECOND, THIRD, fold_moments, merge_moments
from aperiodic.engine.partials.quantiles import bar_quantiles
from aperiodic.engine.partials.reversal import mean_reversals
from aperiodic.engine.partials.trade_pairs import PairBars, fold_pairs, merge_pairs, pair_columns
from aperiodic.engine.partials.trade_sums import amount_sums, price_sums, to_frame, trade_bars
from aperiodic.market import Interval, Stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["KERNEL", "trade_frames"]

_MEDIAN: Final = 50
_NINETIETH: Final = 90

Scalar = TypeVar("Scalar", bound="np.generic[Any]")


def trade_frames(
    times: NDArray[np.int64], sides: NDArray[np.uint8], prices: NDArray[np.float64], amounts: NDArray[np.float64]
) -> dict[Interval, pl.DataFrame]:
    """Compute `time` and the named partials of `catalog/partials.py` for the bars of one UTC day, of all intervals.

    A partial that is undefined (the reversal of a bar without large trades) is null.

    Args:
        times: µs since the epoch, ascending, all within one UTC day.
        sides: 0 where the taker bought, 1 where it sold.
        prices: Quote units per base unit, positive.
        amounts: Base units, positive.
    """
    times, sides, prices, amounts = _frozen(times), _frozen(sides), _frozen(prices), _frozen(amounts)
    tree = trade_bars(times, sides, prices, amounts)
    levels = list(tree.values())
    counts = [bars.counts.sum(axis=1) for bars in levels]
    ends = [np.cumsum(part) for part in counts]
    into = [np.searchsorted(longer.start, shorter.start, side="right") - 1 for shorter, longer in pairwise(levels)]
    # Kernels leave other threads alone; with one thread, as workers have, this is done one after the other.
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        pending_pairs = threads.submit(_pairs, sides, prices, amounts, ends[0], into)
        pending_quantiles = threads.submit(_quantiles, prices, amounts, ends)
        pending_prices = threads.submit(_moments, prices, counts, [price_sums(bars) for bars in levels], into)
        pending_amounts = threads.submit(_moments, amounts, counts, [amount_sums(bars) for bars in levels], into)
    pairs, price_moments, amount_moments = pending_pairs.result(), pending_prices.result(), pending_amounts.result()
    price_medians, amount_quantiles, reversals = pending_quantiles.result()
    return {
        interval: to_frame(bars).hstack(
            [
                *(pl.Series(name, values) for name, values in pair_columns(pairs[level]).items()),
                *_moment_series("price", price_moments[level]),
                *_moment_series("amount", amount_moments[level]),
                pl.Series("amount_low", np.ascontiguousarray(amount_moments[level][:, LOWEST])),
                pl.Series("amount_high", np.ascontiguousarray(amount_moments[level][:, HIGHEST])),
                pl.Series("price_median", np.ascontiguousarray(price_medians[level][:, 0])),
                pl.Series("amount_median", np.ascontiguousarray(amount_quantiles[level][:, 0])),
                pl.Series("large_trade_reversal", reversals[level], nan_to_null=True),
            ]
        )
        for level, (interval, bars) in enumerate(tree.items())
    }


def _bars(ticks: DayTicks) -> dict[Interval, pl.DataFrame]:
    trades = ticks.day[Stream.TRADES]
    return trade_frames(
        trades["time"].to_numpy(),
        trades["side"].to_physical().cast(pl.UInt8).to_numpy(),
        trades["price"].to_numpy(),
        trades["amount"].to_numpy(),
    )


KERNEL: Final = FamilyKernel(version=3, columns={Stream.TRADES: ("side", "price", "amount")}, bars=_bars)


def _frozen(column: NDArray[Scalar]) -> NDArray[Scalar]:
    """Make an input read-only, as some of Polars' arrays are anyway: kernels then compile for one type only."""
    view = column.view()
    view.flags.writeable = False
    return view


def _pairs(
    sides: NDArray[np.uint8],
    prices: NDArray[np.float64],
    amounts: NDArray[np.float64],
    ends: NDArray[np.int64],
    into: Sequence[NDArray[np.int64]],
) -> list[PairBars]:
    """Return the pair state of every level of the merge tree."""
    levels = [PairBars.empty(ends.size)]
    fold_pairs(sides, prices, amounts, ends, levels[0])
    for rows in into:
        longer = PairBars.empty(rows[-1] + 1 if rows.size else 0)
        merge_pairs(levels[-1], rows, longer)
        levels.append(longer)
    return levels


def _quantiles(
    prices: NDArray[np.float64], amounts: NDArray[np.float64], ends: Sequence[NDArray[np.int64]]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return, of every level, the median price, quantiles of the amounts, and reversals after the largest amounts."""
    medians = bar_quantiles(prices, ends, [_MEDIAN])
    quantiles = bar_quantiles(amounts, ends, [_MEDIAN, _NINETIETH])
    return medians, quantiles, mean_reversals(prices, amounts, ends, [level[:, 1] for level in quantiles])


def _moments(
    values: NDArray[np.float64],
    counts: Sequence[NDArray[np.int64]],
    sums: Sequence[NDArray[np.float64]],
    into: Sequence[NDArray[np.int64]],
) -> list[NDArray[np.float64]]:
    """Return the moments of every level of the merge tree."""
    levels = [fold_moments(values, np.cumsum(counts[0]), sums[0])]
    for level, rows in enumerate(into):
        levels.append(merge_moments(counts[level], sums[level], levels[level], rows))
    return levels


def _moment_series(name: str, moments: NDArray[np.float64]) -> list[pl.Series]:
    powers = {2: SECOND, 3: THIRD, 4: FOURTH}
    return [
        pl.Series(f"{name}_moment_{power}", np.ascontiguousarray(moments[:, column]))
        for power, column in powers.items()
    ]
