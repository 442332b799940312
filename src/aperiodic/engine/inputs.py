"""Which tick files a day's bars are made from, on either clock, and the digest that stands for them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Final

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
            (clock, stream): _Index(streams[stream], clock, stream) if stream in streams else _NOTHING
            for clock in Clock
            for stream in Stream
        }

    def days(self, family: Family, first: date, last: date) -> Iterator[tuple[date, str, str]]:
        """Yield what stands for the inputs of each day on which a family's driving stream has events, on either clock.

        Args:
            family: Which datasets.
            first: First day.
            last: Last day.

        Returns:
            Days, ascending, also as ISO 8601, and digests of their ticks and of the kernel.
        """
        kernel = KERNELS[family]
        own = bars_digest(family)
        indexes = [
            (index, stream in kernel.looks_back, kernel.looks_back.get(stream))
            for clock in Clock
            for stream in kernel.columns
            if (index := self._indexes[clock, stream]) is not _NOTHING
        ]
        for number in sorted({day for clock in Clock for day in self._indexes[clock, family.driving].days}):
            day, name = _day_of(number)
            if not first <= day <= last:
                continue
            parts = [own]
            for index, looks_back, limit in indexes:
                parts += index.digests_within.get(number, index.nothing_within)
                if looks_back:
                    parts += index.digests_before(number, limit)
            yield day, name, digest(parts)

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
            first, last = (
                (file.first_exchange, file.last_exchange)
                if clock is Clock.EXCHANGE
                else (file.first_local, file.last_local)
            )
            if first is None or last is None:
                continue
            self._begins[file.path] = first
            ended.append((last, file))
            for number in range(first // DAY_US, last // DAY_US + 1):
                self.days[number].append(file)
        ended.sort(key=itemgetter(0))
        self._by_end = [file for _, file in ended]
        self._ends = [end for end, _ in ended]
        name = f"{clock} {stream}"
        self.nothing_within = [name]
        self.digests_within = {number: [name, *(file.sha256 for file in files)] for number, files in self.days.items()}
        """What stands for `within`."""

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

    def digests_before(self, number: int, limit: int | None) -> list[str]:
        """What stands for `before`."""
        return ["before", *(file.sha256 for file in self.before(number, limit))]


_NOTHING: Final = _Index((), Clock.EXCHANGE, Stream.TRADES)
"""Of a stream without ticks."""


@cache
def _day_of(number: int) -> tuple[date, str]:
    """Return a day by its number since 1970, also as ISO 8601."""
    day = day_at(number)
    return day, day.isoformat()
