"""What is known to be missing from ticks: the one judgement that every part of the product reads.

For each stream of an instrument it is a list of intervals, made from two kinds of evidence:

- **Numbers.** Where the venue numbers the events of a stream, the numbers prove what is missing: the gaps, and nothing
  else between the first and the last event on record.
- **Recording.** The intervals in which the stream was recorded (`completeness.recorded`). Whatever lies between them,
  and is not proved whole by numbers, is missing. An order book that was unknown was not recorded, and neither were
  quotes that are made from it.

A gap that reaches over midnight is narrowed to the times in which the stream was not recorded, if there are any: a day
in which nothing was lost is not touched by it. Days with ticks of which no file tells when they were recorded count as
recorded whole; there, numbers must begin and end within 60 s of the edges of the day.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import String, bindparam, cast, func, select

from aperiodic.completeness.causes import CauseCode
from aperiodic.completeness.held_days import days_held, each_day_held
from aperiodic.completeness.recorded import ANY_STREAM, read_recorded
from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.prepared import Prepared
from aperiodic.lake.schema import gaps, imports, objects, spans
from aperiodic.market import DAY_US, Clock, Stream
from aperiodic.market.time import day_at, day_start_us, now_us

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection

    from aperiodic.completeness.recorded import Recorded
    from aperiodic.market import Exchange

__all__ = ["Completeness", "Judgement", "Missing"]

_EDGE_SLACK_US: Final = 60_000_000
_NO_SNAPSHOT: Final = "no_snapshot"
_LEAST_US: Final = 1_000_000
_SETTLING_US: Final = 300_000_000
"""So long what a recorder receives may take until it is in the ledger, µs."""
_CODES: Final = {"": CauseCode.NOT_RECORDED, "cut_short": CauseCode.CUT_SHORT}


@dataclass(frozen=True, slots=True)
class Missing:
    """An interval in which ticks of a stream are known to be missing.

    Attributes:
        code: `gap`, `not_recorded`, `not_spanned` or `cut_short`.
        detail: Cause of a gap; None for others.
        first_time: Last event or arrival before it, µs.
        last_time: First event or arrival after it, µs.
        begin: Since when ticks can be missing, µs: the days from here on are touched.
        end: Until when, this µs included.
        count: How many gaps it stands for; 0 where only the edges of days are not known.
        numbered: Whether it is a gap between numbers.
    """

    code: CauseCode
    detail: str | None
    first_time: int
    last_time: int
    begin: int
    end: int
    count: int = 1
    numbered: bool = False

    def touches(self, begin: int, end: int) -> bool:
        """Whether ticks from `begin` until before `end`, µs, can be missing."""
        return self.begin < end and self.end >= begin


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is held of the ticks behind some days of a dataset.

    Attributes:
        complete: Whether nothing is known to be missing.
        days_missing: UTC days without ticks of the driving stream, ascending.
        gaps: Number of known intervals without ticks that touch the days, of all streams behind the dataset.
    """

    complete: bool
    days_missing: tuple[date, ...]
    gaps: int


_Series = tuple[str, str]


