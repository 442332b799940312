"""How objects are written to the store; workers do so too, which know nothing of the ledger."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from aperiodic.lake.layout import ObjectKey, ObjectKind
from aperiodic.market import Clock

if TYPE_CHECKING:
    import polars as pl

    from aperiodic.lake.store import Store, StoredObject
    from aperiodic.market import Source

__all__ = ["PARQUET_OPTIONS", "NewObject", "parquet_bytes", "put_object", "put_object_file"]

_PIECE: Final = 1 << 20

PARQUET_OPTIONS: Final[dict[str, Any]] = {
    "compression": "zstd",
    "compression_level": 3,
    "statistics": True,
    "row_group_size": 131_072,
}
"""How every Parquet object is written; changing it changes the bytes of all that is written afterwards."""


def parquet_bytes(frame: pl.DataFrame, *, rows_of_a_group: int = PARQUET_OPTIONS["row_group_size"]) -> bytes:
    """Return a frame as Parquet: the same frame always gives the same bytes.

    Args:
        frame: What to write.
        rows_of_a_group: What a reader decodes together; the statistics of a group tell whether it needs to.
    """
    buffer = BytesIO()
    frame.write_parquet(buffer, **{**PARQUET_OPTIONS, "row_group_size": rows_of_a_group})
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class NewObject:
    """What a writer says of an object besides its content; see `ObjectRecord`.

    `first_reason` is the reason of a first revision, where that is another one.
    """

    key: ObjectKey
    rows: int
    source: Source
    fingerprint: str
    reason: str
    first_exchange: int | None = None
    last_exchange: int | None = None
    first_local: int | None = None
    last_local: int | None = None
    first_reason: str | None = None

    @classmethod
    def of_ticks(cls, key: ObjectKey, ticks: pl.DataFrame, source: Source, fingerprint: str, reason: str) -> Self:
        """Describe ticks, with the first and last of their times on both clocks."""
        bounds = [
            getattr(ticks[clock.column].to_physical(), bound)() if ticks.height else None
            for clock in Clock
            for bound in ("min", "max")
        ]
        return cls(key, ticks.height, source, fingerprint, reason, *bounds)


def put_object(store: Store, key: ObjectKey, data: bytes) -> StoredObject:
    """Write the content of `key` to the store under its content's path; the ledger does not know of it yet."""
    digest = hashlib.sha256(data).hexdigest()
    return store.put(key.path(digest), data, sha256=digest, lasting=key.kind is not ObjectKind.OPEN_BARS)


def put_object_file(store: Store, key: ObjectKey, file: BinaryIO) -> StoredObject:
    """Do as `put_object` does with what a file holds, for objects that need not fit into memory."""
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_PIECE):
        digest.update(piece)
    sha256 = digest.hexdigest()
    return store.put_file(key.path(sha256), file, sha256=sha256)
