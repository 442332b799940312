"""Forgetting revisions that gave way long ago, and the files that nothing else names.

Rows of published months and of the days that they are made from are forgotten; what was imported stays told. Revisions
that were current at any time after the moment of pruning stay, so that `as_of` is answered exactly from there on. The
last revision of what was withdrawn stays too, for the next one counts on from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, func, insert, literal, select, tuple_, update

from aperiodic.lake.errors import LakeError
from aperiodic.lake.layout import SUPERSEDED_KEPT, ObjectKey, ObjectKind
from aperiodic.lake.leases import Scope
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.objects import forget_rows
from aperiodic.lake.schema import objects, pruned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import ColumnElement, Connection, Engine

    from aperiodic.lake.lake import Lake

__all__ = ["Prunable", "Pruned", "count_prunable", "prune_history", "pruned_before"]

_KINDS: Final = (ObjectKind.BARS, ObjectKind.DAY_BARS)
_AT_ONCE: Final = 1_000
"""Rows of one transaction, and of one look."""
_KEY: Final = ("kind", "dataset", "exchange", "symbol", "clock", "interval", "period")


@dataclass(frozen=True, slots=True)
class Prunable:
    """What could be forgotten.

    Attributes:
        rows: Revisions.
        size: Bytes of those of them that have files of their own; files that others name too are counted here, but stay.
    """

    rows: int
    size: int


@dataclass(slots=True)
class Pruned:
    """What was forgotten.

    Attributes:
        rows: Revisions.
        files: Files deleted.
        size: Their bytes.
        busy: Series that others were writing, which were left alone.
    """

    rows: int = 0
    files: int = 0
    size: int = 0
    busy: list[str] = field(default_factory=list)


def pruned_before(connection: Connection) -> int:
    """Return the moment, µs, from which on the revisions of published months are known; 0 where all are."""
    found: int | None = connection.execute(
        select(pruned.c.before).where(pruned.c.kind == ObjectKind.BARS)
    ).scalar_one_or_none()
    return found or 0


def count_prunable(engine: Engine, moment: int) -> Prunable:
    """Return what gave way before a moment, µs; nothing is changed.

    Raises:
        SQLAlchemyError: The ledger does not answer.
    """
    rows = size = 0
    with engine.connect() as connection:
        for kind in _KINDS:
            found = select(func.count(), func.coalesce(func.sum(objects.c.size), 0)).where(*_gone(kind, moment))
            count, bytes_of_kind = connection.execute(found).one()
            rows += count
            size += int(bytes_of_kind) if kind in SUPERSEDED_KEPT else 0
    return Prunable(rows, size)


def prune_history(
    lake: Lake,
    moment: int,
    *,
    most: int | None = None,
    progress: Callable[[int], object] = lambda _rows: None,
) -> Pruned:
    """Forget what gave way before a moment, series by series, each under its lease.

    Files go first and rows after them, so that a run that was interrupted is finished by the next one.

    Args:
        lake: The installation.
        moment: µs; answers as of an earlier one are refused from now on.
        most: Stop after about so many revisions; None for all.
        progress: Called with the number of revisions forgotten so far.

    Raises:
        LakeError: The store failed, or a lease was lost.
        SQLAlchemyError: The ledger does not answer.
    """
    done = Pruned()
    _remember(lake.engine, moment)
    for kind in _KINDS:
        for exchange, symbol in _instruments(lake.engine, kind, moment):
            if most is not None and done.rows >= most:
                return done
            try:
                with lake.writing(Scope(exchange, symbol, "bars")):
                    while _prune_some(lake, kind, exchange, symbol, moment, done):
                        progress(done.rows)
            except LakeError as error:
                if error.code != "busy":
                    raise
                done.busy.append(f"{symbol} ({exchange})")
    return done


def _remember(engine: Engine, moment: int) -> None:
    """Let answers as of earlier moments be refused, before anything is gone."""
    with begin_write(engine) as connection:
        if pruned_before(connection) >= moment:
            return
        changed = connection.execute(update(pruned).where(pruned.c.kind == ObjectKind.BARS).values(before=moment))
        if not changed.rowcount:
            connection.execute(insert(pruned).values(kind=ObjectKind.BARS, before=moment))


def _instruments(engine: Engine, kind: ObjectKind, moment: int) -> Iterator[tuple[str, str]]:
    """Yield venue and symbol of what has revisions to forget, one look at a time."""
    last = ("", "")
    columns = objects.c.exchange, objects.c.symbol
    while True:
        after = tuple_(*columns) > tuple_(*map(literal, last))
        gone = (objects.c.kind == kind, objects.c.retired_at.is_not(None), objects.c.retired_at < moment)
        with engine.connect() as connection:
            row = connection.execute(select(*columns).where(*gone, after).order_by(*columns).limit(1)).first()
        if row is None:
            return
        last = (row.exchange, row.symbol)
        yield last


def _prune_some(lake: Lake, kind: ObjectKind, exchange: str, symbol: str, moment: int, done: Pruned) -> bool:
    """Forget some revisions of a series; return whether there were any."""
    with lake.engine.connect() as connection:
        query = select(objects).where(objects.c.exchange == exchange, objects.c.symbol == symbol, *_gone(kind, moment))
        rows = connection.execute(query.order_by(objects.c.retired_at).limit(_AT_ONCE)).all()
        if not rows:
            return False
        ids = [row.id for row in rows]
        keys = [ObjectKey(kind, *(getattr(row, name) for name in _KEY[1:])) for row in rows]
        files = {row.path: row.size for row in rows}
        others = select(objects.c.path).where(objects.c.path.in_(list(files)), objects.c.id.not_in(ids)).distinct()
        for path in connection.execute(others).scalars():
            del files[path]
    with begin_write(lake.engine) as connection:
        lake.require_leases(connection, keys)
    # Files of other kinds were deleted when they gave way.
    for path, size in files.items() if kind in SUPERSEDED_KEPT else ():
        lake.store.delete(path)
        done.files += 1
        done.size += size
    with begin_write(lake.engine) as connection:
        lake.require_leases(connection, keys)
        forget_rows(connection, ids)
    done.rows += len(ids)
    return True


def _gone(kind: ObjectKind, moment: int) -> tuple[ColumnElement[bool], ...]:
    """Return what revisions to forget have in common: they gave way before a moment, and a later one is there."""
    later = objects.alias("later")
    follows = select(later.c.id).where(
        and_(*(later.c[name] == objects.c[name] for name in _KEY)), later.c.id > objects.c.id
    )
    return objects.c.kind == kind, objects.c.retired_at.is_not(None), objects.c.retired_at < moment, follows.exists()
