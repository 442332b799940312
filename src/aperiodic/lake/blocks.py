"""Blocks of lines: the independent zstd frames that a recording consists of, each of whole lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_LINE", "whole_blocks"]

MAX_LINE: Final = 16 << 20
"""Longest line of a recording, bytes."""

_CHUNK: Final = 1 << 20
_LARGEST_BLOCK: Final = 2 * MAX_LINE
_LONGEST_HEAD: Final = 18
_PART_HEAD: Final = 3
_REPEATED_BYTE: Final = 1
_CHECKSUM: Final = 4


def whole_blocks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Read whole blocks of lines from where a file stands, until its end or the first block that is not whole.

    Yields:
        The place in the file behind a block, and the lines of it.
    """
    unpacker = zstandard.ZstdDecompressor()
    place = file.tell()
    packed = b""
    while chunk := file.read(_CHUNK):
        packed += chunk
        begin = 0
        while block := _unpack(unpacker, packed, begin):
            lines, length = block
            begin += length
            place += length
            yield place, lines
        packed = packed[begin:]
        if len(packed) > _LARGEST_BLOCK:
            return


def _unpack(unpacker: zstandard.ZstdDecompressor, packed: bytes, begin: int) -> tuple[bytes, int] | None:
    """Return the content and the length of the zstd frame at `begin`; None where it is not whole or not good."""
    head = packed[begin : begin + _LONGEST_HEAD]
    try:
        parameters = zstandard.get_frame_parameters(head)
        if parameters.content_size > _LARGEST_BLOCK:
            return None
        end = _frame_end(packed, begin + zstandard.frame_header_size(head))
        if end is None:
            return None
        end += _CHECKSUM if parameters.has_checksum else 0
        if end > len(packed):
            return None
        return unpacker.decompress(packed[begin:end]), end - begin
    except zstandard.ZstdError:
        return None


def _frame_end(packed: bytes, place: int) -> int | None:
    """Go through the parts of a zstd frame (RFC 8878, 3.1.1.2); return where they end, None where they are cut."""
    while place + _PART_HEAD <= len(packed):
        head = int.from_bytes(packed[place : place + _PART_HEAD], "little")
        kind, size = head >> 1 & 3, head >> 3
        place += _PART_HEAD + (1 if kind == _REPEATED_BYTE else size)
        if head & 1:
            return place
    return None
