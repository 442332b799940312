"""What an input file is, told by its first bytes; unpacking of gzip and zstd in bounded memory.

Formats: RFC 1952 (gzip), RFC 8878 (zstd, skippable frames included, so that files of pzstd and other parallel writers
are read), POSIX ustar (tar). Whatever else is recognised is refused by name instead of being read as text.
"""

from __future__ import annotations

import tarfile
import zlib
from typing import TYPE_CHECKING, Final

import zstandard

from aperiodic.engine.errors import ImportSourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HEAD", "UNPACK_ERRORS", "bounded", "gunzip", "strip_mark", "unpack"]

HEAD: Final = 512
"""Bytes from the start of a file that tell what it is: a block of tar."""

UNPACK_ERRORS: Final = (zlib.error, zstandard.ZstdError)
"""What unpacking raises when the bytes are damaged; a file that ends early raises EOFError."""

_PIECE: Final = 1 << 20
_ZSTD_INPUT: Final = 512
"""Fed to zstd at once: its output cannot be bounded, and four bytes may stand for a block of 128 KiB."""

_EXPANSION: Final = 1_000
_EXPANSION_FREE: Final = 64 << 20
"""How far a file may expand: 1,000 times, or to 64 MiB. Recordings expand about 10 to 50 times."""

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f
_GZIP_WINDOW: Final = 31
_UTF8_MARK: Final = b"\xef\xbb\xbf"

_ARCHIVES: Final = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}
_OTHERS: Final = {
    b"\xfd7zXZ\x00": "an xz file",
    b"BZh": "a bzip2 file",
    b"\x04\x22\x4d\x18": "an lz4 file",
    b"\x02\x21\x4c\x18": "an lz4 file",
    b"LZIP": "an lzip file",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"FEA1": "a Feather file",
    b"SQLite format 3\x00": "an SQLite database",
    b"%PDF-": "a PDF document",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}


def unpack(name: str, size: int, head: bytes, raw: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the content of a file in pieces of at most 1 MiB, unpacked where it is gzip or zstd.

    Args:
        name: The file's name, for messages.
        size: Bytes of the file as it lies on disk.
        head: Its first bytes, `HEAD` of them if it has so many.
        raw: All its bytes, from the start.

    Raises:
        ImportSourceError: `archive`, `unsupported_format`, or `expands_too_far`.
        EOFError: The compressed file ends early.
        UNPACK_ERRORS: It is damaged.
    """
    _refuse_other_formats(name, head)
    if head.startswith(_GZIP):
        yield from bounded(name, size, gunzip(raw))
    elif head.startswith(_ZSTD) or _is_skippable(head):
        yield from bounded(name, size, _unzstd(raw))
    else:
        yield from raw


def strip_mark(name: str, head: bytes) -> bytes:
    """Return the first bytes of a file's content without a UTF-8 byte order mark.

    Raises:
        ImportSourceError: `archive` or `unsupported_format`, for what lies inside gzip or zstd.
    """
    _refuse_other_formats(name, head)
    return head.removeprefix(_UTF8_MARK)


def _refuse_other_formats(name: str, head: bytes) -> None:
    for magic, kind in _ARCHIVES.items():
        if head.startswith(magic):
            raise _archive(name, kind)
    if _is_tar(head):
        raise _archive(name, "tar")
    for magic, kind in _OTHERS.items():
        if head.startswith(magic):
            raise ImportSourceError(
                f"{name} is {kind}, which is not read.",
                code="unsupported_format",
                hint="Give text in UTF-8, as it is or compressed with gzip or zstd.",
            )


def _archive(name: str, kind: str) -> ImportSourceError:
    return ImportSourceError(
        f"{name} is a {kind} archive.",
        code="archive",
        hint="Unpack it and give the files that are in it, or their folder.",
    )


def _is_tar(head: bytes) -> bool:
    if len(head) < HEAD:
        return False
    try:
        tarfile.TarInfo.frombuf(head[:HEAD], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _is_skippable(head: bytes) -> bool:
    return head[1:4] == _ZSTD_SKIPPABLE and head[0] & 0xF0 == 0x50  # noqa: PLR2004 - the first byte's upper half


def bounded(name: str, size: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces, cut large ones, and refuse what expands beyond any recording."""
    limit = max(size * _EXPANSION, _EXPANSION_FREE)
    given = 0
    waiting = bytearray()

    def ready(least: int) -> Iterator[bytes]:
        for start in range(0, len(waiting) - least + 1, _PIECE):
            yield bytes(waiting[start : start + _PIECE])

    try:
        for piece in pieces:
            given += len(piece)
            if given > limit:
                raise ImportSourceError(
                    f"{name} expands to more than {limit:,} bytes, {_EXPANSION:,} times its size or more.",
                    code="expands_too_far",
                    hint="No recording does. If it is one, unpack it and give the unpacked file.",
                )
            waiting += piece
            if len(waiting) >= _PIECE:
                yield from ready(_PIECE)
                del waiting[: len(waiting) // _PIECE * _PIECE]
    except (EOFError, *UNPACK_ERRORS):
        yield from ready(1)
        raise
    yield from ready(1)


def gunzip(raw: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the content of gzip members in pieces of at most 1 MiB.

    Raises:
        EOFError: The last one ends early.
        zlib.error: One is damaged.
    """
    member = zlib.decompressobj(_GZIP_WINDOW)
    for chunk in raw:
        waiting = chunk
        while waiting:
            if member.eof:
                waiting = waiting.lstrip(b"\0")  # tapes and disks pad with zeros
                if not waiting:
                    break
                member = zlib.decompressobj(_GZIP_WINDOW)
            yield member.decompress(waiting, _PIECE)
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
