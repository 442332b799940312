"""Which UTC days have ticks, as whole days or as parts of a day that is not over."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, exists, func, literal, select

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.prepared import Prepared
from aperiodic.lake.schema import objects
from aperiodic.market import Clock, Source

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection, FromClause, Select

    from aperiodic.market import Exchange

__all__ = ["HeldDays", "days_held", "each_day_held"]

_LAST_PART: Final = "-~"
"""What follows the day in the name of a part comes before this."""


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


def days_held(
    connection: Connection,
    exchange: Exchange,
    symbols: Collection[str],
    streams: Collection[str],
    first: date = date.min,
    last: date = date.max,
    clock: Clock = Clock.EXCHANGE,
) -> dict[tuple[str, str], HeldDays]:
    """Return which days have ticks, by symbol and stream; one without any is not named.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbols: Atlas symbols.
        streams: Tick streams.
        first: The first UTC day that counts.
        last: The last one.
        clock: Days whose ticks do not tell this time count as without.
    """
    held: dict[tuple[str, str], HeldDays] = {}
    asked = _asked(exchange, symbols, streams, first, last)
    rows = (row for query in _HELD[clock] for row in query.rows(connection, asked))
    for symbol, stream, begins, ends, days in rows:
        found = HeldDays(date.fromisoformat(begins), date.fromisoformat(ends), days)
        known = held.get((symbol, stream))
        if known is not None:
            found = HeldDays(min(known.first, found.first), max(known.last, found.last), known.days + found.days)
        held[symbol, stream] = found
    return held


def each_day_held(
    connection: Connection,
    exchange: Exchange,
    symbols: Collection[str],
    streams: Collection[str],
    first: date,
    last: date,
    clock: Clock,
) -> dict[tuple[str, str], set[date]]:
    """Return all days that have ticks, by symbol and stream; the arguments are those of `days_held`."""
    held: defaultdict[tuple[str, str], set[date]] = defaultdict(set)
    asked = _asked(exchange, symbols, streams, first, last)
    for symbol, stream, day in _DAYS[clock].rows(connection, asked):
        held[symbol, stream].add(date.fromisoformat(day))
    return held


def _asked(
    exchange: Exchange, symbols: Collection[str], streams: Collection[str], first: date, last: date
) -> dict[str, Any]:
    return {
        "exchange": exchange,
        "symbols": sorted(symbols),
        "streams": sorted(streams),
        "first": first.isoformat(),
        "last": f"{last}{_LAST_PART}",
    }


_SERIES: Final = (objects.c.symbol, objects.c.dataset)
_DAY: Final = func.substr(objects.c.period, 1, len("2026-01-01"))
"""The day of ticks; parts of a day have their number behind it."""
_OF_TICKS: Final = (
    objects.c.is_current,
    objects.c.exchange == bindparam("exchange"),
    objects.c.symbol.in_(bindparam("symbols", expanding=True)),
    objects.c.dataset.in_(bindparam("streams", expanding=True)),
    # Ticks have neither; said here so that the index of current objects serves up to the period.
    objects.c.clock == "",
    objects.c.interval == "",
    objects.c.period.between(bindparam("first"), bindparam("last")),
)
_PARTS: Final = objects.c.kind == ObjectKind.TICK_PARTS
_WHOLE: Final = objects.c.kind == ObjectKind.TICKS


def _tell(table: FromClause, clock: Clock) -> tuple[ColumnElement[bool], ...]:
    """Return the rule that ticks tell the times of a clock: those of an archive tell no arrivals."""
    return (table.c.source != Source.ARCHIVE,) if clock is Clock.TRUE else ()


def _whole(clock: Clock) -> Select[Any]:
    """Return the query for days held whole: of these there is one row each, so that rows are counted, not days."""
    return (
        select(*_SERIES, func.min(objects.c.period), func.max(objects.c.period), func.count())
        .where(*_OF_TICKS, _WHOLE, *_tell(objects, clock))
        .group_by(*_SERIES)
    )


def _alone(clock: Clock) -> Select[Any]:
    """Return the query for each day of which there are parts and no whole."""
    parts = select(*_SERIES, _DAY.label("day")).where(*_OF_TICKS, _PARTS, *_tell(objects, clock)).distinct().subquery()
    same = objects.alias()
    is_whole = exists().where(
        same.c.is_current,
        same.c.kind == ObjectKind.TICKS,
        same.c.exchange == bindparam("exchange"),
        same.c.symbol == parts.c.symbol,
        same.c.dataset == parts.c.dataset,
        same.c.clock == "",
        same.c.interval == "",
        same.c.period == parts.c.day,
        *_tell(same, clock),
    )
    return select(parts.c.symbol, parts.c.dataset, parts.c.day, parts.c.day, literal(1)).where(~is_whole)


def _days(clock: Clock) -> Select[Any]:
    return select(*_SERIES, _DAY).where(*_OF_TICKS, _WHOLE | _PARTS, *_tell(objects, clock)).distinct()


# Apart, since SQLite takes half as long again for both together.
_HELD: Final = {clock: (Prepared(_whole(clock)), Prepared(_alone(clock))) for clock in Clock}
_DAYS: Final = {clock: Prepared(_days(clock)) for clock in Clock}
