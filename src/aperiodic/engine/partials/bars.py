"""Runs of bars as records, and how the 1-second bars of a day become those of every longer interval.

What a kernel knows of one bar is a record with named fields, the first of which is `start` (µs). Three functions make up
a kernel: `fold` fills 1-second bars from events and goes on with the last one, `merge` merges bars into longer ones and
goes on likewise, and `finish` turns records into columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from aperiodic.jit import inlined
from aperiodic.market import DAY_US, Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

__all__ = ["SECOND_US", "Bars", "merge_tree", "start_of", "to_frame"]

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


def merge_tree(
    seconds: NDArray[np.void], merge: Callable[[NDArray[np.void], int, NDArray[np.void], int], int]
) -> dict[Interval, NDArray[np.void]]:
    """Merge the 1-second bars of a UTC day into the bars of all intervals, each merged from the one before.

    Args:
        seconds: The day's 1-second bars.
        merge: Merges bars into bars of a length, µs, of which some are filled, and returns how many then are.
    """
    tree = {Interval.S1: seconds}
    shorter = seconds
    for interval in list(Interval)[1:]:
        bars = Bars(seconds.dtype, min(shorter.size, DAY_US // interval.microseconds))
        bars.used = merge(shorter, interval.microseconds, bars.room, 0)
        tree[interval] = shorter = bars.filled
    return tree


@inlined
def start_of(time: int, length_us: int) -> int:
    """Return the start of the bar that a time lies in."""
    return time - time % length_us


def to_frame(starts: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> pl.DataFrame:
    """Return `time` and the named partials of bars, null where they are NaN."""
    series = [pl.Series("time", np.ascontiguousarray(starts)).cast(pl.Datetime("us"))]
    for name, column in columns.items():
        values = np.ascontiguousarray(column)
        # A NaN, if there is any, makes the sum one; looking for it is cheaper than marking every value.
        undefined = values.dtype.kind == "f" and bool(np.isnan(values.sum()))
        series.append(pl.Series(name, values, nan_to_null=undefined))
    return pl.DataFrame(series)
