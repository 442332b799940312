"""What the ledger says of what is published: months of bars, and days of ticks as raw data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, select

from aperiodic.completeness.judgement import Completeness, Judgement
from aperiodic.lake import ObjectKind
from aperiodic.lake.objects import Series, current_symbols, periods_written_since
from aperiodic.lake.prepared import Prepared
from aperiodic.lake.schema import objects
from aperiodic.market import Clock
from aperiodic.market.errors import nearest
from aperiodic.market.time import month_days
from aperiodic.server.error_codes import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from aperiodic.lake import ObjectRecord
    from aperiodic.market import Exchange, InvalidInputError, Stream, Symbol

__all__ = ["PublishedFile", "find_file", "judge_days", "judge_months", "published_symbols", "symbol_problem"]

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


_HOLDS: Final = Prepared(
    select(objects.c.id)
    .where(
        objects.c.is_current,
        objects.c.kind == bindparam("kind"),
        objects.c.exchange == bindparam("exchange"),
        objects.c.symbol == bindparam("symbol"),
    )
    .limit(1)
)
_SOON: Final = "If it is being collected, its first bars come a minute or two after the start: ask again then."
_OPEN: Final = (
    "Its day is open and its ticks arrive, but no minute of it has been published yet: the first bars come a minute or "
    "two after the start. Ask again then."
)
_AT_PATH: Final = (
    select(objects)
    .where(
        objects.c.path == bindparam("path"),
        objects.c.kind.in_([ObjectKind.BARS, ObjectKind.TICKS, ObjectKind.OPEN_BARS]),
    )
    .limit(1)
)


def published_symbols(connection: Connection, exchange: Exchange, kind: ObjectKind = ObjectKind.BARS) -> list[str]:
    """Return the symbols of an exchange that have bars, or another kind of object, sorted.

    Those of days that are not over are bars too.
    """
    found = current_symbols(connection, kind, exchange)
    if kind is ObjectKind.BARS:
        found |= current_symbols(connection, ObjectKind.OPEN_BARS, exchange)
    return sorted(found)


def symbol_problem(
    connection: Connection, exchange: Exchange, symbol: Symbol, kind: ObjectKind = ObjectKind.BARS
) -> InvalidInputError | None:
    """Return the error for a symbol of which an exchange has no bars, or no ticks, naming the nearest; else None."""
    wanted = {"kind": kind, "exchange": exchange, "symbol": str(symbol)}
    kinds = (kind, ObjectKind.OPEN_BARS) if kind is ObjectKind.BARS else (kind,)
    if any(_HOLDS.rows(connection, wanted | {"kind": each}) for each in kinds):
        return None
    if kind is ObjectKind.BARS and _HOLDS.rows(connection, wanted | {"kind": ObjectKind.TICK_PARTS}):
        return ErrorCode.UNKNOWN_SYMBOL.problem(symbol=symbol, exchange=exchange, where=_OPEN)
    symbols = published_symbols(connection, exchange, kind)
    guess = nearest(str(symbol), symbols)
    listed = ", ".join(symbols[:_SHOWN]) + (", …" if len(symbols) > _SHOWN else "")
    place = f"/api/v1/metadata/symbols?exchange={exchange}" if kind is ObjectKind.BARS else "/api/v1/metadata/raw"
    if guess is not None:
        hint = f"Did you mean {guess!r}? All are at {place}."
    elif symbols:
        hint = f"There is data of {listed}; all are at {place}."
    else:
        hint = f"Nothing of {exchange} has been published yet. {_SOON if kind is ObjectKind.BARS else ''}".rstrip()
    return ErrorCode.UNKNOWN_SYMBOL.problem(symbol=symbol, exchange=exchange, where=hint)


def judge_months(
    connection: Connection,
    exchange: Exchange,
    symbol: str,
    streams: Sequence[Stream],
    records: Sequence[ObjectRecord],
    days: tuple[date, date],
) -> dict[str, Completeness]:
    """Judge the days asked for of published months by the ticks that are held; see `completeness.judgement`.

    What is missing is what is known now. A superseded month whose ticks were changed after it was made is not complete,
    and days whose first ticks came after it are missing from it.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbol: Atlas symbol.
        streams: Tick streams behind the bars, the driving one first.
        records: The months, ascending.
        days: The first and the last UTC day asked for.

    Returns:
        The judgement of each month, by its period.
    """
    if not records:
        return {}
    asked = {record.key.period: _asked_of(record.key.period, *days) for record in records}
    first, last = asked[records[0].key.period][0], asked[records[-1].key.period][1]
    # A day of an archive tells no arrival times, so there are no bars of it on the clock that runs by them.
    judgement = Judgement(connection, exchange, [symbol], streams, first, last, Clock(records[0].key.clock))
    judged = {month: judgement.verdict(symbol, streams, *bounds) for month, bounds in asked.items()}
    superseded = [record for record in records if record.retired_at is not None]
    if not superseded:
        return judged
    since = min(record.created_at for record in superseded)
    bounds = first.isoformat(), last.isoformat()
    driving, *joined = (
        periods_written_since(connection, Series(ObjectKind.TICKS, stream, exchange, symbol), *bounds, since)
        for stream in streams
    )
    for record in superseded:
        month, made = record.key.period, record.created_at
        begin, end = (day.isoformat() for day in asked[month])
        later = {day: times for day, times in driving.items() if begin <= day <= end and times[1] > made}
        changed = any(begin <= day <= end and times[1] > made for found in joined for day, times in found.items())
        new = {date.fromisoformat(day) for day, (earliest, _) in later.items() if earliest > made}
        now = judged[month]
        judged[month] = Completeness(
            complete=now.complete and not later and not changed,
            days_missing=tuple(sorted({*now.days_missing, *new})),
            gaps=now.gaps,
        )
    return judged


def judge_days(
    connection: Connection,
    exchange: Exchange,
    symbol: str,
    streams: Sequence[Stream],
    records: Sequence[ObjectRecord],
    clock: Clock,
) -> dict[str, Completeness]:
    """Judge days that are published by themselves, because they are not over.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbol: Atlas symbol.
        streams: Tick streams behind the bars, the driving one first.
        records: The days, ascending.
        clock: Clock of the bars.

    Returns:
        The judgement of each day, by its period.
    """
    if not records:
        return {}
    days = [date.fromisoformat(record.key.period) for record in records]
    judgement = Judgement(connection, exchange, [symbol], streams, days[0], days[-1], clock)
    return {day.isoformat(): judgement.verdict(symbol, streams, day, day) for day in days}


def _asked_of(month: str, first: date, last: date) -> tuple[date, date]:
    begin, end = month_days(month)
    return max(begin, first), min(end, last)


def find_file(connection: Connection, path: str) -> PublishedFile | None:
    """Return the bars or ticks at a path of the store, current or superseded, or None."""
    row = connection.execute(_AT_PATH, {"path": path}).mappings().first()
    if row is None:
        return None
    parts = (row[name] for name in ("dataset", "exchange", "symbol", "interval", "clock", "period"))
    name = _UNSAFE.sub("_", "-".join(part for part in parts if part))
    return PublishedFile(path=path, size=row["size"], sha256=row["sha256"], name=f"{name}.parquet")
