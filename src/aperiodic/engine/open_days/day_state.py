"""One day of one instrument on one clock, to which ticks are added as they come."""

from __future__ import annotations

from collections import deque
from functools import cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from aperiodic.engine.families import KERNELS
from aperiodic.engine.merging import merge_frames, merge_pieces, times_of
from aperiodic.engine.open_days.older_bars import OlderBars, OlderParts
from aperiodic.engine.partials.kernel import DayTicks
from aperiodic.engine.partials.recorded_day import RecordedDay, Records
from aperiodic.engine.partials.trades import TradeDay
from aperiodic.market import DAY_US, Clock, Exchange, Interval, Stream, tick_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from aperiodic.catalog import Family
    from aperiodic.engine.open_days.older_file import OlderFile
    from aperiodic.engine.partials.kernel import FamilyKernel, OpenDay

__all__ = ["FILES_LAG_US", "OLDER_STEP_US", "ClosedBars", "DayState"]

ClosedBars = pl.DataFrame | Records
"""Bars that are over, as `time` and partials, or before they are columns."""

FILES_LAG_US: Final = 120_000_000
"""The files of open days have bars that ended so long ago."""

_SECONDS_US: Final = 180_000_000
"""For so long bars of seconds stay in memory, where they take much room."""

OLDER_STEP_US: Final = 300_000_000
"""So often older ones leave it."""

_TAIL_US: Final = 45_000_000
"""For so long ticks are remembered, to know those that come twice."""

_FEW_LATER: Final = 4
"""A slice keeps all that it was cut out of; that is let be where the rest is less than one part of so many."""

_MOST_WAITING: Final = 32
"""So many pieces of a stream wait before they are made one."""


