"""Makes rows of bars the moment they are over: from ticks that are handed over, and from files where those are all there is."""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from aperiodic.engine.edges import has_just_ended, is_about_to_end
from aperiodic.engine.handover import HandedOver
from aperiodic.engine.live.bars import LiveBars
from aperiodic.engine.live.board import families_on_board
from aperiodic.engine.live.gaps import KnownGaps
from aperiodic.engine.live.gathering import Gathering
from aperiodic.engine.open_days.days import OpenDays
from aperiodic.engine.open_days.instrument import HOLD_US, certain_until
from aperiodic.engine.open_days.publishing import MonthsBefore
from aperiodic.lake import LakeError, ObjectKind
from aperiodic.lake.errors import AWAY, UNUSABLE
from aperiodic.market import DAY_US, Clock, Exchange, Interval, Symbol
from aperiodic.market.time import day_at, now_us

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from aperiodic.catalog import Family
    from aperiodic.engine.handover import Announced
    from aperiodic.engine.handover.receiver import Track
    from aperiodic.engine.live.rows import LiveRow, Seconds
    from aperiodic.engine.open_days.day_state import DayState
    from aperiodic.engine.open_days.days import Instrument
    from aperiodic.lake import Lake

__all__ = ["LiveMaker"]

_LEDGER_EVERY_US: Final = 500_000
_REPAIR_US: Final = 600_000_000
_READ_ANEW_SHARE: Final = 20
"""Reading days anew takes at most this part of the time."""
_FORGET_EVERY_US: Final = 60_000_000
_COMMITTED_WITHIN_US: Final = 30_000_000
"""A day is read anew only where files hold all but the ticks of this time: so long ago they are remembered."""
_AGAIN: Final = frozenset({"busy", "ledger_unavailable", *AWAY, *UNUSABLE})
_LONGER_WAIT_US: Final = 2_000_000
_BEHIND_US: Final = 10_000_000
"""For so long at most the open days lack ticks of which bars of a second were told."""
_AT_ONCE: Final = 3
"""So many instruments catch up before what was handed over meanwhile has its turn."""
_STEP_US: Final = 5_000_000
"""So often ticks go into bars while nobody reads those below a minute."""


class _Due(NamedTuple):
    """What is over of a venue.

    Attributes:
        until: Everything that arrived until then is here, µs.
        may_wait: Whether nothing but seconds by arrival is over.
    """

    until: int
    may_wait: bool

    @property
    def edge(self) -> int:
        """End of the last second by arrival that is over, µs."""
        return self.until - self.until % Interval.S1.microseconds


