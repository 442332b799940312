"""What the ledger says of what is published: months of bars, and days of ticks as raw data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, func, select

from aperiodic.completeness.months import Completeness, month_completeness
from aperiodic.lake import ObjectKind
from aperiodic.lake.objects import Series, periods_written_since
from aperiodic.lake.schema import objects
from aperiodic.market.errors import nearest
from aperiodic.server.error_codes import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from aperiodic.lake import ObjectRecord
    from aperiodic.market import Exchange, InvalidInputError, Stream, Symbol

__all__ = ["PublishedFile", "find_file", "judge_months", "published_symbols", "symbol_problem"]

_SHOWN: Final = 5
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A published month or day as a download.

    Attributes:
        path: Where it lies in the store.
        size: Bytes.
        sha256: Hex digest of the content.
        name: File name to save it under: plain ASCII, says what it holds.
    """

    path: str
    size: int
    sha256: str
    name: str


_HOLDS: Final = (
    select(objects.c.id)
    .where(
        objects.c.is_current,
        objects.c.kind == bindparam("kind"),
        objects.c.exchange == bindparam("exchange"),
        objects.c.symbol == bindparam("symbol"),
    )
    .limit(1)
)
_AT_PATH: Final = (
    select(objects)
    .where(objects.c.path == bindparam("path"), objects.c.kind.in_([ObjectKind.BARS, ObjectKind.TICKS]))
    .limit(1)
)


def published_symbols(connection: Connection, exchange: Exchange, kind: ObjectKind = ObjectKind.BARS) -> list[str]:
    """Return the symbols of an exchange that have bars, or another kind of object, sorted.

    Leaps through the index from one symbol to the next, since a symbol has thousands of objects.
    """
    of_exchange = select(func.min(objects.c.symbol)).where(
        objects.c.is_current, objects.c.kind == kind, objects.c.exchange == exchange
    )
    leap = select(of_exchange.scalar_subquery().label("symbol")).cte("leap", recursive=True)
    following = of_exchange.where(objects.c.symbol > leap.c.symbol).scalar_subquery()
    leap = leap.union_all(select(following).where(leap.c.symbol.is_not(None)))
    found = connection.execute(select(leap.c.symbol).where(leap.c.symbol.is_not(None))).scalars()
    return sorted(found)


def symbol_problem(
    connection: Connection, exchange: Exchange, symbol: Symbol, kind: ObjectKind = ObjectKind.BARS
) -> InvalidInputError | None:
    """Return the error for a symbol of which an exchange has no bars, or no ticks, naming the nearest; else None."""
    wanted = {"kind": kind, "exchange": exchange, "symbol": str(symbol)}
    if connection.execute(_HOLDS, wanted).first() is not None:
        return None
    symbols = published_symbols(connection, exchange, kind)
    guess = nearest(str(symbol), symbols)
    listed = ", ".join(symbols[:_SHOWN]) + (", …" if len(symbols) > _SHOWN else "")
    place = f"/api/v1/metadata/symbols?exchange={exchange}" if kind is ObjectKind.BARS else "/api/v1/metadata/raw"
    if guess is not None:
        hint = f"Did you mean {guess!r}? All are at {place}."
    elif symbols:
        hint = f"There is data of {listed}; all are at {place}."
    else:
        hint = f"Nothing of {exchange} has been published yet."
    return ErrorCode.UNKNOWN_SYMBOL.problem(symbol=symbol, exchange=exchange, where=hint)


def judge_months(
    connection: Connection, exchange: Exchange, symbol: str, stream: Stream, records: Sequence[ObjectRecord]
) -> dict[str, Completeness]:
    """Judge published months by the ticks that are held; see `lake.completeness`.

    Gaps are those known now. A superseded month whose ticks were changed after it was made is not complete, and days
    whose first ticks came after it are missing from it.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbol: Atlas symbol.
        stream: Tick stream behind the bars.
        records: The months, ascending.

    Returns:
        The judgement of each month, by its period.
    """
    judged = month_completeness(connection, exchange, symbol, stream, [record.key.period for record in records])
    superseded = [record for record in records if record.retired_at is not None]
    if not superseded:
        return judged
    series = Series(ObjectKind.TICKS, stream, exchange, symbol)
    first, last = (f"{superseded[end].key.period}-{day}" for end, day in ((0, "01"), (-1, "31")))
    since = min(record.created_at for record in superseded)
    changed = periods_written_since(connection, series, first, last, since)
    for record in superseded:
        month, made = record.key.period, record.created_at
        later = {day: times for day, times in changed.items() if day.startswith(month) and times[1] > made}
        new = {date.fromisoformat(day) for day, (earliest, _) in later.items() if earliest > made}
        now = judged[month]
        judged[month] = Completeness(
            complete=now.complete and not later,
            days_missing=tuple(sorted({*now.days_missing, *new})),
            gaps=now.gaps,
        )
    return judged


def find_file(connection: Connection, path: str) -> PublishedFile | None:
    """Return the bars or ticks at a path of the store, current or superseded, or None."""
    row = connection.execute(_AT_PATH, {"path": path}).mappings().first()
    if row is None:
        return None
    parts = (row[name] for name in ("dataset", "exchange", "symbol", "interval", "clock", "period"))
    name = _UNSAFE.sub("_", "-".join(part for part in parts if part))
    return PublishedFile(path=path, size=row["size"], sha256=row["sha256"], name=f"{name}.parquet")
