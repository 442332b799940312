"""The files of ticks that can matter to some days, found without reading the rest of an instrument's history.

Files are named by the day of exchange time; by arrival time what they hold may be of any day. Almost all of it arrives
within 24 hours, so that the neighbouring days are enough; files that hold anything else have an index of their own.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select, text

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.objects import objects_between, record_of
from aperiodic.lake.schema import STRAY, objects
from aperiodic.market import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from aperiodic.lake.objects import ObjectRecord

__all__ = ["ticks_around"]

_DAYS_BEFORE: Final = 2
"""What arrived within 24 hours before a day is, unless it strays, of the day itself or one of the two before it."""
_DAYS_AFTER: Final = 1

_OF_INSTRUMENT: Final = tuple(objects.c[name] == bindparam(name) for name in ("kind", "exchange", "symbol"))
# That only current rows count is left to us: said here, it would lead to the index of all current rows of the instrument.
_STRAY: Final = select(objects).where(*_OF_INSTRUMENT, STRAY)
_BEFORE: Final = (
    select(objects)
    .where(
        objects.c.is_current,
        *_OF_INSTRUMENT,
        objects.c.dataset == bindparam("stream"),
        # Said so that the index of current objects serves up to the period.
        objects.c.clock == "",
        objects.c.interval == "",
        objects.c.period < bindparam("before"),
    )
    .order_by(objects.c.period.desc())
)
_LAST_BEFORE: Final = _BEFORE.limit(1)
_LAST_ARRIVED_BEFORE: Final = _BEFORE.where(objects.c.first_local.is_not(None), text(f"NOT {STRAY.text}")).limit(3)
"""One of these ends last, by arrival time: what does not stray ends before that of three days later does."""


def ticks_around(
    connection: Connection, exchange: str, symbol: str, first: date, last: date, looked_back_on: Iterable[Stream] = ()
) -> list[ObjectRecord]:
    """Return the current ticks that hold anything of some days or of the 24 hours before one, on either clock.

    There may be others among them. Of some streams the latest before these days is among them too, however old it is,
    unless no stream has any ticks around the days.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbol: Atlas symbol.
        first: First UTC day.
        last: Last UTC day.
        looked_back_on: Streams of which also that is wanted that ends last before the days.

    Returns:
        The ticks, by stream and then by day.
    """
    begin, end = _shifted(first, -_DAYS_BEFORE), _shifted(last, _DAYS_AFTER)
    asked = {"kind": ObjectKind.TICKS, "exchange": exchange, "symbol": symbol}
    found = objects_between(connection, ObjectKind.TICKS, exchange, symbol, list(Stream), begin, end)
    found += [record_of(row) for row in connection.execute(_STRAY, asked) if row.is_current]
    if found:
        for stream in looked_back_on:
            for query in (_LAST_BEFORE, _LAST_ARRIVED_BEFORE):
                rows = connection.execute(query, {**asked, "stream": stream, "before": begin})
                found += [record_of(row) for row in rows]
    each = {record.path: record for record in found}
    return sorted(each.values(), key=lambda record: (record.key.dataset, record.key.period))


def _shifted(day: date, days: int) -> str:
    """Return the period of a day so many days later."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal())).isoformat()
