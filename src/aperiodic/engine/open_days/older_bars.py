"""Bars of a second of open days that are some minutes old: they wait in a file, for in memory they take much room."""

from __future__ import annotations

import io
import weakref
from collections import defaultdict
from errno import ENOSPC
from hashlib import blake2b
from os import strerror
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final, NamedTuple

import polars as pl
import zstandard

from aperiodic.engine.merging import times_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from aperiodic.catalog import Family
    from aperiodic.market import Interval

__all__ = ["BarFile", "OlderBars"]

_BLOCK: Final = 16_384
"""Room in the file is given in multiples of this, bytes, so that it fits others when it is free."""

_LEVEL: Final = 1
"""Of compression: numbers are hardly smaller at higher ones."""


class _Place(NamedTuple):
    """Where in the file something is, bytes."""

    offset: int
    room: int


class _Part(NamedTuple):
    """Bars of a stretch in the file.

    Attributes:
        end: Where the stretch ends, µs.
        offset: Where in the file they begin, bytes.
        size: How many bytes they are.
        digest: Of these bytes.
    """

    end: int
    offset: int
    size: int
    digest: bytes


class BarFile:
    """A file of this process alone, which is gone with this object.

    Attributes:
        trouble: Why bars could not be written the last time; None where they could.
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


class OlderBars:
    """The bars below a minute of an open day that are in the file, by family and interval.

    Their room in the file is free when this object is gone.

    Attributes:
        end: The file has the bars before this time, µs.
    """

    def __init__(self, file: BarFile, begin: int) -> None:
        """Begin with none.

        Args:
            file: Receives them; many share it.
            begin: Begin of the day, µs.
        """
        self.end = begin
        self._begin = begin
        self._file = file
        self._parts: defaultdict[tuple[Family, Interval], list[_Part]] = defaultdict(list)
        self._places: list[_Place] = []
        weakref.finalize(self, _free_all, file, self._places).atexit = False

    def add(self, bars: Mapping[tuple[Family, Interval], pl.DataFrame], end: int) -> bool:
        """Write the bars of a stretch, which follows the one before; return whether they could be, which `trouble` of the file tells too.

        Args:
            bars: All there are, by family and interval.
            end: Where the stretch ends, µs.
        """
        pieces = {key: _packed(frame) for key, frame in bars.items() if frame.height}
        whole = b"".join(pieces.values())
        if whole:
            place = self._file.write(whole)
            if place is None:
                return False
            self._places.append(place)
            offset = place.offset
            for key, piece in pieces.items():
                self._parts[key].append(_Part(end, offset, len(piece), blake2b(piece, digest_size=16).digest()))
                offset += len(piece)
        self.end = end
        return True

    def since(self, family: Family, interval: Interval, time: int) -> list[pl.DataFrame]:
        """Return the bars that start at or after a time, µs, in order.

        Raises:
            OSError: They cannot be read.
        """
        parts = [part for part in self._parts.get((family, interval), ()) if part.end > time]
        frames = [_unpacked(self._file.read(part.offset, part.size)) for part in parts]
        if frames:
            first = frames[0]
            frames[0] = first.filter(pl.Series(times_of(first, "time") >= time))
        return frames

    def same_until(self, other: OlderBars, family: Family, interval: Interval) -> int:
        """Return until when, µs, bars are known to be the same as others of the same day, without a look at each."""
        key, same = (family, interval), self._begin
        for own, theirs in zip(self._parts.get(key, ()), other._parts.get(key, ()), strict=False):
            if (own.end, own.digest) != (theirs.end, theirs.digest):
                break
            same = own.end
        return same


def _free_all(file: BarFile, places: list[_Place]) -> None:
    for place in places:
        file.free(place)


def _packed(bars: pl.DataFrame) -> bytes:
    return zstandard.compress(bars.serialize(), _LEVEL)


def _unpacked(data: bytes) -> pl.DataFrame:
    return pl.DataFrame.deserialize(io.BytesIO(zstandard.decompress(data)))
