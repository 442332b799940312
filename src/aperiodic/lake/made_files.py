"""What was made of an instrument, as a plan has to know it: bars of days, and published files."""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import bindparam, select

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.prepared import Prepared
from aperiodic.lake.schema import objects

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy import ColumnElement, Connection

    from aperiodic.lake.prepared import PlainRow

__all__ = ["DayFile", "MadeFile", "days_made", "files_of_days", "months_made"]


class DayFile(NamedTuple):
    """Bars of a day, as they are compared with their ticks; the names are those of `ObjectKey` and `ObjectRecord`."""

    symbol: str
    dataset: str
    period: str
    path: str
    size: int
    fingerprint: str


class MadeFile(NamedTuple):
    """A current object, as a month is planned from it or compared with it; the names are those of `ObjectKey` and `ObjectRecord`."""

    dataset: str
    clock: str
    interval: str
    period: str
    path: str
    size: int
    sha256: str
    rows: int
    source: str
    fingerprint: str


def _columns(names: Sequence[str]) -> list[ColumnElement[Any]]:
    return [objects.c[name] for name in names]


_OF_VENUE: Final = (objects.c.is_current, *(objects.c[name] == bindparam(name) for name in ("kind", "exchange")))
_MADE: Final = select(*_columns(MadeFile._fields)).where(*_OF_VENUE, objects.c.symbol == bindparam("symbol"))
_OF_DAYS: Final = (
    # Said so that the index of current objects serves up to the period.
    objects.c.dataset.in_(bindparam("families", expanding=True)),
    objects.c.clock == "",
    objects.c.interval == "",
    objects.c.period.between(bindparam("first"), bindparam("last")),
)
_DAYS: Final = Prepared(
    select(*_columns(DayFile._fields)).where(
        *_OF_VENUE, objects.c.symbol.in_(bindparam("symbols", expanding=True)), *_OF_DAYS
    )
)
_FILES_OF_DAYS: Final = Prepared(_MADE.where(*_OF_DAYS))
_MONTHS: Final = Prepared(_MADE.where(objects.c.period.in_(bindparam("months", expanding=True))))
_ALL_MONTHS: Final = Prepared(_MADE)


def days_made(
    connection: Connection, exchange: str, symbols: Sequence[str], families: Sequence[str], first: date, last: date
) -> dict[str, list[PlainRow]]:
    """Return the current bars of days from `first` to `last` of each instrument that has any, in no order.

    They are plain rows with the values of `DayFile`: of what was made of a month only few are looked at closely.
    """
    asked = {"kind": ObjectKind.DAY_BARS, "exchange": exchange, "symbols": [*symbols], "families": [*families]}
    rows = _DAYS.rows(connection, {**asked, "first": first.isoformat(), "last": last.isoformat()})
    each: defaultdict[str, list[PlainRow]] = defaultdict(list)
    for row in rows:
        each[row[0]].append(row)
    return each


def files_of_days(
    connection: Connection, exchange: str, symbol: str, families: Sequence[str], first: date, last: date
) -> list[MadeFile]:
    """Return the current bars of an instrument's days from `first` to `last`, by family and then by day."""
    asked = {"kind": ObjectKind.DAY_BARS, "exchange": exchange, "symbol": symbol, "families": [*families]}
    rows = _FILES_OF_DAYS.rows(connection, {**asked, "first": first.isoformat(), "last": last.isoformat()})
    return sorted(map(MadeFile._make, rows), key=_FAMILY_AND_DAY)


_FAMILY_AND_DAY: Final = itemgetter(MadeFile._fields.index("dataset"), MadeFile._fields.index("period"))


def months_made(
    connection: Connection, exchange: str, symbol: str, months: Sequence[str] | None = None
) -> list[MadeFile]:
    """Return the current published files of an instrument, of some months or of all."""
    asked = {"kind": ObjectKind.BARS, "exchange": exchange, "symbol": symbol}
    if months is None:
        return [*map(MadeFile._make, _ALL_MONTHS.rows(connection, asked))]
    return [*map(MadeFile._make, _MONTHS.rows(connection, {**asked, "months": [*months]}))]
