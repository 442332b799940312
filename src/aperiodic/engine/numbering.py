"""Where a venue's numbers begin anew, told from the events alone.

After a relisting or maintenance a venue may count from the beginning again, so that a number alone does not name an
event. Which count an event belongs to follows from all events of a day together, whatever files they came in and in
whatever order: in the order of time, a new count begins where a number comes a second time, or where a lower number
comes clearly after a higher one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from aperiodic.completeness.gaps import RESTART, Span
from aperiodic.venues import RESTART_SLACK_US

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["counts_of", "may_count_anew", "runs_of"]

_MODELLED_SLACK_US: Final = 60_000_000
"""Arrival times that stand in for exchange times may be this far apart between two recorders."""

_FIRST_WINDOW: Final = 1_024


def counts_of(ticks: pl.DataFrame) -> pl.Series:
    """Return which count each event belongs to, from 0.

    Args:
        ticks: Events with `sequence`, `exchange_timestamp` and `local_timestamp`, each once, in any order.
    """
    modelled = bool((ticks["exchange_timestamp"] == ticks["local_timestamp"]).fill_null(value=False).all())
    slack = _MODELLED_SLACK_US if modelled else RESTART_SLACK_US
    numbers = ticks["sequence"].to_numpy()
    times = ticks["exchange_timestamp"].to_physical().to_numpy()
    by_number = np.lexsort((times, numbers))
    ordered, late = numbers[by_number], times[by_number]
    behind = np.maximum.accumulate(late) - late if len(late) else late
    counts = np.zeros(len(numbers), dtype=np.int64)
    if (ordered[1:] == ordered[:-1]).any() or (behind > slack).any():
        by_time = np.lexsort((numbers, times))
        counts[by_time] = _walk(numbers[by_time], times[by_time], slack)
    return pl.Series("count", counts)


def may_count_anew(ticks: pl.DataFrame) -> bool:
    """Whether numbers that only grow may belong to several counts all the same: times fall behind.

    Args:
        ticks: Events with ascending `sequence`, and `exchange_timestamp`.
    """
    times = ticks["exchange_timestamp"].to_numpy().astype("datetime64[us]", copy=False).view(np.int64)
    return bool((np.maximum.accumulate(times) - times > min(_MODELLED_SLACK_US, RESTART_SLACK_US)).any())


def runs_of(events: pl.DataFrame, broken: str = "sequence_break") -> list[Span]:
    """Return the runs of consecutive numbers of each count.

    Args:
        events: Events with `sequence`, `exchange_timestamp` and `count`, as `counts_of` tells it, in any order.
        broken: Why a run begins that carries on from none before it.
    """
    ordered = events.sort("count", "sequence")
    restarts = pl.col("count") != pl.col("count").shift()
    breaks = (pl.col("sequence").diff() != 1) | restarts
    runs = (
        ordered.group_by(breaks.fill_null(value=False).cum_sum().alias("run"))
        .agg(
            after=pl.col("sequence").min() - 1,
            last=pl.col("sequence").max(),
            first_time=pl.col("exchange_timestamp").first().to_physical(),
            last_time=pl.col("exchange_timestamp").last().to_physical(),
            count=pl.col("count").first(),
        )
        .sort("run")
    )
    before = 0
    spans = []
    for run, after, last, first_time, last_time, count in runs.rows():
        begins = RESTART if count > before else broken if run else "not_recorded"
        spans.append(Span(after, last, first_time, last_time, begins))
        before = count
    return spans


def _walk(numbers: NDArray[np.int64], times: NDArray[np.int64], slack: int) -> NDArray[np.int64]:
    counts = np.zeros(len(numbers), dtype=np.int64)
    begin = count = 0
    while (conflict := _first_conflict(numbers, times, begin, slack)) is not None:
        # The new count begins where the numbers fall most; the conflict is what shows that they do.
        window = numbers[begin : conflict + 1]
        edge = begin + 1 + int(np.argmax(window[:-1] - window[1:]))
        counts[begin:edge] = count
        begin, count = edge, count + 1
    counts[begin:] = count
    return counts


def _first_conflict(numbers: NDArray[np.int64], times: NDArray[np.int64], begin: int, slack: int) -> int | None:
    """Return the first event from `begin` on that cannot belong to the same count as those before it."""
    width = _FIRST_WINDOW
    while True:
        number, time = numbers[begin : begin + width], times[begin : begin + width]
        highest = np.maximum.accumulate(number)
        settled = np.searchsorted(time, time - slack, side="left") - 1
        conflicts = (settled >= 0) & (number <= highest[settled])
        first_seen = np.unique(number, return_index=True)[1]
        repeated = np.ones(len(number), dtype=bool)
        repeated[first_seen] = False
        conflicts |= repeated
        if conflicts.any():
            return begin + int(np.argmax(conflicts))
        if begin + width >= len(numbers):
            return None
        width *= 2
