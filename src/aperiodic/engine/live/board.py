"""Bars of a second straight from the ticks that are handed over, of all instruments at once.

To put ticks into the open days of each instrument takes its time for every instrument, stream and clock. Bars of a second
of some families need nothing but the ticks of that second: they are computed here first, by the kernels of the build, and
the open days get the same ticks some seconds later.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from aperiodic.catalog import DATASETS, Family
from aperiodic.engine.families import KERNELS
from aperiodic.engine.live.minutes import Minutes, TradeColumns
from aperiodic.engine.live.rows import ALL_SECONDS
from aperiodic.engine.merging import times_of
from aperiodic.engine.packed_rows import cut, height_of, joined, ticks_of
from aperiodic.engine.partials.bars import to_frame
from aperiodic.engine.partials.kernel import DayTicks
from aperiodic.engine.partials.recorded_day import RecordedDay
from aperiodic.engine.partials.trades import TradeDay
from aperiodic.market import DAY_US, Clock, Interval, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from numpy.typing import NDArray

    from aperiodic.engine.live.rows import Seconds
    from aperiodic.engine.open_days.day_state import DayState
    from aperiodic.engine.packed_rows import Piece
    from aperiodic.market import Exchange, Symbol

__all__ = ["Bars", "Board", "Waiting", "cut_all", "families_on_board"]

_FAMILIES: Final = (Family.TRADES, Family.QUOTES, Family.BOOK)
"""Their bars of a second need no other tick than those of the second, and of one stream."""
_MOST_SECONDS: Final = 80_000
"""Instruments times seconds: as many bars as a kernel has room for in a day."""
_SLACK_US: Final = 60_000_000
"""Where exchange times of an instrument lie further apart, its numbers may have begun anew."""

_Owner = tuple["Exchange", "Symbol"]
_Key = tuple[str, str, str]
"""Stream, writer and run."""
Waiting = dict[_Key, list["Piece"]]
"""What was handed over of an instrument and is in no bar yet."""


def families_on_board(seconds: Seconds) -> tuple[Family, ...] | None:
    """Return the families that some wanted bars are made from; None where some of them are not made here."""
    families = {DATASETS[dataset].family for dataset, interval in seconds & ALL_SECONDS if interval == Interval.S1}
    if not families or len(seconds & ALL_SECONDS) > sum(interval == Interval.S1 for _, interval in seconds):
        return None
    return tuple(family for family in _FAMILIES if family in families) if families <= {*_FAMILIES} else None


class Bars(NamedTuple):
    """Bars of instruments, one after another, as `time` and partials: all of them, and those of each."""

    whole: pl.DataFrame
    parts: list[tuple[_Owner, pl.DataFrame]]


class _Split(NamedTuple):
    """Ticks of an instrument that the open days have, and that they have not: those of seconds that are over, and others."""

    ahead: Waiting
    ahead_later: Waiting
    new: Waiting
    new_later: Waiting


class _Some(NamedTuple):
    """Ticks of one stream that are about to become bars: rows of instruments, one after another.

    Attributes:
        ticks: All of them.
        owners: The instruments.
        places: The place of each in the time of kernels, ascending: its ticks are later by that many days.
        ends: Where the rows of each end.
        is_first: Which rows are the first ones of an instrument.
        begins: Which rows are the first ones of what was handed over together.
    """

    ticks: pl.DataFrame
    owners: list[_Owner]
    places: NDArray[np.int64]
    ends: NDArray[np.int64]
    is_first: NDArray[np.bool_]
    begins: NDArray[np.bool_]

    @property
    def starts(self) -> NDArray[np.intp]:
        """Where the rows of each instrument begin."""
        return np.flatnonzero(self.is_first)

    @property
    def number(self) -> NDArray[np.intp]:
        """Number of each row's instrument among `owners`."""
        return np.cumsum(self.is_first) - 1


