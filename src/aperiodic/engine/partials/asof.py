"""As-of joins: the state of one stream when an event of another happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from aperiodic.jit import kernel
from aperiodic.market import DAY_US

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

__all__ = ["LOOK_BACK_US", "NEVER", "LatestValue", "latest_events"]

LOOK_BACK_US: Final = DAY_US
"""An event that is older than this is not known any more, µs."""

NEVER: Final = -(1 << 62)
"""A time so long ago that nothing looks back on it, µs."""


@kernel
def latest_events(times: NDArray[np.int64], event_times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of the latest event up to each time, -1 where there is none.

    Events at the very time count; the last of them is taken.

    Args:
        times: µs since the epoch, ascending.
        event_times: µs since the epoch, ascending.
    """
    positions = np.empty(times.size, np.int64)
    following = 0
    for i in range(times.size):
        while following < event_times.size and event_times[following] <= times[i]:
            following += 1
        positions[i] = following - 1
    return positions


class LatestValue:
    """One column of a stream as of any time, whichever parts its events come in.

    Args:
        before: The latest event before the day, one row or none.
        column: Whose values.
    """

    def __init__(self, before: pl.DataFrame, column: str) -> None:
        self._column = column
        self._time: int = before["time"].item() if before.height else NEVER
        self._value: float = before[column].item() if before.height else np.nan
        self._times, self._values = np.zeros(0, np.int64), np.zeros(0)

    def add(self, events: pl.DataFrame) -> None:
        """Add events, ascending in time."""
        times, values = events["time"].to_numpy(), events[self._column].to_numpy()
        if self._times.size:
            times, values = np.append(self._times, times), np.append(self._values, values)
        self._times, self._values = times, values

    def at(self, times: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the latest value at or before each time, NaN where there is none of the last 24 hours.

        Args:
            times: µs since the epoch, ascending, none before what was forgotten.
        """
        positions = latest_events(times, self._times)
        first = int(np.searchsorted(positions, 0))
        values = np.empty(times.size)
        # Events of the day itself are never too old.
        values[:first] = np.where(times[:first] - self._time <= LOOK_BACK_US, self._value, np.nan)
        np.take(self._values, positions[first:], out=values[first:])
        return values

    @property
    def last_time(self) -> int:
        """Time of the latest event that was added, µs."""
        return int(self._times[-1]) if self._times.size else self._time

    def forget(self, time: int) -> None:
        """Keep what times from `time` on can look back on."""
        passed = int(np.searchsorted(self._times, time))
        if passed:
            self._time, self._value = int(self._times[passed - 1]), float(self._values[passed - 1])
            self._times, self._values = self._times[passed:], self._values[passed:]
