"""The files of ticks that can matter to some days, found without reading the rest of an instrument's history.

Files are named by the day of exchange time; by arrival time what they hold may be of any day. Almost all of it arrives
within 24 hours, so that the neighbouring days are enough; files that hold anything else have an index of their own.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, select, text, union_all

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.prepared import Prepared
from aperiodic.lake.schema import STRAY, objects
from aperiodic.market import DAY_US, Stream
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import CompoundSelect, Connection

    from aperiodic.lake.prepared import PlainRow

__all__ = ["TickFile", "ticks_around"]


class TickFile(NamedTuple):
    """What a plan has to know of current ticks; the names are those of `ObjectRecord`."""

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
    symbol: str


_DAYS_BEFORE: Final = 2
"""What arrived within 24 hours before a day is, unless it strays, of the day itself or one of the two before it."""
_DAYS_AFTER: Final = 1

_COLUMNS: Final = (objects.c.dataset.label("stream"), *(objects.c[name] for name in TickFile._fields[1:]))
_STREAM, _DAY, _PATH, _SYMBOL = (TickFile._fields.index(name) for name in ("stream", "period", "path", "symbol"))
_STREAM_AND_DAY: Final = itemgetter(_STREAM, _DAY)
_OF_VENUE: Final = tuple(objects.c[name] == bindparam(name) for name in ("kind", "exchange"))
_OF_INSTRUMENTS: Final = (*_OF_VENUE, objects.c.symbol.in_(bindparam("symbols", expanding=True)))
# Said so that the index of current objects serves up to the period.
_CURRENT: Final = (objects.c.is_current, objects.c.clock == "", objects.c.interval == "")
_BETWEEN: Final = Prepared(
    select(*_COLUMNS).where(
        *_CURRENT,
        *_OF_INSTRUMENTS,
        objects.c.dataset.in_(map(str, Stream)),
        objects.c.period.between(bindparam("begin"), bindparam("end")),
    )
)
# That only current rows count is left to us: said here, it would lead to the index of all current rows of the instrument.
_STRAY: Final = Prepared(select(*_COLUMNS, objects.c.is_current).where(*_OF_INSTRUMENTS, STRAY))
_OLDER: Final = (objects.c.dataset == bindparam("stream"), objects.c.period < bindparam("begin"))
_HAVE_OLDER: Final = Prepared(
    select(objects.c.symbol).where(*_CURRENT, *_OF_INSTRUMENTS, *_OLDER).group_by(objects.c.symbol)
)


def _last_before() -> CompoundSelect[Any]:
    before = (
        select(*_COLUMNS)
        .where(*_CURRENT, *_OF_VENUE, objects.c.symbol == bindparam("symbol"), *_OLDER)
        .order_by(objects.c.period.desc())
    )
    # By arrival time one of these ends last: what does not stray ends before that of three days later does.
    arrived = before.where(objects.c.first_local.is_not(None), text(f"NOT {STRAY.text}")).limit(3)
    return union_all(*(select(each.subquery()) for each in (before.limit(1), arrived)))


_LAST_BEFORE: Final = Prepared(_last_before())


def ticks_around(
    connection: Connection,
    exchange: str,
    symbols: Sequence[str],
    first: date,
    last: date,
    looked_back_on: Iterable[Stream] = (),
) -> dict[str, list[PlainRow]]:
    """Return the current ticks that hold anything of some days or of the 24 hours before one, on either clock.

    There may be others among them. Of some streams the latest before these days is among them too, however old it is,
    unless no stream has any ticks around the days.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbols: Atlas symbols of some instruments.
        first: First UTC day.
        last: Last UTC day.
        looked_back_on: Streams of which also that is wanted that ends last before the days.

    Returns:
        The ticks of each symbol that has any, by stream and then by day, as plain rows with the values of `TickFile`.
    """
    begin, end = _shifted(first, -_DAYS_BEFORE), _shifted(last, _DAYS_AFTER)
    asked = {"kind": ObjectKind.TICKS, "exchange": exchange, "begin": begin}
    of_instruments = {**asked, "symbols": [*symbols]}
    each: defaultdict[str, list[PlainRow]] = defaultdict(list)
    _add(each, _BETWEEN.rows(connection, {**of_instruments, "end": end}))
    stray = _STRAY.rows(connection, of_instruments)
    _add_others(each, (row[:-1] for row in stray if row[-1]))
    edge = day_start_us(first)
    for stream in looked_back_on if each else ():
        lacking = [symbol for symbol, files in each.items() if not _ended_before(edge, stream, files)]
        named = {**asked, "stream": stream}
        for (symbol,) in _HAVE_OLDER.rows(connection, {**named, "symbols": lacking}) if lacking else ():
            _add_others(each, _LAST_BEFORE.rows(connection, {**named, "symbol": symbol}))
    return {symbol: sorted(files, key=_STREAM_AND_DAY) for symbol, files in each.items()}


def _add(each: defaultdict[str, list[PlainRow]], rows: Iterable[PlainRow]) -> None:
    for row in rows:
        each[row[_SYMBOL]].append(row)


def _add_others(each: defaultdict[str, list[PlainRow]], rows: Iterable[PlainRow]) -> None:
    """Add those that are not there yet."""
    for row in rows:
        held = each[row[_SYMBOL]]
        if all(row[_PATH] != other[_PATH] for other in held):
            held.append(row)


def _ended_before(edge: int, stream: Stream, files: Iterable[PlainRow]) -> bool:
    """Whether one of the files around some days ends last of its stream before them, on either clock, whatever is older."""
    own = [TickFile._make(file) for file in files if file[_STREAM] == stream]
    is_last = any(file.last_exchange is not None and file.last_exchange < edge for file in own)
    # What is older and does not stray ended more than a day before.
    return is_last and any(file.last_local is not None and edge - DAY_US <= file.last_local < edge for file in own)


def _shifted(day: date, days: int) -> str:
    """Return the period of a day so many days later."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal())).isoformat()