class Judgement:
    """What is missing of some streams of some instruments of a venue between two days, read at once."""

    def __init__(
        self,
        connection: Connection,
        exchange: Exchange,
        symbols: Collection[str],
        streams: Collection[str],
        first: date,
        last: date,
        clock: Clock = Clock.EXCHANGE,
    ) -> None:
        """Read the ledger: at most nine queries, however many series and days there are.

        Args:
            connection: Open connection to the ledger.
            exchange: Venue.
            symbols: Atlas symbols.
            streams: Tick streams.
            first: First UTC day.
            last: Last UTC day.
            clock: Days whose ticks do not tell this time count as days without ticks.
        """
        self.symbols, self.streams = sorted(symbols), sorted(streams)
        series = {"exchange": exchange, "symbols": self.symbols, "streams": self.streams}
        self._begin, self._end = day_start_us(first), day_start_us(last) + DAY_US
        self._settled = now_us() - _SETTLING_US
        self.held = days_held(connection, exchange, symbols, streams, first, last, clock)
        self._days: dict[_Series, set[date]] = {}
        holed = [key for key, held in self.held.items() if not held.whole]
        if holed:
            named = {key[0] for key in holed}, {key[1] for key in holed}
            self._days = each_day_held(connection, exchange, *named, first, last, clock)
        self._gaps: defaultdict[_Series, list[Missing]] = defaultdict(list)
        within = series | {"begin": self._begin, "end": self._end}
        for symbol, stream, cause, first_time, last_time, count in _GAPS.rows(connection, within):
            times = (first_time, last_time)
            self._gaps[symbol, stream].append(Missing(CauseCode.GAP, cause, *times, *times, count, numbered=True))
        self._reach = {(symbol, stream): (begin, end) for symbol, stream, begin, end in _REACH.rows(connection, series)}
        unnumbered = [symbol for symbol in self.symbols if (symbol, Stream.TRADES) in self.held.keys() - self._reach]
        self._dropped = _dropped_trades(connection, exchange, unnumbered, self._begin, self._end)
        # A day more on either side tells how long what reaches over the edges is, and why.
        self._recorded = read_recorded(connection, exchange, symbols, self._begin - DAY_US, self._end + DAY_US)
        self._found: dict[_Series, tuple[Missing, ...]] = {}

    def has_ticks(self, symbol: str, stream: str, day: date) -> bool:
        """Whether there are ticks of a day."""
        held = self.held.get((symbol, stream))
        if held is None or not held.first <= day <= held.last:
            return False
        return held.whole or day in self._days[symbol, stream]

    def days_missing(self, symbol: str, stream: str, first: date, last: date) -> tuple[date, ...]:
        """Return the days without ticks, from `first` to `last`, ascending."""
        held = self.held.get((symbol, stream))
        if held is not None and held.whole and held.first <= first and last <= held.last:
            return ()
        days = (first + timedelta(days=offset) for offset in range((last - first).days + 1))
        return tuple(day for day in days if not self.has_ticks(symbol, stream, day))

    def missing(self, symbol: str, stream: str) -> tuple[Missing, ...]:
        """Return what is known to be missing of a stream, ascending; days without ticks are not among it as such."""
        key = symbol, stream
        if key not in self._found:
            found = sorted(self._find(key), key=lambda item: (item.begin, item.end, item.code))
            self._found[key] = tuple(item for item in found if item.touches(self._begin, self._end))
        return self._found[key]

    def verdict(self, symbol: str, streams: Sequence[str], first: date, last: date) -> Completeness:
        """Judge days of a dataset.

        Args:
            symbol: Atlas symbol.
            streams: Streams that it is made from, the driving one first.
            first: First UTC day, within what was read.
            last: Last UTC day.
        """
        without = self.days_missing(symbol, streams[0], first, last)
        complete, count = not without, 0
        for stream in streams:
            missing = self.missing(symbol, stream)
            begin, end = (day_start_us(first), day_start_us(last) + DAY_US) if missing else (0, 0)
            touching = [item for item in missing if item.touches(begin, end)]
            complete &= not touching
            count += sum(item.count for item in touching)
            if stream != streams[0] and not touching and self.days_missing(symbol, stream, first, last):
                complete = False
                count += 1
        return Completeness(complete, without, count)

    def _find(self, key: _Series) -> Iterator[Missing]:
        recorded = self._recorded.get(key, [])
        known_gaps = self._gaps.get(key, [])
        reach = self._reach.get(key)
        holes = list(self._holes(key, recorded)) if recorded else []
        for gap in known_gaps:
            yield from _narrowed(gap, holes)
        for local in self._dropped.get(key, ()):
            yield Missing(CauseCode.GAP, "backlog_dropped", local - _LEAST_US, local, local - _LEAST_US, local)
        if reach is None:
            yield from holes
        elif recorded:
            for hole in holes:
                if hole.begin < reach[0]:
                    yield replace(hole, end=min(hole.end, reach[0]), last_time=min(hole.last_time, reach[0]))
                if hole.end > reach[1]:
                    yield replace(hole, begin=max(hole.begin, reach[1]), first_time=max(hole.first_time, reach[1]))
        else:
            yield from self._not_spanned(*reach)

    def _not_spanned(self, first: int, last: int) -> Iterator[Missing]:
        begin, end = self._begin, self._end
        if first > begin + _EDGE_SLACK_US:
            yield Missing(CauseCode.NOT_SPANNED, None, begin, first, begin, first - _EDGE_SLACK_US - 1, count=0)
        if last < end - _EDGE_SLACK_US:
            yield Missing(CauseCode.NOT_SPANNED, None, last, end, last + _EDGE_SLACK_US, end - 1, count=0)

    def _holes(self, key: _Series, recorded: list[Recorded]) -> Iterator[Missing]:
        """Yield when a stream was not recorded, but where it may as well have been silent."""
        together = self._recorded.get((key[0], ANY_STREAM), [])
        neighbours: list[Recorded | None] = [None, *recorded, None]
        for left, right in pairwise(neighbours):
            begin = self._begin if left is None else left.covers_to
            # What has not come yet is not missing.
            end = min(self._end, self._settled) if right is None else right.covers_from
            if begin >= end:
                continue
            quiet = max(item.quiet for item in (left, right) if item is not None)
            cause = (left.ends if left is not None else "") or (right.begins if right is not None else "")
            may_be_silent = not cause and end - begin <= quiet
            if may_be_silent and any(item.covers_from <= begin and end <= item.covers_to for item in together):
                continue
            code = _CODES.get(cause, CauseCode.GAP)
            whole = Missing(
                code,
                cause if code is CauseCode.GAP else None,
                begin if left is None else left.last_time,
                end if right is None else right.first_time,
                begin,
                end - 1,
            )
            yield from self._told(key, whole, left, right)

    def _told(self, key: _Series, hole: Missing, left: Recorded | None, right: Recorded | None) -> Iterator[Missing]:
        """Leave out days with ticks of which no file tells anything: their source tells no times."""
        begin = hole.begin
        for number in range(hole.begin // DAY_US, hole.end // DAY_US + 1):
            start, end = number * DAY_US, (number + 1) * DAY_US
            told = (left is not None and left.covers_to > start - _EDGE_SLACK_US) or (
                right is not None and right.covers_from < end + _EDGE_SLACK_US
            )
            if told or not self.has_ticks(*key, day_at(number)):
                continue
            if begin < start:
                yield replace(hole, last_time=start, end=start - 1, begin=begin, first_time=max(hole.first_time, begin))
            begin = end
        if begin == hole.begin:
            yield hole
        elif begin <= hole.end:
            yield replace(hole, first_time=begin, begin=begin)


def _dropped_trades(
    connection: Connection, exchange: Exchange, symbols: Collection[str], begin: int, end: int
) -> dict[_Series, list[int]]:
    """Return when first frames of trades arrived that were left out, though recordings from before are held by now.

    They carry on from these, but were imported earlier. Once their files are given again, nothing is left out.
    """
    if not symbols:
        return {}
    between = {"exchange": exchange, "begin": begin, "end": end}
    found: defaultdict[_Series, list[int]] = defaultdict(list)
    files = [number for (number,) in _DROPPED.rows(connection, between)]
    for notes in connection.execute(select(imports.c.notes).where(imports.c.id.in_(files))).scalars() if files else ():
        for symbol, local in (_parts(note) for note in notes if note.startswith("backlog_dropped:")):
            if symbol in symbols and begin <= local < end:
                found[symbol, Stream.TRADES].append(local)
    if not found:
        return {}
    rows = connection.execute(_FIRST_TRADES, {"exchange": exchange, "symbols": sorted(key[0] for key in found)})
    first = {symbol: at for symbol, at in rows if at is not None}
    return {key: [at for at in times if first.get(key[0], at) < at] for key, times in found.items()}


def _parts(note: str) -> tuple[str, int]:
    """Return symbol and number of a note `name:symbol:number`."""
    symbol, _, number = note.partition(":")[2].rpartition(":")
    return symbol, int(number)


def _narrowed(gap: Missing, holes: list[Missing]) -> Iterator[Missing]:
    """Yield a gap, or the parts of it in which its stream was not recorded if it reaches over midnight."""
    if gap.first_time // DAY_US == gap.last_time // DAY_US:
        yield gap
        return
    inside = [hole for hole in holes if hole.begin < gap.last_time and hole.end > gap.first_time]
    if not inside:
        yield gap
        return
    for place, hole in enumerate(inside):
        end = hole.end
        if gap.detail == _NO_SNAPSHOT and place == len(inside) - 1:
            # Its book was found later than the recording went on.
            end = max(end, gap.last_time - _LEAST_US)
        yield replace(
            gap,
            first_time=max(hole.first_time, gap.first_time),
            last_time=min(max(hole.last_time, end), gap.last_time),
            begin=max(hole.begin, gap.begin),
            end=min(end, gap.end),
            count=1,
        )


def _of_series(table: Any) -> tuple[Any, ...]:  # noqa: ANN401 - Core tables are untyped
    return (
        table.c.exchange == bindparam("exchange"),
        table.c.symbol.in_(bindparam("symbols", expanding=True)),
        table.c.stream.in_(bindparam("streams", expanding=True)),
    )


_DROPPED: Final = Prepared(
    select(imports.c.id).where(
        imports.c.exchange == bindparam("exchange"),
        imports.c.first_received < bindparam("end"),
        imports.c.last_received >= bindparam("begin"),
        cast(imports.c.notes, String).contains('"backlog_dropped:'),
    )
)
_FIRST_TRADES: Final = (
    select(objects.c.symbol, func.min(objects.c.first_local))
    .where(
        objects.c.is_current,
        objects.c.kind == ObjectKind.TICKS,
        objects.c.exchange == bindparam("exchange"),
        objects.c.symbol.in_(bindparam("symbols", expanding=True)),
        objects.c.dataset == Stream.TRADES,
    )
    .group_by(objects.c.symbol)
)
# Of gaps that begin and end on the same days and have the same cause, the sum will do: a gap over midnight is alone.
_GAPS: Final = Prepared(
    select(
        gaps.c.symbol,
        gaps.c.stream,
        gaps.c.cause,
        func.min(gaps.c.first_time).label("first_time"),
        func.max(gaps.c.last_time).label("last_time"),
        func.count().label("gaps"),
    )
    .where(
        *_of_series(gaps),
        gaps.c.first_time < bindparam("end"),
        gaps.c.last_time >= bindparam("begin"),
    )
    .group_by(gaps.c.symbol, gaps.c.stream, gaps.c.cause, gaps.c.first_time // DAY_US, gaps.c.last_time // DAY_US)
)
_REACH: Final = Prepared(
    select(spans.c.symbol, spans.c.stream, func.min(spans.c.first_time), func.max(spans.c.last_time))
    .where(*_of_series(spans))
    .group_by(spans.c.symbol, spans.c.stream)
)
# Made once, for they are what every request for data asks.