class DayState:
    """The bars of a day that is not over.

    Ticks wait until everything before the end of a step is there, since bars take them in order of time.

    Attributes:
        begin: Begin of the day, µs.
        folded_to: All ticks before this time are in the bars, µs.
        told_to: Bars of a second were told until this time, µs, though their ticks may be in no bars here yet.
        late: Ticks that came after their time was in the bars; only a new start takes them in.
    """

    def __init__(
        self,
        exchange: Exchange,
        clock: Clock,
        begin: int,
        before: Callable[[FamilyKernel], Mapping[Stream, pl.DataFrame]],
        file: OlderFile,
        *,
        phase_us: int = 0,
    ) -> None:
        """Begin a day.

        Args:
            exchange: Venue.
            clock: Which time orders the ticks.
            begin: Begin of the day, µs.
            before: Returns the latest events before the day that a kernel looks back on.
            file: Takes bars below a minute, and what others are made of, that are some minutes old.
            phase_us: So long after the multiples of `OLDER_STEP_US` it takes them, whole minutes in µs; that of many
                instruments should not be the same.
        """
        self.begin = begin
        self.folded_to = begin
        self.told_to = begin
        self.late = 0
        self._exchange = exchange
        self._clock = clock
        self._before = before
        self._pending: dict[Stream, list[pl.DataFrame]] = {}
        self._tail: dict[Stream, deque[tuple[int, pl.DataFrame]]] = {}
        self._days: dict[Family, OpenDay] = {}
        self._last: dict[Family, int] = {}
        self._published: dict[tuple[Family, Interval], int] = {}
        self._taken: dict[tuple[Family, Interval], int] = {}
        self._older, self._parts = OlderBars(file, begin), OlderParts(file)
        self._refused_to = begin
        self._phase_us = phase_us

    def add(self, stream: Stream, ticks: pl.DataFrame, *, told: bool = False) -> None:
        """Take ticks of this day, in any order; those that came before are left out.

        Args:
            stream: Which.
            ticks: With the columns of `tick_schema(stream)`.
            told: Whether bars of a second were told of them; else those before `told_to` are late.
        """
        closed = self.folded_to if told else max(self.folded_to, self.told_to)
        if ticks.height and times_of(ticks, self._clock.column).min() < closed:
            times = ticks[self._clock.column].to_physical()
            late = ticks.filter(times < closed)
            held = self._recent(stream)
            if held is not None:
                self.late += max(merge_frames(stream, [held, late]).height - held.height, 0)
            else:
                self.late += late.height
            ticks = ticks.filter(times >= closed)
        if ticks.is_empty():
            return
        waiting = self._pending.setdefault(stream, [])
        waiting.append(ticks)
        if len(waiting) >= _MOST_WAITING:
            self._pending[stream] = [merge_pieces(stream, waiting)]

    def recent(self) -> Iterator[tuple[Stream, pl.DataFrame]]:
        """Yield the ticks that wait, and those of the last 45 seconds that are in the bars."""
        for stream in self._pending.keys() | self._tail.keys():
            pieces = [*(ticks for _, ticks in self._tail.get(stream, ())), *self._pending.get(stream, [])]
            if pieces:  # of a quiet stream there may be none
                yield stream, pl.concat(pieces)

    def latest(self, stream: Stream, kernel: FamilyKernel) -> pl.DataFrame:
        """Return the latest usable event of a stream in the last 45 seconds, `time` and the kernel's columns; or none."""
        tail = self._recent(stream)
        time = pl.col(self._clock.column).to_physical().alias("time")
        usable = kernel.usable.get(stream, pl.lit(value=True))
        events = pl.DataFrame(schema=tick_schema(stream)) if tail is None else tail.filter(usable)
        return events.select(time, *kernel.columns[stream]).sort("time", maintain_order=True).tail(1)

    def fold(self, horizon: int, *, seconds: bool = False) -> None:
        """Put the ticks of the minutes that are over into the bars.

        Args:
            horizon: All ticks before this time are there, µs.
            seconds: Whether those of the seconds that are over are wanted too.
        """
        grain = Interval.S1 if seconds else Interval.M1
        horizon = min(horizon - horizon % grain.microseconds, self.begin + DAY_US)
        if horizon <= self.folded_to:
            return
        events = {stream: ready for stream in list(self._pending) if (ready := self._ready(stream, horizon)).height}
        self.folded_to = horizon
        for family, kernel in KERNELS.items():
            if not any(stream in events for stream in kernel.columns):
                continue
            day = self._days.get(family)
            if day is None:
                ticks = DayTicks(self._exchange, self._clock, self.begin, {}, self._before(kernel))
                day = self._days[family] = kernel.open_day(ticks)
            day.fold({stream: _columns(events, stream, columns) for stream, columns in kernel.columns.items()})
            driving = events.get(family.driving)
            if driving is not None:
                self._last[family] = int(driving["time"][-1])
        self._join()

    def _join(self) -> None:
        """Let bars of a minute take the place of those of seconds that are old, and these and their events leave for the file.

        It gets the bars below a minute that can be asked for, too.
        """
        intervals = [interval for interval in self._clock.intervals if interval.sub_minute]
        taken = [
            self._taken[family, interval]
            for family, interval in self._taken
            if interval in intervals and family in self._days
        ]
        edge = min([self.folded_to - _SECONDS_US, *taken])
        edge -= (edge - self._phase_us) % OLDER_STEP_US
        if edge <= max(self._older.end, self._refused_to):
            return
        bars = {
            (family, interval): bars
            for family, day in self._days.items()
            for interval, bars in (day.finish(intervals, self._older.end) if intervals else {}).items()
        }
        first = self._older.end - (self._older.end - self._phase_us) % OLDER_STEP_US
        for end in range(first + OLDER_STEP_US, edge + 1, OLDER_STEP_US):
            since = self._older.end
            if not self._older.add({key: _between(each, since, end) for key, each in bars.items()}, end):
                self._refused_to = edge  # it is tried again a step later
                break
        end, leaving = self._older.end, {}
        for family, day in self._days.items():
            day.join_seconds(end)
            part = day.leaving(end)
            if part is not None:
                leaving[family] = part
        if leaving and self._parts.add(leaving, end):
            for family in leaving:
                self._days[family].leave(end, partial(self._parts.since, family))

    def closed_bars(self, *, sub_minute: bool) -> Iterator[tuple[Family, Interval, pl.DataFrame]]:
        """Yield the bars that are over, of families and intervals of which more are over than the last time.

        Bars below a minute are yielded when a minute is over, for their files are large.

        Args:
            sub_minute: Whether those below a minute are wanted, or the others.
        """
        intervals = [interval for interval in self._clock.intervals if interval.sub_minute is sub_minute]
        edges = {
            interval: self.folded_to - self.folded_to % max(interval, Interval.M1, key=_length).microseconds
            for interval in intervals
        }
        for family in self._days:
            last = self._last.get(family)
            wanted = [
                interval
                for interval, edge in edges.items()
                if last is not None and edge > self._published.get((family, interval), self.begin) <= last
            ]
            for interval, bars in self._bars(family, wanted, self.begin).items() if wanted else ():
                self._published[family, interval] = edges[interval]
                over = _before(bars, edges[interval])
                if over.height:
                    yield family, interval, over

    def take_closed(
        self, family: Family, seconds: Collection[Interval] | None = None
    ) -> Iterator[tuple[Interval, ClosedBars]]:
        """Yield the bars of a family that are over and were not yielded before; the shorter ones first.

        Those of a `RecordedDay` and of trades are records, so that bars of many days can become columns together.

        Args:
            family: Which.
            seconds: Which of those below a minute are wanted; when they are again, those of the last two minutes are
                yielded, for files have the others. None: those of a minute and more are.
        """
        day = self._days.get(family)
        if day is None:
            return
        for interval in self._clock.intervals:
            if interval.sub_minute is (seconds is None):
                continue
            edge = self.folded_to - self.folded_to % interval.microseconds
            since = self._taken.get((family, interval), self.begin)
            if edge <= since:
                continue
            if seconds is not None and interval not in seconds:
                self._taken[family, interval] = max(since, edge - FILES_LAG_US)
                continue
            self._taken[family, interval] = edge
            if self._last.get(family, -1) < since:
                continue
            in_memory = not interval.sub_minute or since >= self._older.end
            if in_memory and isinstance(day, RecordedDay | TradeDay):
                bars, columns_of = day.records(interval, since)
                bars = bars[: np.searchsorted(bars["start"], edge)]
                if bars.size:
                    yield interval, Records(bars, columns_of)
                continue
            over = _before(self._bars(family, [interval], since)[interval], edge)
            if over.height:
                yield interval, over

    def seconds_told_to(self, family: Family) -> int:
        """Return until when, µs, bars of a second of a family were told; all there are where there are none."""
        if family not in self._days:
            return max(self.folded_to, self.told_to)
        return self._taken.get((family, Interval.S1), self.begin)

    def minutes_told_to(self, family: Family) -> int:
        """Return until when, µs, bars of a minute of a family were told; all there are where there are none."""
        if family not in self._days:
            return max(self.folded_to, self.told_to)
        return self._taken.get((family, Interval.M1), self.begin)

    @property
    def waiting(self) -> int:
        """How many ticks wait for their time to be over."""
        return sum(ticks.height for pieces in self._pending.values() for ticks in pieces)

    def take_as_told(self, families: Collection[Family], edge: int) -> None:
        """Let `take_closed` go on at a time, µs, for bars of a second: those before were told from their ticks."""
        self.told_to = edge
        for family in families:
            self._taken[family, Interval.S1] = edge

    def take_minutes_as_told(self, family: Family, edge: int) -> None:
        """Let `take_closed` go on at a time, µs, for bars of a minute: those before were told."""
        self._taken[family, Interval.M1] = edge

    def taken_lately(self, family: Family, interval: Interval) -> pl.DataFrame | None:
        """Return the bars that `take_closed` yielded and that files may not have yet; None where there are none."""
        edge = self._taken.get((family, interval), self.begin)
        bars = self.bars_since(family, interval, max(edge - FILES_LAG_US, self.begin))
        taken = None if bars is None else _before(bars, edge)
        return None if taken is None or taken.is_empty() else taken

    def skip_closed(self, since: int) -> None:
        """Let `take_closed` yield only bars that end after a time, µs."""
        for interval in self._clock.intervals:
            edge = max(since - since % interval.microseconds, self.begin)
            for family in KERNELS:
                self._taken[family, interval] = edge

    def told(self) -> Iterator[tuple[Family, Interval, int]]:
        """Yield until when, µs, the bars of families and intervals were yielded by `take_closed`."""
        for (family, interval), edge in self._taken.items():
            if edge > self.begin:
                yield family, interval, edge

    def go_on_from(self, other: DayState) -> Iterator[tuple[Family, Interval, int]]:
        """Let `take_closed` go on where it stopped for another state of the same day; yield as `told`."""
        for family, interval, edge in other.told():
            self._taken[family, interval] = edge
            yield family, interval, edge

    def bars_since(self, family: Family, interval: Interval, since: int) -> pl.DataFrame | None:
        """Return the bars of a family that are over and start at or after a time, µs; None where there are none."""
        edge = self.folded_to - self.folded_to % interval.microseconds
        if family not in self._days:
            return None
        bars = _before(self._bars(family, [interval], since)[interval], edge)
        return bars if bars.height else None

    def same_until(self, other: DayState, family: Family, interval: Interval) -> int:
        """Return until when, µs, bars below a minute are known to be those of another state of this day, without a look at each."""
        return self._older.same_until(other._older, family, interval)

    def _bars(self, family: Family, intervals: Collection[Interval], since: int) -> dict[Interval, pl.DataFrame]:
        """Return the bars of a family that start at or after a time, µs, those of the last second that there is too."""
        day, end = self._days[family], self._older.end
        minutes = [interval for interval in intervals if not interval.sub_minute]
        found = day.finish(minutes, since) if minutes else {}
        seconds = [interval for interval in intervals if interval.sub_minute]
        for interval, bars in day.finish(seconds, max(since, end)).items() if seconds else ():
            older = self._older.since(family, interval, since) if since < end else []
            found[interval] = pl.concat([*older, bars]) if older else bars
        return found

    def _recent(self, stream: Stream) -> pl.DataFrame | None:
        """Return the ticks of the last 45 seconds that are in the bars; None where there are none."""
        tail = self._tail.get(stream)
        return pl.concat([ticks for _, ticks in tail]) if tail else None

    def _ready(self, stream: Stream, horizon: int) -> pl.DataFrame:
        """Take the ticks before a time, in order of time; the others wait on."""
        waiting = merge_pieces(stream, self._pending.pop(stream))
        times = times_of(waiting, self._clock.column)
        if _is_sorted(times):
            place = int(np.searchsorted(times, horizon))
            ready, later = waiting.slice(0, place), waiting.slice(place)
        else:
            before = pl.Series(times < horizon)
            ready, later = waiting.filter(before), waiting.filter(~before)
        if ready.is_empty():
            self._pending[stream] = [later]
            return ready
        if later.height:
            self._pending[stream] = [later]
            if later.height * _FEW_LATER > ready.height:
                ready = _copied(ready)  # it is remembered for longer than what it was cut out of
        times = times_of(ready, self._clock.column)
        tail = self._tail.setdefault(stream, deque())
        tail.append((int(times.max()), ready))
        while tail and tail[0][0] < horizon - _TAIL_US:
            tail.popleft()
        timed = ready.clone().insert_column(0, pl.Series("time", times))
        return timed if _is_sorted(times) else timed.sort("time", maintain_order=True)


