"""The content of the files of archives, in bounded memory: zip and tar.gz with one file in them, gzip, LZ4 frames."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import lz4.frame

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing.formats import bounded, gunzip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["blocks_of_lines", "content_of"]

_PIECE: Final = 1 << 20
_BLOCK: Final = 8 << 20
_MAX_LINE: Final = 16 << 20
_MOST_MEMBERS: Final = 16
_ENCRYPTED: Final = 0x1
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP: Final = b"\x1f\x8b"
_LZ4: Final = b"\x04\x22\x4d\x18"
_PAGE: Final = (b"<", b"{")


def content_of(path: Path) -> Iterator[bytes]:
    """Yield the content of a file in pieces of at most 1 MiB, unpacked.

    Raises:
        ImportSourceError: `truncated_file`, `corrupt_file`, `expands_too_far`, `unexpected_members`, or
            `unsupported_format`; the message names the file.
    """
    name = path.name
    try:
        with path.open("rb") as handle:
            head = handle.read(8)
            handle.seek(0)
            size = path.stat().st_size
            yield from bounded(name, size, _unpacked(name, head, handle))
    except (EOFError, tarfile.ReadError, zipfile.BadZipFile) as error:
        if isinstance(error, zipfile.BadZipFile) and "CRC" in str(error):
            raise _damaged(name, "corrupt_file", str(error)) from error
        raise _damaged(name, "truncated_file", str(error) or "it ends early") from error
    except (zlib.error, RuntimeError, NotImplementedError, tarfile.TarError) as error:
        raise _damaged(name, "corrupt_file", str(error)) from error


def blocks_of_lines(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Cut content into blocks of whole lines of about 8 MiB; a last line without its line break gets one.

    Raises:
        ImportSourceError: `overlong_line` when one is over 16 MiB.
    """
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) < _BLOCK:
            continue
        cut = waiting.rfind(b"\n") + 1
        if cut:
            yield bytes(waiting[:cut])
            del waiting[:cut]
        elif len(waiting) > _MAX_LINE:
            raise ImportSourceError(f"{name} has a line of over 16 MiB.", code="overlong_line", hint=_HINT)
    if waiting:
        yield bytes(waiting) if waiting.endswith(b"\n") else bytes(waiting) + b"\n"


def _unpacked(name: str, head: bytes, handle: io.BufferedReader) -> Iterator[bytes]:
    if not head:
        raise EOFError("it is empty")
    if head.startswith(_ZIP):
        return _of_zip(name, handle)
    if head.startswith(_GZIP):
        content = gunzip(_raw(handle))
        return _of_tar(name, content) if ".tar" in name else content
    if head.startswith(_LZ4):
        return _of_lz4(_raw(handle))
    what = "a page or a message and no archive" if head.startswith(_PAGE) else "in no format that an archive uses"
    raise ImportSourceError(
        f"{name} is {what}: it begins with {head!r}.",
        code="unsupported_format",
        hint="Nothing of it was taken over. Try again later, and check the address of the archive.",
    )


def _raw(handle: io.BufferedReader) -> Iterator[bytes]:
    while piece := handle.read(_PIECE):
        yield piece


def _of_zip(name: str, handle: io.BufferedReader) -> Iterator[bytes]:
    with zipfile.ZipFile(handle) as archive:
        members = archive.infolist()
        files = [member for member in members if not member.is_dir()]
        if len(members) > _MOST_MEMBERS or len(files) != 1 or files[0].flag_bits & _ENCRYPTED:
            raise _members(name, [member.filename for member in members])
        _check_name(name, files[0].filename)
        with archive.open(files[0]) as member:
            while piece := member.read(_PIECE):
                yield piece


def _check_name(name: str, inside: str) -> None:
    """Make sure that what is in an archive is called like the archive: another name is that of another instrument or day.

    Raises:
        ImportSourceError: `unexpected_members`.
    """
    if PurePosixPath(inside).stem != name.partition(".")[0]:
        raise ImportSourceError(
            f"{name} holds {inside[:100]!r}, which is called otherwise.",
            code="unexpected_members",
            hint="Nothing of it was taken over. Fetch it anew; if it stays so, the archive is wrong.",
        )


def _of_tar(name: str, content: Iterator[bytes]) -> Iterator[bytes]:
    seen: list[str] = []
    with tarfile.open(fileobj=_Reader(content), mode="r|") as archive:
        files = 0
        for member in archive:
            seen.append(member.name)
            files += member.isfile()
            if len(seen) > _MOST_MEMBERS or files > 1:
                raise _members(name, seen)
            source = archive.extractfile(member) if member.isfile() else None
            while source is not None and (piece := source.read(_PIECE)):
                yield piece
    for _ in content:  # what follows is empty, and after it comes the checksum of all
        pass
    if not files:
        raise _members(name, seen)


def _of_lz4(raw: Iterator[bytes]) -> Iterator[bytes]:
    frame = lz4.frame.LZ4FrameDecompressor()
    begun = False
    for chunk in raw:
        waiting = chunk
        while waiting or not frame.needs_input:
            if frame.eof:
                frame = lz4.frame.LZ4FrameDecompressor()
            begun = True
            yield frame.decompress(waiting, _PIECE)
            waiting = (frame.unused_data or b"") if frame.eof else b""
            if frame.eof and not waiting:
                break
    if not begun or not frame.eof:
        raise EOFError("the LZ4 frame ends early")


class _Reader(io.RawIOBase):
    """Lets tarfile read pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""
        found = bytearray(self._waiting)
        while size < 0 or len(found) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            found += piece
        if size < 0:
            self._waiting = b""
            return bytes(found)
        self._waiting = bytes(found[size:])
        return bytes(found[:size])


_HINT: Final = "Nothing of it was taken over. Fetch it again later: aperiodic backfill … --again"


def _damaged(name: str, code: str, reason: str) -> ImportSourceError:
    return ImportSourceError(f"{name} cannot be unpacked: {reason.rstrip('.')[:200]}.", code=code, hint=_HINT)


def _members(name: str, names: list[str]) -> ImportSourceError:
    shown = ", ".join(repr(each[:60]) for each in names[:3]) or "nothing"
    return ImportSourceError(
        f"{name} should hold one file that is not encrypted, and holds {shown}{' …' if len(names) > 3 else ''}.",  # noqa: PLR2004 - as many are shown
        code="unexpected_members",
        hint=_HINT,
    )
