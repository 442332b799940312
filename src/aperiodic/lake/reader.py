"""Reading the inputs of a task: each object is fetched and compared with its digest once, and read as often as needed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from aperiodic.lake.errors import LakeError
from aperiodic.lake.layout import ObjectKind
from aperiodic.market import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from aperiodic.lake.store import Store

__all__ = ["ObjectReader"]

_BOOKS: Final = f"{ObjectKind.TICKS}/{Stream.BOOK}/"
_DEPTH: Final = "depth"
"""Column that book ticks lack which were written before it was one; it is null there then."""


class ObjectReader:
    """Parquet objects of a store for as long as a `with` block lasts.

    Objects of a bucket are copied to a folder for temporary files, so that none of them need fit into memory.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._files: dict[str, Path] = {}
        self._stack = ExitStack()
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the copies.

        Raises:
            LakeError: `object_missing` when an object was removed while it was being read.
        """
        self._stack.close()
        if isinstance(error, FileNotFoundError):
            raise LakeError(
                "An object was replaced while it was being read.", code="object_missing", hint="Run the command again."
            ) from error

    def scan(self, path: str) -> pl.LazyFrame:
        """Return a lazy frame over an object, so that only what a query needs is read.

        Raises:
            LakeError: `object_missing`, `object_damaged` or `store_unavailable`.
        """
        frame = pl.scan_parquet(self._file(path), glob=False, hive_partitioning=False)
        if path.startswith(_BOOKS) and _DEPTH not in frame.collect_schema():
            return frame.with_columns(pl.lit(None, dtype=pl.Int64()).alias(_DEPTH))
        return frame

    def read(self, path: str, columns: Sequence[str]) -> pl.DataFrame:
        """Return some columns of an object; raises as `scan` does."""
        if path.startswith(_BOOKS):
            return self.scan(path).select(columns).collect()
        return pl.read_parquet(self._file(path), columns=list(columns), glob=False, hive_partitioning=False)

    def _file(self, path: str) -> Path:
        if path not in self._files:
            if self._folder is None:
                self._folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="aperiodic-read-")))
            self._files[path] = self._store.local_file(path, self._folder)
        return self._files[path]
