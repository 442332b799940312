"""Files on disk that were fetched before, found by their SHA-256, shared between processes.

| below the folder | |
|---|---|
| `files/ab/abcd….parquet` | a whole file, verified; `.part` beside it is one on its way, `.lock` keeps others from fetching it too |
| `columns/ab/….parquet` | some columns of some rows of a file, named by its hash and theirs |
| `answers/….json` | what the server answered last to a request, without links: for work without a network |

The cache never holds what is not verified, and what is damaged is fetched again. Where it cannot be written, work goes
on without it. Above its size the files that were used longest ago go first.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

from aperiodic.client.file_locks import take_lock
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

__all__ = ["Cache"]

_DEFAULT_BYTES: Final = 10 * 1024**3
_OFF: Final = frozenset({"0", "false", "no", "off"})
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?", re.IGNORECASE)
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_WAIT_S: Final = 0.05
_TRIM_EVERY: Final = 64 << 20
"""Bytes written after which the size of the cache is looked at again."""

_NO_LINK: Final = "https://offline.invalid/"

_log: Final = logging.getLogger("aperiodic")

_verified: Final[dict[Path, tuple[int, int]]] = {}
"""Files whose hash was right in this process, with the size and the time of change that they had then."""


@dataclass(slots=True)
class Cache:
    """A folder of files that were fetched before.

    Attributes:
        folder: Where they are.
        most_bytes: How large it may be.
    """

    folder: Path
    most_bytes: int = _DEFAULT_BYTES
    _written: int = field(default=_TRIM_EVERY, repr=False)
    _told: bool = field(default=False, repr=False)

    @classmethod
    def parse(cls, value: bool | str | os.PathLike[str] | None) -> Self | None:
        """Return the cache that was asked for.

        Args:
            value: A folder; True or None: APERIODIC_CACHE_DIR, else the user's cache folder (None: unless
                APERIODIC_CACHE is "0"); False: none.

        Raises:
            InvalidInputError: `bad_cache` or `bad_cache_size`.
        """
        if value is False or (value is None and os.environ.get("APERIODIC_CACHE", "").lower() in _OFF - {""}):
            return None
        if value is not None and value is not True and not isinstance(value, str | os.PathLike):
            raise InvalidInputError(
                f"cache is {value!r}.", code="bad_cache", hint="Give a folder, or False to work without one."
            )
        folder = _default_folder() if value is None or value is True else Path(value)
        return cls(folder.expanduser(), _most_bytes(os.environ.get("APERIODIC_CACHE_SIZE")))

    def whole(self, sha256: str) -> Path:
        """Return where a file lies, or would."""
        return self.folder / "files" / sha256[:2] / f"{sha256}.parquet"

    def find(self, sha256: str | None) -> Path | None:
        """Return a whole file if it is there; what is damaged is removed."""
        if sha256 is None or not _HASH.fullmatch(sha256):
            return None
        path = self.whole(sha256)
        try:
            told = path.stat()
            if _verified.get(path) != (told.st_size, told.st_mtime_ns):
                with path.open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                        _log.warning("A damaged file of the cache is fetched again: %s", path)
                        path.unlink()
                        return None
            self._use(path)
        except OSError:
            return None
        return path

    def columns(self, key: str) -> bytes | None:
        """Return a part of a file if it is there."""
        path = self._columns(key)
        try:
            data = path.read_bytes()
            self._use(path)
        except OSError:
            return None
        digest, body = data[:64], data[64:]
        if hashlib.sha256(body).hexdigest().encode() != digest:
            with suppress(OSError):
                path.unlink()
            return None
        return body

    def keep_columns(self, key: str, body: bytes) -> None:
        """Keep a part of a file."""
        self._write(self._columns(key), hashlib.sha256(body).hexdigest().encode() + body)

    def answer(self, url: str, params: Mapping[str, str]) -> dict[str, Any] | None:
        """Return what the server answered last to a request; None when it is not known."""
        try:
            answer = json.loads(self._answer(url, params).read_bytes())
        except (OSError, ValueError):
            return None
        return answer if isinstance(answer, dict) else None

    def keep_answer(self, url: str, params: Mapping[str, str], body: bytes) -> None:
        """Keep the object that the server answered, without the links, which are permissions and end soon."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            return
        if isinstance(answer, dict):
            self._write(self._answer(url, params), json.dumps(_without_links(answer)).encode())

    @asynccontextmanager
    async def held(self, sha256: str) -> AsyncIterator[bool]:
        """Be the only one who fetches a file; waits for another one who does, whose file is then there.

        Yields:
            Whether the file can be fetched into the cache: its folder can be written.
        """
        path = self.whole(sha256).with_suffix(".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.open("ab")
            while not take_lock(lock) or not _is_at(lock, path):
                if not _is_at(lock, path):  # its last holder has removed it
                    lock.close()
                    lock = path.open("ab")
                await asyncio.sleep(_WAIT_S)
        except OSError as error:
            self.tell(error)
            yield False
            return
        with lock:
            try:
                yield True
            finally:
                with suppress(OSError):  # Windows does not remove what is open
                    path.unlink()

    def kept(self, size: int) -> None:
        """Take that so many bytes were written; make room where the cache has grown too large."""
        self._written += size
        if self._written >= min(_TRIM_EVERY, self.most_bytes // 10):
            self._written = 0
            with suppress(OSError):
                self.trim()

    def trim(self) -> int:
        """Remove what was used longest ago until the cache is not too large; return the bytes that are left."""
        files = []
        for path in self.folder.rglob("*"):
            with suppress(OSError):
                told = path.stat()
                if path.suffix in {".parquet", ".part", ".json"}:
                    files.append((told.st_mtime_ns, told.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.most_bytes:
                break
            with suppress(OSError):
                path.unlink()
                total -= size
        return total

    def _columns(self, key: str) -> Path:
        name = hashlib.sha256(key.encode()).hexdigest()
        return self.folder / "columns" / name[:2] / f"{name}.parquet"

    def _answer(self, url: str, params: Mapping[str, str]) -> Path:
        name = hashlib.sha256(json.dumps([url, sorted(params.items())]).encode()).hexdigest()
        return self.folder / "answers" / f"{name}.json"

    def _use(self, path: Path) -> None:
        with suppress(OSError):  # a cache that can be read only
            os.utime(path)
        told = path.stat()
        _verified[path] = (told.st_size, told.st_mtime_ns)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
                try:
                    file.write(data)
                    file.close()
                    Path(file.name).replace(path)
                except BaseException:
                    file.close()
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            self.tell(error)
        else:
            self.kept(len(data))

    def tell(self, error: OSError) -> None:
        """Say once that the cache cannot be written."""
        if not self._told:
            self._told = True
            _log.warning("The cache %s cannot be written (%s): files are fetched again each time.", self.folder, error)


def _is_at(file: IO[bytes], path: Path) -> bool:
    """Whether an open file is the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _most_bytes(text: str | None) -> int:
    if not text:
        return _DEFAULT_BYTES
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidInputError(
            f"APERIODIC_CACHE_SIZE is {text[:100]!r}.", code="bad_cache_size", hint="Write it like 20GB."
        )
    number, unit, binary = match.groups()
    base = 1024 if binary else 1000
    return int(float(number) * base ** (" KMGT".index(unit.upper()) if unit else 0))


def _default_folder() -> Path:
    named = os.environ.get("APERIODIC_CACHE_DIR")
    if named:
        return Path(named)
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "aperiodic" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aperiodic"


def _without_links(body: Mapping[str, Any]) -> dict[str, Any]:
    files = body.get("files")
    if not isinstance(files, list):
        return dict(body)
    return {**body, "files": [{**item, "url": _NO_LINK} if isinstance(item, dict) else item for item in files]}
