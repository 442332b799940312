"""A file for what of open days is some minutes old: in memory it would take ever more room."""

from __future__ import annotations

import weakref
from array import array
from collections import defaultdict
from errno import ENOSPC
from hashlib import blake2b
from os import strerror
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["OlderFile", "Stretches"]

_BLOCK: Final = 4_096
"""Room in the file is given in multiples of this, bytes, so that it fits others when it is free."""


class _Place(NamedTuple):
    """Where in the file something is, bytes."""

    offset: int
    room: int


class OlderFile:
    """A file of this process alone, which is gone with this object.

    Attributes:
        trouble: Why something could not be written the last time; None where it could.
    """

    def __init__(self, folder: Path) -> None:
        """Begin with nothing; the file is made when there is something to write.

        Args:
            folder: Where. The name of the file is gone at once, so that its room is free again however the process ends.
        """
        self.trouble: str | None = None
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._end = 0
        self._free: defaultdict[int, list[int]] = defaultdict(list)

    def write(self, data: bytes) -> _Place | None:
        """Write bytes where there is room for them; None, and `trouble` says why, where that cannot be."""
        room = -(-len(data) // _BLOCK) * _BLOCK
        # Copied, for what is given back meanwhile may be of another size.
        fitting = min((size for size, places in list(self._free.items()) if places and size >= room), default=None)
        place = _Place(self._end, room) if fitting is None else _Place(self._free[fitting].pop(), fitting)
        try:
            self._write(data, place.offset)
        except OSError as error:
            self.trouble = f"bars of open days stay in memory, for {self._folder} does not take them: {error}"
            if fitting is not None:
                self.free(place)
            return None
        self.trouble = None
        self._end = max(self._end, place.offset + place.room)
        return place

    def _write(self, data: bytes, offset: int) -> None:
        if self._file is None:
            self._file = TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 - it is open as long as this object
            weakref.finalize(self, self._file.close)
        self._file.seek(offset)
        written = self._file.write(data)
        if written != len(data):
            raise OSError(ENOSPC, strerror(ENOSPC))

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes that were written.

        Raises:
            OSError: They cannot be read.
        """
        if self._file is None:
            raise ValueError("nothing was written")
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) != size:
            raise OSError(f"{len(data)} of {size} bytes could be read")
        return data

    def free(self, place: _Place) -> None:
        """Let others be written to a place."""
        self._free[place.room].append(place.offset)


class _Piece(msgspec.Struct, array_like=True):
    """Where in a stretch something is, bytes after its head, and the digest of it."""

    offset: int
    size: int
    digest: bytes


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(dict[str, _Piece]).decode


class Stretches:
    """Named pieces of the stretches of a day that are in the file, one stretch after another.

    Of a stretch only four numbers are in memory; its head, which says where each piece is, is in the file too. Their room in
    the file is free when this object is gone.
    """

    def __init__(self, file: OlderFile) -> None:
        """Begin with none; many share the file."""
        self._file = file
        self._ends, self._offsets, self._rooms, self._heads = (array("q") for _ in range(4))
        weakref.finalize(self, _free_all, file, self._offsets, self._rooms).atexit = False

    def add(self, pieces: Mapping[str, bytes], end: int) -> bool:
        """Write a stretch, which follows the one before; return whether it could be, which `trouble` of the file tells too.

        Args:
            pieces: What is in it, by name.
            end: Where it ends, µs.
        """
        head, size = {}, 0
        for name, piece in pieces.items():
            head[name] = _Piece(size, len(piece), blake2b(piece, digest_size=16).digest())
            size += len(piece)
        packed = _encode(head)
        place = self._file.write(b"".join([packed, *pieces.values()]))
        if place is None:
            return False
        for kept, value in zip(
            (self._ends, self._offsets, self._rooms, self._heads), (end, *place, len(packed)), strict=True
        ):
            kept.append(value)
        return True

    def since(self, name: str, time: int) -> Iterator[bytes]:
        """Yield the pieces of a name, in order, of stretches that end after a time, µs.

        Raises:
            OSError: They cannot be read.
        """
        for place, end in enumerate(self._ends):
            piece = self._head(place).get(name) if end > time else None
            if piece is not None:
                yield self._file.read(self._offsets[place] + self._heads[place] + piece.offset, piece.size)

    def same_until(self, other: Stretches, name: str) -> int | None:
        """Return until when, µs, the pieces of a name are those of another one; None where the first is not.

        Raises:
            OSError: Their heads cannot be read.
        """
        same = None
        for place, end in enumerate(self._ends[: len(other._ends)]):
            own, theirs = self._head(place).get(name), other._head(place).get(name)
            if other._ends[place] != end or (own and own.digest) != (theirs and theirs.digest):
                break
            same = end if own else same
        return same

    def _head(self, place: int) -> dict[str, _Piece]:
        return _decode(self._file.read(self._offsets[place], self._heads[place]))


def _free_all(file: OlderFile, offsets: array[int], rooms: array[int]) -> None:
    for offset, room in zip(offsets, rooms, strict=True):
        file.free(_Place(offset, room))
