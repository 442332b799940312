"""Reading input files line by line in bounded memory: plain, gzip or zstd, whole or cut off."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import zstandard

from aperiodic.engine.errors import ImportSourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Lines", "Progress", "SourceFile"]

_CHUNK: Final = 1 << 20
_ZSTD_INPUT: Final = 4096
"""Fed to zstd at once: its output cannot be bounded, and a few bytes may stand for a block of 128 KiB."""

MAX_LINE: Final = 16 << 20
"""Longest line that is read, bytes."""

_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_GZIP_WINDOW: Final = 31


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reading of one file is.

    Attributes:
        name: File name, without folders.
        done: Bytes read.
        total: Bytes of the file as it lies on disk.
    """

    name: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was when it was looked at; what is appended later is not read.

    Attributes:
        path: Where it lies.
        size: Bytes.
        sha256: Hex digest of these bytes.
    """

    path: Path
    size: int
    sha256: str

    @classmethod
    def look_at(cls, path: Path) -> SourceFile:
        """Read a file once for its size and digest.

        Raises:
            ImportSourceError: `file_unreadable` when there is no such file or it may not be read.
        """
        digest, size = hashlib.sha256(), 0
        try:
            with path.open("rb") as handle:
                while chunk := handle.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
        except OSError as error:
            raise ImportSourceError(
                f"{path} cannot be read: {error.strerror}.",
                code="file_unreadable",
                hint="Give the path of a file that exists and that you may read.",
            ) from error
        return cls(path, size, digest.hexdigest())

    @property
    def name(self) -> str:
        """File name, without folders."""
        return self.path.name


class Lines:
    """The lines of a file, in batches.

    Attributes:
        count: Lines read so far, the one being read included.
        damage: Why the file could not be read to its end (`truncated_file`, `corrupt_file`); None while all is well.
        open_end: Whether the batch just given is a last line without its line break.
    """

    def __init__(
        self,
        file: SourceFile,
        *,
        progress: Callable[[Progress], None] | None = None,
        overlong: Callable[[int, bytes], None] = lambda _number, _start: None,
    ) -> None:
        """Prepare to read.

        Args:
            file: What to read.
            progress: Called now and then.
            overlong: Called with number and first bytes of every line over 16 MiB; such lines are in no batch.
        """
        self._file = file
        self._progress = progress
        self._overlong = overlong
        self.count = 0
        self.damage: str | None = None
        self.open_end = False

    def __iter__(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield batches of lines without line breaks, each with the number of its first line (from 1)."""
        rest, skipping = b"", False
        for chunk in self._pieces():
            piece = chunk
            if skipping:
                _, found, piece = piece.partition(b"\n")
                if not found:
                    continue
                skipping = False
            lines = (rest + piece).split(b"\n")
            rest = lines.pop()
            if lines:
                first = self.count + 1
                self.count += len(lines)
                yield first, lines
            if len(rest) > MAX_LINE:
                self.count += 1
                self._overlong(self.count, rest)
                rest, skipping = b"", True
        if rest:
            self.count += 1
            self.open_end = True
            yield self.count, [rest]

    def _pieces(self) -> Iterator[bytes]:
        with self._file.path.open("rb") as handle:
            magic = handle.read(len(_ZSTD_MAGIC))
            handle.seek(0)
            raw = self._raw(handle.read)
            try:
                if magic.startswith(_GZIP_MAGIC):
                    yield from _gunzip(raw)
                elif magic == _ZSTD_MAGIC:
                    yield from _unzstd(raw)
                else:
                    yield from raw
            except EOFError:
                self.damage = "truncated_file"
            except (zlib.error, zstandard.ZstdError):
                self.damage = "corrupt_file"

    def _raw(self, read: Callable[[int], bytes]) -> Iterator[bytes]:
        done, total = 0, self._file.size
        while done < total and (chunk := read(min(_CHUNK, total - done))):
            done += len(chunk)
            yield chunk
            if self._progress is not None:
                self._progress(Progress(self._file.name, done, total))


def _gunzip(raw: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP_WINDOW)
    for chunk in raw:
        waiting = chunk
        while waiting:
            if member.eof:
                waiting = waiting.lstrip(b"\0")  # tapes and disks pad with zeros
                if not waiting:
                    break
                member = zlib.decompressobj(_GZIP_WINDOW)
            yield member.decompress(waiting, _CHUNK)
            waiting = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        yield member.flush()
    if not member.eof:
        raise EOFError


def _unzstd(raw: Iterator[bytes]) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    frame = decompressor.decompressobj()
    for chunk in raw:
        for start in range(0, len(chunk), _ZSTD_INPUT):
            waiting = chunk[start : start + _ZSTD_INPUT]
            while waiting:
                if frame.eof:
                    frame = decompressor.decompressobj()
                yield frame.decompress(waiting)
                waiting = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise EOFError