class Board:
    """Makes the bars, and keeps their ticks until the open days take them.

    Attributes:
        told: Ticks of which bars were made and that are in no open day yet, by instrument.
        ahead: Ticks that are in the open days already, of seconds that were not over.
    """

    def __init__(self) -> None:
        self.told: dict[_Owner, Waiting] = {}
        self.ahead: dict[_Owner, Waiting] = {}
        self._numbers: dict[tuple[_Owner, Stream], int] = {}
        self._owners: list[_Owner] = []
        self._places: dict[_Owner, int] = {}
        self._minutes: defaultdict[Exchange, Minutes] = defaultdict(Minutes)
        self._told_ahead: dict[_Owner, int] = {}
        """Of ticks that open days had before their bars of a second were told, how many wait there still."""

    def take(
        self,
        waiting: Mapping[_Owner, Waiting],
        states: Mapping[_Owner, DayState],
        edge: int,
        families: Collection[Family],
    ) -> dict[Family, Bars] | None:
        """Return bars of a second of instruments, and move their ticks from `waiting` to `told`.

        Args:
            waiting: What was handed over and is in no open day, of instruments of one venue.
            states: The open day of each, by arrival.
            edge: End of the last second that is over, µs.
            families: Whose bars are wanted.

        Returns:
            Bars by family; None, and nothing is moved, where the open days have to find out what the ticks are worth:
            some are late, may have come twice, or are not in order.
        """
        since = {owner: self._told_until(owner, state, families) for owner, state in states.items()}
        split = self._split(waiting, states, edge)
        first = {
            owner: _both(split[owner].ahead, split[owner].new)
            for owner in sorted(split, key=self._place)
            if split[owner].ahead or split[owner].new
        }
        begin = edge - 1 - (edge - 1) % DAY_US
        earliest = min((since.get(owner) or begin - 1 for owner in first), default=edge)
        if earliest < begin or (edge - earliest) // Interval.S1.microseconds * len(first) > _MOST_SECONDS:
            return None
        some = {stream: found for stream in Stream if (found := _together(stream, first, self._place)) is not None}
        if not all(self._is_plain(stream, found, since, edge) for stream, found in some.items()):
            return None
        minutes = self._minutes[next(iter(first))[0]] if first else None
        bars = {
            family: _bars(family, stream, some[stream], begin, minutes)
            for family in families
            for stream in KERNELS[family].columns
            if stream in some
        }
        for owner in first:
            self.ahead[owner] = split[owner].ahead_later
            self._told_ahead[owner] = self._told_ahead.get(owner, 0) + _rows_of(split[owner].ahead)
            if split[owner].new:
                self.told[owner] = _both(self.told.get(owner, {}), split[owner].new)
                waiting[owner].clear()
                waiting[owner].update(split[owner].new_later)
            states[owner].take_as_told(families, edge)
        if minutes is not None:
            minutes.note(edge)
        self._remember_numbers(some)
        return bars

    def minutes(
        self, exchange: Exchange, states: Mapping[_Owner, DayState], edge: int
    ) -> Iterator[tuple[Family, Bars]]:
        """Yield the bars of the minute that is over, of instruments of which `take` made all bars of its seconds.

        Args:
            exchange: Venue.
            states: As of `take`.
            edge: As of `take`.
        """
        end = edge - edge % Interval.M1.microseconds
        for family, places, (bars, columns_of) in self._minutes[exchange].take(edge):
            each, firsts, counts = np.unique(places, return_index=True, return_counts=True)
            own = [
                (owner, first, first + count)
                for place, first, count in zip(each.tolist(), firsts.tolist(), counts.tolist(), strict=True)
                if (owner := self._owners[place]) in states
                and end - Interval.M1.microseconds <= states[owner].minutes_told_to(family) < end
            ]
            if not own:
                continue
            rows = np.concatenate([np.arange(first, last) for _, first, last in own])
            frame = to_frame(bars["start"][rows] - places[rows] * DAY_US, columns_of(bars[rows], Interval.M1))
            parts, begin = [], 0
            for owner, first, last in own:
                parts.append((owner, frame.slice(begin, last - first)))
                begin += last - first
                states[owner].take_minutes_as_told(family, end)
            yield family, Bars(frame, parts)

    def _place(self, owner: _Owner) -> int:
        place = self._places.get(owner)
        if place is None:
            place = self._places[owner] = len(self._owners)
            self._owners.append(owner)
        return place

    def _split(
        self, waiting: Mapping[_Owner, Waiting], states: Mapping[_Owner, DayState], edge: int
    ) -> dict[_Owner, _Split]:
        owners = dict.fromkeys([*waiting, *(owner for owner in states if owner in self.ahead)])
        return {
            owner: _Split(*cut_all(self.ahead.get(owner, {}), edge), *cut_all(waiting.get(owner, {}), edge))
            for owner in owners
        }

    def distrust(self, owner: _Owner) -> None:
        """Take that bars of a second of an instrument may be told again, others than they were."""
        self._minutes[owner[0]].distrust(self._place(owner))

    def interrupt(self, exchange: Exchange) -> None:
        """Take that bars of a second of a venue are told from the open days meanwhile."""
        self._minutes[exchange].interrupt()

    def settle(self, owner: _Owner) -> Waiting:
        """Return the ticks that the open days of an instrument lack; they take them now."""
        for stream in Stream:
            self._numbers.pop((owner, stream), None)
        return self.told.pop(owner, {})

    def give(self, owner: _Owner, given: Waiting) -> None:
        """Take that the open days of an instrument have got ticks."""
        self.ahead[owner] = _both(self.ahead.get(owner, {}), given)

    def forget(self, owner: _Owner, until: int) -> None:
        """Take that an open day has all ticks in its bars that arrived before a time, µs."""
        _, self.ahead[owner] = cut_all(self.ahead.get(owner, {}), until)
        self._told_ahead.pop(owner, None)

    def _told_until(self, owner: _Owner, state: DayState, families: Collection[Family]) -> int | None:
        """Return until when, µs, bars of a second were told of all ticks; None where that is not known."""
        edge = max(state.folded_to, state.told_to)
        if state.waiting != _rows_of(self.ahead.get(owner, {})) + self._told_ahead.get(owner, 0):
            return None  # others came from files
        is_told = all(state.seconds_told_to(family) == edge for family in families)
        return edge if state.begin < edge and is_told else None

    def _is_plain(self, stream: Stream, some: _Some, since: Mapping[_Owner, int | None], edge: int) -> bool:
        """Whether ticks simply follow those of which bars were made, in order, none of them twice."""
        if len({*some.owners}) < len(some.owners):
            return False  # the same events may come of two writers
        arrivals = times_of(some.ticks, "local_timestamp")
        told = np.array([since[owner] for owner in some.owners], np.int64)
        in_time = bool((arrivals[some.starts] >= told).all() and (arrivals[some.ends - 1] < edge).all())
        if not in_time or not _ascend(arrivals, some.is_first):
            return False
        if not some.ticks["sequence"].null_count():
            before = np.array([self._numbers.get((owner, stream), -1) for owner in some.owners])
            return _are_numbered_on(some, before)
        # Events of the same microsecond that were handed over apart may be the same.
        apart = _ascend(arrivals, some.is_first | ~some.begins, strictly=True)
        return apart and some.ticks["sequence"].is_null().all() and (stream is not Stream.TRADES or _are_named(some))

    def _remember_numbers(self, some: Mapping[Stream, _Some]) -> None:
        for stream, found in some.items():
            if not found.ticks["sequence"].null_count():
                last = found.ticks["sequence"].to_numpy()[found.ends - 1].tolist()
                self._numbers |= {(owner, stream): number for owner, number in zip(found.owners, last, strict=True)}


