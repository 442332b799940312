"""What of an open day is no longer in memory: its older bars of a minute, and the values of the events in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["Older", "with_older"]

_COUNTS: Final = "counts"
"""Field of records that says how many values belong to each."""

_decode: Final = msgspec.msgpack.Decoder(list[bytes]).decode


class Older:
    """The bars that left memory, and where they can be read.

    Their parts are columns: records of one or more kinds, a row for each bar, then values, of which each bar has as many
    as the field `counts` of its first record says.
    """

    def __init__(self, *columns: np.dtype[Any]) -> None:
        """Begin with none; `columns` are the types of the columns, those of records first."""
        self._columns = columns
        self._last = 0
        self._read: Callable[[int], list[bytes]] | None = None

    @staticmethod
    def pack(columns: Sequence[NDArray[Any]]) -> bytes:
        """Return a part as bytes."""
        return msgspec.msgpack.encode([np.ascontiguousarray(column).view(np.uint8).data for column in columns])

    def note(self, last: int, read: Callable[[int], list[bytes]]) -> None:
        """Take that bars have left.

        Args:
            last: Start of the last of them, µs.
            read: Returns the parts, as `pack` made them, that can have bars which start at or after a time, µs.
        """
        self._last, self._read = last, read

    def since(self, time: int | None) -> list[list[NDArray[Any]]]:
        """Return, for each column, its parts that are of bars which start at or after a time, µs; of all without one.

        Raises:
            OSError: They cannot be read.
        """
        found: list[list[NDArray[Any]]] = [[] for _ in self._columns]
        if self._read is None or (time is not None and time > self._last):
            return found
        for packed in self._read(0 if time is None else time):
            columns = [np.frombuffer(data, kind) for data, kind in zip(_decode(packed), self._columns, strict=True)]
            first = 0 if time is None else int(np.searchsorted(columns[0]["start"], time))
            for place, column in enumerate(columns):
                begin = first
                if not column.dtype.names:
                    begin = int(columns[0][_COUNTS][:first].sum())
                found[place].append(column[begin:])
        return found


def with_older(older: Sequence[NDArray[Any]], newer: NDArray[Any]) -> NDArray[Any]:
    """Return a column that is in memory with its parts that are not before it."""
    if not older:
        return newer
    # Not as records: each of their fields would be copied by itself.
    plain = [np.ascontiguousarray(part).view(f"V{newer.dtype.itemsize}") for part in (*older, newer)]
    whole = np.concatenate(plain).view(newer.dtype)
    whole.flags.writeable = newer.flags.writeable  # kernels are compiled for one of the two
    return whole
