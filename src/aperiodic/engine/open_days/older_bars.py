"""What of an open day is some minutes old and waits in a file: bars below a minute, and what bars of a minute are made of."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import polars as pl
import zstandard

from aperiodic.engine.merging import times_of
from aperiodic.engine.open_days.older_file import Stretches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aperiodic.catalog import Family
    from aperiodic.engine.open_days.older_file import OlderFile
    from aperiodic.market import Interval

__all__ = ["OlderBars", "OlderParts"]

_LEVEL: Final = 1
"""Of compression: numbers are hardly smaller at higher ones."""


class OlderBars:
    """The bars below a minute of an open day that are in the file, by family and interval.

    Attributes:
        end: The file has the bars before this time, µs.
    """

    def __init__(self, file: OlderFile, begin: int) -> None:
        """Begin with none.

        Args:
            file: Receives them; many share it.
            begin: Begin of the day, µs.
        """
        self.end = begin
        self._begin = begin
        self._stretches = Stretches(file)

    def add(self, bars: Mapping[tuple[Family, Interval], pl.DataFrame], end: int) -> bool:
        """Write the bars of a stretch, which follows the one before; return whether they could be, which `trouble` of the file tells too.

        Args:
            bars: All there are, by family and interval.
            end: Where the stretch ends, µs.
        """
        pieces = {_name(*key): _packed(frame) for key, frame in bars.items() if frame.height}
        if pieces and not self._stretches.add(pieces, end):
            return False
        self.end = end
        return True

    def since(self, family: Family, interval: Interval, time: int) -> list[pl.DataFrame]:
        """Return the bars that start at or after a time, µs, in order.

        Raises:
            OSError: They cannot be read.
        """
        frames = [_unpacked(piece) for piece in self._stretches.since(_name(family, interval), time)]
        if frames:
            first = frames[0]
            frames[0] = first.filter(pl.Series(times_of(first, "time") >= time))
        return frames

    def same_until(self, other: OlderBars, family: Family, interval: Interval) -> int:
        """Return until when, µs, bars are known to be the same as others of the same day, without a look at each."""
        same = self._stretches.same_until(other._stretches, _name(family, interval))
        return self._begin if same is None else same


class OlderParts:
    """What left the bars of an open day, by family; see `OpenDay.leaving`."""

    def __init__(self, file: OlderFile) -> None:
        """Begin with none; many share the file."""
        self._stretches = Stretches(file)

    def add(self, parts: Mapping[Family, bytes], end: int) -> bool:
        """Write what leaves; return whether that could be, which `trouble` of the file tells too.

        Args:
            parts: By family.
            end: All bars in them start before this time, µs.
        """
        return self._stretches.add(
            {str(family): zstandard.compress(part, _LEVEL) for family, part in parts.items()}, end
        )

    def since(self, family: Family, time: int) -> list[bytes]:
        """Return what left of a family, in order, but for parts all of whose bars start before a time, µs.

        Raises:
            OSError: It cannot be read.
        """
        return [zstandard.decompress(piece) for piece in self._stretches.since(str(family), time)]


def _name(family: Family, interval: Interval) -> str:
    return f"{family} {interval}"


def _packed(bars: pl.DataFrame) -> bytes:
    return zstandard.compress(bars.serialize(), _LEVEL)


def _unpacked(data: bytes) -> pl.DataFrame:
    return pl.DataFrame.deserialize(io.BytesIO(zstandard.decompress(data)))
