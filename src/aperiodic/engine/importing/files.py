"""Reading input files line by line in bounded memory: plain, gzip or zstd, whole or cut off."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing.formats import HEAD, UNPACK_ERRORS, strip_mark, unpack
from aperiodic.lake.recordings import is_sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["FoundFiles", "Lines", "Progress", "SourceFile", "find_files", "printable"]

_CHUNK: Final = 1 << 20
MAX_LINE: Final = 16 << 20
"""Longest line that is read, bytes."""

_COMPRESSED: Final = (".gz", ".zst", ".zstd")


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
            raise _unreadable(path, error) from error
        return cls(path, size, digest.hexdigest())

    @property
    def name(self) -> str:
        """File name, without folders; see `printable`."""
        return printable(self.path.name)


class FoundFiles(NamedTuple):
    """What paths on a command line stand for.

    Attributes:
        files: Files to import, in order.
        left_out: How many other files lie in the folders that were given.
    """

    files: list[Path]
    left_out: int


class Lines:
    """The lines of a file, in batches.

    Attributes:
        count: Lines read so far, the one being read included.
        damage: Why the file could not be read to its end (`truncated_file`, `corrupt_file`); None while all is well.
        damage_reason: The same in words, with what the decompressor said.
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
        self.damage_reason = ""
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
        name, head, told = self._file.name, b"", False
        try:
            with self._file.path.open("rb") as handle:
                magic = handle.read(HEAD)
                handle.seek(0)
                for piece in unpack(name, self._file.size, magic, self._raw(handle.read)):
                    if told:
                        yield piece
                        continue
                    head += piece
                    if told := len(head) >= HEAD:
                        yield strip_mark(name, head)
        except OSError as error:
            raise _unreadable(self._file.path, error) from error
        except EOFError:
            self.damage, self.damage_reason = "truncated_file", "the compressed file ends here"
        except UNPACK_ERRORS as error:
            self.damage, self.damage_reason = "corrupt_file", f"the compressed file breaks here: {error}"
        if not told and head:
            yield strip_mark(name, head)

    def _raw(self, read: Callable[[int], bytes]) -> Iterator[bytes]:
        done, total = 0, self._file.size
        while done < total and (chunk := read(min(_CHUNK, total - done))):
            done += len(chunk)
            yield chunk
            if self._progress is not None:
                self._progress(Progress(self._file.name, done, total))


def find_files(paths: Iterable[Path], suffixes: frozenset[str]) -> FoundFiles:
    """Return the files that paths stand for: a file for itself, a folder for the files in it and below, sorted.

    Args:
        paths: Files and folders.
        suffixes: Which files of a folder are taken, by the suffix before `.gz` and `.zst`; digits alone count as the
            suffix `.0`. Hidden files and folders are left out, and links to folders are not followed.

    Raises:
        ImportSourceError: `no_files` when a folder has none of these, `file_unreadable` when it may not be read.
    """
    found, left_out = [], 0
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        below = [file for file in _files_below(path) if not is_sidecar(file)]
        taken = [file for file in below if _suffix(file) in suffixes]
        if not taken:
            raise ImportSourceError(
                f"The folder {printable(str(path))} holds no files to import ({len(below):,} of other kinds).",
                code="no_files",
                hint=f"Files are taken by their suffix: {', '.join(sorted(suffixes - {''}))}, with or without .gz or .zst.",
            )
        found += taken
        left_out += len(below) - len(taken)
    return FoundFiles(found, left_out)


def printable(text: str) -> str:
    """Return a text that can be printed and stored: bytes that are no UTF-8 and control characters are escaped."""
    whole = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in whole
    )


def _files_below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise _unreadable(Path(error.filename or folder), error) from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place, name)


def _suffix(file: Path) -> str:
    name = Path(file.stem) if file.suffix.lower() in _COMPRESSED else file
    return ".0" if name.suffix[1:].isdecimal() else name.suffix.lower()


def _unreadable(path: Path, error: OSError) -> ImportSourceError:
    return ImportSourceError(
        f"{printable(str(path))} cannot be read: {error.strerror or type(error).__name__}.",
        code="file_unreadable",
        hint="Give the path of a file that exists and that you may read.",
    )
