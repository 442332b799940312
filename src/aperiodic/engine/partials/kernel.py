"""What a family of datasets is computed from, and how: the protocol that all kernels keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aperiodic.market import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import polars as pl

    from aperiodic.market import Clock, Exchange, Stream

__all__ = ["DayTicks", "FamilyKernel", "OpenDay"]


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
        before: The latest usable event before the day, one row or none, for the streams that the kernel looks back on
            and no further than it does.
    """

    exchange: Exchange
    clock: Clock
    begin: int
    day: Mapping[Stream, pl.DataFrame]
    before: Mapping[Stream, pl.DataFrame]


class OpenDay(Protocol):
    """The bars of a UTC day that events are still added to."""

    def fold(self, events: Mapping[Stream, pl.DataFrame]) -> None:
        """Add events, none of them earlier than what was added before; frames are as in `DayTicks`.

        How a day is divided changes nothing: the bars are the same to the last bit.
        """

    def finish(self, intervals: Collection[Interval], since: int | None = None) -> dict[Interval, pl.DataFrame]:
        """Return `time` and one column a partial for each of the intervals, of all that was added so far.

        The last bar may still be open; events can be added afterwards.

        Args:
            intervals: Which.
            since: Only the bars from this time on, µs, at which a bar of each of the intervals starts; they are the
                same to the last bit as those of the whole day.
        """

    def join_seconds(self, before: int) -> None:
        """Keep bars of a minute in the place of those of seconds that start before a time, for these take their room.

        Bars of a minute and more are the same to the last bit; of shorter ones only those from this time on can be asked
        for afterwards.

        Args:
            before: When a minute starts, µs; nothing that comes is earlier.
        """

    def leaving(self, before: int) -> bytes | None:
        """Return what can leave memory of bars that `join_seconds` joined; None where there is nothing.

        Args:
            before: Only bars that start before this time, µs.
        """

    def leave(self, before: int, read: Callable[[int], list[bytes]]) -> None:
        """Let go of what `leaving` returned for the same time; bars are as before.

        Args:
            before: As of `leaving`.
            read: Returns what left, in order, but for parts all of whose bars start before a time, µs.
        """


@dataclass(frozen=True, slots=True)
class FamilyKernel:
    """How the partials of a family are computed.

    Attributes:
        columns: Value columns to read, by stream.
        open_day: Begins a day, of whose ticks only what is known before it is looked at.
        usable: Which events can be the latest before the day, by stream; any, where a stream is not named. Of the day
            itself a kernel gets all events and leaves out what it cannot use.
        looks_back: Streams whose latest event before the day matters too, and how far back that may lie, µs; None is
            without limit.
    """

    columns: Mapping[Stream, tuple[str, ...]]
    open_day: Callable[[DayTicks], OpenDay]
    usable: Mapping[Stream, pl.Expr] = field(default_factory=dict)
    looks_back: Mapping[Stream, int | None] = field(default_factory=dict)

    def bars(self, ticks: DayTicks, intervals: Collection[Interval] = tuple(Interval)) -> dict[Interval, pl.DataFrame]:
        """Compute `time` and one column a partial of a whole day, for each of the intervals."""
        day = self.open_day(ticks)
        day.fold(ticks.day)
        return day.finish(intervals)
