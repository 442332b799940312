"""Days whose bars are records until they become columns, which those of many days can do together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aperiodic.engine.partials.bars import Bars, longest_of, merge_tree, to_frame
from aperiodic.engine.partials.older import Older, with_older

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from aperiodic.engine.partials.bars import Merge
    from aperiodic.market import Interval

__all__ = ["RecordedDay", "Records"]


class Records(NamedTuple):
    """Bars of an interval, and what makes named partials of them."""

    bars: NDArray[np.void]
    columns_of: Callable[[NDArray[np.void], Interval], Mapping[str, NDArray[Any]]]


class RecordedDay:
    """An open day of which 1-second bars are all that is kept.

    Attributes:
        seconds: The 1-second bars.
    """

    def __init__(
        self,
        record: np.dtype[np.void],
        merge: Merge,
        columns_of: Callable[[NDArray[np.void], Interval], Mapping[str, NDArray[Any]]],
    ) -> None:
        """Begin a day.

        Args:
            record: What is known of a bar.
            merge: As of `merge_tree`.
            columns_of: Makes the named partials of bars of an interval.
        """
        self.seconds = Bars(record)
        self._merge = merge
        self._columns_of = columns_of
        self._older = Older(record)

    def join_seconds(self, before: int) -> None:
        """Keep bars of a minute in the place of older ones of a second; see `OpenDay.join_seconds`."""
        self.seconds.join(self.seconds.rows_to_join(before), self._merge)

    def leaving(self, before: int) -> bytes | None:
        """Return what can leave memory; see `OpenDay.leaving`."""
        rows = self.seconds.rows_to_join(before)
        return self._older.pack([self.seconds.filled[:rows]]) if rows else None

    def leave(self, before: int, read: Callable[[int], list[bytes]]) -> None:
        """Let go of it; see `OpenDay.leave`."""
        rows = self.seconds.rows_to_join(before)
        self._older.note(int(self.seconds.filled["start"][rows - 1]), read)
        self.seconds.drop(rows)

    def finish(self, intervals: Collection[Interval], since: int | None = None) -> dict[Interval, pl.DataFrame]:
        """Return the bars of all that was added so far; see `OpenDay.finish`."""
        return {
            interval: to_frame(bars["start"], self._columns_of(bars, interval))
            for interval, bars in self._tree(longest_of(intervals), since).items()
            if interval in intervals
        }

    def records(self, interval: Interval, since: int | None = None) -> Records:
        """Return the bars of an interval before they are columns; `since` as of `finish`."""
        return Records(self._tree(interval, since)[interval], self._columns_of)

    def merged(self, seconds: NDArray[np.void], interval: Interval) -> Records:
        """Return the bars of an interval that bars of a second make, which are others than those of this day."""
        return Records(merge_tree(seconds, self._merge, interval)[interval], self._columns_of)

    def _tree(self, longest: Interval, since: int | None) -> dict[Interval, NDArray[np.void]]:
        (older,) = self._older.since(since)
        seconds = with_older(older, self.seconds.filled[self.seconds.first_since(since) :])
        return merge_tree(seconds, self._merge, longest)
