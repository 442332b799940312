"""Comparing the store with the ledger: is everything there that the ledger promises?"""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import distinct, func, or_, select

from aperiodic.lake.errors import LakeError
from aperiodic.lake.layout import SUPERSEDED_KEPT, is_of_recording
from aperiodic.lake.recordings import is_sidecar
from aperiodic.lake.schema import objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sqlalchemy import Engine, Row

    from aperiodic.lake.store import Store

__all__ = ["StoreReport", "not_whole", "verify_store"]

_ROWS: Final = 5_000
_ASKED: Final = 500
_LISTS_AT_ONCE: Final = 16
_KEPT: Final = or_(objects.c.is_current, objects.c.kind.in_(SUPERSEDED_KEPT))
"""Objects that the store should have."""


@dataclass(slots=True)
class StoreReport:
    """What was found.

    Attributes:
        checked: Objects that the store should have: the current ones, and superseded ones that are kept.
        missing: Paths of those that the store does not have.
        damaged: Paths of those with another size or content than the ledger says.
        unknown: Paths that no revision in the ledger has: left-overs of interrupted writes, or what a build is just
            writing. They do no harm.
        recordings: Recordings in the store; the ledger does not know them, and nothing is said of them here.
    """

    checked: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    recordings: int = 0

    @property
    def sound(self) -> bool:
        """Whether every object is there as the ledger says."""
        return not self.missing and not self.damaged


def verify_store(
    store: Store, engine: Engine, *, deep: bool = False, progress: Callable[[str, int, int], None] | None = None
) -> StoreReport:
    """Compare what the store holds with the objects of the ledger, while both are in use.

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
        highest = connection.execute(select(func.coalesce(func.max(objects.c.id), 0))).scalar_one()
        report.checked = connection.execute(
            select(func.count(distinct(objects.c.path))).where(_KEPT, objects.c.id <= highest)
        ).scalar_one()
    seen = bytearray(highest + 1)  # by id: a set of paths would not fit into memory in a large lake
    done = 0
    with asyncio.Runner() as runner:
        for batch in store.sizes():
            rows = _rows_of(engine, list(batch))
            for path, size in batch.items():
                # Revisions of one content lie at one path.
                revisions = rows.get(path, [])
                for row in revisions:
                    if row.id <= highest:
                        seen[row.id] = True
                if not revisions and is_of_recording(path):
                    report.recordings += not is_sidecar(PurePath(path))
                    continue
                if not revisions:
                    report.unknown.append(path)
                    continue
                done += 1
                row = revisions[0]
                if row.size != size or (deep and runner.run(_digest(store, path, size)) != row.sha256):
                    report.damaged.append(path)
            if progress is not None:
                progress("objects", min(done, report.checked), report.checked)
    # What was replaced and removed meanwhile is neither.
    report.missing = _should_be_there(engine, _unseen(engine, seen))
    report.damaged = _should_be_there(engine, report.damaged)
    report.unknown.sort()
    return report


def not_whole(store: Store, wanted: Mapping[str, int]) -> set[str]:
    """Return the paths of those objects that the store does not have, or has in another size.

    Nothing is read of them: files of a folder are asked for their size, and of a bucket the series are listed.

    Args:
        store: The store.
        wanted: The bytes that each should have, by path.

    Raises:
        LakeError: `store_unavailable`.
    """
    held = store.sizes_in_folder(wanted)
    if held is None:
        held = {}
        prefixes = sorted({_folder_of_series(path) for path in wanted})
        with ThreadPoolExecutor(min(_LISTS_AT_ONCE, len(prefixes) or 1)) as threads:
            for sizes in threads.map(partial(_sizes_below, store), prefixes):
                held |= {path: size for path, size in sizes.items() if path in wanted}
    return set() if held == wanted else {path for path, size in wanted.items() if held.get(path) != size}


def _sizes_below(store: Store, prefix: str) -> dict[str, int]:
    return {path: size for batch in store.sizes(prefix) for path, size in batch.items()}


def _folder_of_series(path: str) -> str:
    parts = path.split("/")
    end = next((place for place, part in enumerate(parts, 1) if part.startswith("symbol=")), 1)
    return "/".join(parts[:end])


def _rows_of(engine: Engine, paths: list[str]) -> dict[str, list[Row[Any, Any, Any, Any]]]:
    """Return the revisions that lie at these paths."""
    columns = (objects.c.id, objects.c.path, objects.c.size, objects.c.sha256)
    found: dict[str, list[Row[Any, Any, Any, Any]]] = {}
    with engine.connect() as connection:
        for row in connection.execute(select(*columns).where(objects.c.path.in_(paths))):
            found.setdefault(row.path, []).append(row)
    return found


def _unseen(engine: Engine, seen: bytearray) -> Iterator[str]:
    """Yield the paths of objects that were not seen in the store and should be there."""
    query = select(objects.c.id, objects.c.path).where(_KEPT, objects.c.id < len(seen))
    with engine.connect() as connection:
        for row in connection.execute(query.order_by(objects.c.id), execution_options={"yield_per": _ROWS}):
            if not seen[row.id]:
                yield row.path


def _should_be_there(engine: Engine, paths: Iterable[str]) -> list[str]:
    ordered = sorted(set(paths))
    query = select(objects.c.path).where(_KEPT).distinct()
    found: list[str] = []
    with engine.connect() as connection:
        for begin in range(0, len(ordered), _ASKED):
            some = ordered[begin : begin + _ASKED]
            found += connection.execute(query.where(objects.c.path.in_(some))).scalars()
    return sorted(found)


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
