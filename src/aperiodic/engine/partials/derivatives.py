"""Partials of what only derivatives have: mark prices, funding rates and open interest.

These streams have about an event a second, so the bars of every interval are folded straight from the day's events and
nothing is merged. An event can be joined to another stream's event of the same time, which may come after it: what
happened at the latest time that was seen waits until a later event comes, or is folded into a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from aperiodic.engine.partials.asof import LOOK_BACK_US, NEVER, LatestValue
from aperiodic.engine.partials.bars import Bars, start_of, to_frame
from aperiodic.engine.partials.compensated import SUM, add_to
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.jit import Record, kernel
from aperiodic.market import DAY_US, Interval, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    Fold = Callable[..., int]
    Values = NDArray[Any] | float
    Finish = Callable[[NDArray[np.void], Interval], dict[str, NDArray[Any]]]

__all__ = ["FUNDING_RATE", "MARK_PRICE", "OPEN_INTEREST"]

SAMPLE: Final = np.dtype([("count", np.int64), ("sum", SUM), ("mean", np.float64), ("squares", np.float64)])
"""Values that are not NaN: their number, sum and mean, and the sum of their squared distances from it."""

MARK_BAR: Final = np.dtype(
    [
        ("start", np.int64),
        *((name, np.float64) for name in ("mark_price", "index_price", "last_price")),
        *((name, np.float64) for name in ("first_mark_price", "first_index_price", "first_last_price")),
        *((name, np.float64) for name in ("known_index_price", "known_last_price")),
        *((name, SAMPLE) for name in ("basis", "basis_bps", "spread", "spread_bps")),
    ]
)
FUNDING_BAR: Final = np.dtype([("start", np.int64), ("funding_rate", np.float64), ("rate_changes", np.int64)])
OPEN_INTEREST_BAR: Final = np.dtype(
    [
        ("start", np.int64),
        *((name, np.float64) for name in ("open_interest", "first_open_interest", "mark_price", "first_mark_price")),
        ("pct_changes", SAMPLE),
    ]
)


@kernel
def take(sample: Record, value: float) -> None:
    """Add a value to a sample, unless it is NaN."""
    if np.isnan(value):
        return
    sample.count += 1
    add_to(sample.sum, value, 0.0)
    distance = value - sample.mean
    sample.mean += distance / sample.count
    sample.squares += distance * (value - sample.mean)


@kernel
def fold_marks(
    times: NDArray[np.int64],
    marks: NDArray[np.float64],
    indexes: NDArray[np.float64],
    trades: NDArray[np.float64],
    length_us: int,
    bars: NDArray[Any],
    used: int,
) -> int:
    """Add mark prices to bars of `length_us`, zeroed from row `used` on; return how many are filled then.

    Args:
        times: µs since the epoch, ascending.
        marks: Quote units per base unit.
        indexes: Index price as of each; NaN where it is not known.
        trades: Price of the last trade as of each; NaN where it is not known.
        length_us: Of the bars.
        bars: With room for every bar that occurs.
        used: Filled rows; the last of them is continued.
    """
    row = used - 1
    for i in range(times.size):
        start = start_of(times[i], length_us)
        mark, index, trade = marks[i], indexes[i], trades[i]
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row].start, bars[row].first_mark_price = start, mark
            bars[row].first_index_price = bars[row].first_last_price = np.nan
            bars[row].known_index_price = bars[row].known_last_price = np.nan
        bar = bars[row]
        bar.mark_price, bar.index_price, bar.last_price = mark, index, trade
        if not np.isnan(index):
            bar.known_index_price = index
            if np.isnan(bar.first_index_price):
                bar.first_index_price = index
        if not np.isnan(trade):
            bar.known_last_price = trade
            if np.isnan(bar.first_last_price):
                bar.first_last_price = trade
        take(bar.basis, mark - index)
        take(bar.spread, mark - trade)
        if index != 0.0:
            take(bar.basis_bps, (mark - index) / index * 10_000.0)
        if trade != 0.0:
            take(bar.spread_bps, (mark - trade) / trade * 10_000.0)
    return row + 1


@kernel
def fold_rates(
    times: NDArray[np.int64],
    rates: NDArray[np.float64],
    known: float,
    length_us: int,
    bars: NDArray[Any],
    used: int,
) -> int:
    """Add funding rates to bars of `length_us`, zeroed from row `used` on; return how many are filled then.

    Args:
        times: µs since the epoch, ascending.
        rates: Fractions.
        known: The rate before the first of them; NaN, which differs from every rate, where there is none.
        length_us: Of the bars.
        bars: With room for every bar that occurs.
        used: Filled rows; the last of them is continued.
    """
    row = used - 1
    for i in range(times.size):
        start = start_of(times[i], length_us)
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row].start = start
        bars[row].funding_rate = rates[i]
        bars[row].rate_changes += np.int64(rates[i] != known)
        known = rates[i]
    return row + 1


@kernel
def fold_open_interest(
    times: NDArray[np.int64],
    amounts: NDArray[np.float64],
    marks: NDArray[np.float64],
    length_us: int,
    bars: NDArray[Any],
    used: int,
) -> int:
    """Add open interest to bars of `length_us`, zeroed from row `used` on; return how many are filled then.

    Args:
        times: µs since the epoch, ascending.
        amounts: Base units, positive.
        marks: Mark price as of each; NaN where it is not known.
        length_us: Of the bars.
        bars: With room for every bar that occurs.
        used: Filled rows; the last of them is continued.
    """
    row = used - 1
    for i in range(times.size):
        start = start_of(times[i], length_us)
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row].start = start
            bars[row].first_open_interest, bars[row].first_mark_price = amounts[i], marks[i]
        elif amounts[i] != bars[row].open_interest:
            before = bars[row].open_interest
            take(bars[row].pct_changes, (amounts[i] - before) / before * 100.0)
        bars[row].open_interest, bars[row].mark_price = amounts[i], marks[i]
    return row + 1


class _Intervals:
    """The bars of every interval."""

    def __init__(self, record: np.dtype[np.void], finish: Finish) -> None:
        self._bars = {interval: Bars(record, DAY_US // interval.microseconds) for interval in Interval}
        self._finish = finish

    def fold(self, fold: Fold, *values: Values) -> None:
        for interval, bars in self._bars.items():
            bars.used = fold(*values, interval.microseconds, bars.room, bars.used)

    def forget_short(self, before: int) -> None:
        """Forget bars below a minute that start before a time, µs."""
        for interval, bars in self._bars.items():
            if interval.sub_minute:
                bars.drop(bars.first_since(before))

    def finish(
        self,
        intervals: Collection[Interval],
        since: int | None,
        fold: Fold | None = None,
        values: Sequence[NDArray[Any]] = (),
    ) -> dict[Interval, pl.DataFrame]:
        """Return the bars as they would be with some more values, which are not kept."""
        frames = {}
        for interval, bars in self._bars.items():
            if interval not in intervals:
                continue
            used = bars.used
            last = bars.room[max(used - 1, 0)].copy()
            if fold is not None:
                bars.used = fold(*values, interval.microseconds, bars.room, used)
            filled = bars.filled[bars.first_since(since) :]
            frames[interval] = to_frame(filled["start"], self._finish(filled, interval))
            bars.room[used : bars.used] = np.zeros((), last.dtype)
            bars.room[max(used - 1, 0)] = last
            bars.used = used
        return frames


class _IntervalsDay:
    """An open day of bars of every interval, which are few, so that none but those below a minute leave memory."""

    def __init__(self, bars: _Intervals) -> None:
        self._bars = bars

    def join_seconds(self, before: int) -> None:
        """Forget older bars below a minute; see `OpenDay.join_seconds`."""
        self._bars.forget_short(before)

    def leaving(self, _before: int) -> bytes | None:
        """Return nothing; see `OpenDay.leaving`."""
        return None

    def leave(self, before: int, read: Callable[[int], list[bytes]]) -> None:
        """Do nothing; see `OpenDay.leave`."""


class _JoinedDay(_IntervalsDay):
    """The bars of a day of events that are joined to the latest values of other streams, ties included."""

    def __init__(
        self,
        ticks: DayTicks,
        events: tuple[Stream, str],
        joined: tuple[tuple[Stream, str], ...],
        fold: Fold,
        bars: _Intervals,
        usable: pl.Expr,
    ) -> None:
        self._usable = usable
        self._stream, self._column = events
        self._joined = {stream: LatestValue(ticks.before[stream], column) for stream, column in joined}
        super().__init__(bars)
        self._fold = fold
        self._waiting = (np.zeros(0, np.int64), np.zeros(0))

    def fold(self, events: Mapping[Stream, pl.DataFrame]) -> None:
        """Add events of all streams."""
        driving = events[self._stream].filter(self._usable)
        times, values = driving["time"].to_numpy(), driving[self._column].to_numpy()
        if self._waiting[0].size:
            times, values = np.append(self._waiting[0], times), np.append(self._waiting[1], values)
        for stream, latest in self._joined.items():
            latest.add(events[stream])
        now = max(int(times[-1]) if times.size else NEVER, *(latest.last_time for latest in self._joined.values()))
        ready = int(np.searchsorted(times, now))
        self._waiting = times[ready:], values[ready:]
        self._bars.fold(self._fold, *self._values(times[:ready], values[:ready]))
        for latest in self._joined.values():
            latest.forget(now)

    def finish(self, intervals: Collection[Interval], since: int | None = None) -> dict[Interval, pl.DataFrame]:
        """Return the bars of all events so far."""
        return self._bars.finish(intervals, since, self._fold, self._values(*self._waiting))

    def _values(self, times: NDArray[np.int64], values: NDArray[np.float64]) -> list[NDArray[Any]]:
        columns = [times, values, *(latest.at(times) for latest in self._joined.values())]
        return [np.ascontiguousarray(column) for column in columns]


class _FundingDay(_IntervalsDay):
    """The bars of a day of funding rates."""

    def __init__(self, ticks: DayTicks) -> None:
        super().__init__(_Intervals(FUNDING_BAR, _finish_rates))
        before = ticks.before[Stream.FUNDING_RATE]
        self._known: float = before["funding_rate"].item() if before.height else np.nan

    def fold(self, events: Mapping[Stream, pl.DataFrame]) -> None:
        """Add funding rates."""
        updates = events[Stream.FUNDING_RATE]
        rates = updates["funding_rate"].to_numpy()
        self._bars.fold(fold_rates, updates["time"].to_numpy(), rates, self._known)
        if rates.size:
            self._known = float(rates[-1])

    def finish(self, intervals: Collection[Interval], since: int | None = None) -> dict[Interval, pl.DataFrame]:
        """Return the bars of all updates so far."""
        return self._bars.finish(intervals, since)


def _finish_marks(bars: NDArray[np.void], _interval: Interval) -> dict[str, NDArray[Any]]:
    columns = {name: bars[name] for name in bars.dtype.names or () if bars.dtype[name] == np.float64}
    for name in ("basis", "spread"):
        columns[f"{name}_count"] = bars[name]["count"]
        columns[f"{name}_sum"] = bars[name]["sum"]["high"]
        columns[f"{name}_bps_count"] = bars[f"{name}_bps"]["count"]
        columns[f"{name}_bps_square_sum"] = bars[f"{name}_bps"]["squares"]
    return columns


def _finish_rates(bars: NDArray[np.void], interval: Interval) -> dict[str, NDArray[Any]]:
    return {
        "funding_rate": bars["funding_rate"],
        "rate_changes": bars["rate_changes"],
        "interval_seconds": np.full(bars.size, interval.seconds),
    }


def _finish_open_interest(bars: NDArray[np.void], _interval: Interval) -> dict[str, NDArray[Any]]:
    return {
        **{name: bars[name] for name in bars.dtype.names or () if bars.dtype[name] == np.float64},
        "pct_change_count": bars["pct_changes"]["count"],
        "pct_change_square_sum": bars["pct_changes"]["squares"],
    }


def _mark_day(ticks: DayTicks) -> _JoinedDay:
    joined = ((Stream.INDEX_PRICE, "index_price"), (Stream.TRADES, "price"))
    bars = _Intervals(MARK_BAR, _finish_marks)
    return _JoinedDay(ticks, (Stream.MARK_PRICE, "mark_price"), joined, fold_marks, bars, pl.lit(value=True))


def _open_interest_day(ticks: DayTicks) -> _JoinedDay:
    joined = ((Stream.MARK_PRICE, "mark_price"),)
    bars = _Intervals(OPEN_INTEREST_BAR, _finish_open_interest)
    # Venues send zero, or nothing, where they do not know it.
    known = pl.col("open_interest") > 0
    return _JoinedDay(ticks, (Stream.OPEN_INTEREST, "open_interest"), joined, fold_open_interest, bars, known)


MARK_PRICE: Final = FamilyKernel(
    columns={
        Stream.MARK_PRICE: ("mark_price",),
        Stream.INDEX_PRICE: ("index_price",),
        Stream.TRADES: ("price",),
    },
    open_day=_mark_day,
    looks_back={Stream.INDEX_PRICE: LOOK_BACK_US, Stream.TRADES: LOOK_BACK_US},
)
FUNDING_RATE: Final = FamilyKernel(
    columns={Stream.FUNDING_RATE: ("funding_rate",)},
    open_day=_FundingDay,
    looks_back={Stream.FUNDING_RATE: None},
)
OPEN_INTEREST: Final = FamilyKernel(
    columns={Stream.OPEN_INTEREST: ("open_interest",), Stream.MARK_PRICE: ("mark_price",)},
    open_day=_open_interest_day,
    looks_back={Stream.MARK_PRICE: LOOK_BACK_US},
)