def cut_all(waiting: Waiting, time: int) -> tuple[Waiting, Waiting]:
    """Return what arrived before a time, µs, and the rest."""
    parts: tuple[Waiting, Waiting] = {}, {}
    for key, pieces in waiting.items():
        for piece in joined(pieces) if pieces else ():
            for part, some in zip(cut(Stream(key[0]), piece, time), parts, strict=True):
                if part:
                    some.setdefault(key, []).append(part)
    return parts


def _rows_of(waiting: Waiting) -> int:
    return sum(height_of(Stream(key[0]), piece) for key, pieces in waiting.items() for piece in pieces)


def _both(first: Waiting, then: Waiting) -> Waiting:
    together = {key: list(pieces) for key, pieces in first.items()}
    for key, pieces in then.items():
        together.setdefault(key, []).extend(pieces)
    return together


def _together(stream: Stream, first: Mapping[_Owner, Waiting], place: Callable[[_Owner], int]) -> _Some | None:
    """Return the ticks of a stream; None where there are none."""
    each = [(owner, found[key]) for owner, found in first.items() for key in found if key[0] == stream]
    if not each:
        return None
    heights = [[height_of(stream, piece) for piece in pieces] for _, pieces in each]
    ends = np.cumsum([sum(some) for some in heights])
    ticks = ticks_of(stream, [piece for _, pieces in each for piece in pieces])
    is_first, begins = np.zeros(ticks.height, np.bool_), np.zeros(ticks.height, np.bool_)
    is_first[[0, *ends[:-1]]] = True
    begins[np.cumsum([0, *(height for some in heights for height in some)])[:-1]] = True
    owners = [owner for owner, _ in each]
    return _Some(ticks, owners, np.array([place(owner) for owner in owners], np.int64), ends, is_first, begins)


