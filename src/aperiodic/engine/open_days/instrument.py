"""The open days of one instrument: parts of ticks go to the days and clocks that they belong to."""

from __future__ import annotations

from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.engine.merging import times_of
from aperiodic.engine.normalising.closing import JOINED
from aperiodic.engine.open_days.before import latest_before
from aperiodic.engine.open_days.day_state import DayState
from aperiodic.engine.parts import COMPACTED
from aperiodic.lake import LakeError, ObjectKind, ObjectReader
from aperiodic.lake.errors import UNUSABLE
from aperiodic.market import DAY_US, Clock, Interval, Source, Stream
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aperiodic.engine.open_days.older_file import OlderFile
    from aperiodic.engine.partials.kernel import FamilyKernel
    from aperiodic.lake import Lake, ObjectRecord
    from aperiodic.market import Exchange, Symbol

__all__ = ["HOLD_US", "OpenInstrument", "certain_until"]

HOLD_US: Final = 1_000_000
"""So long events of the exchange clock wait for others that come later, µs."""

_PATIENT_HOLD_US: Final = 60_000_000
"""The same while a day is read anew: what came late the first time takes its place."""

_OPEN_US: Final = 10_000_000
"""What is older goes into bars of the exchange clock though their minute is not over, so that little is left to do then."""

_OPEN_STEP_US: Final = 5_000_000
"""So often that is done: each time costs more than its few ticks."""

_ROWS_AT_ONCE: Final = 200_000


def certain_until(latest: int, hold_us: int) -> int:
    """Return until when events are put into bars of the exchange clock when bars are told by the second, µs.

    Within a minute nothing is told yet: it is left open for late events, but for what is old.

    Args:
        latest: Latest event, µs.
        hold_us: So long events wait for others that come later, µs.
    """
    certain, old = latest - hold_us, latest - _OPEN_US
    return max(certain - certain % Interval.M1.microseconds, old - old % _OPEN_STEP_US)


