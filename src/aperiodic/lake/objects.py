"""Rows of the ledger about objects, and how a new revision takes the place of the old."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, bindparam, delete, func, insert, or_, select, update

from aperiodic.lake.layout import ObjectKey, ObjectKind
from aperiodic.lake.prepared import Prepared
from aperiodic.lake.schema import OF_PARTS, objects
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row, Select

__all__ = [
    "ObjectRecord",
    "Series",
    "current_instruments",
    "current_objects",
    "current_symbols",
    "find_object",
    "find_object_at",
    "first_ticks",
    "forget_rows",
    "has_objects",
    "last_part",
    "last_row",
    "latest_revision",
    "newest_made",
    "objects_after",
    "objects_between",
    "part_counts",
    "parts_joined",
    "periods_written_since",
    "read_periods",
    "record_of",
    "replace_object",
    "retire_object",
    "superseded_before",
    "ticks_received",
    "was_appended",
]

_KEY: Final = ("kind", "dataset", "exchange", "symbol", "clock", "interval", "period")
_DATA: Final = (
    *("path", "revision", "size", "sha256", "rows", "first_exchange", "last_exchange", "first_local", "last_local"),
    *("source", "fingerprint", "reason", "created_at", "retired_at"),
)
_KEY_OF: Final = itemgetter(*(objects.c.keys().index(name) for name in _KEY))
_DATA_OF: Final = itemgetter(*(objects.c.keys().index(name) for name in _DATA))
"""Values of a row by their place, in the order of the fields: plans and lists read hundreds of thousands of rows."""


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One revision of an object.

    Attributes:
        key: What it is.
        path: Where it lies in the store.
        revision: 1 for the first, counting up.
        size: Bytes.
        sha256: Hex digest of the content.
        rows: Number of rows.
        first_exchange: Earliest exchange time, µs; for published bars the first bar's start.
        last_exchange: Latest exchange time, µs; for published bars the last bar's start.
        first_local: Earliest arrival time of ticks, µs; None for those of an archive, and for other kinds.
        last_local: Latest arrival time of ticks, µs; None likewise.
        source: Where the ticks came from (`recording`, `tardis`, `archive`, `simulated`).
        fingerprint: Digest of everything the content was computed from; equal means up to date.
        reason: Why this revision was made.
        created_at: When, µs.
        retired_at: Since when it is not the current revision any more, µs; None while it is.
    """

    key: ObjectKey
    path: str
    revision: int
    size: int
    sha256: str
    rows: int
    first_exchange: int | None
    last_exchange: int | None
    first_local: int | None
    last_local: int | None
    source: str
    fingerprint: str
    reason: str
    created_at: int
    retired_at: int | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Objects that differ in nothing but their period; see `ObjectKey`."""

    kind: ObjectKind
    dataset: str
    exchange: str
    symbol: str
    clock: str = ""
    interval: str = ""


_OF_SERIES: Final = and_(*(objects.c[name] == bindparam(name) for name in Series.__slots__))
_OF_KEY: Final = and_(*(objects.c[name] == bindparam(f"key_{name}") for name in _KEY))
_FIND: Final = select(objects).where(objects.c.is_current, _OF_KEY)
_LATEST: Final = select(func.max(objects.c.revision)).where(_OF_KEY)
_RETIRE: Final = (
    update(objects).where(objects.c.is_current, _OF_KEY).values(is_current=False, retired_at=bindparam("moment"))
)
_WITHIN: Final = objects.c.period.between(bindparam("first"), bindparam("last"))
_OF_DAY: Final = and_(
    OF_PARTS, *(objects.c[name] == bindparam(f"key_{name}") for name in ("dataset", "exchange", "symbol")), _WITHIN
)
_LAST_PART: Final = select(objects.c.period).where(_OF_DAY).order_by(objects.c.period.desc()).limit(1)
_DAY_OF_PART: Final = func.substr(objects.c.period, 1, len("2026-01-31"))
_PARTS_OF: Final = (objects.c.exchange, objects.c.symbol, objects.c.dataset, _DAY_OF_PART)
_PART_COUNTS: Final = (
    select(*_PARTS_OF, func.count())
    .where(objects.c.is_current, objects.c.kind == ObjectKind.TICK_PARTS)
    .group_by(*_PARTS_OF)
)
# Nothing but the digest is asked for: with the day SQLite would go through all parts of the day.
_WITH_DIGEST: Final = select(objects.c.dataset, objects.c.exchange, objects.c.symbol, objects.c.period).where(
    OF_PARTS, objects.c.sha256 == bindparam("sha256")
)
_CURRENT: Final = Prepared(select(objects).where(objects.c.is_current, _OF_SERIES, _WITHIN).order_by(objects.c.period))
# Without an order: PostgreSQL would read all of an instrument in the order of the index for it.
_BETWEEN: Final = select(objects).where(
    objects.c.is_current,
    *(objects.c[name] == bindparam(name) for name in ("kind", "exchange", "symbol")),
    objects.c.dataset.in_(bindparam("datasets", expanding=True)),
    # Said so that the index of current objects serves up to the period.
    objects.c.clock == "",
    objects.c.interval == "",
    _WITHIN,
)
_AS_OF: Final = (
    select(objects)
    .where(
        _OF_SERIES,
        # The history is indexed by period before dataset, so naming each period is much faster than a range of them.
        objects.c.period.in_(bindparam("periods", expanding=True)),
        objects.c.created_at <= bindparam("moment"),
        or_(objects.c.retired_at.is_(None), objects.c.retired_at > bindparam("moment")),
    )
    .order_by(objects.c.period)
)


def _leap() -> Select[Any]:
    of_exchange = select(func.min(objects.c.symbol)).where(
        objects.c.is_current, objects.c.kind == bindparam("kind"), objects.c.exchange == bindparam("exchange")
    )
    leap = select(of_exchange.where(objects.c.symbol > "").scalar_subquery().label("symbol")).cte(
        "leap", recursive=True
    )
    following = of_exchange.where(objects.c.symbol > leap.c.symbol).scalar_subquery()
    leap = leap.union_all(select(following).where(leap.c.symbol.is_not(None)))
    return select(leap.c.symbol).where(leap.c.symbol.is_not(None))


_SYMBOLS: Final = _leap()
_HOLDS: Final = (
    select(objects.c.id)
    .where(objects.c.is_current, *(objects.c[name] == bindparam(name) for name in ("kind", "exchange", "symbol")))
    .limit(1)
)
_FIRST_OF_SERIES: Final = (
    select(objects)
    .where(
        objects.c.is_current,
        *(objects.c[name] == bindparam(name) for name in ("kind", "exchange", "symbol", "dataset")),
        objects.c.clock == "",
        objects.c.interval == "",
    )
    .order_by(objects.c.period)
    .limit(1)
)
_WRITTEN_SINCE: Final = (
    select(
        objects.c.period,
        func.min(objects.c.created_at).label("earliest"),
        func.max(objects.c.created_at).label("latest"),
    )
    .where(_OF_SERIES, _WITHIN)
    .group_by(objects.c.period)
    .having(func.max(objects.c.created_at) > bindparam("moment"))
    .order_by(objects.c.period)
)
# Made once, for they are what every request for data asks.


def read_periods(
    connection: Connection, series: Series, periods: Sequence[str], as_of: int | None = None
) -> list[ObjectRecord]:
    """Return the objects of a series, one a period at most, ascending.

    Args:
        connection: Open connection to the ledger.
        series: Which objects.
        periods: Periods without a hole, ascending, at least one.
        as_of: Moment, µs, whose then current revisions are wanted, superseded or not; None: those of now.
    """
    named = {name: getattr(series, name) for name in Series.__slots__}
    if as_of is None:
        rows = _CURRENT.rows(connection, {**named, "first": periods[0], "last": periods[-1]})
        return [record_of(row) for row in rows]
    return [record_of(row) for row in connection.execute(_AS_OF, {**named, "periods": periods, "moment": as_of})]


def periods_written_since(
    connection: Connection, series: Series, first: str, last: str, moment: int
) -> dict[str, tuple[int, int]]:
    """Return the periods from `first` to `last` of which a revision was made after `moment` (µs).

    Returns:
        For each, ascending, when its earliest and its latest revision were made, µs.
    """
    named = {name: getattr(series, name) for name in Series.__slots__}
    rows = connection.execute(_WRITTEN_SINCE, {**named, "first": first, "last": last, "moment": moment})
    return {row.period: (row.earliest, row.latest) for row in rows}


def newest_made(connection: Connection) -> int | None:
    """Return when the last object was entered, µs; None without any."""
    made: int | None = connection.execute(select(objects.c.created_at).order_by(objects.c.id.desc()).limit(1)).scalar()
    return made


def has_objects(connection: Connection) -> bool:
    """Whether there is a row about any object."""
    return connection.execute(select(objects.c.id).limit(1)).first() is not None


def find_object(connection: Connection, key: ObjectKey) -> ObjectRecord | None:
    """Return the current revision, or None."""
    row = connection.execute(_FIND, _named(key)).one_or_none()
    return None if row is None else record_of(row)


def find_object_at(connection: Connection, path: str) -> ObjectRecord | None:
    """Return the current object that lies at a path of the store, or None."""
    row = connection.execute(select(objects).where(objects.c.is_current, objects.c.path == path)).first()
    return None if row is None else record_of(row)


def current_objects(
    connection: Connection, kind: ObjectKind, **filters: str | Sequence[str] | None
) -> list[ObjectRecord]:
    """Return the current objects of a kind, ordered by key.

    Args:
        connection: Open connection to the ledger.
        kind: Kind of object.
        **filters: Key columns to match, each by one value or any of several; None matches all.
    """
    query = select(objects).where(objects.c.is_current, objects.c.kind == kind)
    for name, wanted in filters.items():
        if wanted is None:
            continue
        column = objects.c[name]
        query = query.where(column == wanted if isinstance(wanted, str) else column.in_(list(wanted)))
    rows = connection.execute(query.order_by(*(objects.c[name] for name in _KEY)))
    return [record_of(row) for row in rows]


def objects_between(
    connection: Connection, kind: ObjectKind, exchange: str, symbol: str, datasets: Sequence[str], first: str, last: str
) -> list[ObjectRecord]:
    """Return the current objects of an instrument that have neither clock nor interval, of some periods, ordered by key.

    However long its history is, only the rows of these periods are read.

    Args:
        connection: Open connection to the ledger.
        kind: Ticks or bars of days.
        exchange: Venue.
        symbol: Atlas symbol.
        datasets: Streams or families.
        first: First period.
        last: Last period.
    """
    asked = {"kind": kind, "exchange": exchange, "symbol": symbol, "datasets": list(datasets)}
    found = [record_of(row) for row in connection.execute(_BETWEEN, {**asked, "first": first, "last": last})]
    return sorted(found, key=lambda record: (record.key.dataset, record.key.period))


def ticks_received(
    connection: Connection, kind: ObjectKind, exchange: str, datasets: Sequence[str], first: int, last: int
) -> list[ObjectRecord]:
    """Return the current ticks of some streams of an exchange that may have arrived between two times (µs)."""
    query = select(objects).where(
        objects.c.is_current,
        objects.c.kind == kind,
        objects.c.exchange == exchange,
        objects.c.dataset.in_(list(datasets)),
        objects.c.first_local <= last,
        objects.c.last_local >= first,
    )
    return [record_of(row) for row in connection.execute(query.order_by(*(objects.c[name] for name in _KEY)))]


def current_symbols(connection: Connection, kind: ObjectKind, exchange: str) -> set[str]:
    """Return the symbols of an exchange that have current objects of a kind.

    Leaps through the index from one symbol to the next, since a symbol has thousands of objects.
    """
    return set(connection.execute(_SYMBOLS, {"kind": kind, "exchange": exchange}).scalars())


def current_instruments(connection: Connection, exchange: str | None, symbol: str | None) -> set[tuple[str, str]]:
    """Return exchange and symbol of current objects that belong to one; None matches all."""
    found: set[tuple[str, str]] = set()
    for venue in Exchange if exchange is None else [exchange]:
        for kind in ObjectKind:
            if symbol is None:
                found |= {(str(venue), each) for each in current_symbols(connection, kind, venue)}
            elif connection.execute(_HOLDS, {"kind": kind, "exchange": venue, "symbol": symbol}).first() is not None:
                found.add((str(venue), symbol))
    return found


def last_part(connection: Connection, key: ObjectKey) -> int:
    """Return the number of the last part that was ever appended to the day of a part, 0 without any."""
    day = key.period[: -len("-000000")]
    period = connection.execute(_LAST_PART, {**_named(key), "first": f"{day}-", "last": f"{day}-~"}).scalar()
    return 0 if period is None else int(period[len(day) + 1 :])


def part_counts(connection: Connection) -> dict[tuple[str, str, str, str], int]:
    """Return how many current parts each day has, by exchange, symbol, stream and day."""
    return {tuple(key): count for *key, count in connection.execute(_PART_COUNTS)}


def was_appended(connection: Connection, key: ObjectKey, sha256: str) -> bool:
    """Whether a part with this content was ever appended to the day of a part."""
    day = key.period[: -len("-000000")]
    series = (key.dataset, key.exchange, key.symbol)
    rows = connection.execute(_WITH_DIGEST, {"sha256": sha256})
    return any((*own,) == series and period.startswith(f"{day}-") for *own, period in rows)


def parts_joined(connection: Connection, part: ObjectRecord, joined: str) -> list[ObjectRecord]:
    """Return the parts of a day that gave way to one that they were joined into, in the order in which they were appended.

    Args:
        connection: Open connection to the ledger.
        part: The part that they were joined into.
        joined: The reason of such parts.
    """
    day = part.key.period[: -len("-000000")]
    of_day = {**_named(part.key), "first": f"{day}-", "last": part.key.period}
    rows = connection.execute(select(objects).where(_OF_DAY).order_by(objects.c.period), of_day)
    earlier = [record for row in rows if (record := record_of(row)).key.period != part.key.period]
    since = max((each.created_at for each in earlier if each.reason == joined), default=0)
    return [each for each in earlier if each.retired_at is not None and since < each.retired_at <= part.created_at]


def latest_revision(connection: Connection, key: ObjectKey) -> int:
    """Return the highest revision number there has been, 0 if none."""
    highest: int | None = connection.execute(_LATEST, _named(key)).scalar_one()
    return highest or 0


def first_ticks(connection: Connection, exchange: str, symbol: str, stream: str) -> list[ObjectRecord]:
    """Return the first of the current ticks of a series, and the first that are in parts."""
    asked = {"exchange": exchange, "symbol": symbol, "dataset": stream}
    found = (
        connection.execute(_FIRST_OF_SERIES, {**asked, "kind": kind}).first()
        for kind in (ObjectKind.TICKS, ObjectKind.TICK_PARTS)
    )
    return [record_of(row) for row in found if row is not None]


def objects_after(connection: Connection, kinds: Sequence[ObjectKind], row: int) -> tuple[list[ObjectRecord], int]:
    """Return the objects of some kinds that were entered after a row, in that order, and the last row.

    Those that have given way to others meanwhile are among them.
    """
    query = select(objects).where(objects.c.id > row, objects.c.kind.in_(list(kinds))).order_by(objects.c.id)
    rows = connection.execute(query).all()
    return [record_of(each) for each in rows], max((each.id for each in rows), default=row)


def last_row(connection: Connection) -> int:
    """Return the number of the last row about an object, 0 without any."""
    return connection.execute(select(func.max(objects.c.id))).scalar_one() or 0


def superseded_before(connection: Connection, kind: ObjectKind, moment: int, most: int) -> dict[int, str]:
    """Return row and path of objects of a kind that gave way before a moment (µs), the first `most` of them."""
    query = select(objects.c.id, objects.c.path).where(
        objects.c.kind == kind, objects.c.is_current.is_(False), objects.c.retired_at < moment
    )
    return {row.id: row.path for row in connection.execute(query.order_by(objects.c.id).limit(most))}


def forget_rows(connection: Connection, rows: Sequence[int]) -> None:
    """Forget objects that are gone, by their rows."""
    connection.execute(delete(objects).where(objects.c.id.in_(rows)))


def replace_object(connection: Connection, record: ObjectRecord) -> None:
    """Make `record` the current revision of its key."""
    retire_object(connection, record.key, record.created_at)
    key: dict[str, Any] = {name: getattr(record.key, name) for name in _KEY}
    data: dict[str, Any] = {name: getattr(record, name) for name in _DATA}
    connection.execute(insert(objects), {**key, **data, "is_current": True})


def retire_object(connection: Connection, key: ObjectKey, now: int) -> None:
    """Let a key have no current revision from `now` (µs) on; its history stays."""
    connection.execute(_RETIRE, {**_named(key), "moment": now})


def _named(key: ObjectKey) -> dict[str, str]:
    return {f"key_{name}": getattr(key, name) for name in _KEY}


def record_of(row: Row[Any] | tuple[Any, ...]) -> ObjectRecord:
    """Return what a row of all columns of the table says."""
    kind, *names = _KEY_OF(row)
    return ObjectRecord(ObjectKey(ObjectKind(kind), *names), *_DATA_OF(row))
