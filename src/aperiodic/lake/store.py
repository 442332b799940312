"""The object store behind all paths: a folder, or a bucket by URL."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from anyio.to_thread import run_sync
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, NotSupportedError
from obstore.store import LocalStore

from aperiodic.lake.added_files import AddedFiles
from aperiodic.lake.buckets import Bucket, open_bucket
from aperiodic.lake.durability import sync_to_disk
from aperiodic.lake.errors import LakeError, reason_of
from aperiodic.lake.layout import is_content_of, is_of_recording
from aperiodic.lake.plain_files import open_plain
from aperiodic.lake.presence import Presence, gone, is_mark
from aperiodic.lake.store_errors import damaged, missing, unavailable, write_failed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence

    import polars as pl

__all__ = ["Store", "StoredObject"]

_CHUNK: Final = 1 << 20
_LISTED: Final = 500
_PART: Final = 5 << 20  # the least that S3 takes as a part of an object
_PARTS: Final = 4
_MOST_CHECKED: Final = 50_000
_WHOLE: Final = 16 << 20  # what is larger goes to a bucket in parts


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a write put in place.

    Attributes:
        path: Path in the store.
        size: Bytes.
        sha256: Hex digest of the content.
    """

    path: str
    size: int
    sha256: str


class Store:
    """Objects by path. Writing is write-once: an object appears whole or not at all and is never changed.

    The folder of a store is never made on the way: where it is missing, the store is away.

    Attributes:
        url: Where it is.
        presence: Whether it is there, and the one that is meant.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._folder = Path(url2pathname(parts.path)) if parts.scheme == "file" else None
        self._lasting: set[Path] = set()
        self._conditions = True
        self._checked: dict[str, tuple[object, ...]] = {}
        self._opened = open_bucket(url) if self._folder is None else None
        self.presence = Presence(self._folder, lambda: self._bucket, is_lasting=parts.scheme != "memory")

    @property
    def _bucket(self) -> Bucket:
        if self._opened is None:
            self._opened = _open_folder(self._folder, self.presence)
        return self._opened

    @property
    def is_there(self) -> bool:
        """Whether the folder is there; of a bucket, only asking it can tell."""
        return self._folder is None or self._folder.is_dir()

    def make(self) -> None:
        """Make the folder of a store that is new.

        Raises:
            LakeError: `store_unavailable`.
        """
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(error) from error

    @property
    def signs(self) -> bool:
        """Whether the store answers links by itself, so that `sign` can be used."""
        return self._bucket.signer is not None

    def sign(self, path: str, lifetime_s: int, base_url: str | None = None) -> str:
        """Return a link to an object that the store itself answers, without a key, for `lifetime_s`.

        Nothing is asked of the store: a link to an object that is not there can be made too. The link answers GET with
        and without a range; S3 signs the method, so HEAD is refused.

        Args:
            path: Path in the store.
            lifetime_s: Seconds from now; S3 takes at most a week.
            base_url: Scheme and host that the link begins with, default the store's public endpoint. The host is part
                of the signature, so whatever stands there must hand the request on to the bucket with its `Host`. Only
                S3-compatible buckets can have it; links of others always begin with the provider's address.

        Raises:
            LakeError: `store_unavailable` when there are no credentials to sign with.
        """
        try:
            return self._bucket.sign(path, lifetime_s, base_url)
        except (BaseError, OSError) as error:
            raise unavailable(path, error) from error

    @property
    def added(self) -> AddedFiles:
        """Whole files that are added and never replaced."""
        return AddedFiles(self._bucket, self._folder, self.presence)

    def put(self, path: str, data: bytes, *, sha256: str | None = None, lasting: bool = True) -> StoredObject:
        """Write `data` at `path`, read it back and compare; a folder is synced to disk before this returns.

        Writing the same content again is no error. Left-overs of an interrupted write with other content are replaced.

        Args:
            path: Where.
            data: What.
            sha256: Its digest, if that is known.
            lasting: Whether it has to be there after a power cut; what is made anew at each start need not be synced.

        Raises:
            LakeError: `store_write_failed` when the store refuses or the bytes read back differ; `store_gone` and others
                of `Presence.require`.
        """
        digest = sha256 or hashlib.sha256(data).hexdigest()
        if len(data) > _WHOLE and self._folder is None:
            return self.put_file(path, BytesIO(data), sha256=digest)
        self.presence.require()
        try:
            if not self._create(path, data) and self._digest(path) != digest:
                obstore.put(self._bucket.writes, path, data, use_multipart=False)
            if lasting:
                self._sync(path)
            written = self._digest(path)
        except (BaseError, OSError) as error:
            raise write_failed(path, reason_of(error)) from error
        self.presence.require()  # what was written may lie beside a mount that came back meanwhile
        if written != digest:
            raise write_failed(path, "the bytes read back differ")
        return StoredObject(path, len(data), digest)

    def put_file(self, path: str, file: BinaryIO, *, sha256: str) -> StoredObject:
        """Do as `put` does with what a file holds from its start, a piece at a time.

        Raises:
            LakeError: `store_write_failed` when the store refuses or the bytes read back differ, `store_unavailable`
                when it does not answer whether the object is there.
        """
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self.presence.require()
        try:
            if not (self.exists(path) and self._digest(path) == sha256):
                obstore.put(
                    self._bucket.writes, path, file, use_multipart=True, chunk_size=_PART, max_concurrency=_PARTS
                )
            self._sync(path)
            written = self._digest(path)
        except (BaseError, OSError) as error:
            raise write_failed(path, reason_of(error)) from error
        self.presence.require()
        if written != sha256:
            raise write_failed(path, "the bytes read back differ")
        return StoredObject(path, size, sha256)

    def read(self, path: str) -> bytes:
        """Return a whole object, compared with the digest in its path.

        Raises:
            LakeError: `object_missing`, `object_damaged` or `store_unavailable`.
        """
        try:
            data = obstore.get(self._bucket.reads, path).bytes().to_bytes()
        except FileNotFoundError as error:
            raise self._absent(path) from error
        except (BaseError, OSError) as error:
            raise unavailable(path, error) from error
        _require_content(path, hashlib.sha256(data).hexdigest())
        return data

    def local_file(self, path: str, folder: Path) -> Path:
        """Return a file on this host that holds an object, compared with the digest in its path; see `check`.

        Args:
            path: Path in the store.
            folder: Where a copy is made of an object that lies in a bucket; it is read from there once, a piece at a
                time.

        Raises:
            LakeError: `object_missing`, `object_damaged` or `store_unavailable`.
        """
        if self._folder is not None:
            file = _inside(self._folder, path)
            self.check(path)
            return file
        try:
            file = folder / hashlib.sha256(path.encode()).hexdigest()
            with file.open("wb") as copy:
                digest = self._digest(path, copy.write)
        except FileNotFoundError as error:
            raise self._absent(path) from error
        except (BaseError, OSError) as error:
            raise unavailable(path, error) from error
        _require_content(path, digest)
        return file

    def check(self, path: str) -> None:
        """Make sure that an object is what was written; it is read once, and again only after it was touched.

        Raises:
            LakeError: `object_missing`, `object_damaged` or `store_unavailable`.
        """
        try:
            if self._folder is not None:
                with open_plain(self._folder, path.lstrip("/")) as file:
                    found = os.fstat(file.fileno())
                    mark: tuple[object, ...] = (found.st_size, found.st_mtime_ns, found.st_ino)
                    if self._checked.get(path) == mark:
                        return
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            else:
                head = obstore.head(self._bucket.reads, path)
                mark = (head["size"], head["last_modified"], head.get("e_tag"))
                if self._checked.get(path) == mark:
                    return
                digest = self._digest(path)
        except FileNotFoundError as error:
            raise self._absent(path) from error
        except (BaseError, OSError) as error:
            raise unavailable(path, error) from error
        _require_content(path, digest)
        if len(self._checked) >= _MOST_CHECKED:
            self._checked.clear()
        self._checked[path] = mark

    def size(self, path: str) -> int:
        """Return how many bytes an object has, asking the store.

        Raises:
            LakeError: `object_missing` (in a folder also for a symbolic link), or `store_unavailable`.
        """
        try:
            if self._folder is not None:
                with open_plain(self._folder, path.lstrip("/")) as file:
                    return os.fstat(file.fileno()).st_size
            return int(obstore.head(self._bucket.reads, path)["size"])
        except FileNotFoundError as error:
            raise self._absent(path) from error
        except (BaseError, OSError) as error:
            raise unavailable(path, error) from error

    async def stream(self, path: str, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Yield `length` bytes of an object from offset `start`, in pieces of a bounded size.

        In a folder no symbolic link is followed.

        Raises:
            LakeError: `object_missing`, `object_damaged` when it ends before, or `store_unavailable`.
        """
        pieces = (
            self._pieces_of_bucket(path, start, length)
            if self._folder is None
            else _pieces_of_file(self._folder, path, start, length)
        )
        received = 0
        try:
            async for piece in pieces:
                received += len(piece)
                yield piece
        except FileNotFoundError as error:
            raise self._absent(path) from error
        except (BaseError, OSError) as error:
            raise unavailable(path, error) from error
        if received != length:
            raise damaged(path, f"it ends after {start + received} bytes")

    async def _pieces_of_bucket(self, path: str, start: int, length: int) -> AsyncIterator[bytes]:
        for offset in range(start, start + length, _CHUNK):
            size = min(_CHUNK, start + length - offset)
            piece = await obstore.get_range_async(self._bucket.reads, path, start=offset, length=size)
            yield piece.to_bytes()

    def read_parquet(self, path: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return a Parquet object as a frame, or only some of its columns, compared with the digest in its path.

        Raises:
            LakeError: `object_missing`, `object_damaged` or `store_unavailable`.
        """
        import polars as pl  # noqa: PLC0415 - most of what a store does needs none of it

        wanted = None if columns is None else list(columns)
        source: Path | BytesIO
        if self._folder is None:
            source = BytesIO(self.read(path))
        else:
            source = _inside(self._folder, path)
            self.check(path)
        try:
            return pl.read_parquet(source, columns=wanted, glob=False, hive_partitioning=False)
        except FileNotFoundError as error:
            raise self._absent(path) from error
        except pl.exceptions.PolarsError as error:
            raise damaged(path, "it cannot be decoded") from error

    def exists(self, path: str) -> bool:
        """Whether an object is there."""
        try:
            obstore.head(self._bucket.probes, path)
        except FileNotFoundError as error:
            absent = self._absent(path)
            if absent.code != "object_missing":
                raise absent from error
            return False
        except (BaseError, OSError) as error:
            raise unavailable(path, error) from error
        return True

    def delete(self, path: str) -> None:
        """Remove an object; one that is not there is no error.

        Raises:
            LakeError: `store_unavailable`; `store_gone` and others of `Presence.require`.
        """
        self.presence.require()
        try:
            obstore.delete(self._bucket.writes, path)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise unavailable(path, error) from error

    def paths(self, prefix: str = "") -> list[str]:
        """All paths below a prefix, sorted.

        Raises:
            LakeError: `store_unavailable`; `store_gone` and others of `Presence.require`.
        """
        return sorted(path for batch in self.sizes(prefix) for path in batch)

    def sizes(self, prefix: str = "") -> Iterator[dict[str, int]]:
        """Yield all objects below a prefix in any order, some hundred at a time: bytes by path.

        Raises:
            LakeError: `store_unavailable`; `store_gone` and others of `Presence.require`.
        """
        self.presence.require()
        try:
            for batch in obstore.list(self._bucket.reads, prefix=prefix or None, chunk_size=_LISTED):
                yield {item["path"]: item["size"] for item in batch if not is_mark(item["path"])}
        except (BaseError, OSError) as error:
            raise unavailable(prefix or "a list of objects", error) from error
        self.presence.require()  # a folder without its mount has nothing in it

    def holds_objects(self) -> bool:
        """Whether anything is there that a ledger knew: recordings, which it does not know, do not count.

        Raises:
            LakeError: `store_unavailable`.
        """
        return any(not is_of_recording(path) for batch in self.sizes() for path in batch)

    def sizes_in_folder(self, paths: Iterable[str]) -> dict[str, int] | None:
        """Return the bytes of those objects that are there, by path; None where the store is no folder of this host.

        To ask for thousands of files by name takes a tenth of the time of listing their folders.

        Raises:
            LakeError: `store_unavailable`.
        """
        if self._folder is None:
            return None
        sizes = {}
        folder = f"{self._folder}/"
        try:
            for path in paths:
                try:
                    found = os.stat(folder + path)  # noqa: PTH116 - to make a path takes longer than to ask
                except (FileNotFoundError, NotADirectoryError):
                    continue
                if stat.S_ISREG(found.st_mode):
                    sizes[path] = found.st_size
        except OSError as error:
            raise unavailable("a list of objects", error) from error
        self.presence.require()  # all are missing where the folder itself is away
        return sizes

    def _absent(self, path: str) -> LakeError:
        """Return the error for an object that is not there: it is lost, or the whole store is away."""
        try:
            self.presence.require()
        except LakeError as error:
            return error
        return missing(path)

    def _create(self, path: str, data: bytes) -> bool:
        """Write an object that is not there yet; return whether it was not."""
        if self._conditions:
            try:
                obstore.put(self._bucket.writes, path, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            except (GenericError, NotSupportedError):
                if self._folder is not None:
                    raise
            else:
                return True
        # Some buckets know no conditional writes. Paths hold the digest of the content, so at worst it is written again.
        obstore.put(self._bucket.writes, path, data, use_multipart=False)
        self._conditions = False
        return True

    def _digest(self, path: str, write: Callable[[bytes], object] | None = None) -> str:
        """Return the SHA-256 of an object as the store gives it now, handing its pieces to `write`."""
        if self._folder is not None and write is None:
            with _inside(self._folder, path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        for piece in obstore.get(self._bucket.reads, path).stream(min_chunk_size=_CHUNK):
            digest.update(piece)
            if write is not None:
                write(piece)
        return digest.hexdigest()

    def _sync(self, path: str) -> None:
        if self._folder is None:
            return
        file = _inside(self._folder, path)
        # A new folder is only there after a power cut when the folder that holds it was synced too.
        folders = [file.parent]
        while folders[-1] != self._folder and folders[-1] not in self._lasting:
            folders.append(folders[-1].parent)
        for target in (file, *folders):
            sync_to_disk(target)
        self._lasting.update(folders)


def _open_folder(folder: Path | None, presence: Presence) -> Bucket:
    if folder is None or not folder.exists():
        raise gone(presence.place, "nothing: it does not exist")
    try:
        store = LocalStore(prefix=folder)
    except (BaseError, ValueError, OSError) as error:
        raise _unusable(error) from error
    return Bucket(store, store, store, None)


def _unusable(error: Exception) -> LakeError:
    return LakeError(
        f"The folder of the object store cannot be opened: {reason_of(error)}.",
        code="store_unavailable",
        hint="Check APERIODIC_HOME or APERIODIC_STORE, and that the folder can be written.",
    )


async def _pieces_of_file(folder: Path, path: str, start: int, length: int) -> AsyncIterator[bytes]:
    file = await run_sync(open_plain, folder, path)
    with file:
        await run_sync(file.seek, start)
        while length:
            piece = await run_sync(file.read, min(_CHUNK, length))
            if not piece:
                return
            length -= len(piece)
            yield piece


def _inside(folder: Path, path: str) -> Path:
    """Return where an object of a folder lies; the object store itself refuses the same paths."""
    if ".." in path.split("/"):
        raise ValueError(f"Not the path of an object: {path!r}.")
    return folder / path.lstrip("/")


def _require_content(path: str, sha256: str) -> None:
    if not is_content_of(path, sha256):
        raise damaged(path, "its content is not what was written")
