"""Files that are added to a store whole and never replaced, by a task that can be cancelled while it waits."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, NotSupportedError

from aperiodic.lake.durability import sync_to_disk
from aperiodic.lake.errors import reason_of
from aperiodic.lake.store_errors import differs, unavailable, write_failed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from aperiodic.lake.buckets import Bucket
    from aperiodic.lake.presence import Presence

__all__ = ["AddedFiles", "Found"]

_CHUNK: Final = 1 << 20
_PART: Final = 5 << 20  # the least that S3 takes as a part of an object
_PARTS: Final = 2
"""So many parts are on their way at once: what others write to the store meanwhile is to have room."""
_WHOLE: Final = 16 << 20


class Found(NamedTuple):
    """An object that is there.

    Attributes:
        size: Bytes.
        modified: When it was written, by the store's clock, µs.
    """

    size: int
    modified: int


class AddedFiles:
    """Adds files to a store, and looks at what is there; at most some MiB are in memory."""

    def __init__(self, bucket: Bucket, folder: Path | None, presence: Presence) -> None:
        """Take the bucket, the folder where it is one of this host, and what knows whether it is there."""
        self._bucket = bucket
        self._folder = folder
        self._presence = presence

    def is_same(self, path: str, file: Path) -> bool:
        """Whether an object of a folder is that very file."""
        if self._folder is None:
            return False
        with suppress(OSError):
            return (self._folder / path).samefile(file)
        return False

    async def add(self, path: str, source: Path, *, sha256: str) -> None:
        """Add a file as an object, read it back and compare; one that is there with the same content is left as it is.

        Killed or cancelled at any moment, it leaves the whole object or none.

        Args:
            path: Where.
            source: The file.
            sha256: Digest of its content.

        Raises:
            LakeError: `object_differs` when there is an object with other content; `store_write_failed` when the store
                refuses, cannot be reached, or the bytes read back differ; `store_gone` and others of `Presence.require`.
        """
        await self._require_store()
        try:
            is_new = await self._add(path, source)
            written = await self._digest(path)
            if is_new and written != sha256:
                await obstore.delete_async(self._bucket.writes, path)
        except (BaseError, OSError) as error:
            raise write_failed(path, reason_of(error)) from error
        await self._require_store()  # what was written may lie beside a mount that came back meanwhile
        if written == sha256:
            return
        if is_new:
            raise write_failed(path, "the bytes read back differ")
        raise differs(path, "object")

    async def find(self, path: str) -> Found | None:
        """Return what is known of an object; None where there is none.

        Raises:
            LakeError: `store_unavailable`; `store_gone` and others of `Presence.require`.
        """
        try:
            head = await obstore.head_async(self._bucket.reads, path)
        except FileNotFoundError:
            await self._require_store()
            return None
        except (BaseError, OSError) as error:
            raise unavailable(path, error) from error
        return Found(head["size"], round(head["last_modified"].timestamp() * 1_000_000))

    async def read(self, path: str) -> bytes | None:
        """Return a small object whole; None where there is none.

        Raises:
            LakeError: `store_unavailable`; `store_gone` and others of `Presence.require`.
        """
        try:
            found = await obstore.get_async(self._bucket.reads, path)
            return (await found.bytes_async()).to_bytes()
        except FileNotFoundError:
            await self._require_store()
            return None
        except (BaseError, OSError) as error:
            raise unavailable(path, error) from error

    async def pieces(self, path: str, start: int) -> AsyncGenerator[bytes, None]:
        """Yield an object from offset `start` to its end, a MiB or so at a time.

        Raises:
            FileNotFoundError: There is none.
            LakeError: `store_unavailable`.
        """
        try:
            found = await obstore.get_async(self._bucket.reads, path, options={"range": {"offset": start}})
            async for piece in found.stream(min_chunk_size=_CHUNK):
                yield bytes(piece)
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            raise unavailable(path, error) from error

    async def _require_store(self) -> None:
        await asyncio.to_thread(self._presence.require)

    async def _add(self, path: str, source: Path) -> bool:
        """Return whether there was no object."""
        if self._folder is not None:
            return await _copy(source, self._folder, path)
        writes = self._bucket.writes
        if await self.find(path) is not None:
            return False
        if (await asyncio.to_thread(source.stat)).st_size > _WHOLE:
            await obstore.put_async(writes, path, source, use_multipart=True, chunk_size=_PART, max_concurrency=_PARTS)
            return True
        data = await asyncio.to_thread(source.read_bytes)
        try:
            await obstore.put_async(writes, path, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        except (GenericError, NotSupportedError):  # some buckets know no conditional writes
            await obstore.put_async(writes, path, data, use_multipart=False)
        return True

    async def _digest(self, path: str) -> str:
        digest = hashlib.sha256()
        found = await obstore.get_async(self._bucket.reads, path)
        async for piece in found.stream(min_chunk_size=_CHUNK):
            digest.update(piece)
        return digest.hexdigest()


async def _copy(source: Path, folder: Path, path: str) -> bool:
    """Copy a file into a folder unless there is one of that name; return whether there was none."""
    target = folder / path
    if target.exists():
        return False
    made = [each for each in target.parents if not each.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    try:
        with source.open("rb") as file, partial.open("wb") as copy:
            while piece := file.read(_CHUNK):
                copy.write(piece)
                await asyncio.sleep(0)  # here it may be cancelled
            copy.flush()
            os.fsync(copy.fileno())
        try:
            os.link(partial, target)
        except FileExistsError:
            return False
        except OSError:  # there are no links on this file system
            partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    for each in (target.parent, *(parent.parent for parent in made)):
        sync_to_disk(each)
    return True
