"""Work that the threads of a process share: kernels leave other threads alone, so several of them run at the same time.

As many threads work as Polars has (`POLARS_MAX_THREADS`): one in a worker of a build.
"""

from __future__ import annotations

from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, Union

import numpy as np
import polars as pl

from aperiodic.engine.partials.bars import SECOND_US

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from aperiodic.engine.partials.bars import Bars

__all__ = ["Times", "at_once", "bar_edges", "close_up", "events_before", "fold_seconds", "second_edges"]

Times: TypeAlias = Union[pl.Series, "NDArray[np.int64]"]

_WORTH_A_THREAD: Final = 50_000
"""So many events take far longer than giving them to a thread."""
_PARTS_A_THREAD: Final = 4
"""More parts than threads, so that none waits long for the last one."""

T = TypeVar("T")


def at_once(calls: Sequence[Callable[[], T]], events: int) -> list[T]:
    """Return what calls return, in their order; they begin in this order, at the same time where there are many events."""
    threads = min(pl.thread_pool_size(), len(calls))
    if threads <= 1 or events < _WORTH_A_THREAD:
        return [call() for call in calls]
    with ThreadPoolExecutor(threads) as pool:
        begun = [pool.submit(call) for call in calls]
    return [call.result() for call in begun]


def events_before(times: Times, time: int) -> int:
    """Return how many events are before the second that a time lies in.

    Args:
        times: µs since the epoch, ascending.
        time: µs since the epoch.
    """
    return bisect_left(times, time - time % SECOND_US)


def second_edges(times: Times) -> list[int]:
    """Return where parts of events begin that threads can share, and where the last one ends.

    Each part but the first begins with a second, so all events of a second are in one part.

    Args:
        times: µs since the epoch, ascending.
    """
    count = len(times)
    parts = _parts(count)
    edges = {events_before(times, int(times[count * part // parts])) for part in range(1, parts)}
    return [0, *sorted(edges - {0}), count]


def bar_edges(ends: NDArray[np.int64]) -> list[int]:
    """Return where parts of bars begin that threads can share, and where the last one ends.

    Args:
        ends: Where each bar ends in the events; each part has about as many of them.
    """
    count = int(ends[-1]) if ends.size else 0
    parts = _parts(count)
    edges = {int(np.searchsorted(ends, count * part // parts)) for part in range(1, parts)}
    return [0, *sorted(edges - {0}), ends.size]


def fold_seconds(bars: Bars, times: Times, fold: Callable[[int, int, NDArray[np.void], int], tuple[int, T]]) -> list[T]:
    """Add events to 1-second bars, parts of them at the same time where there are many.

    Bars are the same to the last bit as without parts, since each is filled by one thread.

    Args:
        bars: To which.
        times: Of the events, µs since the epoch, ascending, no earlier than those before.
        fold: Adds the events from a position to before another to records, of which a number is filled already; returns
            how many then are, and what else is to be known.

    Returns:
        What else there is to be known, part by part.
    """
    edges = second_edges(times)
    rows = [0, *(_rows_before(bars, times, edge) for edge in edges[1:-1])]
    if len(rows) > 1 and _rows_before(bars, times, -1) >= bars.room.size:
        edges, rows = [0, len(times)], [0]
    filled = at_once(
        [
            partial(fold, begin, end, bars.room[row:], 0 if row else bars.used)
            for begin, end, row in zip(edges, edges[1:], rows, strict=False)
        ],
        len(times),
    )
    close_up(bars, [(row, used) for row, (used, _) in zip(rows, filled, strict=True)])
    return [more for _, more in filled]


def close_up(bars: Bars, runs: Sequence[tuple[int, int]]) -> None:
    """Put runs of filled records, each given by its first row and their number, behind one another from row 0 on."""
    rows = bars.room.view(np.uint8).reshape(bars.room.size, bars.room.itemsize)  # not field by field
    used = 0
    for begin, count in runs:
        if begin > used:
            rows[used : used + count] = rows[begin : begin + count]
        used += count
    for begin, count in runs:
        rows[max(begin, used) : begin + count] = 0
    bars.used = used


def _rows_before(bars: Bars, times: Times, event: int) -> int:
    """Return how many bars there can be before an event's second: those that are filled, and one for each second since."""
    first, time = int(times[0]), int(times[event])
    first -= first % SECOND_US
    continued = bars.used and bars.filled["start"][-1] == first
    return (time - first) // SECOND_US + bars.used - bool(continued)


def _parts(events: int) -> int:
    threads = pl.thread_pool_size()
    return max(min(_PARTS_A_THREAD * threads, events // _WORTH_A_THREAD), 1) if threads > 1 else 1
