"""Which tick files a day's bars are made from, on either clock, and the digest that stands for them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING

from aperiodic.engine.day import DayTask, StreamFiles
from aperiodic.engine.families import KERNELS
from aperiodic.engine.fingerprints import bars_digest, digest
from aperiodic.market import DAY_US, Clock, Source, Stream
from aperiodic.market.time import day_at, day_start_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from aperiodic.catalog import Family
    from aperiodic.lake.tick_files import TickFile
    from aperiodic.market import Exchange, Symbol

__all__ = ["InstrumentTicks", "common_source"]


class InstrumentTicks:
    """Tick files of an instrument, by what its days are made from.

    Args:
        exchange: Venue.
        symbol: Instrument.
        files: Its tick files, by stream in order of days.
    """

    def __init__(self, exchange: Exchange, symbol: Symbol, files: Iterable[TickFile]) -> None:
        self._exchange = exchange
        self._symbol = symbol
        streams: defaultdict[str, list[TickFile]] = defaultdict(list)
        for file in files:
            streams[file.stream].append(file)
        self._indexes = {
            (clock, stream): _Index(streams.get(stream, []), clock, stream) for clock in Clock for stream in Stream
        }

    def days(self, family: Family, first: date, last: date) -> Iterator[tuple[date, str]]:
        """Yield what stands for the inputs of each day on which a family's driving stream has events, on either clock.

        Args:
            family: Which datasets.
            first: First day.
            last: Last day.

        Returns:
            Days, ascending, and digests of their ticks and of the kernel.
        """
        kernel = KERNELS[family]
        own = bars_digest(family)
        indexes = [
            (self._indexes[clock, stream], stream in kernel.looks_back, kernel.looks_back.get(stream))
            for clock in Clock
            for stream in kernel.columns
        ]
        for number in sorted({day for clock in Clock for day in self._indexes[clock, family.driving].days}):
            day = day_at(number)
            if not first <= day <= last:
                continue
            names = [own]
            for index, looks_back, limit in indexes:
                names += index.names_within(number)
                if looks_back:
                    names += index.names_before(number, limit)
            yield day, digest(names)

    def task(self, family: Family, day: date, fingerprint: str) -> tuple[DayTask, int]:
        """Return the task of a day that `days` yielded, and the bytes of its inputs."""
        number = day_start_us(day) // DAY_US
        kernel = KERNELS[family]
        records = {
            clock: {
                stream: (
                    self._indexes[clock, stream].within(number),
                    self._indexes[clock, stream].before(number, kernel.looks_back[stream])
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
        task = DayTask(
            family=family,
            exchange=self._exchange,
            symbol=self._symbol,
            day=day,
            files={
                clock: {
                    stream: StreamFiles(tuple(file.path for file in within), tuple(file.path for file in earlier))
                    for stream, (within, earlier) in chosen.items()
                }
                for clock, chosen in records.items()
            },
            source=common_source(file.source for file in used.values()),
            fingerprint=fingerprint,
        )
        return task, sum(file.size for file in used.values())


def common_source(sources: Iterable[str]) -> Source:
    """Return the source of all, or that they are mixed."""
    each = {*sources}
    return Source(each.pop()) if len(each) == 1 else Source.MIXED


class _Index:
    """Tick files of one stream by the days of one clock, so that a task is planned without looking at all files."""

    def __init__(self, files: Iterable[TickFile], clock: Clock, stream: Stream) -> None:
        self._begins: dict[str, int] = {}
        self.days: defaultdict[int, list[TickFile]] = defaultdict(list)
        ended: list[tuple[int, TickFile]] = []
        for file in files:
            bounds = file[6:8] if clock is Clock.EXCHANGE else file[8:10]
            first, last = bounds
            if first is None or last is None:
                continue
            self._begins[file.path] = first
            ended.append((last, file))
            for number in range(first // DAY_US, last // DAY_US + 1):
                self.days[number].append(file)
        ended.sort(key=itemgetter(0))
        self._by_end = [file for _, file in ended]
        self._ends = [end for end, _ in ended]
        self._named = f"{clock} {stream}"
        self._names_within: dict[int, list[str]] = {}
        self._names_before: dict[tuple[int, int | None], list[str]] = {}

    def within(self, number: int) -> list[TickFile]:
        """Files with events of the day, in order of days."""
        return self.days.get(number, [])

    def before(self, number: int, limit: int | None) -> list[TickFile]:
        """Files that can hold the latest event before the day, at most `limit` µs before it."""
        begin = number * DAY_US
        place = bisect_left(self._ends, begin)
        astride = [file for file in self.within(number) if self._begins[file.path] < begin]
        if place and (limit is None or self._ends[place - 1] >= begin - limit):
            return [self._by_end[place - 1], *astride]
        return astride

    def names_within(self, number: int) -> list[str]:
        """What stands for `within` in a digest."""
        names = self._names_within.get(number)
        if names is None:
            names = self._names_within[number] = self._names("day", self.within(number))
        return names

    def names_before(self, number: int, limit: int | None) -> list[str]:
        """What stands for `before` in a digest."""
        names = self._names_before.get((number, limit))
        if names is None:
            names = self._names_before[number, limit] = self._names("before", self.before(number, limit))
        return names

    def _names(self, role: str, files: Iterable[TickFile]) -> list[str]:
        return [f"{self._named} {role} {file.period} {file.sha256}" for file in files]
