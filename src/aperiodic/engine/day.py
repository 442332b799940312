"""One task of the engine: a day of one instrument and family of datasets, all intervals, both clocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from aperiodic.catalog import Family
from aperiodic.engine.families import KERNELS
from aperiodic.engine.partials.decimals import without_step
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.lake import ObjectReader
from aperiodic.lake.layout import is_of_day
from aperiodic.market import DAY_US, Clock, Exchange, Interval, Source, Stream, Symbol, tick_schema
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from aperiodic.lake import Store

__all__ = ["DayTask", "StreamFiles", "compute_day", "select_bars"]

_CLOCK_CODES: Final = {Clock.EXCHANGE: 0, Clock.TRUE: 1}
_LOOK_BACK_US: Final = (60_000_000, 3_600_000_000)
"""How far before a day its latest earlier event is looked for before a whole file is searched, µs."""


@dataclass(frozen=True, slots=True)
class StreamFiles:
    """Tick files that matter for a day on one clock, as paths in order of days.

    Attributes:
        day: Files that hold events of the day.
        before: Files that can hold the latest event before the day.
    """

    day: tuple[str, ...]
    before: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DayTask:
    """What to compute and from what.

    Attributes:
        family: Which datasets.
        exchange: Venue.
        symbol: Instrument.
        day: UTC day.
        files: Inputs by clock and stream.
        source: Where the ticks came from.
        fingerprint: Digest of inputs and kernel.
    """

    family: Family
    exchange: Exchange
    symbol: Symbol
    day: date
    files: dict[Clock, dict[Stream, StreamFiles]]
    source: Source
    fingerprint: str


def compute_day(store: Store, task: DayTask, notes: list[str] | None = None) -> pl.DataFrame:
    """Return the partials of a day: `clock`, `interval` (seconds), `time` and one column a partial.

    A clock has the bars of its intervals (`Clock.intervals`): none below a minute on the exchange clock.
    Rows are ordered by interval, the longest first, clock and time, so that long intervals are found together.

    Args:
        store: Where the ticks are.
        task: What to compute.
        notes: Receives what a reader of the bars should know about the ticks.
    """
    with ObjectReader(store) as files:
        return _compute(files, task, [] if notes is None else notes)


def _compute(files: ObjectReader, task: DayTask, notes: list[str]) -> pl.DataFrame:
    kernel = KERNELS[task.family]
    reader = _Reader(files, kernel, task.day)
    bars: dict[tuple[int, int], pl.DataFrame] = {}  # by the negative of the interval, so that the longest is first
    stepless = 0
    for clock in Clock:
        ticks = _day_ticks(reader, kernel, task, clock)
        if task.family is Family.TRADES:
            stepless = max(stepless, without_step(ticks.day[Stream.TRADES]["price"].to_numpy()))
        for interval, frame in kernel.bars(ticks, clock.intervals).items():
            bars[-interval.seconds, _CLOCK_CODES[clock]] = frame
    if stepless:
        notes.append(
            f"{stepless:,} of the prices have no decimal step, so returns from and to them are those of doubles"
        )
    ordered = sorted(bars.items())
    rows = [frame.height for _, frame in ordered]
    clocks = np.repeat(np.array([code for (_, code), _ in ordered], np.int8), rows)
    intervals = np.repeat(np.array([-seconds for (seconds, _), _ in ordered], np.int32), rows)
    together = pl.concat([frame for _, frame in ordered])
    return together.insert_column(0, pl.Series("clock", clocks)).insert_column(1, pl.Series("interval", intervals))


def select_bars(bars: pl.LazyFrame, clock: Clock, intervals: Sequence[Interval]) -> pl.LazyFrame:
    """The rows of day bars of one clock and some intervals."""
    seconds = [interval.seconds for interval in intervals]
    return bars.filter(pl.col("clock") == _CLOCK_CODES[clock], pl.col("interval").is_in(seconds))


class _Reader:
    """Reads the ticks of a task; each file is decoded once, though both clocks may need it.

    Of a neighbouring day's file only the few events that matter for this day are decoded and kept.
    """

    def __init__(self, objects: ObjectReader, kernel: FamilyKernel, day: date) -> None:
        self._objects = objects
        self._kernel = kernel
        self._day = day
        self._begin = day_start_us(day)
        self._files: dict[str, pl.DataFrame] = {}

    def events(self, stream: Stream, paths: tuple[str, ...], clock: Clock, first: int, end: int) -> pl.DataFrame:
        """Return events from `first` to before `end`, in order of time, ties in the venue's order."""
        names = [*self._kernel.columns[stream], "sequence"]
        files = [self._read(stream, path) for path in paths]
        parts = [_between(file, clock.column, first, end) for file in files]
        joined = _in_venue_order([part for part in parts if part.height])
        if joined is None:
            joined = pl.DataFrame(schema=tick_schema(stream))
        # Of columns, for a selection is a query, and a small day has many of them.
        times = joined[clock.column].to_physical().alias("time")
        events = _in_order_of_time(pl.DataFrame([times, *(joined[name] for name in names)]))
        return pl.DataFrame(events.get_columns()[:-1])

    def first(self, stream: Stream) -> int:
        """Return the time, µs, from which events matter: the day's begin, or as far before it as the kernel looks back."""
        if stream not in self._kernel.looks_back:
            return self._begin
        limit = self._kernel.looks_back[stream]
        return 0 if limit is None else self._begin - limit

    def _read(self, stream: Stream, path: str) -> pl.DataFrame:
        if path not in self._files:
            columns = ("exchange_timestamp", "local_timestamp", *self._kernel.columns[stream], "sequence")
            usable = self._kernel.usable.get(stream, pl.lit(value=True))
            if is_of_day(path, self._day):
                ticks = self._objects.read(path, columns)
            elif stream in self._kernel.looks_back:
                ticks = self._near(path, columns, usable, self.first(stream))
            else:
                ticks = self._since(path, columns, self._begin)
            wanted = self._wanted(ticks, usable, self.first(stream))
            self._files[path] = ticks if wanted.all() else ticks.filter(wanted)
        return self._files[path]

    def _near(self, path: str, columns: Sequence[str], usable: pl.Expr, first: int) -> pl.DataFrame:
        """Return the events of the day, and so many before it that the latest usable one on either clock is there."""
        for back in _LOOK_BACK_US:
            ticks = self._since(path, columns, self._begin - back)
            earlier = [_time(clock) < self._begin for clock in Clock]
            if ticks.filter(usable).select(pl.all_horizontal(condition.any() for condition in earlier)).item():
                return ticks
        earlier = [
            _time(clock).filter(_time(clock).is_between(first, self._begin, closed="left")).max().alias(clock)
            for clock in Clock
        ]
        latest = self._objects.scan(path).filter(usable).select(earlier).collect(engine="streaming")
        return self._since(
            path, columns, min((time for time in latest.row(0) if time is not None), default=self._begin)
        )

    def _since(self, path: str, columns: Sequence[str], first: int) -> pl.DataFrame:
        """Return the events of a file from `first` to the end of the day, on either clock."""
        begin, end = (pl.lit(time).cast(pl.Datetime("us", "UTC")) for time in (first, self._begin + DAY_US))
        near = pl.any_horizontal(pl.col(clock.column).is_between(begin, end, closed="left") for clock in Clock)
        return self._objects.scan(path).select(columns).filter(near).collect()

    def _wanted(self, ticks: pl.DataFrame, usable: pl.Expr, first: int) -> NDArray[np.bool_]:
        """Tell which events lie within the day, or are the latest usable one before it, on either clock."""
        wanted = np.zeros(ticks.height, np.bool_)
        for clock in Clock:
            times = ticks[clock.column].to_physical().to_numpy()
            wanted |= (times >= self._begin) & (times < self._begin + DAY_US)
            near = _time(clock).is_between(first, self._begin, closed="left")
            if first < self._begin and (times < self._begin).any():
                earlier = ticks.select(usable & near).to_series().arg_true().to_numpy()
                if earlier.size:
                    wanted[earlier[times[earlier] == times[earlier].max()][-1]] = True
        return wanted


