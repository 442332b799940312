"""As-of joins: the state of one stream when an event of another happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aperiodic.engine.partials.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aperiodic.engine.partials.kernel import DayTicks
    from aperiodic.market import Stream

__all__ = ["latest_events", "values_as_of"]


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


def values_as_of(
    times: NDArray[np.int64], ticks: DayTicks, stream: Stream, columns: tuple[str, ...]
) -> list[NDArray[np.float64]]:
    """Return columns of a stream as of each time, looking back beyond the day; NaN before the first event ever.

    Events at the very time count; the last of them is taken. A value once known stays known, so NaNs come first if they
    come at all.

    Args:
        times: µs since the epoch, ascending, within the day.
        ticks: The day; its kernel looks back on the stream.
        stream: Whose values.
        columns: Which of them.
    """
    day, before = ticks.day[stream], ticks.before[stream]
    positions = latest_events(times, day["time"].to_numpy())
    first = int(np.searchsorted(positions, 0))
    results = []
    for column in columns:
        values = np.empty(times.size)
        values[:first] = before[column].item() if before.height else np.nan
        np.take(day[column].to_numpy(), positions[first:], out=values[first:])
        results.append(values)
    return results