class LiveMaker:
    """Makes the rows.

    Args:
        lake: The installation.
        tell: Receives the rows of bars that are over, and of those that have changed since; of bars that were over before
            the first round only those of the last two minutes are told.
        seconds: Which bars below a minute are to be told too.
        track: Knows what was handed over; None: everything is read from files.
        has_more: Whether more has been handed over: then bars of a minute and more wait for what follows from it, for a
            moment.
        hold_us: So long bars of the exchange clock wait for ticks that come late, µs.
        repair_us: So long after a day was read anew ticks that came late wait until it is read once more, µs.
        now: Tells the time, µs.
        exchanges: Only these venues; none: all.
        awaits_edges: Whether nothing that takes time is begun where a second is about to be over.

    Attributes:
        waits: What could not be done in the last round, and why; None where everything was.
        bars: Rows told since the start.
    """

    def __init__(
        self,
        lake: Lake,
        tell: Callable[[list[LiveRow]], object],
        *,
        seconds: Callable[[], Seconds] = frozenset,
        track: Track | None = None,
        has_more: Callable[[], bool] = lambda: False,
        hold_us: int = HOLD_US,
        repair_us: int = _REPAIR_US,
        now: Callable[[], int] = now_us,
        exchanges: Collection[Exchange] = (),
        awaits_edges: bool = False,
    ) -> None:
        self.waits: str | None = None
        self.bars = 0
        self._lake = lake
        self._tell_rows = tell
        self._seconds = seconds
        self._exchanges = frozenset(exchanges)
        self._track = track
        self._has_more = has_more
        self._longer: Iterator[list[LiveRow]] | None = None
        self._longer_since = 0
        self._now = now
        self._days = OpenDays(
            lake,
            now,
            hold_us=hold_us,
            settle=self._settle,
            read_anew=self._correct,
            exchanges=exchanges,
        )
        self._gathering = Gathering(self._days)
        self._behind: deque[list[Instrument]] = deque()
        """Instruments whose bars of a second are told, but not what else is over."""
        self._behind_since: dict[Exchange, int] = {}
        self._gaps = KnownGaps(lake, now)
        self._live = LiveBars(MonthsBefore(lake), self._gaps, now)
        self._edges: dict[Exchange, tuple[int, int]] = {}
        self._told_to: dict[Exchange, int] = {}
        """Until when bars of a second were told straight from what was handed over, µs."""
        self._awaits_edges = awaits_edges
        self._certain: dict[Exchange, int] = {}
        self._hold_us = hold_us
        self._repair_us = repair_us
        self._anew: dict[Instrument, int] = {}
        self._ledger_at = self._forgotten = self._anew_after = 0
        self._begun = False

    @property
    def trouble(self) -> str | None:
        """Why some instruments have no rows, or why older bars stay in memory; else None."""
        return self._days.trouble

    @property
    def unreadable(self) -> Mapping[Instrument, LakeError]:
        """Why the ticks of some instruments cannot be read."""
        return self._days.unreadable

    @property
    def is_telling(self) -> bool:
        """Whether rows of bars that are over are left to be told in the next round."""
        return self._longer is not None or bool(self._behind)

    @property
    def is_edge_near(self) -> bool:
        """Whether a second is about to be over, or has just been and its ticks are about to come."""
        if not self._awaits_edges or not self._told_to:
            return False
        if is_about_to_end(now := self._now()):
            return True
        second = Interval.S1.microseconds
        ended = now - now % second
        return has_just_ended(now) and any(ended - 2 * second <= told < ended for told in self._told_to.values())

    @property
    def is_resting(self) -> bool:
        """Whether what is left has to wait: a second is about to be over, or rows of a minute are on their way to readers."""
        if self.is_edge_near:
            return True
        is_told = self._awaits_edges and self._told_to and self._longer is None
        now = self._now()
        return bool(is_told and now % Interval.M1.microseconds < Interval.S1.microseconds and has_just_ended(now))

    @property
    def until(self) -> int | None:
        """Until when bars are told, µs of the slowest instrument; None without any."""
        folded = [state.folded_to for each in self._days.instruments.values() for state in each.states.values()]
        return min(folded, default=None)

    def round(self, messages: Iterable[HandedOver | Announced] = ()) -> None:
        """Take in what is new, and tell the rows that follow from it.

        Args:
            messages: What was handed over since the last time, in order.

        Raises:
            LakeError: The store or the ledger failed for good.
        """
        for message in messages:
            self._hear(message)
        # What is read from files may change bars that are about to be told.
        if not self.is_telling and not self.is_resting:
            self._read()
        if self._begun:
            self._make(self._seconds())
        began = self._now()
        while self.is_telling and not self.is_resting:
            if not self._go_on():
                return
            self._longer_since = self._longer_since or began
            if self._has_more() and began - self._longer_since < _LONGER_WAIT_US:
                return
        if not self.is_telling:
            self._longer_since = 0

    def _go_on(self) -> bool:
        """Do a little of what is left: rows of one dataset, or the bars of some instruments; return whether it could be."""
        if self._longer is None:
            owners = self._behind[0]
            exchange = owners[0][0]
            due = _Due(self._received().get(exchange, 0), may_wait=False)
            if not self._catch_up({exchange: due}, owners):
                return False
            self._behind.popleft()
            if not self._behind:
                self._tell(self._live.seconds)
        else:
            rows = next(self._longer, None)
            if rows is None:
                self._longer = None
            else:
                self._hand_out(rows)
        return True

    def _read(self) -> None:
        self.waits = None
        try:
            self._read_ledger()
            self._read_anew()
        except LakeError as error:
            if error.code not in _AGAIN:
                raise
            self.waits = error.message

    def _make(self, seconds: Seconds) -> None:
        due = self._due(seconds=bool(seconds))
        if seconds == self._live.seconds and (families := families_on_board(seconds)):
            due = {exchange: each for exchange, each in due.items() if not self._is_told(exchange, each, families)}
        if due:
            for exchange in due:
                self._gathering.interrupt(exchange)
                self._told_to.pop(exchange, None)
            self._behind = deque(owners for owners in self._behind if owners[0][0] not in due)
            owners = [owner for exchange in due for owner in self._gathering.owners(exchange)]
            if self._catch_up(due, owners):
                self._tell(seconds)
            else:
                for exchange in due:
                    self._edges.pop(exchange)
                    self._certain.pop(exchange)

    def _is_told(self, exchange: Exchange, due: _Due, families: Collection[Family]) -> bool:
        """Tell bars of a second straight from what was handed over, where that can be; what else is over has time."""
        bars = self._gathering.bars(exchange, due.edge, families)
        if bars is None:
            return False
        for rows in self._live.of_board(bars.items(), self._states):
            self._hand_out(rows)
        if minutes := list(self._gathering.minutes(exchange, due.edge)):
            rows_of_minutes = self._live.of_board(minutes, self._states, Interval.M1)
            self._tell_longer(rows_of_minutes)
        self._told_to[exchange] = due.edge
        since = self._behind_since.setdefault(exchange, due.edge)
        if not due.may_wait or due.edge - since >= _BEHIND_US:
            waiting = {owner for owners in self._behind for owner in owners}
            owners = [owner for owner in self._gathering.owners(exchange) if owner not in waiting]
            self._behind.extend(owners[begin : begin + _AT_ONCE] for begin in range(0, len(owners), _AT_ONCE))
            self._behind_since.pop(exchange)
        return True

    def _catch_up(self, due: Mapping[Exchange, _Due], owners: Collection[Instrument]) -> bool:
        """Put into the bars of some instruments what is over; return whether the ledger answered."""
        for exchange, each in due.items():
            some = [owner for owner in owners if owner[0] is exchange]
            self._gathering.take(some, each.edge if each.may_wait else None)
        try:
            self._gaps.meet(self._days.instruments)
        except LakeError as error:
            if error.code not in _AGAIN:
                raise
            self.waits = error.message
            return False
        owners = [owner for owner in owners if owner in self._days.instruments]
        self._days.fold({exchange: each.until for exchange, each in due.items()}, seconds=True, only=owners)
        for exchange, each in due.items():
            self._gathering.forget([owner for owner in owners if owner[0] is exchange], each.edge)
        return True

    def _settle(self, owner: Instrument) -> None:
        self._gathering.settle(owner)
        self._gathering.distrust(owner)

    @property
    def _states(self) -> dict[Instrument, dict[tuple[Clock, int], DayState]]:
        return {key: each.states for key, each in self._days.readable.items()}

    def _received(self) -> dict[Exchange, int]:
        return self._days.received_by_venue({} if self._track is None else self._track.received)

    def _hear(self, message: HandedOver | Announced) -> None:
        exchange = Exchange(message.exchange)
        if self._exchanges and exchange not in self._exchanges:
            return
        if isinstance(message, HandedOver):
            self._gathering.hear(exchange, message)
        else:
            for symbol in message.anew:
                self._anew[exchange, Symbol.parse(symbol)] = self._now()

    def _due(self, *, seconds: bool) -> dict[Exchange, _Due]:
        """Return the venues of which something is over that was not the last time."""
        step = Interval.S1.microseconds if seconds else _STEP_US
        received = self._received()
        seen = self._days.seen_by_venue()
        due = {}
        for exchange, until in received.items():
            latest = min(max(self._gathering.seen[exchange], seen[exchange]), until)
            edges = (until // step, (latest - self._hold_us) // Interval.M1.microseconds)
            if self._edges.get(exchange) != edges:
                self._edges[exchange] = edges
                certain = certain_until(latest, self._hold_us)
                may_wait = certain == self._certain.get(exchange)
                self._certain[exchange] = certain
                due[exchange] = _Due(until, may_wait)
        return due

    def _read_ledger(self) -> None:
        if self._track is not None and self._now() - self._ledger_at < _LEDGER_EVERY_US:
            return
        self._ledger_at = self._now()
        self._gaps.ask(self._days.instruments)
        if self._track is None:
            self._days.read_ledger()
        else:
            writers = self._track.committed()
            self._days.read_ledger(self._track.is_known)
            self._track.read_files(writers)
        self._begun = True
        self._gaps.learn({key for key in self._days.instruments if self._is_behind(key)})
        self._tell_gaps()
        self._forget()

    def _tell(self, seconds: Seconds) -> None:
        states = self._states
        for rows in self._live.take_seconds(states, seconds):
            self._hand_out(rows)
        self._tell_longer(self._live.take_longer(states))

    def _tell_longer(self, rows: Iterator[list[LiveRow]]) -> None:
        """Tell rows when there is time, after those that wait: fields that look back over the month take bars in order."""
        self._longer = rows if self._longer is None else chain(self._longer, rows)

    def _tell_gaps(self) -> None:
        """Tell the rows again of bars that overlap gaps that have become known, or were filled."""
        for owner in list(self._gaps.changed):
            self._gathering.settle(owner)
            self._hand_out(list(self._live.touched(owner, self._days.instruments[owner].states)))

    def _hand_out(self, rows: list[LiveRow]) -> None:
        if rows:
            self.bars += len(rows)
            self._tell_rows(rows)

    def _correct(self, key: Instrument, before: Mapping[tuple[Clock, int], DayState]) -> None:
        self._hand_out(list(self._live.corrected(key, dict(before), self._days.instruments[key].states)))

    def _read_anew(self) -> None:
        """Read one instrument anew whose bars lack ticks that came late, or have some that no file holds."""
        began = self._now()
        if began < self._anew_after:
            return
        days = self._days
        for key in days.readable:
            is_late = self._is_behind(key) and began - days.read_at[key] > self._repair_us
            if (is_late or self._anew.get(key, began) < began) and self._is_committed(key[0]):
                self._anew.pop(key, None)
                self._gathering.take(self._gathering.owners(key[0]))
                days.reload(key)
                self._anew_after = self._now() + (self._now() - began) * _READ_ANEW_SHARE
                return

    def _is_behind(self, key: Instrument) -> bool:
        """Whether bars of an instrument lack ticks that came late."""
        return self._days.instruments[key].late > self._days.late.get(key, 0)

    def _is_committed(self, exchange: Exchange) -> bool:
        held = self._days.received(exchange)
        told = {} if self._track is None else self._track.received
        return all(time - held < _COMMITTED_WITHIN_US for (venue, _), time in told.items() if venue == exchange)

    def _forget(self) -> None:
        """Let go of days that are over and built."""
        if self._now() - self._forgotten < _FORGET_EVERY_US:
            return
        self._forgotten = self._now()
        today = self._now() // DAY_US
        for (exchange, symbol), instrument in self._days.instruments.items():
            for day in {begin // DAY_US for _, begin in instrument.states if begin // DAY_US < today}:
                built = self._lake.current(ObjectKind.DAY_BARS, exchange=exchange, symbol=str(symbol))
                parts = self._lake.current(ObjectKind.TICK_PARTS, exchange=exchange, symbol=str(symbol))
                name = day_at(day).isoformat()
                if any(record.key.period == name for record in built) and not any(
                    record.key.period.startswith(name) for record in parts
                ):
                    instrument.over.add(day)