def _time(clock: Clock) -> pl.Expr:
    return pl.col(clock.column).to_physical().alias("time")


def _between(ticks: pl.DataFrame, column: str, first: int, end: int) -> pl.DataFrame:
    """Return the events from `first` to before `end`; a view of them where they are in order of time."""
    times = ticks[column].to_physical()
    if not times.is_sorted():
        return ticks.filter(times.is_between(first, end, closed="left"))
    begin, past = np.searchsorted(times.to_numpy(), (first, end))
    return ticks.slice(begin, past - begin)


def _in_venue_order(parts: list[pl.DataFrame]) -> pl.DataFrame | None:
    """Join ticks of several files; numbered events are put in the order of their numbers, as within one file."""
    if len(parts) <= 1:
        return parts[0] if parts else None
    joined = pl.concat(parts, rechunk=False)
    numbers = joined["sequence"]
    if numbers.has_nulls() or numbers.is_sorted():
        return joined
    return joined.sort("sequence", maintain_order=True)


def _in_order_of_time(events: pl.DataFrame) -> pl.DataFrame:
    """Sort by time, ties as they stand; only the rows from the first to the last out of order are copied."""
    times = events["time"]
    if times.is_sorted():
        return events
    late = (times < times.cum_max()).arg_true()
    begin, end = (times > times.gather(late).min()).arg_max() or 0, late[-1] + 1
    disordered = events.slice(begin, end - begin).sort("time", maintain_order=True)
    return pl.concat([events.head(begin), disordered, events.slice(end)], rechunk=False)


def _day_ticks(reader: _Reader, kernel: FamilyKernel, task: DayTask, clock: Clock) -> DayTicks:
    begin = day_start_us(task.day)
    files = task.files[clock]
    # First what was before: reading neighbours costs least while the day's own file is not in memory yet.
    before = {
        stream: reader.events(stream, files[stream].before, clock, reader.first(stream), begin).tail(1)
        for stream in kernel.looks_back
    }
    day = {stream: reader.events(stream, files[stream].day, clock, begin, begin + DAY_US) for stream in kernel.columns}
    return DayTicks(exchange=task.exchange, clock=clock, begin=begin, day=day, before=before)
