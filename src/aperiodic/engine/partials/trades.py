"""Partials of trades: sums, moments, neighbouring trades, quantiles and reversals of every bar of a day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import polars as pl

from aperiodic.engine.partials.bars import Bars, merge_tree, to_frame
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
        self._parts: list[Trades] = []
        self._sums = Bars(TRADE_BAR)
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
        self._parts.append(part)
        self._sums.used = fold_trades(_frozen(times), *part, self._sums.room, self._sums.used)

    def finish(self, intervals: Collection[Interval] = tuple(Interval)) -> dict[Interval, pl.DataFrame]:
        """Return the bars of all trades so far; a partial that is undefined is null."""
        sides, prices, amounts = self._joined()
        sums = merge_tree(self._sums.filled, merge_trades)
        ends = [np.cumsum(bars["counts"].sum(axis=1)) for bars in sums.values()]
        # Kernels leave other threads alone; with one thread, as workers have, this is done one after the other.
        with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
            pairs = threads.submit(self._pair_tree, sides, prices, amounts, ends[0])
            quantiles = threads.submit(_quantiles, prices, amounts, ends)
            price_moments = threads.submit(self._moment_tree, self._prices, prices, ends[0], price_sums)
            amount_moments = threads.submit(self._moment_tree, self._amounts, amounts, ends[0], amount_sums)
        price_medians, amount_quantiles, reversals = quantiles.result()
        frames = {}
        for level, interval in enumerate(Interval):
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

    def _joined(self) -> Trades:
        if len(self._parts) > 1:
            sides, prices, amounts = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
            self._parts = [(_frozen(sides), _frozen(prices), _frozen(amounts))]
        return (
            self._parts[0]
            if self._parts
            else (_frozen(np.zeros(0, np.uint8)), _frozen(np.zeros(0)), _frozen(np.zeros(0)))
        )

    def _pair_tree(
        self,
        sides: NDArray[np.uint8],
        prices: NDArray[np.float64],
        amounts: NDArray[np.float64],
        ends: NDArray[np.int64],
    ) -> Tree:
        begin, kept = _new(self._pairs, ends)
        starts = self._sums.filled["start"][kept:]
        rows = (sides[begin:], prices[begin:], amounts[begin:], starts, ends[kept:] - begin)
        self._pairs.used = fold_pairs(*rows, self._pairs.room, kept)
        return merge_tree(self._pairs.filled, merge_pairs)

    def _moment_tree(
        self,
        bars: Bars,
        values: NDArray[np.float64],
        ends: NDArray[np.int64],
        sums: Callable[[NDArray[Any]], NDArray[Any]],
    ) -> Tree:
        begin, kept = _new(bars, ends)
        seconds = self._sums.filled[kept:]
        bars.used = fold_moments(values[begin:], seconds["start"], ends[kept:] - begin, sums(seconds), bars.room, kept)
        return merge_tree(bars.filled, merge_moments)


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
