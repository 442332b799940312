"""Partials of trades: sums, moments, neighbouring trades, quantiles and reversals of every bar of a day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import polars as pl

from aperiodic.engine.partials.bars import Bars, Growing, longest_of, merge_tree, to_frame
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.engine.partials.moments import MOMENTS, fold_moments, merge_moments
from aperiodic.engine.partials.quantiles import bar_quantiles
from aperiodic.engine.partials.reversal import mean_reversals
from aperiodic.engine.partials.trade_pairs import PAIR_BAR, finish_pairs, fold_pairs, merge_pairs
from aperiodic.engine.partials.trade_sums import (
    TRADE_BAR,
    amount_sums,
    finish_trades,
    fold_trades,
    merge_trades,
    price_sums,
)
from aperiodic.market import Interval, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["KERNEL", "TradeDay"]

_MEDIAN: Final = 50
_NINETIETH: Final = 90
_POWERS: Final = {2: "second", 3: "third", 4: "fourth"}

Scalar = TypeVar("Scalar", bound="np.generic[Any]")
Tree = dict[Interval, "NDArray[np.void]"]
Trades = tuple["NDArray[np.uint8]", "NDArray[np.float64]", "NDArray[np.float64]"]


class TradeDay:
    """The bars of a day of trades; the partials are those of `catalog/partials.py`.

    It keeps side, price and amount of every trade, 17 bytes: medians, percentiles and reversals are of all trades of a
    bar, and a bar may be a day long. Samples of 1-second bars are centred on the bar's mean, so the second that is still
    open is folded again when the day is finished once more.
    """

    def __init__(self) -> None:
        self._sides = Growing(np.dtype(np.uint8))
        self._trade_prices, self._trade_amounts = (Growing(np.dtype(np.float64)) for _ in range(2))
        self._sums = Bars(TRADE_BAR)
        self._ends = np.zeros(self._sums.room.size, np.int64)
        self._counted = 0
        self._pairs = Bars(PAIR_BAR)
        self._prices = Bars(MOMENTS)
        self._amounts = Bars(MOMENTS)

    def fold(self, events: Mapping[Stream, pl.DataFrame]) -> None:
        """Add trades."""
        trades = events[Stream.TRADES]
        self.add(
            trades["time"].to_numpy(),
            trades["side"].to_physical().cast(pl.UInt8).to_numpy(),
            trades["price"].to_numpy(),
            trades["amount"].to_numpy(),
        )

    def add(
        self,
        times: NDArray[np.int64],
        sides: NDArray[np.uint8],
        prices: NDArray[np.float64],
        amounts: NDArray[np.float64],
    ) -> None:
        """Add trades.

        Args:
            times: µs since the epoch, ascending, all within the UTC day.
            sides: 0 where the taker bought, 1 where it sold.
            prices: Quote units per base unit, positive.
            amounts: Base units, positive.
        """
        part = _frozen(sides), _frozen(prices), _frozen(amounts)
        for kept, values in ((self._sides, part[0]), (self._trade_prices, part[1]), (self._trade_amounts, part[2])):
            kept.add(values)
        self._sums.used = fold_trades(_frozen(times), *part, self._sums.room, self._sums.used)

    def finish(
        self, intervals: Collection[Interval] = tuple(Interval), since: int | None = None
    ) -> dict[Interval, pl.DataFrame]:
        """Return the bars of all trades so far; a partial that is undefined is null."""
        sides, prices, amounts = self._sides.values, self._trade_prices.values, self._trade_amounts.values
        first, longest = self._sums.first_since(since), longest_of(intervals)
        all_ends = self._count()
        sums = merge_tree(self._sums.filled[first:], merge_trades, longest)
        ends = [np.cumsum(bars["counts"].sum(axis=1)) for bars in sums.values()]
        before = int(all_ends[first - 1]) if first else 0
        # Kernels leave other threads alone; with one thread, as workers have, this is done one after the other.
        with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
            pairs = threads.submit(self._pair_tree, sides, prices, amounts, all_ends, first, longest)
            quantiles = threads.submit(_quantiles, prices[before:], amounts[before:], ends)
            moments_of = partial(self._moment_tree, ends=all_ends, first=first, longest=longest)
            price_moments = threads.submit(moments_of, self._prices, prices, price_sums)
            amount_moments = threads.submit(moments_of, self._amounts, amounts, amount_sums)
        price_medians, amount_quantiles, reversals = quantiles.result()
        frames = {}
        for level, interval in enumerate(sums):
            if interval not in intervals:
                continue
            moments = {"price": price_moments.result()[interval], "amount": amount_moments.result()[interval]}
            columns = finish_trades(sums[interval]) | finish_pairs(pairs.result()[interval])
            for name, bars in moments.items():
                columns |= {f"{name}_moment_{power}": bars[field] for power, field in _POWERS.items()}
            columns |= {
                "amount_low": moments["amount"]["lowest"],
                "amount_high": moments["amount"]["highest"],
                "price_median": price_medians[level][:, 0],
                "amount_median": amount_quantiles[level][:, 0],
                "large_trade_reversal": reversals[level],
            }
            frames[interval] = to_frame(sums[interval]["start"], columns)
        return frames

    def _count(self) -> NDArray[np.int64]:
        """Return where the trades of each second end."""
        kept, used = max(self._counted - 1, 0), self._sums.used
        counts = self._sums.filled["counts"][kept:].sum(axis=1)
        self._ends[kept:used] = (self._ends[kept - 1] if kept else 0) + np.cumsum(counts)
        self._counted = used
        return self._ends[:used]

    def _pair_tree(
        self,
        sides: NDArray[np.uint8],
        prices: NDArray[np.float64],
        amounts: NDArray[np.float64],
        ends: NDArray[np.int64],
        first: int,
        longest: Interval,
    ) -> Tree:
        begin, kept = _new(self._pairs, ends)
        starts = self._sums.filled["start"][kept:]
        rows = (sides[begin:], prices[begin:], amounts[begin:], starts, ends[kept:] - begin)
        self._pairs.used = fold_pairs(*rows, self._pairs.room, kept)
        return merge_tree(self._pairs.filled[first:], merge_pairs, longest)

    def _moment_tree(
        self,
        bars: Bars,
        values: NDArray[np.float64],
        sums: Callable[[NDArray[Any]], NDArray[Any]],
        *,
        ends: NDArray[np.int64],
        first: int,
        longest: Interval,
    ) -> Tree:
        begin, kept = _new(bars, ends)
        seconds = self._sums.filled[kept:]
        bars.used = fold_moments(values[begin:], seconds["start"], ends[kept:] - begin, sums(seconds), bars.room, kept)
        return merge_tree(bars.filled[first:], merge_moments, longest)


def _new(bars: Bars, ends: NDArray[np.int64]) -> tuple[int, int]:
    """Return the first trade and the number of rows not to fold again: all but the last, which may have been open."""
    kept = max(bars.used - 1, 0)
    return (int(ends[kept - 1]) if kept else 0), kept


def _quantiles(
    prices: NDArray[np.float64], amounts: NDArray[np.float64], ends: Sequence[NDArray[np.int64]]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return, of every level, the median price, quantiles of the amounts, and reversals after the largest amounts."""
    medians = bar_quantiles(prices, ends, [_MEDIAN])
    quantiles = bar_quantiles(amounts, ends, [_MEDIAN, _NINETIETH])
    return medians, quantiles, mean_reversals(prices, amounts, ends, [level[:, 1] for level in quantiles])


def _frozen(column: NDArray[Scalar]) -> NDArray[Scalar]:
    """Make an input read-only, as some of Polars' arrays are anyway: kernels then compile for one type only."""
    view = column.view()
    view.flags.writeable = False
    return view


def _open_day(_ticks: DayTicks) -> TradeDay:
    return TradeDay()


KERNEL: Final = FamilyKernel(columns={Stream.TRADES: ("side", "price", "amount")}, open_day=_open_day)
