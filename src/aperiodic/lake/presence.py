"""Whether the store that is there is the one that is meant: it has a mark, a small object with an id.

A network mount that drops leaves an empty folder, and a mistyped address leads to another store. Whoever writes looks at
the mark first: in a folder each time, which takes microseconds, in a bucket once a minute.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, NotSupportedError

from aperiodic.lake.durability import sync_to_disk
from aperiodic.lake.errors import LakeError, reason_of
from aperiodic.lake.store_errors import unavailable, write_failed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aperiodic.lake.buckets import Bucket

__all__ = ["MARK", "Presence", "gone", "is_mark", "of_another"]

MARK: Final = "aperiodic-store.json"
"""Path of the mark."""

_FORMAT: Final = 1
_ABOUT: Final = "The object store of an aperiodic installation knows itself by this file. Do not remove it."
_ID: Final = re.compile(r"[0-9a-f]{32}")
_MOST_BYTES: Final = 4_096
_ASKED_EVERY_S: Final = 60.0
_TAKE: Final = "If this is the store that is meant: aperiodic ledger take-store"


class Presence:
    """Looks for the mark of a store, and writes it."""

    def __init__(
        self,
        folder: Path | None,
        bucket: Callable[[], Bucket],
        *,
        is_lasting: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            folder: Folder of the store; None for a bucket.
            bucket: Gives the bucket.
            is_lasting: Whether the store outlives this process; one that does not needs no mark.
            clock: Tells when to ask a bucket again, s.
        """
        self.is_lasting = is_lasting
        self._folder = folder
        self._bucket = bucket
        self._clock = clock
        self._expected: str | None = None
        self._seen: tuple[int, ...] | None = None
        self._looked = -float("inf")

    @property
    def place(self) -> str:
        """The place in words."""
        return "the bucket" if self._folder is None else f"the folder {self._folder}"

    def expect(self, store_id: str) -> None:
        """Take no other store than that of this id from now on.

        Where nothing is expected, what has a mark at the first look is to keep it, and nothing is asked of a bucket.
        """
        self._expected, self._seen, self._looked = store_id, None, -float("inf")

    def require(self) -> None:
        """Make sure that the store is there, and the one that is expected.

        Raises:
            LakeError: `store_gone`, `store_of_another`, `store_unavailable`, `store_newer` or `store_mark_damaged`.
        """
        if not self.is_lasting:
            return
        if self._folder is None:
            self._require_bucket()
        else:
            self._require_folder(self._folder)

    def read(self) -> str | None:
        """Return the id in the mark; None where there is no mark.

        Raises:
            LakeError: `store_unavailable`, `store_newer`, or `store_mark_damaged` when it is no mark.
        """
        try:
            if self._folder is not None:
                with (self._folder / MARK).open("rb") as file:
                    data = file.read(_MOST_BYTES)
            else:
                data = obstore.get_range(self._bucket().probes, MARK, start=0, length=_MOST_BYTES).to_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except IsADirectoryError:
            data = b""
        except (BaseError, OSError) as error:
            raise unavailable(MARK, error) from error
        return _decode(data)

    def write(self, store_id: str, *, replace: bool = False) -> None:
        """Write the mark, on the disk when this returns; one that is there stays unless it is to be replaced.

        Raises:
            LakeError: `store_write_failed`.
        """
        data = _encode(store_id)
        try:
            if self._folder is None:
                self._put(data, replace=replace)
            else:
                _write_file(self._folder, data, replace=replace)
        except (BaseError, OSError) as error:
            raise write_failed(MARK, reason_of(error)) from error

    def _require_folder(self, folder: Path) -> None:
        try:
            found = os.stat(f"{folder}/{MARK}")  # noqa: PTH116 - it is done at every write
        except (FileNotFoundError, NotADirectoryError) as error:
            if self._expected is None and folder.is_dir():
                return
            raise self._gone() from error
        except OSError as error:
            raise unavailable(MARK, error) from error
        seen = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            self._compare(self.read())
            self._seen = seen

    def _require_bucket(self) -> None:
        if self._expected is None or self._clock() - self._looked < _ASKED_EVERY_S:
            return
        self._compare(self.read())
        self._looked = self._clock()

    def _compare(self, found: str | None) -> None:
        if found is None:
            raise self._gone()
        if self._expected is None:
            self._expected = found
        elif found != self._expected:
            raise of_another()

    def _gone(self) -> LakeError:
        return gone(self.place, f"no mark of this installation ({MARK})")

    def _put(self, data: bytes, *, replace: bool) -> None:
        writes = self._bucket().writes
        if not replace:
            try:
                obstore.put(writes, MARK, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return
            except (GenericError, NotSupportedError):  # some buckets know no conditional writes
                if self.read() is not None:
                    return
            else:
                return
        obstore.put(writes, MARK, data, use_multipart=False)


def is_mark(path: str) -> bool:
    """Whether what lies at a path is the mark, or left over from writing it."""
    return path.startswith(MARK)


def gone(where: str, held: str) -> LakeError:
    """Return the error for a place that does not hold what shows that it is the store."""
    return LakeError(
        f"The object store is away: {where} holds {held}.",
        code="store_gone",
        hint=f"Mount it again, or check APERIODIC_STORE; until then nothing is written. {_TAKE}",
        path=MARK,
    )


def of_another() -> LakeError:
    """Return the error for a store with another mark than the ledger names."""
    return LakeError(
        "The object store is that of another installation: the ledger names another one.",
        code="store_of_another",
        hint=f"Check APERIODIC_STORE, APERIODIC_HOME and APERIODIC_LEDGER; nothing was written. {_TAKE}",
        path=MARK,
    )


def _encode(store_id: str) -> bytes:
    return json.dumps({"about": _ABOUT, "format": _FORMAT, "store": store_id}, indent=1).encode() + b"\n"


def _decode(data: bytes) -> str:
    try:
        found: Any = json.loads(data)
    except ValueError:
        found = None
    if isinstance(found, dict):
        if isinstance(written := found.get("format"), int) and written > _FORMAT:
            raise LakeError(
                "The object store was marked by a newer version of aperiodic.",
                code="store_newer",
                hint="Run the version that wrote it, or a newer one.",
                path=MARK,
            )
        if isinstance(store_id := found.get("store"), str) and _ID.fullmatch(store_id):
            return store_id
    raise LakeError(
        f"The mark of the object store ({MARK}) is damaged.",
        code="store_mark_damaged",
        hint=f"Put it back from a copy of the store. {_TAKE}",
        path=MARK,
    )


def _write_file(folder: Path, data: bytes, *, replace: bool) -> None:
    partial = folder / f"{MARK}.{secrets.token_hex(8)}.part"
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            partial.replace(folder / MARK)
        else:
            _place(partial, folder / MARK)
    finally:
        partial.unlink(missing_ok=True)
    sync_to_disk(folder)


def _place(partial: Path, mark: Path) -> None:
    try:
        mark.hardlink_to(partial)
    except FileExistsError:
        return
    except OSError:  # there are no links on this file system
        if not mark.exists():
            partial.rename(mark)
