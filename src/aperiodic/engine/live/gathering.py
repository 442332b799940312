"""Ticks that were handed over, on their way into the open days: bars of a second may be made of them before."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING

from aperiodic.engine.live.board import Board, cut_all
from aperiodic.engine.merging import times_of
from aperiodic.engine.packed_rows import height_of, joined, latest_of, ticks_of
from aperiodic.market import DAY_US, Clock, Exchange, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from aperiodic.catalog import Family
    from aperiodic.engine.handover import HandedOver
    from aperiodic.engine.live.board import Bars, Waiting
    from aperiodic.engine.open_days.day_state import DayState
    from aperiodic.engine.open_days.days import Instrument, OpenDays
    from aperiodic.engine.packed_rows import Piece

__all__ = ["Gathering"]


class Gathering:
    """Keeps what was handed over until the open days take it.

    Args:
        days: The open days.

    Attributes:
        seen: Latest event that was handed over of each venue, µs of its clock.
    """

    def __init__(self, days: OpenDays) -> None:
        self.seen: defaultdict[Exchange, int] = defaultdict(int)
        self._days = days
        self._board = Board()
        # Apart for each reading of recordings: the same events may come of two of them.
        self._new: defaultdict[Instrument, Waiting] = defaultdict(dict)
        self._symbols: dict[str, Symbol] = {}

    def hear(self, exchange: Exchange, message: HandedOver) -> None:
        """Take in what was handed over of a venue."""
        latest = self.seen[exchange]
        for stream, name, rows in message.series:
            symbol = self._symbols.get(name)
            if symbol is None:
                symbol = self._symbols[name] = Symbol.parse(name)
            key = stream, message.shard, message.run
            self._new[exchange, symbol].setdefault(key, []).append(rows)
            latest = max(latest, latest_of(Stream(stream), rows))
        self.seen[exchange] = latest

    def bars(self, exchange: Exchange, edge: int, families: Collection[Family]) -> dict[Family, Bars] | None:
        """Return bars of a second of a venue's instruments, made before the open days take their ticks.

        Args:
            exchange: Venue.
            edge: End of the last second that is over, µs.
            families: Whose bars are wanted.

        Returns:
            Bars by family; None where only the open days can tell what the ticks are worth, see `Board.take`.
        """
        states = self._states(exchange, edge)
        waiting = {owner: found for owner, found in self._new.items() if owner[0] is exchange and found}
        return self._board.take(waiting, states, edge, families)

    def minutes(self, exchange: Exchange, edge: int) -> Iterator[tuple[Family, Bars]]:
        """Yield bars of the minute that is over, of instruments of which `bars` made all those of its seconds."""
        return self._board.minutes(exchange, self._states(exchange, edge), edge)

    def interrupt(self, exchange: Exchange) -> None:
        """Take that bars of a second of a venue are told from the open days, not by `bars`."""
        self._board.interrupt(exchange)

    def _states(self, exchange: Exchange, edge: int) -> dict[Instrument, DayState]:
        """Return the open days, by arrival, that the time before an edge, µs, lies in."""
        day = (edge - 1) // DAY_US * DAY_US
        return {
            owner: state
            for owner, instrument in self._days.readable.items()
            if owner[0] is exchange and (state := instrument.states.get((Clock.TRUE, day))) is not None
        }

    def owners(self, exchange: Exchange) -> list[Instrument]:
        """Return the instruments of a venue."""
        return [owner for owner in {**self._days.instruments, **dict.fromkeys(self._new)} if owner[0] is exchange]

    def take(self, owners: Collection[Instrument], before: int | None = None) -> None:
        """Let the open days of instruments have what was handed over, that which arrived before a time, µs; None: all."""
        self._give({owner: told for owner in owners if (told := self._board.settle(owner))}, told=True)
        given: dict[Instrument, Waiting] = {}
        for owner in owners:
            found = self._new.pop(owner, None)
            if found is None:
                continue
            given[owner] = found
            if before is not None:  # to cut what came is cheaper than to cut the frames of all instruments
                given[owner], later = cut_all(found, before)
                if later:
                    self._new[owner] = later
        self._give(given)
        for owner, found in given.items():
            self._board.give(owner, found)

    def forget(self, owners: Collection[Instrument], until: int) -> None:
        """Take that the open days have all ticks of instruments in their bars that arrived before a time, µs."""
        for owner in owners:
            self._board.forget(owner, until)

    def settle(self, owner: Instrument) -> None:
        """Bring the open days of an instrument to where its bars of a second were told."""
        if told := self._board.settle(owner):
            self._give({owner: told}, told=True)
            for (clock, _), state in self._days.instruments[owner].states.items():
                if clock is Clock.TRUE:
                    state.fold(state.told_to, seconds=True)
                    self._board.forget(owner, state.folded_to)

    def distrust(self, owner: Instrument) -> None:
        """Take that bars of a second of an instrument may be told again, others than they were."""
        self._board.distrust(owner)

    def _give(self, ticks: Mapping[Instrument, Waiting], *, told: bool = False) -> None:
        """Let the open days of instruments have ticks; `told` as of `OpenInstrument.add`."""
        found: defaultdict[Stream, list[tuple[Instrument, list[Piece]]]] = defaultdict(list)
        for owner, waiting in ticks.items():
            for (name, _, _), pieces in waiting.items():
                if pieces:
                    found[Stream(name)].append((owner, joined(pieces)))
        for stream, owners in found.items():
            # One frame for all of them, for a frame of many columns costs more than its rows.
            together, begin = ticks_of(stream, list(chain.from_iterable(pieces for _, pieces in owners))), 0
            for owner, pieces in owners:
                height = sum(height_of(stream, piece) for piece in pieces)
                some = together.slice(begin, height)
                begin += height
                latest = (int(times_of(some, clock.column).max()) for clock in (Clock.EXCHANGE, Clock.TRUE))
                self._days.find(owner).add(stream, some, *latest, told=told)
