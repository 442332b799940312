"""One task of the engine: a day of one instrument and family of datasets, all intervals, both clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from aperiodic.engine.families import KERNELS
from aperiodic.engine.partials.kernel import DayTicks, FamilyKernel
from aperiodic.market import DAY_US, Clock, Exchange, Interval, Source, Stream, Symbol, tick_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aperiodic.catalog import Family
    from aperiodic.lake import Store

__all__ = ["DayTask", "StreamFiles", "compute_day", "day_number", "select_bars"]

_CLOCK_CODES: Final = {Clock.EXCHANGE: 0, Clock.TRUE: 1}
_EPOCH: Final = date(1970, 1, 1)


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


def day_number(day: date) -> int:
    """Days since the Unix epoch."""
    return (day - _EPOCH).days


def compute_day(store: Store, task: DayTask) -> pl.DataFrame:
    """Return the partials of a day: `clock`, `interval` (seconds), `time` and one column a partial.

    Rows are ordered by clock, interval and time.
    """
    kernel = KERNELS[task.family]
    reader = _Reader(store, kernel, day_number(task.day) * DAY_US)
    frames = []
    for clock in Clock:
        for interval, bars in kernel.bars(_day_ticks(reader, kernel, task, clock)).items():
            code = pl.lit(_CLOCK_CODES[clock], pl.Int8).alias("clock")
            frames.append(bars.select(code, pl.lit(interval.seconds, pl.Int32).alias("interval"), pl.all()))
    return pl.concat(frames)


def select_bars(bars: pl.LazyFrame, clock: Clock, intervals: Sequence[Interval]) -> pl.LazyFrame:
    """The rows of day bars of one clock and some intervals."""
    seconds = [interval.seconds for interval in intervals]
    return bars.filter(pl.col("clock") == _CLOCK_CODES[clock], pl.col("interval").is_in(seconds))


class _Reader:
    """Reads the ticks of a task; each file is decoded once, though both clocks may need it.

    Of a neighbouring day's file only the few events that matter for this day are kept.
    """

    def __init__(self, store: Store, kernel: FamilyKernel, begin: int) -> None:
        self._store = store
        self._kernel = kernel
        self._begin = begin
        self._files: dict[str, pl.DataFrame] = {}

    def events(self, stream: Stream, paths: tuple[str, ...], clock: Clock, within: pl.Expr) -> pl.DataFrame:
        """Return events that fulfil a condition on `time`, in order of time, ties in the venue's order."""
        columns = self._kernel.columns[stream]
        parts = [self._read(stream, path).select(_time(clock), *columns, "sequence").filter(within) for path in paths]
        joined = _in_venue_order([part for part in parts if part.height])
        if joined is None:
            nothing = pl.DataFrame(schema=tick_schema(stream))
            return nothing.select(_time(clock), *columns)
        ordered = joined if joined["time"].is_sorted() else joined.sort("time", maintain_order=True)
        return ordered.drop("sequence")

    def _read(self, stream: Stream, path: str) -> pl.DataFrame:
        if path not in self._files:
            columns = ("exchange_timestamp", "local_timestamp", *self._kernel.columns[stream], "sequence")
            ticks = self._store.read_parquet(path, columns)
            usable = self._kernel.usable.get(stream)
            ticks = ticks if usable is None else ticks.filter(usable)
            wanted = self._wanted(ticks, looks_back=stream in self._kernel.looks_back)
            self._files[path] = ticks if wanted.all() else ticks.filter(wanted)
        return self._files[path]

    def _wanted(self, ticks: pl.DataFrame, *, looks_back: bool) -> NDArray[np.bool_]:
        """Tell which events lie within the day, or are the latest before it, on either clock."""
        wanted = np.zeros(ticks.height, np.bool_)
        for clock in Clock:
            times = ticks[clock.column].to_physical().to_numpy()
            wanted |= (times >= self._begin) & (times < self._begin + DAY_US)
            earlier = times[times < self._begin]
            if looks_back and earlier.size:
                wanted[np.flatnonzero(times == earlier.max())[-1]] = True
        return wanted


def _time(clock: Clock) -> pl.Expr:
    return pl.col(clock.column).to_physical().alias("time")


def _in_venue_order(parts: list[pl.DataFrame]) -> pl.DataFrame | None:
    """Join ticks of several files; numbered events are put in the order of their numbers, as within one file."""
    if len(parts) <= 1:
        return parts[0] if parts else None
    joined = pl.concat(parts)
    return joined if joined["sequence"].has_nulls() else joined.sort("sequence", maintain_order=True)


def _day_ticks(reader: _Reader, kernel: FamilyKernel, task: DayTask, clock: Clock) -> DayTicks:
    begin = day_number(task.day) * DAY_US
    within = pl.col("time").is_between(begin, begin + DAY_US, closed="left")
    files = task.files[clock]
    # First what was before: reading a neighbour's whole file costs least while the day's own is not in memory yet.
    before = {
        stream: reader.events(stream, files[stream].before, clock, pl.col("time") < begin).tail(1)
        for stream in kernel.looks_back
    }
    day = {stream: reader.events(stream, files[stream].day, clock, within) for stream in kernel.columns}
    return DayTicks(exchange=task.exchange, clock=clock, begin=begin, day=day, before=before)