def _copied(ticks: pl.DataFrame) -> pl.DataFrame:
    """Return ticks in memory of their own: a slice of a frame keeps all of it."""
    half = ticks.height // 2
    return pl.concat([ticks.slice(0, half), ticks.slice(half)]).rechunk() if half else ticks


def _is_sorted(times: NDArray[np.int64]) -> bool:
    return bool((times[1:] >= times[:-1]).all())


def _before(bars: pl.DataFrame, edge: int) -> pl.DataFrame:
    """Return the bars that start before a time, µs."""
    return bars.slice(0, int(np.searchsorted(times_of(bars, "time"), edge)))


def _between(bars: pl.DataFrame, since: int, edge: int) -> pl.DataFrame:
    """Return the bars that start at or after a time, µs, and before another."""
    first, last = np.searchsorted(times_of(bars, "time"), [since, edge]).tolist()
    return bars.slice(first, last - first)


def _length(interval: Interval) -> int:
    return interval.microseconds


@cache
def _nothing(stream: Stream, columns: tuple[str, ...]) -> pl.DataFrame:
    empty = pl.DataFrame(schema=tick_schema(stream))
    return empty.select(pl.col("exchange_timestamp").to_physical().alias("time"), *columns)


def _columns(events: Mapping[Stream, pl.DataFrame], stream: Stream, columns: tuple[str, ...]) -> pl.DataFrame:
    found = events.get(stream)
    return _nothing(stream, columns) if found is None else found[["time", *columns]]
