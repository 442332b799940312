"""Partials of trades: sums, moments, neighbouring trades, quantiles and reversals of every bar of a day."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import numpy as np
import polars as pl

from aperiodic.engine.partials.bars import Bars, Growing, longest_of, merge_tree, to_frame
from aperiodic.engine.partials.columns import frozen, in_blocks
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.engine.partials.moments import MOMENTS, fold_moments, merge_moments
from aperiodic.engine.partials.older import Older, with_older
from aperiodic.engine.partials.quantiles import bar_quantiles, quantile_calls
from aperiodic.engine.partials.recorded_day import Records
from aperiodic.engine.partials.reversal import mean_reversals
from aperiodic.engine.partials.threads import at_once, bar_edges, fold_seconds
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
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from aperiodic.engine.partials.bars import Merge

__all__ = ["KERNEL", "TradeDay"]

_OF_PRICES: Final = (50,)
_OF_AMOUNTS: Final = (50, 90)
"""Percentiles that there are of a bar's prices and amounts; the higher one of amounts tells large trades."""

_POWERS: Final = {2: "second", 3: "third", 4: "fourth"}

_VALUE: Final = np.dtype(np.float64)

T = TypeVar("T")
Tree = dict[Interval, "NDArray[np.void]"]


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
        trades = events[Stream.TRADES].rechunk()
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
        at, of_sides, of_prices, of_amounts = frozen(times), frozen(sides), frozen(prices), frozen(amounts)
        self._sides.add(of_sides)
        self._trade_prices.add(of_prices)
        self._trade_amounts.add(of_amounts)

        def fold(begin: int, end: int, bars: NDArray[np.void], used: int) -> tuple[int, None]:
            part = slice(begin, end)
            return fold_trades(at[part], of_sides[part], of_prices[part], of_amounts[part], bars, used), None

        fold_seconds(self._sums, at, fold)

    def join_seconds(self, before: int) -> None:
        """Keep bars of a minute in the place of older ones of a second; see `OpenDay.join_seconds`."""
        # So that there is a row of each kind for every second.
        self._fold_rest(self._ends())
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
        frames = at_once([partial(_frame_of, level) for level in levels.values()], self._trade_prices.values.size)
        return dict(zip(levels, frames, strict=True))

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
        medians, quantiles = (
            bar_quantiles(frozen(values), [ends], percents)
            for values, percents in ((prices, _OF_PRICES), (amounts, _OF_AMOUNTS))
        )
        reversals = mean_reversals(frozen(prices), frozen(amounts), [ends], [quantiles[0][:, 1]])
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

        short_medians, medians = quantile_calls(prices, ends_of, _OF_PRICES)
        short_quantiles, quantiles = quantile_calls(amounts, ends_of, _OF_AMOUNTS)
        found = self._fold_rest(ends, [quantiles, medians, short_quantiles, short_medians])
        amount_quantiles, price_medians = [*found[2], *found[0]], [*found[3], *found[1]]

        def tree(bars: Bars, merge: Merge, older: list[NDArray[np.void]]) -> Tree:
            return merge_tree(with_older(older, bars.filled[first:]), merge, longest)

        thresholds = [level[:, 1] for level in amount_quantiles]
        # Reversals of long bars have nothing to do with those of short ones.
        middle = (len(ends_of) + 1) // 2
        calls: list[Callable[[], Any]] = [
            partial(mean_reversals, prices, amounts, ends_of[:middle], thresholds[:middle]),
            partial(mean_reversals, prices, amounts, ends_of[middle:], thresholds[middle:]),
            partial(tree, self._pairs, merge_pairs, older_pairs),
            partial(tree, self._prices, merge_moments, older_moments[0]),
            partial(tree, self._amounts, merge_moments, older_moments[1]),
        ]
        short_reversals, reversals, pairs, price_moments, amount_moments = at_once(calls, prices.size)
        reversals = [*short_reversals, *reversals]
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

    def _fold_rest(self, ends: NDArray[np.int64], others: Sequence[Callable[[], T]] = ()) -> list[T]:
        """Fold pairs and moments of the bars that have new trades; return what other calls return, made meanwhile."""
        folds = [
            *self._pair_folds(ends),
            self._moment_fold(self._prices, self._trade_prices.values, price_sums, ends),
            self._moment_fold(self._amounts, self._trade_amounts.values, amount_sums, ends),
        ]
        calls: list[Callable[[], Any]] = [*others, *folds]
        found = at_once(calls, self._sides.values.size)
        for bars in (self._pairs, self._prices, self._amounts):
            bars.used = ends.size
        return found[: len(others)]

    def _pair_folds(self, ends: NDArray[np.int64]) -> Iterator[Callable[[], int]]:
        """Yield what folds the pairs, part by part."""
        begin, kept = _new(self._pairs, ends)
        for first, last in pairwise(bar_edges(ends[kept:] - begin)):
            past = int(ends[kept + last - 1]) if last else begin
            trades, bars = slice(begin, past), slice(kept + first, kept + last)
            yield partial(
                fold_pairs,
                self._sides.values[trades],
                self._trade_prices.values[trades],
                self._trade_amounts.values[trades],
                self._sums.filled["start"][bars],
                ends[bars] - begin,
                self._pairs.room,
                bars.start,
            )
            begin = past

    def _moment_fold(
        self,
        bars: Bars,
        values: NDArray[np.float64],
        sums: Callable[[NDArray[Any]], NDArray[Any]],
        ends: NDArray[np.int64],
    ) -> Callable[[], int]:
        """Return what folds the moments of some values."""
        begin, kept = _new(bars, ends)
        seconds = self._sums.filled[kept:]
        return lambda: fold_moments(
            values[begin:], seconds["start"], ends[kept:] - begin, sums(seconds), bars.room, kept
        )


def _frame_of(level: _Level) -> pl.DataFrame:
    def columns_of(rows: slice) -> dict[str, NDArray[Any]]:
        parts: list[NDArray[Any]] = [values[rows] for values in level]
        return _columns_of(_Level(*parts))

    return to_frame(level.sums["start"], in_blocks(level.sums.size, columns_of))


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


def _new(bars: Bars, ends: NDArray[np.int64]) -> tuple[int, int]:
    """Return the first trade and the number of rows not to fold again: all but the last, which may have been open."""
    kept = max(bars.used - 1, 0)
    return (int(ends[kept - 1]) if kept else 0), kept


def _open_day(_ticks: DayTicks) -> TradeDay:
    return TradeDay()


KERNEL: Final = FamilyKernel(columns={Stream.TRADES: ("side", "price", "amount")}, open_day=_open_day)
