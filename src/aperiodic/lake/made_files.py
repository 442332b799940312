"""What was made of an instrument, as a plan has to know it: bars of days, and published files."""

from __future__ import annotations

from collections import defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import bindparam, select

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.schema import objects

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy import Connection

__all__ = ["MadeFile", "days_made", "months_made"]


class MadeFile(NamedTuple):
    """A current object; the names are those of `ObjectKey` and `ObjectRecord`.

    A plan reads hundreds of thousands of them, so this is what a row of the ledger is turned into fastest.
    """

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
    symbol: str


_COLUMNS: Final = tuple(objects.c[name] for name in MadeFile._fields)
_OF_VENUE: Final = (objects.c.is_current, *(objects.c[name] == bindparam(name) for name in ("kind", "exchange")))
_MADE: Final = select(*_COLUMNS).where(*_OF_VENUE, objects.c.symbol == bindparam("symbol"))
_DAYS: Final = select(*_COLUMNS).where(
    *_OF_VENUE,
    objects.c.symbol.in_(bindparam("symbols", expanding=True)),
    # Said so that the index of current objects serves up to the period.
    objects.c.dataset.in_(bindparam("families", expanding=True)),
    objects.c.clock == "",
    objects.c.interval == "",
    objects.c.period.between(bindparam("first"), bindparam("last")),
)
_MONTHS: Final = _MADE.where(objects.c.period.in_(bindparam("months", expanding=True)))


def days_made(
    connection: Connection, exchange: str, symbols: Sequence[str], families: Sequence[str], first: date, last: date
) -> dict[str, list[MadeFile]]:
    """Return the current bars of days from `first` to `last`, by family and then by day, of each instrument that has any."""
    asked = {"kind": ObjectKind.DAY_BARS, "exchange": exchange, "symbols": symbols, "families": families}
    each: defaultdict[str, list[MadeFile]] = defaultdict(list)
    rows = connection.execute(_DAYS, {**asked, "first": first.isoformat(), "last": last.isoformat()}).all()
    for file in map(MadeFile._make, rows):
        each[file.symbol].append(file)
    return {symbol: sorted(files, key=attrgetter("dataset", "period")) for symbol, files in each.items()}


def months_made(
    connection: Connection, exchange: str, symbol: str, months: Sequence[str] | None = None
) -> list[MadeFile]:
    """Return the current published files of an instrument, of some months or of all."""
    asked = {"kind": ObjectKind.BARS, "exchange": exchange, "symbol": symbol}
    query, named = (_MADE, {}) if months is None else (_MONTHS, {"months": months})
    return [*map(MadeFile._make, connection.execute(query, {**asked, **named}).all())]
