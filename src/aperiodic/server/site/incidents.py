"""What was wrong with the data and what was put right: incidents, newest first.

There are two kinds: days of a stream of ticks that are missing, partial or degraded, and new revisions of published
months. A day's incident is as new as the time that it is about, whenever the ledger came to know of it; a revision's
is as new as its files. The current day is no incident, for it is not over.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, literal_column, select

from aperiodic.catalog import DATASETS
from aperiodic.completeness.conditions import read_conditions
from aperiodic.lake.schema import objects
from aperiodic.market import DAY_US, Clock, Exchange, Interval, Stream
from aperiodic.market.time import day_start_us
from aperiodic.server.cache import Cached
from aperiodic.server.site.day_ranges import cause_words, join_days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection, Engine, Select

    from aperiodic.completeness.tick_days import TickDays
    from aperiodic.server.site.day_ranges import DayRange

__all__ = ["MOST_INCIDENTS", "Incident", "Incidents", "read_incidents", "read_revisions"]

MOST_INCIDENTS: Final = 100
"""How many incidents are known at a time, the newest."""
_FILES: Final = len(Clock) * len(Interval)
"""Files of a dataset and month at most."""

_MOST_SERIES: Final = 200
_MONTHS_BACK: Final = 2
_CACHED_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Incident:
    """Something to know about the data.

    Attributes:
        kind: `missing`, `partial`, `degraded` or `revised`.
        exchange: Venue.
        symbol: Atlas symbol.
        stream: Tick stream; None for a revision.
        title: What happened, in one line.
        lines: Causes or the reason, one a line.
        key: What makes it this incident and no other; stays the same while the incident grows.
        updated_at: When it ended or the revision was published, µs.
    """

    kind: str
    exchange: str
    symbol: str
    stream: str | None
    title: str
    lines: tuple[str, ...]
    key: tuple[str, ...]
    updated_at: int


class Incidents:
    """The incidents of an installation, kept for a while."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet.

        Args:
            engine: The ledger.
            clock: Seconds that only grow.
        """
        self._engine = engine
        self._cached: Cached[Sequence[Incident]] = Cached((), _CACHED_S, clock)

    def get(self, held: Iterable[TickDays]) -> Sequence[Incident]:
        """Return the newest incidents, at most `MOST_INCIDENTS`, newest first.

        Args:
            held: What is held of ticks.
        """
        return self._cached.get(lambda: self._read(held))

    def _read(self, held: Iterable[TickDays]) -> Sequence[Incident]:
        with self._engine.connect() as connection:
            return read_incidents(connection, held, datetime.now(UTC).date())


def read_incidents(connection: Connection, held: Iterable[TickDays], today: date) -> list[Incident]:
    """Read the newest incidents of an installation, at most `MOST_INCIDENTS`, newest first.

    Of streams, the 200 with the newest ticks are looked at, each in the month of its last day and the two before.

    Args:
        connection: Open connection to the ledger.
        held: What is held of ticks.
        today: Current UTC day.
    """
    found = read_revisions(connection)
    for series in sorted(held, key=lambda series: series.last, reverse=True)[:_MOST_SERIES]:
        found = sorted(found, key=lambda incident: (-incident.updated_at, incident.key))[:MOST_INCIDENTS]
        # Series come from the newest on, so once all places are taken by newer incidents the others have none to add.
        if len(found) == MOST_INCIDENTS and found[-1].updated_at >= _end_of(series.last):
            break
        found += _of_days(connection, series, min(series.last, today - timedelta(days=1)))
    return sorted(found, key=lambda incident: (-incident.updated_at, incident.key))[:MOST_INCIDENTS]


def _of_days(connection: Connection, series: TickDays, last: date) -> list[Incident]:
    begin = max(series.first, _months_before(series.last))
    if last < begin:
        return []
    days = read_conditions(connection, Exchange(series.exchange), series.symbol, [Stream(series.stream)], begin, last)
    return [_of_range(series, day_range) for day_range in join_days(days)]


def _of_range(series: TickDays, day_range: DayRange) -> Incident:
    when = f"{day_range.first}" if day_range.days == 1 else f"{day_range.first} to {day_range.last}"
    kinds = (f"{cause.code}:{cause.detail or ''}" for cause in day_range.causes)
    return Incident(
        kind=day_range.condition,
        exchange=series.exchange,
        symbol=series.symbol,
        stream=series.stream,
        title=f"{series.exchange} {series.symbol} {series.stream}: {day_range.condition}, {when}",
        lines=tuple(cause_words(cause) for cause in day_range.causes),
        key=(series.exchange, series.symbol, series.stream, day_range.condition, str(day_range.first), *kinds),
        updated_at=day_range.ended_at,
    )


def read_revisions(connection: Connection) -> list[Incident]:
    """Return the newest revisions, those of all datasets of a month that have the same reason as one incident."""
    datasets: dict[tuple[str, ...], set[str]] = {}
    updated: dict[tuple[str, ...], int] = {}
    for row in connection.execute(_NEWEST_REVISIONS):
        key = (row.exchange, row.symbol, row.period, str(row.revision), row.reason)
        datasets.setdefault(key, set()).add(row.dataset)
        updated[key] = max(updated.get(key, 0), row.published_at)
    return [_of_revision(key, names, updated[key]) for key, names in datasets.items()]


def _of_revision(key: tuple[str, ...], datasets: set[str], published_at: int) -> Incident:
    exchange, symbol, month, revision, reason = key
    named = ", ".join(name for name in DATASETS if name in datasets)
    return Incident(
        kind="revised",
        exchange=exchange,
        symbol=symbol,
        stream=None,
        title=f"{exchange} {symbol} {month}: revision {revision}",
        lines=(f"reason: {reason}", f"datasets: {named}"),
        key=("revised", *key),
        updated_at=published_at,
    )


def _newest_revisions() -> Select[Any]:
    group = tuple(objects.c[name] for name in ("exchange", "symbol", "period", "revision", "reason", "dataset"))
    # As the index says it: bound values would not be known to be those that it is of.
    newest = (
        select(*group, objects.c.created_at)
        .where(literal_column("revision > 1"), literal_column("kind = 'bars'"))
        .order_by(objects.c.created_at.desc())
        .limit(MOST_INCIDENTS * len(DATASETS) * _FILES)
        .subquery()
    )
    columns = tuple(newest.c[column.name] for column in group)
    published_at = func.max(newest.c.created_at).label("published_at")
    return (
        select(*columns, published_at)
        .group_by(*columns)
        .order_by(published_at.desc(), *columns)
        .limit(MOST_INCIDENTS * len(DATASETS))
    )


_NEWEST_REVISIONS: Final = _newest_revisions()


def _months_before(day: date) -> date:
    months = day.year * 12 + day.month - 1 - _MONTHS_BACK
    return date(months // 12, months % 12 + 1, 1)


def _end_of(day: date) -> int:
    return day_start_us(day) + DAY_US
