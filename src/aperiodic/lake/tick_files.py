"""The files of ticks that can matter to some days, found without reading the rest of an instrument's history.

Files are named by the day of exchange time; by arrival time what they hold may be of any day. Almost all of it arrives
within 24 hours, so that the neighbouring days are enough; files that hold anything else have an index of their own.
"""

from __future__ import annotations

from datetime import date
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, select, text, union_all

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.schema import STRAY, objects
from aperiodic.market import DAY_US, Stream
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import CompoundSelect, Connection

__all__ = ["TickFile", "ticks_around"]


class TickFile(NamedTuple):
    """What a plan has to know of current ticks; the names are those of `ObjectRecord`.

    A plan reads hundreds of thousands of them, so this is what a row of the ledger is turned into fastest.
    """

    stream: str
    period: str
    path: str
    size: int
    sha256: str
    source: str
    first_exchange: int | None
    last_exchange: int | None
    first_local: int | None
    last_local: int | None


_DAYS_BEFORE: Final = 2
"""What arrived within 24 hours before a day is, unless it strays, of the day itself or one of the two before it."""
_DAYS_AFTER: Final = 1

_COLUMNS: Final = (
    *(objects.c[name] for name in ("dataset", "period", "path", "size", "sha256", "source")),
    *(objects.c[name] for name in ("first_exchange", "last_exchange", "first_local", "last_local", "is_current")),
)
_OF_INSTRUMENT: Final = tuple(objects.c[name] == bindparam(name) for name in ("kind", "exchange", "symbol"))
# Said so that the index of current objects serves up to the period.
_OF_SERIES: Final = (objects.c.is_current, *_OF_INSTRUMENT, objects.c.clock == "", objects.c.interval == "")
_BETWEEN: Final = select(*_COLUMNS).where(
    *_OF_SERIES,
    objects.c.dataset.in_(map(str, Stream)),
    objects.c.period.between(bindparam("begin"), bindparam("end")),
)
# That only current rows count is left to us: said here, it would lead to the index of all current rows of the instrument.
_STRAY: Final = select(*_COLUMNS).where(*_OF_INSTRUMENT, STRAY)
_AROUND: Final = union_all(_BETWEEN, _STRAY)


def _last_before() -> CompoundSelect[Any]:
    before = (
        select(*_COLUMNS)
        .where(*_OF_SERIES, objects.c.dataset == bindparam("stream"), objects.c.period < bindparam("begin"))
        .order_by(objects.c.period.desc())
    )
    # By arrival time one of these ends last: what does not stray ends before that of three days later does.
    arrived = before.where(objects.c.first_local.is_not(None), text(f"NOT {STRAY.text}")).limit(3)
    return union_all(*(select(each.subquery()) for each in (before.limit(1), arrived)))


_LAST_BEFORE: Final = _last_before()


def ticks_around(
    connection: Connection, exchange: str, symbol: str, first: date, last: date, looked_back_on: Iterable[Stream] = ()
) -> list[TickFile]:
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
    asked = {"kind": ObjectKind.TICKS, "exchange": exchange, "symbol": symbol, "begin": begin, "end": end}
    rows = connection.execute(_AROUND, asked).all()
    each = {row[2]: TickFile(*row[:-1]) for row in rows if row[-1]}
    if each:
        edge = day_start_us(first)
        for stream in looked_back_on:
            if not _ended_before(edge, [file for file in each.values() if file.stream == stream]):
                before = connection.execute(_LAST_BEFORE, {**asked, "stream": stream}).all()
                each |= {row[2]: TickFile(*row[:-1]) for row in before}
    return sorted(each.values(), key=itemgetter(0, 1))


def _ended_before(edge: int, files: Sequence[TickFile]) -> bool:
    """Whether one of the files around some days ends last before them, on either clock, whatever is older."""
    is_last = [file.last_exchange is not None and file.last_exchange < edge for file in files]
    # What is older and does not stray ended more than a day before.
    arrived = [file.last_local is not None and edge - DAY_US <= file.last_local < edge for file in files]
    return any(is_last) and any(arrived)


def _shifted(day: date, days: int) -> str:
    """Return the period of a day so many days later."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal())).isoformat()
