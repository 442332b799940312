"""Whether a calendar month of a tick stream is all there.

A month (UTC) is complete when all of this holds:

1. Every day of it has ticks.
2. No known gap of the stream overlaps it. A gap reaches from the last event before it to the first after it.
3. If the venue numbers the stream's events, so that unbroken stretches are on record, the stretches begin at most
   60 s after the month begins and end at most 60 s before it ends; between stretches lie gaps, see rule 2.
   The 60 s are for quiet markets, in which the first or last event of a month may come late or early.

A stream without numbers passes on rules 1 and 2 alone, for nothing could prove that none of its events is missing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, func, select

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.schema import gaps, objects, spans
from aperiodic.market import DAY_US, Stream
from aperiodic.market.time import day_number, day_start_us

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from aperiodic.market import Exchange

__all__ = ["Completeness", "HeldDays", "days_held", "judge_series", "month_completeness"]

_EDGE_SLACK_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is held of a month.

    Attributes:
        complete: Whether nothing is known to be missing.
        days_missing: UTC days without ticks, ascending.
        gaps: Number of known gaps that overlap the month.
    """

    complete: bool
    days_missing: tuple[date, ...]
    gaps: int


@dataclass(frozen=True, slots=True)
class HeldDays:
    """UTC days with ticks of a stream.

    Attributes:
        first: The first one.
        last: The last one.
        days: How many there are.
    """

    first: date
    last: date
    days: int

    @property
    def whole(self) -> bool:
        """Whether every day from the first to the last has ticks."""
        return self.days == (self.last - self.first).days + 1


def month_completeness(
    connection: Connection, exchange: Exchange, symbol: str, stream: Stream, months: Sequence[str]
) -> dict[str, Completeness]:
    """Judge months of one stream; see `judge_series`.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbol: Atlas symbol.
        stream: Tick stream.
        months: Months as `YYYY-MM`, ascending.

    Returns:
        The judgement of each month.
    """
    if not months:
        return {}
    held = days_held(connection, exchange, [symbol], [stream], *_bounds(months))
    return judge_series(connection, exchange, {(symbol, stream): months}, held)[symbol, stream]


def days_held(
    connection: Connection,
    exchange: Exchange,
    symbols: Collection[str],
    streams: Collection[Stream],
    first: date = date.min,
    last: date = date.max,
) -> dict[tuple[str, Stream], HeldDays]:
    """Return which days have ticks, by symbol and stream; one without any is not named.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbols: Atlas symbols.
        streams: Tick streams.
        first: The first UTC day that counts.
        last: The last one.
    """
    rows = connection.execute(_HELD, _ticks(exchange, symbols, streams, first, last))
    return {
        (symbol, Stream(stream)): HeldDays(date.fromisoformat(begins), date.fromisoformat(ends), days)
        for symbol, stream, begins, ends, days in rows
    }


def judge_series(
    connection: Connection,
    exchange: Exchange,
    wanted: Mapping[tuple[str, Stream], Sequence[str]],
    held: Mapping[tuple[str, Stream], HeldDays],
) -> dict[tuple[str, Stream], dict[str, Completeness]]:
    """Judge months of many streams, in at most four queries however many there are.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        wanted: By Atlas symbol and tick stream the months as `YYYY-MM`, ascending.
        held: What `days_held` says of them, at least within these months.

    Returns:
        By symbol and stream the judgement of each month.
    """
    asked = sorted({month for months in wanted.values() for month in months})
    if not asked:
        return {series: {} for series in wanted}
    evidence = _read_evidence(connection, exchange, wanted, held, *_bounds(asked))
    return {series: {month: _judge(month, series, evidence) for month in months} for series, months in wanted.items()}


class _Evidence(NamedTuple):
    """What the ledger knows of the ticks of some series; a series is a symbol and a stream.

    Attributes:
        held: First and last day with ticks, by series.
        counts: Number of days with ticks, by series that have holes and by month; none is not named.
        days: Days with ticks of the months that have some but not all of them, by series that have holes.
        gaps: First and last day of known gaps, in days since the epoch, and how many gaps have these, by series.
        reach: When the first stretch begins and the last one ends, µs; a series without numbers is not named.
    """

    held: Mapping[tuple[str, Stream], HeldDays]
    counts: Mapping[tuple[str, str, str], int]
    days: Mapping[tuple[str, str], set[str]]
    gaps: Mapping[tuple[str, str], list[tuple[int, int, int]]]
    reach: Mapping[tuple[str, str], tuple[int, int]]


def _judge(month: str, series: tuple[str, Stream], evidence: _Evidence) -> Completeness:
    first, last = _ends(month)
    begin, end = day_number(first), day_number(last) + 1
    missing = _days_missing(month, series, evidence)
    known = evidence.gaps.get(series, [])
    overlapping = sum(count for opens, closes, count in known if opens < end and closes >= begin)
    reach = evidence.reach.get(series)
    covered = reach is None or (
        reach[0] <= begin * DAY_US + _EDGE_SLACK_US and reach[1] >= end * DAY_US - _EDGE_SLACK_US
    )
    return Completeness(covered and not missing and not overlapping, missing, overlapping)


