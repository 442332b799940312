"""Which tick files a day's bars are made from, on either clock, and the digest that stands for them."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from aperiodic.engine.day import DayTask, StreamFiles
from aperiodic.engine.families import KERNELS
from aperiodic.engine.fingerprints import bars_digest, digest
from aperiodic.market import DAY_US, Clock, Source
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from aperiodic.catalog import Family
    from aperiodic.lake import ObjectRecord
    from aperiodic.market import Exchange, Stream, Symbol

__all__ = ["common_source", "day_tasks"]


def day_tasks(
    family: Family, exchange: Exchange, symbol: Symbol, streams: Mapping[Stream, Sequence[ObjectRecord]]
) -> Iterator[DayTask]:
    """Yield the task of every day on which the family's driving stream has events, on either clock.

    Args:
        family: Which datasets.
        exchange: Venue.
        symbol: Instrument.
        streams: Tick files by stream, in order of days.
    """
    kernel = KERNELS[family]
    index = {(clock, stream): _Index(streams.get(stream, ()), clock) for clock in Clock for stream in kernel.columns}
    days = {number for clock in Clock for number in index[clock, family.driving].days}
    for number in sorted(days):
        records = {
            clock: {
                stream: (
                    index[clock, stream].within(number),
                    index[clock, stream].before(number, kernel.looks_back[stream])
                    if stream in kernel.looks_back
                    else [],
                )
                for stream in kernel.columns
            }
            for clock in Clock
        }
        used = {
            file.path: file
            for chosen in records.values()
            for within, earlier in chosen.values()
            for file in (*within, *earlier)
        }
        names = [
            f"{clock} {stream} {role} {file.key.period} {file.sha256}"
            for clock, chosen in records.items()
            for stream, (within, earlier) in chosen.items()
            for role, files in (("day", within), ("before", earlier))
            for file in files
        ]
        yield DayTask(
            family=family,
            exchange=exchange,
            symbol=symbol,
            day=day_at(number),
            files={
                clock: {
                    stream: StreamFiles(tuple(file.path for file in within), tuple(file.path for file in earlier))
                    for stream, (within, earlier) in chosen.items()
                }
                for clock, chosen in records.items()
            },
            source=common_source(used.values()),
            fingerprint=digest([bars_digest(family), *names]),
        )


def common_source(records: Iterable[ObjectRecord]) -> Source:
    """Return the source of all these objects, or that they are mixed."""
    sources = {record.source for record in records}
    return Source(sources.pop()) if len(sources) == 1 else Source.MIXED


class _Index:
    """Tick files of one stream by the days of one clock, so that a task is planned without looking at all files."""

    def __init__(self, files: Sequence[ObjectRecord], clock: Clock) -> None:
        self._ranges = {file.path: bounds for file in files if (bounds := _bounds(file, clock)) is not None}
        self._by_end = sorted((file for file in files if file.path in self._ranges), key=self._end)
        self._ends = [self._end(file) for file in self._by_end]
        self.days: dict[int, list[ObjectRecord]] = {}
        for file in files:
            first, last = self._ranges.get(file.path, (0, -1))
            for number in range(first // DAY_US, last // DAY_US + 1):
                self.days.setdefault(number, []).append(file)

    def within(self, number: int) -> list[ObjectRecord]:
        """Files with events of the day, in order of days."""
        return self.days.get(number, [])

    def before(self, number: int, limit: int | None) -> list[ObjectRecord]:
        """Files that can hold the latest event before the day, at most `limit` µs before it."""
        begin = number * DAY_US
        ended = self._by_end[: bisect_left(self._ends, begin)]
        astride = [file for file in self.within(number) if self._ranges[file.path][0] < begin]
        return [*(file for file in ended[-1:] if limit is None or self._end(file) >= begin - limit), *astride]

    def _end(self, file: ObjectRecord) -> int:
        return self._ranges[file.path][1]


def _bounds(file: ObjectRecord, clock: Clock) -> tuple[int, int] | None:
    first, last = (
        (file.first_exchange, file.last_exchange) if clock is Clock.EXCHANGE else (file.first_local, file.last_local)
    )
    return None if first is None or last is None else (first, last)
