"""From arrays to tick columns: times in milliseconds, values on decimal grids, paths read between their points.

Inside the simulation a time is an integer of milliseconds since the day's midnight, a price an integer of ticks
and an amount an integer of steps, so that sums and comparisons are exact. They become what a tick file holds here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import numpy.typing as npt

    from aperiodic.market import Stream

    BoolArray: TypeAlias = npt.NDArray[np.bool_]
    FloatArray: TypeAlias = npt.NDArray[np.float64]
    IntArray: TypeAlias = npt.NDArray[np.int64]

from aperiodic.market import DAY_US, tick_schema
from aperiodic.market.time import day_start_us

__all__ = ["DAY_MS", "SECOND_MS", "decimal", "frame", "last_of_each", "path_at"]

SECOND_MS: Final = 1_000
"""Milliseconds in a second."""

DAY_MS: Final = DAY_US // 1_000
"""Milliseconds in a UTC day."""


def path_at(path: FloatArray, time_ms: IntArray) -> FloatArray:
    """Read a path that is given at every whole second, both midnights included, by linear interpolation."""
    second = time_ms // SECOND_MS
    before = path[second]
    value: FloatArray = before + (path[second + 1] - before) * ((time_ms % SECOND_MS) / SECOND_MS)
    return value


def decimal(units: IntArray, decimals: int) -> FloatArray:
    """Return `units` / 10^`decimals`, each the float closest to that decimal number.

    Dividing by a power of ten is correctly rounded; multiplying by its inexact inverse would not be.
    """
    value: FloatArray = units / 10.0**decimals
    return value


def last_of_each(group: IntArray) -> BoolArray:
    """Mark the last element of every run of equal values."""
    last = np.ones(len(group), dtype=np.bool_)
    np.not_equal(group[1:], group[:-1], out=last[:-1])
    return last


def frame(
    stream: Stream,
    day: date,
    exchange_us: IntArray,
    local_us: IntArray,
    values: Mapping[str, pl.Series | FloatArray | IntArray],
    sequence: IntArray | None,
) -> pl.DataFrame:
    """Assemble a tick frame.

    Args:
        stream: Whose columns to give.
        day: The day that all times count from.
        exchange_us: Exchange times, microseconds since midnight.
        local_us: Arrival times, microseconds since midnight.
        values: The stream's own columns; one left out is null throughout.
        sequence: The venue's numbers, or None where it gives none.
    """
    midnight = day_start_us(day)
    columns = {"exchange_timestamp": midnight + exchange_us, "local_timestamp": midnight + local_us, **values}
    if sequence is not None:
        columns["sequence"] = sequence
    height = len(exchange_us)
    return pl.DataFrame(
        [
            pl.Series(name, columns[name]).cast(dtype)
            if name in columns
            else pl.repeat(None, height, dtype=dtype, eager=True).alias(name)
            for name, dtype in tick_schema(stream).items()
        ]
    )
