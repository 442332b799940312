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

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.schema import gaps, objects, spans
from aperiodic.market import DAY_US

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from aperiodic.market import Exchange, Stream

__all__ = ["Completeness", "month_completeness"]

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
    """Judge months of a stream, in three queries however many months there are.

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
    days = {month: _days(month) for month in months}
    first, last = days[months[0]][0], days[months[-1]][-1]
    held = set(_days_held(connection, exchange, symbol, stream, first, last))
    known_gaps = _gap_times(connection, exchange, symbol, stream, first, last)
    reach = _reach(connection, exchange, symbol, stream)
    return {month: _judge(days[month], held, known_gaps, reach) for month in months}


def _judge(
    days: list[date], held: set[str], known_gaps: list[tuple[int, int]], reach: tuple[int, int] | None
) -> Completeness:
    begin, end = _start_us(days[0]), _start_us(days[-1]) + DAY_US
    missing = tuple(day for day in days if day.isoformat() not in held)
    overlapping = sum(first < end and last >= begin for first, last in known_gaps)
    covered = reach is None or (reach[0] <= begin + _EDGE_SLACK_US and reach[1] >= end - _EDGE_SLACK_US)
    return Completeness(covered and not missing and not overlapping, missing, overlapping)


def _days_held(
    connection: Connection, exchange: str, symbol: str, stream: str, first: date, last: date
) -> Sequence[str]:
    query = select(objects.c.period).where(
        objects.c.is_current,
        objects.c.kind == ObjectKind.TICKS,
        objects.c.exchange == exchange,
        objects.c.symbol == symbol,
        objects.c.dataset == stream,
        # Ticks have neither; said here so that the index of current objects serves up to the period.
        objects.c.clock == "",
        objects.c.interval == "",
        objects.c.period.between(first.isoformat(), last.isoformat()),
    )
    return connection.execute(query).scalars().all()


def _gap_times(
    connection: Connection, exchange: str, symbol: str, stream: str, first: date, last: date
) -> list[tuple[int, int]]:
    query = select(gaps.c.first_time, gaps.c.last_time).where(
        gaps.c.exchange == exchange,
        gaps.c.symbol == symbol,
        gaps.c.stream == stream,
        gaps.c.first_time < _start_us(last) + DAY_US,
        gaps.c.last_time >= _start_us(first),
    )
    return [(row.first_time, row.last_time) for row in connection.execute(query)]


def _reach(connection: Connection, exchange: str, symbol: str, stream: str) -> tuple[int, int] | None:
    """Return when the first stretch begins and the last one ends, µs; None for a stream without numbers."""
    query = select(func.min(spans.c.first_time), func.max(spans.c.last_time)).where(
        spans.c.exchange == exchange, spans.c.symbol == symbol, spans.c.stream == stream
    )
    begin, end = connection.execute(query).one()
    return None if begin is None else (begin, end)


def _days(month: str) -> list[date]:
    day = date.fromisoformat(f"{month}-01")
    following = (day + timedelta(days=31)).replace(day=1)
    return [day + timedelta(days=offset) for offset in range((following - day).days)]


def _start_us(day: date) -> int:
    return (day - _EPOCH).days * DAY_US
