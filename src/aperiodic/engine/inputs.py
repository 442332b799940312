"""Which tick files a day's bars are made from, on either clock, and the digest that stands for them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from aperiodic.engine.digests import digest
from aperiodic.lake.tick_files import TickFile
from aperiodic.market import DAY_US, Clock, Source, Stream
from aperiodic.market.time import day_at, day_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from aperiodic.catalog import Family
    from aperiodic.engine.day import DayTask
    from aperiodic.engine.recipes import Recipe
    from aperiodic.lake.prepared import PlainRow
    from aperiodic.market import Exchange, Symbol

__all__ = ["InstrumentTicks", "common_source"]


_STREAM, _SHA256 = (TickFile._fields.index(name) for name in ("stream", "sha256"))
_BOUNDS: Final = {
    Clock.EXCHANGE: (TickFile._fields.index("first_exchange"), TickFile._fields.index("last_exchange")),
    Clock.TRUE: (TickFile._fields.index("first_local"), TickFile._fields.index("last_local")),
}
"""Places of what is asked of every file; names take longer."""


class InstrumentTicks:
    """Tick files of an instrument, by what its days are made from.

    Args:
        exchange: Venue.
        symbol: Instrument.
        files: Its tick files, by stream in order of days, as plain rows with the values of `TickFile`.
    """

    def __init__(self, exchange: Exchange, symbol: Symbol, files: Iterable[PlainRow]) -> None:
        self._exchange = exchange
        self._symbol = symbol
        streams: defaultdict[str, list[PlainRow]] = defaultdict(list)
        for file in files:
            streams[file[_STREAM]].append(file)
        self._indexes = {
            (clock, stream): _Index(streams[stream], clock, stream) if stream in streams else _NOTHING
            for clock in Clock
            for stream in Stream
        }

    def days(self, family: Family, recipe: Recipe, first: date, last: date) -> Iterator[tuple[date, str, str]]:
        """Yield what stands for the inputs of each day on which a family's driving stream has events, on either clock.

        Args:
            family: Which datasets.
            recipe: How they are made.
            first: First day.
            last: Last day.

        Returns:
            Days, ascending, also as ISO 8601, and digests of their ticks and of the kernel.
        """
        indexes = [
            (index.digests, index.name, index.digests_before if stream in recipe.looks_back else None, stream)
            for clock in Clock
            for stream in recipe.streams
            if (index := self._indexes[clock, stream]) is not _NOTHING
        ]
        driving = [self._indexes[clock, family.driving].digests.keys() for clock in Clock]
        begin, end = day_number(first), day_number(last)
        for number in sorted(set().union(*driving)):
            if begin <= number <= end:
                parts = [recipe.digest]
                for digests, nothing, digests_before, stream in indexes:
                    parts.append(digests.get(number, nothing))
                    if digests_before is not None:
                        parts.append(digests_before(number, recipe.looks_back[stream]))
                day, name = _day_of(number)
                yield day, name, digest(parts)

    def task(self, family: Family, recipe: Recipe, day: date, fingerprint: str) -> tuple[DayTask, int]:
        """Return the task of a day that `days` yielded, and the bytes of its inputs."""
        from aperiodic.engine.day import DayTask, StreamFiles  # noqa: PLC0415 - with the kernels, which most plans do without

        number = day_number(day)
        records = {
            clock: {
                stream: (
                    self._indexes[clock, stream].within(number),
                    self._indexes[clock, stream].before(number, recipe.looks_back[stream])
                    if stream in recipe.looks_back
                    else [],
                )
                for stream in recipe.streams
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
    """Tick files of one stream by the days of one clock.

    What stands for the files of a day is put together of all days at once. The files themselves are only looked up
    where there is something to do.

    Attributes:
        name: What stands for no files.
        digests: What stands for `within`, by day, where there are files.
    """

    def __init__(self, files: Iterable[PlainRow], clock: Clock, stream: Stream) -> None:
        self.name = f"{clock} {stream}"
        self.digests: dict[int, str] = {}
        self._astride: dict[int, str] = {}
        self._files: list[tuple[int, int, PlainRow]] = []
        self._ended: tuple[list[int], list[PlainRow]] | None = None
        first_of, last_of = _BOUNDS[clock]
        digests, astride, nothing = self.digests, self._astride, self.name
        for file in files:
            first, last, sha256 = file[first_of], file[last_of], file[_SHA256]
            if first is None or last is None:
                continue
            self._files.append((first, last, file))
            begin, end = first // DAY_US, last // DAY_US
            digests[begin] = f"{digests.get(begin, nothing)}\n{sha256}"
            for number in range(begin + 1, end + 1):
                digests[number] = f"{digests.get(number, nothing)}\n{sha256}"
                astride[number] = f"{astride.get(number, '')}\n{sha256}"

    def within(self, number: int) -> list[TickFile]:
        """Files with events of the day, in order of days."""
        begin, end = number * DAY_US, (number + 1) * DAY_US
        return [TickFile._make(file) for first, last, file in self._files if first < end and begin <= last]

    def before(self, number: int, limit: int | None) -> list[TickFile]:
        """Files that can hold the latest event before the day, at most `limit` µs before it."""
        begin = number * DAY_US
        astride = [TickFile._make(file) for first, last, file in self._files if first < begin <= last]
        ended = self._last_before(begin, limit)
        return astride if ended is None else [TickFile._make(ended), *astride]

    def digests_before(self, number: int, limit: int | None) -> str:
        """What stands for `before`."""
        astride = self._astride.get(number, "")
        ended = self._last_before(number * DAY_US, limit)
        return f"before{astride}" if ended is None else f"before\n{ended[_SHA256]}{astride}"

    def _last_before(self, begin: int, limit: int | None) -> PlainRow | None:
        """Return the file that ends last before a time, at most `limit` µs before it."""
        if self._ended is None:
            ended = sorted(((last, file) for _, last, file in self._files), key=itemgetter(0))
            self._ended = [last for last, _ in ended], [file for _, file in ended]
        ends, files = self._ended
        place = bisect_left(ends, begin)
        return files[place - 1] if place and (limit is None or ends[place - 1] >= begin - limit) else None


_NOTHING: Final = _Index((), Clock.EXCHANGE, Stream.TRADES)
"""Of a stream without ticks."""


@cache
def _day_of(number: int) -> tuple[date, str]:
    """Return a day by its number since 1970, also as ISO 8601."""
    day = day_at(number)
    return day, day.isoformat()
