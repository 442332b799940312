"""Comparing the store with the ledger: is everything there that the ledger promises?"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from aperiodic.lake.errors import LakeError
from aperiodic.lake.schema import objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine, Row

    from aperiodic.lake.store import Store

__all__ = ["StoreReport", "verify_store"]

_ROWS: Final = 5_000


@dataclass(slots=True)
class StoreReport:
    """What was found.

    Attributes:
        checked: Current objects of the ledger.
        missing: Paths of current objects that the store does not have.
        damaged: Paths of current objects with another size or content than the ledger says.
        unknown: Paths that no revision in the ledger has: left-overs of interrupted writes, or what a build is just
            writing. They do no harm.
    """

    checked: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether every current object is there as the ledger says."""
        return not self.missing and not self.damaged


def verify_store(
    store: Store, engine: Engine, *, deep: bool = False, progress: Callable[[str, int, int], None] | None = None
) -> StoreReport:
    """Compare what the store holds with the current objects of the ledger, while both are in use.

    Args:
        store: The store.
        engine: The ledger, opened by `open_ledger`.
        deep: Whether to read every object and compare its SHA-256, not only its size.
        progress: Called with a step, how many objects are done, and how many there are.

    Raises:
        LakeError: `store_unavailable`.
    """
    report = StoreReport()
    with engine.connect() as connection:
        # What is made while this runs has a higher id, and is left to the next time.
        highest, report.checked = connection.execute(
            select(func.coalesce(func.max(objects.c.id), 0), func.count()).where(objects.c.is_current)
        ).one()
    seen = bytearray(highest + 1)  # by id: a set of paths would not fit into memory in a large lake
    done = 0
    with asyncio.Runner() as runner:
        for batch in store.sizes():
            rows = _rows_of(engine, list(batch))
            for path, size in batch.items():
                revisions = rows.get(path, [])
                if not revisions:
                    report.unknown.append(path)
                for row in revisions:
                    if not row.is_current or row.id > highest:
                        continue
                    seen[row.id] = True
                    done += 1
                    if row.size != size or (deep and runner.run(_digest(store, path, size)) != row.sha256):
                        report.damaged.append(path)
            if progress is not None:
                progress("objects", done, report.checked)
    report.missing = list(_unseen(engine, seen))
    for paths in (report.damaged, report.unknown):
        paths.sort()
    return report


def _rows_of(engine: Engine, paths: list[str]) -> dict[str, list[Row[Any, Any, Any, Any, Any]]]:
    """Return the revisions that lie at these paths."""
    columns = (objects.c.id, objects.c.path, objects.c.size, objects.c.sha256, objects.c.is_current)
    found: dict[str, list[Row[Any, Any, Any, Any, Any]]] = {}
    with engine.connect() as connection:
        for row in connection.execute(select(*columns).where(objects.c.path.in_(paths))):
            found.setdefault(row.path, []).append(row)
    return found


def _unseen(engine: Engine, seen: bytearray) -> Iterator[str]:
    """Yield the paths of current objects that were not seen in the store, in the order of their making."""
    query = select(objects.c.id, objects.c.path).where(objects.c.is_current, objects.c.id < len(seen))
    with engine.connect() as connection:
        for row in connection.execute(query.order_by(objects.c.id), execution_options={"yield_per": _ROWS}):
            if not seen[row.id]:
                yield row.path


async def _digest(store: Store, path: str, size: int) -> str:
    """Return the SHA-256 of an object as the store gives it now; empty when it cannot be read whole."""
    digest = hashlib.sha256()
    try:
        async for piece in store.stream(path, 0, size):
            digest.update(piece)
    except LakeError as error:
        if error.code not in ("object_missing", "object_damaged"):
            raise
        return ""
    return digest.hexdigest()
