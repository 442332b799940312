"""What a family of datasets is computed from, and the ticks that its kernel gets for one day and clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from aperiodic.market import Clock, Exchange, Interval, Stream

__all__ = ["DayTicks", "FamilyKernel"]


@dataclass(frozen=True, slots=True)
class DayTicks:
    """The ticks of one instrument on one UTC day of one clock.

    Frames hold `time` (Int64, µs since the epoch on that clock), then the columns that the kernel asked for. Rows are
    in order of time; events of the same time stay in the venue's order.

    Attributes:
        exchange: Venue.
        clock: Which time orders the events.
        begin: Start of the day, µs.
        day: Events within the day, by stream; empty where there are none.
        before: The latest usable event before the day, one row or none, for the streams that the kernel looks back on.
    """

    exchange: Exchange
    clock: Clock
    begin: int
    day: Mapping[Stream, pl.DataFrame]
    before: Mapping[Stream, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class FamilyKernel:
    """How the partials of a family are computed.

    Attributes:
        version: Raised whenever the kernel would give other numbers or other columns for the same ticks.
        columns: Value columns to read, by stream.
        bars: Computes `time` and one column a partial, for every interval.
        usable: Which events can be the latest before the day, by stream; any, where a stream is not named. Of the day
            itself a kernel gets all events and leaves out what it cannot use.
        looks_back: Streams whose latest event before the day matters too.
    """

    version: int
    columns: Mapping[Stream, tuple[str, ...]]
    bars: Callable[[DayTicks], Mapping[Interval, pl.DataFrame]]
    usable: Mapping[Stream, pl.Expr] = field(default_factory=dict)
    looks_back: frozenset[Stream] = frozenset()