def _days_missing(month: str, series: tuple[str, Stream], evidence: _Evidence) -> tuple[date, ...]:
    first, last = _ends(month)
    days = (first + timedelta(days=offset) for offset in range(_length(month)))
    held = evidence.held.get(series)
    if held is None:
        return tuple(days)
    if held.whole:
        if held.first <= first and last <= held.last:
            return ()
        return tuple(day for day in days if not held.first <= day <= held.last)
    if evidence.counts.get((*series, month)) == _length(month):
        return ()
    among = evidence.days.get(series, set())
    return tuple(day for day in days if day.isoformat() not in among)


_MONTH: Final = func.substr(objects.c.period, 1, len("YYYY-MM"))
_TICK_DAYS: Final = (
    objects.c.is_current,
    objects.c.kind == ObjectKind.TICKS,
    objects.c.exchange == bindparam("exchange"),
    objects.c.symbol.in_(bindparam("symbols", expanding=True)),
    objects.c.dataset.in_(bindparam("streams", expanding=True)),
    # Ticks have neither; said here so that the index of current objects serves up to the period.
    objects.c.clock == "",
    objects.c.interval == "",
    objects.c.period.between(bindparam("first"), bindparam("last")),
)
_HELD: Final = (
    select(objects.c.symbol, objects.c.dataset, func.min(objects.c.period), func.max(objects.c.period), func.count())
    .where(*_TICK_DAYS)
    .group_by(objects.c.symbol, objects.c.dataset)
)
_COUNTS: Final = (
    select(objects.c.symbol, objects.c.dataset, _MONTH.label("month"), func.count())
    .where(*_TICK_DAYS)
    .group_by(objects.c.symbol, objects.c.dataset, "month")
)
_DAYS: Final = select(objects.c.symbol, objects.c.dataset, objects.c.period).where(
    *_TICK_DAYS, _MONTH.in_(bindparam("months", expanding=True))
)
# Months begin and end with days, so the days of a gap's ends tell which months it overlaps.
_GAPS: Final = (
    select(
        gaps.c.symbol,
        gaps.c.stream,
        (gaps.c.first_time // DAY_US).label("first_day"),
        (gaps.c.last_time // DAY_US).label("last_day"),
        func.count().label("gaps"),
    )
    .where(
        gaps.c.exchange == bindparam("exchange"),
        gaps.c.symbol.in_(bindparam("symbols", expanding=True)),
        gaps.c.stream.in_(bindparam("streams", expanding=True)),
        gaps.c.first_time < bindparam("end"),
        gaps.c.last_time >= bindparam("begin"),
    )
    .group_by(gaps.c.symbol, gaps.c.stream, "first_day", "last_day")
)
_REACH: Final = (
    select(spans.c.symbol, spans.c.stream, func.min(spans.c.first_time), func.max(spans.c.last_time))
    .where(
        spans.c.exchange == bindparam("exchange"),
        spans.c.symbol.in_(bindparam("symbols", expanding=True)),
        spans.c.stream.in_(bindparam("streams", expanding=True)),
    )
    .group_by(spans.c.symbol, spans.c.stream)
)
# Made once, for they are what every request for data asks.


def _read_evidence(
    connection: Connection,
    exchange: Exchange,
    wanted: Mapping[tuple[str, Stream], Sequence[str]],
    held: Mapping[tuple[str, Stream], HeldDays],
    first: date,
    last: date,
) -> _Evidence:
    series = {"exchange": exchange, "symbols": _part(wanted, 0), "streams": _part(wanted, 1)}
    times = {"begin": day_start_us(first), "end": day_start_us(last) + DAY_US}
    known_gaps: defaultdict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
    for symbol, stream, *gap in connection.execute(_GAPS, series | times):
        known_gaps[symbol, stream].append((gap[0], gap[1], gap[2]))
    reach = {(symbol, stream): (begin, end) for symbol, stream, begin, end in connection.execute(_REACH, series)}
    counts: dict[tuple[str, str, str], int] = {}
    days: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    holed = {key: months for key, months in wanted.items() if key in held and not held[key].whole}
    if holed:
        ticks = _ticks(exchange, _part(holed, 0), _part(holed, 1), first, last)
        counts = {(symbol, stream, month): found for symbol, stream, month, found in connection.execute(_COUNTS, ticks)}
        partly = {
            month
            for key, months in holed.items()
            for month in months
            if 0 < counts.get((*key, month), 0) < _length(month)
        }
        for symbol, stream, day in connection.execute(_DAYS, {**ticks, "months": sorted(partly)}).all():
            days[symbol, stream].add(day)
    return _Evidence(held, counts, days, known_gaps, reach)


def _part(series: Iterable[tuple[str, Stream]], part: int) -> list[str]:
    """Return the symbols (0) or the streams (1) of some series."""
    return sorted({key[part] for key in series})


def _ticks(
    exchange: Exchange, symbols: Collection[str], streams: Collection[str], first: date, last: date
) -> dict[str, Any]:
    of_series = {"exchange": exchange, "symbols": sorted(symbols), "streams": sorted(streams)}
    return {**of_series, "first": first.isoformat(), "last": last.isoformat()}


def _bounds(months: Sequence[str]) -> tuple[date, date]:
    """Return the first and the last day of months, which are ascending."""
    return _ends(months[0])[0], _ends(months[-1])[1]


@lru_cache(maxsize=4096)
def _ends(month: str) -> tuple[date, date]:
    """Return the first and the last day of a month; a page of many series asks for the same ones again and again."""
    first = date.fromisoformat(f"{month}-01")
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _length(month: str) -> int:
    return _ends(month)[1].day