def _are_numbered_on(some: _Some, before: NDArray[np.int64]) -> bool:
    """Whether the numbers of each instrument ascend, from those before on, and cannot be of two counts."""
    numbers = some.ticks["sequence"].to_numpy()
    times = times_of(some.ticks, "exchange_timestamp")
    spread = np.maximum.reduceat(times, some.starts) - np.minimum.reduceat(times, some.starts)
    ascend = _ascend(numbers, some.is_first, strictly=True) and bool((numbers[some.starts] > before).all())
    return ascend and bool((spread <= _SLACK_US).all())


def _are_named(some: _Some) -> bool:
    """Whether all trades of an instrument have ids of their own."""
    named = some.ticks.select("id", pl.Series("owner", some.number))
    return not some.ticks["id"].null_count() and named.n_unique() == named.height


def _ascend(values: NDArray[np.int64], is_first: NDArray[np.bool_], *, strictly: bool = False) -> bool:
    """Whether values ascend, but for where others begin."""
    steps = np.diff(values)[~is_first[1:]]
    return bool((steps > 0).all() if strictly else (steps >= 0).all())


def _bars(family: Family, stream: Stream, some: _Some, begin: int, minutes: Minutes | None) -> Bars:
    """Return the bars of each instrument. The kernel sees one long day after another, of which each is an instrument's."""
    kernel = KERNELS[family]
    places = some.places[some.number]
    times = times_of(some.ticks, "local_timestamp") + places * DAY_US
    day = kernel.open_day(DayTicks(some.owners[0][0], Clock.TRUE, begin, {}, {}))
    if not isinstance(day, RecordedDay | TradeDay):
        raise TypeError(family)
    day.fold({stream: some.ticks.select(kernel.columns[stream]).insert_column(0, pl.Series("time", times))})
    bars, columns_of = day.records(Interval.S1)
    of = (bars["start"] - begin) // DAY_US
    starts = bars["start"] - of * DAY_US
    if minutes is not None:
        trades = None
        if isinstance(day, TradeDay):
            trades = TradeColumns(places, times, some.ticks["price"].to_numpy(), some.ticks["amount"].to_numpy())
        minutes.add(family, of, bars.copy(), trades)
    frame = to_frame(starts, columns_of(bars, Interval.S1))
    edges = np.searchsorted(of, [*some.places, some.places[-1] + 1]).tolist()
    each = zip(some.owners, edges[:-1], edges[1:], strict=True)
    return Bars(frame, [(owner, frame.slice(first, last - first)) for owner, first, last in each if last > first])