class OpenInstrument:
    """The days of one instrument that are not over.

    Attributes:
        states: By clock and begin of the day, µs.
        seen: Latest event, µs of the exchange clock; 0 before any.
        received: Latest arrival, µs; 0 before any.
        over: Numbers of days that are published with their month.
    """

    def __init__(
        self,
        lake: Lake,
        exchange: Exchange,
        symbol: Symbol,
        first_day: int,
        file: OlderFile,
        *,
        hold_us: int = HOLD_US,
        phase_us: int = 0,
    ) -> None:
        """Begin without ticks; `reload` takes those that are there.

        Args:
            lake: What holds them.
            exchange: Venue.
            symbol: Instrument.
            first_day: Number of the first day that is not over.
            file: As of `DayState`.
            hold_us: So long events of the exchange clock wait for others that come later, µs.
            phase_us: As of `DayState`.
        """
        self.states: dict[tuple[Clock, int], DayState] = {}
        self.seen = self.received = 0
        self.over: set[int] = set()
        self._sources: set[str] = set()
        self._lake = lake
        self._exchange = exchange
        self._symbol = symbol
        self._first_day = first_day
        self._file = file
        self._hold_us = hold_us
        self._phase_us = phase_us
        self._patient = False

    @property
    def source(self) -> Source:
        """Where the ticks came from."""
        return Source(next(iter(self._sources))) if len(self._sources) == 1 else Source.MIXED

    @property
    def late(self) -> int:
        """Ticks that the bars lack because they came late."""
        return sum(state.late for state in self.states.values())

    def reload(self) -> None:
        """Forget everything but the last 45 seconds, and read the ticks of the open days anew.

        Raises:
            LakeError: `object_missing` or `object_damaged`.
        """
        recent = [(*key, *ticks) for key, state in self.states.items() for ticks in state.recent()]
        self.states.clear()
        held = [
            record
            for kind in (ObjectKind.TICKS, ObjectKind.TICK_PARTS)
            for record in self._lake.current(kind, exchange=self._exchange, symbol=str(self._symbol))
            if record.key.period[:10] >= day_at(self._first_day - 1).isoformat() and self._reaches(record)
        ]
        self._patient = True
        seen, received = self.seen, self.received
        self.seen = self.received = 0  # while reading, certain is what precedes the latest event that was read
        held.sort(key=lambda each: (each.first_local or 0, each.key.period))
        try:
            for record, following in zip_longest(held, held[1:]):
                self._take(record)
                self.fold(self.received if following is None else following.first_local or 0)
        finally:
            self._patient = False
            self.seen, self.received = max(self.seen, seen), max(self.received, received)
            for clock, begin, stream, ticks in recent:  # files may not hold all of them yet
                self._state(clock, begin).add(stream, ticks)

    def take(self, records: Iterable[ObjectRecord]) -> bool:
        """Take objects of ticks that are new; return whether the days have to be read anew because of them."""
        for record in records:
            key = record.key
            if key.kind is ObjectKind.TICKS:
                if key.period >= day_at(self._first_day).isoformat() and record.reason != COMPACTED:
                    return True
                continue
            if key.period[:10] < day_at(self._first_day - 1).isoformat():
                continue
            if record.reason == JOINED:
                continue  # it holds what parts held that were taken
            try:
                self._take(record)
            except LakeError as error:
                if error.code not in UNUSABLE:
                    raise
                return True
        return False

    def fold(self, received: int, seen: int = 0, *, seconds: bool = False) -> None:
        """Put into the bars what is certain.

        Args:
            received: Everything that arrived until then is here, µs.
            seconds: Whether bars below a minute are wanted at once.
            seen: Latest event of the venue, µs of the exchange clock; its instruments are not all equally lively.
        """
        hold = _PATIENT_HOLD_US if self._patient else self._hold_us
        latest = min(max(self.seen, seen), received)
        certain = certain_until(latest, hold) if seconds else latest - hold
        horizons = {Clock.EXCHANGE: certain, Clock.TRUE: received}
        for (clock, _), state in self.states.items():
            state.fold(horizons[clock], seconds=seconds)

    def forget_days_over(self) -> None:
        """Let go of the days in `over`."""
        while self.over:
            day = self.over.pop()
            for clock in Clock:
                self.states.pop((clock, day * DAY_US), None)
            self._first_day = max(self._first_day, day + 1)

    def _reaches(self, record: ObjectRecord) -> bool:
        """Whether an object holds ticks of open days, on either clock."""
        return max(record.last_exchange or 0, record.last_local or 0) >= self._first_day * DAY_US

    def _take(self, record: ObjectRecord) -> None:
        if record.key.period[:10] < day_at(self._first_day).isoformat():
            with ObjectReader(self._lake.store) as files:
                begin = pl.lit(self._first_day * DAY_US).cast(pl.Datetime("us", "UTC"))
                late = pl.any_horizontal(pl.col(clock.column) >= begin for clock in Clock)
                ticks = files.scan(record.path).filter(late).collect()
        else:
            ticks = self._lake.store.read_parquet(record.path)
        self._sources.add(record.source)
        self.add(Stream(record.key.dataset), ticks, record.last_exchange or 0, record.last_local or 0)

    def add(
        self, stream: Stream, ticks: pl.DataFrame, last_exchange: int, last_local: int, *, told: bool = False
    ) -> None:
        """Take ticks of any days; those that came before are left out.

        Args:
            stream: Which.
            ticks: With the columns of `tick_schema(stream)`.
            last_exchange: Latest event, µs of the exchange clock.
            last_local: Latest arrival, µs.
            told: Whether bars of a second, by arrival, were told of them.
        """
        self.seen = max(self.seen, last_exchange)
        self.received = max(self.received, last_local)
        for clock in Clock:
            known, is_told = times_of(ticks, clock.column), told and clock is Clock.TRUE
            if ticks.height and (day := int(known.min()) // DAY_US) == int(known.max()) // DAY_US:
                if day >= self._first_day:
                    for part in ticks.iter_slices(_ROWS_AT_ONCE):
                        self._state(clock, day * DAY_US).add(stream, part, told=is_told)
                continue
            times = ticks[clock.column].to_physical()
            days = times // DAY_US
            for day in days.drop_nulls().unique().sort():
                if day < self._first_day:
                    continue
                state = self._state(clock, day * DAY_US)
                own = ticks if days.n_unique() == 1 else ticks.filter(days == day)
                for part in own.iter_slices(_ROWS_AT_ONCE):
                    state.add(stream, part, told=is_told)

    def _state(self, clock: Clock, begin: int) -> DayState:
        state = self.states.get((clock, begin))
        if state is None:
            before = partial(self._before, clock, begin)
            state = DayState(self._exchange, clock, begin, before, self._file, phase_us=self._phase_us)
            self.states[clock, begin] = state
        return state

    def _before(self, clock: Clock, begin: int, kernel: FamilyKernel) -> Mapping[Stream, pl.DataFrame]:
        """Return the latest usable event before a day for each stream that a kernel looks back on."""
        day_before = self.states.get((clock, begin - DAY_US))
        recent = {} if day_before is None else {name: day_before.latest(name, kernel) for name in kernel.looks_back}
        if recent and all(event.height for event in recent.values()):
            return recent
        found = latest_before(self._lake, self._exchange, self._symbol, clock, begin, kernel)
        return {**found, **{stream: event for stream, event in recent.items() if event.height}}
