"""From 1-second bars to the bars of every longer interval, each merged from the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from aperiodic.market import DAY_US, Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Bars", "merge_tree"]


class Bars(Protocol):
    """Columns of a run of bars, ascending in time."""

    @property
    def start(self) -> NDArray[np.int64]:
        """Start of each bar, µs."""

    @classmethod
    def empty(cls, rows: int) -> Self:
        """Room for `rows` bars."""

    def head(self, rows: int) -> Self:
        """The first `rows` bars."""


B = TypeVar("B", bound=Bars)


def merge_tree(seconds: B, merge: Callable[[B, int, B], int]) -> dict[Interval, B]:
    """Merge the 1-second bars of a UTC day into the bars of all intervals, from the shortest to the longest.

    Args:
        seconds: The day's 1-second bars.
        merge: Merges bars into empty ones of a length, µs, and returns how many those are.
    """
    bars = seconds
    tree = {Interval.S1: bars}
    for interval in list(Interval)[1:]:
        merged = type(seconds).empty(min(bars.start.size, DAY_US // interval.microseconds))
        bars = merged.head(merge(bars, interval.microseconds, merged))
        tree[interval] = bars
    return tree
