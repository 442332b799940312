"""Runs of bars as records, and how the 1-second bars of a day become those of every longer interval.

What a kernel knows of one bar is a record with named fields, the first of which is `start` (µs). Three functions make up
a kernel: `fold` fills 1-second bars from events and goes on with the last one, `merge` merges bars into longer ones and
goes on likewise, and `finish` turns records into columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from aperiodic.jit import inlined
from aperiodic.market import DAY_US, Interval

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

__all__ = ["SECOND_US", "Bars", "Growing", "Merge", "intervals_to", "longest_of", "merge_tree", "start_of", "to_frame"]

Merge = Callable[["NDArray[np.void]", int, "NDArray[np.void]", int], int]
"""Merges bars into bars of a length, µs, of which some are filled, and returns how many then are."""

SECOND_US: Final = 1_000_000
"""Length of the shortest bars, µs."""


class Bars:
    """The bars of one interval of a UTC day, ascending in time.

    Attributes:
        room: Zeroed records, as many as can be needed; kernels fill them from the first on.
        used: How many are filled.
    """

    __slots__ = ("room", "used")

    def __init__(self, record: np.dtype[np.void], rows: int = DAY_US // SECOND_US) -> None:
        # Memory that is never written to is never taken.
        self.room: NDArray[np.void] = np.zeros(rows, record)
        self.used = 0

    @property
    def filled(self) -> NDArray[np.void]:
        """The records that are filled."""
        return self.room[: self.used]

    def rows_to_join(self, before: int) -> int:
        """Return how many bars of a second start before a time, µs; the minute of the last one is left out.

        What is known of the last one may be computed anew of its events.
        """
        if not self.used:
            return 0
        last = int(self.filled["start"][-1])
        return self.first_since(min(before, last - last % Interval.M1.microseconds))

    def join(self, rows: int, merge: Merge) -> None:
        """Let bars of a minute take the place of the first bars of a second."""
        self.replace(rows, merge_tree(self.filled[:rows], merge, Interval.M1)[Interval.M1])

    def replace(self, rows: int, bars: NDArray[np.void]) -> None:
        """Let other bars, no more of them, take the place of the first ones; the room of the others is zeroed."""
        rest = self.filled[rows:].copy()
        used = bars.size + rest.size
        self.room[: bars.size] = bars
        self.room[bars.size : used] = rest
        self.room[used : self.used] = np.zeros((), self.room.dtype)
        self.used = used

    def drop(self, rows: int) -> None:
        """Let the first bars go."""
        self.replace(rows, self.room[:0])

    def first_since(self, since: int | None) -> int:
        """Return the row of the first bar that starts at or after a time, µs; 0 without one."""
        return 0 if since is None else int(np.searchsorted(self.filled["start"], since))


class Growing:
    """Values that are added to at the end, and of which the whole is wanted again and again."""

    __slots__ = ("_room", "_size")

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._room: NDArray[Any] = np.zeros(0, dtype)
        self._size = 0

    @property
    def values(self) -> NDArray[Any]:
        """All that was added, read-only."""
        view = self._room[: self._size]
        view.flags.writeable = False
        return view

    def add(self, part: NDArray[Any]) -> None:
        """Add values; the first part is not copied, since most days come in one."""
        if not self._size:
            self._room, self._size = part, part.size
            return
        size = self._size + part.size
        if size > self._room.size or not self._room.flags.writeable:
            room = np.empty(max(size, 2 * self._size), self._room.dtype)
            room[: self._size] = self._room[: self._size]
            self._room = room
        self._room[self._size : size] = part
        self._size = size

    def drop(self, size: int) -> None:
        """Let the first values go, and their memory."""
        self._room = self._room[size : self._size].copy()
        self._size = self._room.size


def merge_tree(
    seconds: NDArray[np.void],
    merge: Merge,
    longest: Interval = Interval.D1,
) -> dict[Interval, NDArray[np.void]]:
    """Merge the 1-second bars of a UTC day into the bars of all intervals, each merged from the one before.

    Args:
        seconds: 1-second bars of a day, from where a bar of each of the intervals starts.
        merge: See `Merge`.
        longest: The last interval that is wanted.
    """
    tree = {Interval.S1: seconds}
    shorter = seconds
    for interval in intervals_to(longest)[1:]:
        bars = Bars(seconds.dtype, min(shorter.size, DAY_US // interval.microseconds))
        bars.used = merge(shorter, interval.microseconds, bars.room, 0)
        tree[interval] = shorter = bars.filled
    return tree


def intervals_to(longest: Interval) -> tuple[Interval, ...]:
    """Return the intervals up to one, the shortest first."""
    return tuple(interval for interval in Interval if interval.microseconds <= longest.microseconds)


def longest_of(intervals: Collection[Interval]) -> Interval:
    """Return the longest of some intervals, the shortest that there is if there are none."""
    return max(intervals, key=lambda interval: interval.microseconds, default=Interval.S1)


@inlined
def start_of(time: int, length_us: int) -> int:
    """Return the start of the bar that a time lies in."""
    return time - time % length_us


def to_frame(starts: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> pl.DataFrame:
    """Return `time` and the named partials of bars, null where they are NaN."""
    series = [pl.Series("time", np.array(starts)).cast(pl.Datetime("us"))]
    for name, column in columns.items():
        # Polars takes over the memory of an array as it is, and that of bars will hold others.
        values = np.ascontiguousarray(column) if column.base is None else np.array(column)
        # A NaN, if there is any, makes the sum one; looking for it is cheaper than marking every value.
        undefined = values.dtype.kind == "f" and bool(np.isnan(values.sum()))
        series.append(pl.Series(name, values, nan_to_null=undefined))
    return pl.DataFrame(series)
