"""Partials of trades: sums, moments, neighbouring trades, quantiles and reversals of every bar of a day."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import numpy as np
import polars as pl

from aperiodic.engine.partials.bars import Bars, Growing, longest_of, merge_tree, to_frame
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.engine.partials.moments import MOMENTS, fold_moments, merge_moments
from aperiodic.engine.partials.older import Older, with_older
from aperiodic.engine.partials.quantiles import bar_quantiles
from aperiodic.engine.partials.recorded_day import Records
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
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from aperiodic.engine.partials.bars import Merge

__all__ = ["KERNEL", "TradeDay"]

_MEDIAN: Final = 50
_NINETIETH: Final = 90
_MANY: Final = 10_000
"""So many trades are worth the begin of threads."""
_POWERS: Final = {2: "second", 3: "third", 4: "fourth"}

_VALUE: Final = np.dtype(np.float64)

Scalar = TypeVar("Scalar", bound="np.generic[Any]")
Tree = dict[Interval, "NDArray[np.void]"]
Fold = Callable[["NDArray[np.int64]"], None]
Quantiles = tuple[list["NDArray[np.float64]"], list["NDArray[np.float64]"], list["NDArray[np.float64]"]]
Trades = tuple["NDArray[np.uint8]", "NDArray[np.float64]", "NDArray[np.float64]"]


class _Level(NamedTuple):
    """What is known of the bars of an interval."""

    sums: NDArray[np.void]
    pairs: NDArray[np.void]
    price_moments: NDArray[np.void]
    amount_moments: NDArray[np.void]
    price_median: NDArray[np.float64]
    amount_median: NDArray[np.float64]
    reversal: NDArray[np.float64]


_RECORD: Final = np.dtype(
    [
        ("start", np.int64),
        ("sums", TRADE_BAR),
        ("pairs", PAIR_BAR),
        ("price_moments", MOMENTS),
        ("amount_moments", MOMENTS),
        ("price_median", np.float64),
        ("amount_median", np.float64),
        ("reversal", np.float64),
    ]
)
"""The same of one bar, and its start, µs."""


class TradeDay:
    """The bars of a day of trades; the partials are those of `catalog/partials.py`.

    It keeps side, price and amount of every trade, 17 bytes: medians, percentiles and reversals are of all trades of a
    bar, and a bar may be a day long. Samples of 1-second bars are centred on the bar's mean, so the second that is still
    open is folded again when the day is finished once more.
    """

    def __init__(self) -> None:
        self._sides = Growing(np.dtype(np.uint8))
        self._trade_prices, self._trade_amounts = Growing(_VALUE), Growing(_VALUE)
        self._sums = Bars(TRADE_BAR)
        self._pairs = Bars(PAIR_BAR)
        self._prices = Bars(MOMENTS)
        self._amounts = Bars(MOMENTS)
        self._older = Older(TRADE_BAR, PAIR_BAR, MOMENTS, MOMENTS, _VALUE, _VALUE)

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

    def join_seconds(self, before: int) -> None:
        """Keep bars of a minute in the place of older ones of a second; see `OpenDay.join_seconds`."""
        ends = self._ends()
        # So that there is a row of each kind for every second.
        self._fold_pairs(ends)
        self._fold_prices(ends)
        self._fold_amounts(ends)
        rows = self._sums.rows_to_join(before)
        for bars, merge in (
            (self._sums, merge_trades),
            (self._pairs, merge_pairs),
            (self._prices, merge_moments),
            (self._amounts, merge_moments),
        ):
            bars.join(rows, merge)

    def leaving(self, before: int) -> bytes | None:
        """Return what can leave memory; see `OpenDay.leaving`."""
        rows = self._sums.rows_to_join(before)
        if not rows:
            return None
        trades = int(self._ends()[rows - 1])
        bars = (self._sums, self._pairs, self._prices, self._amounts)
        values = (self._trade_prices, self._trade_amounts)
        return self._older.pack([each.filled[:rows] for each in bars] + [each.values[:trades] for each in values])

    def leave(self, before: int, read: Callable[[int], list[bytes]]) -> None:
        """Let go of it; see `OpenDay.leave`."""
        rows = self._sums.rows_to_join(before)
        self._older.note(int(self._sums.filled["start"][rows - 1]), read)
        trades = int(self._ends()[rows - 1])
        for values in (self._sides, self._trade_prices, self._trade_amounts):
            values.drop(trades)
        for bars in (self._sums, self._pairs, self._prices, self._amounts):
            bars.drop(rows)

    def finish(
        self, intervals: Collection[Interval] = tuple(Interval), since: int | None = None
    ) -> dict[Interval, pl.DataFrame]:
        """Return the bars of all trades so far; a partial that is undefined is null."""
        levels = self._levels(intervals, since) if intervals else {}
        return {interval: to_frame(level.sums["start"], _columns_of(level)) for interval, level in levels.items()}

    def records(self, interval: Interval, since: int | None = None) -> Records:
        """Return the bars of an interval before they are columns; `since` as of `finish`."""
        return _records_of(self._levels([interval], since)[interval])

    @staticmethod
    def merged(
        seconds: NDArray[np.void], prices: NDArray[np.float64], amounts: NDArray[np.float64], interval: Interval
    ) -> Records:
        """Return the bars of an interval that bars of a second make, which are others than those of this day.

        Args:
            seconds: As of `records`.
            prices: Of all their trades, in order.
            amounts: Of the same.
            interval: Which.
        """

        def merge(name: str, merge: Merge) -> NDArray[np.void]:
            kind, offset = fields[name][:2]
            # Not by the name: each field of the records in it would be copied by itself.
            bars = np.ascontiguousarray(whole[:, offset : offset + kind.itemsize]).view(kind)[:, 0]
            return merge_tree(bars, merge, interval)[interval]

        fields: Mapping[str, tuple[Any, ...]] = _RECORD.fields or {}
        whole = np.ascontiguousarray(seconds).view(np.uint8).reshape(seconds.size, _RECORD.itemsize)
        sums = merge("sums", merge_trades)
        ends = np.cumsum(sums["counts"].sum(axis=1))
        medians, quantiles, reversals = _quantiles(_frozen(prices), _frozen(amounts), [ends])
        level = _Level(
            sums,
            merge("pairs", merge_pairs),
            merge("price_moments", merge_moments),
            merge("amount_moments", merge_moments),
            medians[0][:, 0],
            quantiles[0][:, 0],
            reversals[0],
        )
        return _records_of(level)

    def _levels(self, intervals: Collection[Interval], since: int | None) -> dict[Interval, _Level]:
        """Return what is known of the bars of some intervals."""
        longest, ends = longest_of(intervals), self._ends()
        first = self._sums.first_since(since)
        before = int(ends[first - 1]) if first else 0
        older_sums, older_pairs, *older_moments, older_prices, older_amounts = self._older.since(since)
        sums = merge_tree(with_older(older_sums, self._sums.filled[first:]), merge_trades, longest)
        wanted = [interval for interval in sums if interval in intervals]
        ends_of = [np.cumsum(sums[interval]["counts"].sum(axis=1)) for interval in wanted]
        prices = with_older(older_prices, self._trade_prices.values[before:])
        amounts = with_older(older_amounts, self._trade_amounts.values[before:])

        def tree(fold: Fold, bars: Bars, merge: Merge, older: list[NDArray[np.void]]) -> Tree:
            fold(ends)
            return merge_tree(with_older(older, bars.filled[first:]), merge, longest)

        pairs, price_moments, amount_moments, (price_medians, amount_quantiles, reversals) = _results(
            prices.size,
            partial(tree, self._fold_pairs, self._pairs, merge_pairs, older_pairs),
            partial(tree, self._fold_prices, self._prices, merge_moments, older_moments[0]),
            partial(tree, self._fold_amounts, self._amounts, merge_moments, older_moments[1]),
            partial(_quantiles, prices, amounts, ends_of),
        )
        return {
            interval: _Level(
                sums[interval],
                pairs[interval],
                price_moments[interval],
                amount_moments[interval],
                price_medians[number][:, 0],
                amount_quantiles[number][:, 0],
                reversals[number],
            )
            for number, interval in enumerate(wanted)
        }

    def _ends(self) -> NDArray[np.int64]:
        """Return where the trades of each bar in memory end."""
        ends: NDArray[np.int64] = self._sums.filled["counts"].sum(axis=1).cumsum()
        return ends

    def _fold_pairs(self, ends: NDArray[np.int64]) -> None:
        begin, kept = _new(self._pairs, ends)
        self._pairs.used = fold_pairs(
            self._sides.values[begin:],
            self._trade_prices.values[begin:],
            self._trade_amounts.values[begin:],
            self._sums.filled["start"][kept:],
            ends[kept:] - begin,
            self._pairs.room,
            kept,
        )

    def _fold_prices(self, ends: NDArray[np.int64]) -> None:
        self._fold_moments(self._prices, self._trade_prices.values, price_sums, ends)

    def _fold_amounts(self, ends: NDArray[np.int64]) -> None:
        self._fold_moments(self._amounts, self._trade_amounts.values, amount_sums, ends)

    def _fold_moments(
        self,
        bars: Bars,
        values: NDArray[np.float64],
        sums: Callable[[NDArray[Any]], NDArray[Any]],
        ends: NDArray[np.int64],
    ) -> None:
        begin, kept = _new(bars, ends)
        seconds = self._sums.filled[kept:]
        bars.used = fold_moments(values[begin:], seconds["start"], ends[kept:] - begin, sums(seconds), bars.room, kept)


def _columns_of(level: _Level) -> dict[str, NDArray[Any]]:
    columns = finish_trades(level.sums) | finish_pairs(level.pairs)
    for name, bars in (("price", level.price_moments), ("amount", level.amount_moments)):
        columns |= {f"{name}_moment_{power}": bars[field] for power, field in _POWERS.items()}
    return columns | {
        "amount_low": level.amount_moments["lowest"],
        "amount_high": level.amount_moments["highest"],
        "price_median": level.price_median,
        "amount_median": level.amount_median,
        "large_trade_reversal": level.reversal,
    }


def _records_of(level: _Level) -> Records:
    bars = np.empty(level.sums.size, _RECORD)
    bars["start"] = level.sums["start"]
    for name, values in zip(level._fields, level, strict=True):
        bars[name] = values
    return Records(bars, _columns_of_records)


def _columns_of_records(bars: NDArray[np.void], _interval: Interval) -> dict[str, NDArray[Any]]:
    return _columns_of(_Level(*(np.ascontiguousarray(bars[name]) for name in _Level._fields)))


def _results(
    trades: int,
    pairs: Callable[[], Tree],
    prices: Callable[[], Tree],
    amounts: Callable[[], Tree],
    quantiles: Callable[[], Quantiles],
) -> tuple[Tree, Tree, Tree, Quantiles]:
    """Return what these return: at the same time where there are many trades, for kernels leave other threads alone."""
    at_once = pl.thread_pool_size()
    if trades < _MANY or at_once == 1:
        return pairs(), prices(), amounts(), quantiles()
    with ThreadPoolExecutor(at_once) as threads:
        trees = [threads.submit(call) for call in (pairs, prices, amounts)]
        found = threads.submit(quantiles)
    return trees[0].result(), trees[1].result(), trees[2].result(), found.result()


def _new(bars: Bars, ends: NDArray[np.int64]) -> tuple[int, int]:
    """Return the first trade and the number of rows not to fold again: all but the last, which may have been open."""
    kept = max(bars.used - 1, 0)
    return (int(ends[kept - 1]) if kept else 0), kept


def _quantiles(
    prices: NDArray[np.float64], amounts: NDArray[np.float64], ends: Sequence[NDArray[np.int64]]
) -> Quantiles:
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
