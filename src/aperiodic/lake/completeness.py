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
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, func, select

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.schema import gaps, objects, spans
from aperiodic.market import DAY_US, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from aperiodic.market import Exchange

__all__ = ["Completeness", "judge_series", "month_completeness"]

_EDGE_SLACK_US: Final = 60_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).date()


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
    return judge_series(connection, exchange, {(symbol, stream): months})[symbol, stream]


def judge_series(
    connection: Connection, exchange: Exchange, wanted: Mapping[tuple[str, Stream], Sequence[str]]
) -> dict[tuple[str, Stream], dict[str, Completeness]]:
    """Judge months of many streams, in at most four queries however many there are.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        wanted: By Atlas symbol and tick stream the months as `YYYY-MM`, ascending.

    Returns:
        By symbol and stream the judgement of each month.
    """
    evidence = _read_evidence(connection, exchange, wanted)
    return {series: {month: _judge(month, series, evidence) for month in months} for series, months in wanted.items()}


class _Evidence(NamedTuple):
    """What the ledger knows of the ticks of some series; a series is a symbol and a stream.

    Attributes:
        counts: Number of days with ticks, by series and month; none is not named.
        days: Days with ticks of months that have some but not all, by series.
        gaps: First and last day of known gaps, in days since the epoch, and how many gaps have these, by series.
        reach: When the first stretch begins and the last one ends, µs; a series without numbers is not named.
    """

    counts: Mapping[tuple[str, str, str], int]
    days: Mapping[tuple[str, str], set[str]]
    gaps: Mapping[tuple[str, str], list[tuple[int, int, int]]]
    reach: Mapping[tuple[str, str], tuple[int, int]]


def _judge(month: str, series: tuple[str, Stream], evidence: _Evidence) -> Completeness:
    first = date.fromisoformat(f"{month}-01")
    length = _length(first)
    begin = (first - _EPOCH).days
    end = begin + length
    missing: tuple[date, ...] = ()
    if evidence.counts.get((*series, month)) != length:
        held = evidence.days.get(series, set())
        days = (first + timedelta(days=offset) for offset in range(length))
        missing = tuple(day for day in days if day.isoformat() not in held)
    known = evidence.gaps.get(series, [])
    overlapping = sum(count for opens, closes, count in known if opens < end and closes >= begin)
    reach = evidence.reach.get(series)
    covered = reach is None or (
        reach[0] <= begin * DAY_US + _EDGE_SLACK_US and reach[1] >= end * DAY_US - _EDGE_SLACK_US
    )
    return Completeness(covered and not missing and not overlapping, missing, overlapping)


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
    connection: Connection, exchange: Exchange, wanted: Mapping[tuple[str, Stream], Sequence[str]]
) -> _Evidence:
    asked = {month for months in wanted.values() for month in months}
    if not asked:
        return _Evidence({}, {}, {}, {})
    symbols, streams = ({series[part] for series, months in wanted.items() if months} for part in (0, 1))
    of_series: dict[str, Any] = {"exchange": exchange, "symbols": sorted(symbols), "streams": sorted(streams)}
    first, last = (date.fromisoformat(f"{month}-01") for month in (min(asked), max(asked)))
    last += timedelta(days=_length(last) - 1)
    within = {"first": first.isoformat(), "last": last.isoformat()}
    times = {"begin": _start_us(first), "end": _start_us(last) + DAY_US}
    counts = {
        (symbol, stream, month): count
        for symbol, stream, month, count in connection.execute(_COUNTS, of_series | within)
    }
    known_gaps: defaultdict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
    for symbol, stream, *gap in connection.execute(_GAPS, of_series | times):
        known_gaps[symbol, stream].append((gap[0], gap[1], gap[2]))
    reach = {(symbol, stream): (begin, end) for symbol, stream, begin, end in connection.execute(_REACH, of_series)}
    partly = sorted(
        {
            month
            for series, months in wanted.items()
            for month in months
            if 0 < counts.get((*series, month), 0) < _length(date.fromisoformat(f"{month}-01"))
        }
    )
    days: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    if partly:
        for symbol, stream, day in connection.execute(_DAYS, {**of_series, **within, "months": partly}):
            days[symbol, stream].add(day)
    return _Evidence(counts, days, known_gaps, reach)


def _length(first: date) -> int:
    """Return the number of days of the month that begins with `first`."""
    return ((first + timedelta(days=31)).replace(day=1) - first).days


def _start_us(day: date) -> int:
    return (day - _EPOCH).days * DAY_US
