"""The open days of all instruments, brought up to date from the ledger."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from aperiodic.engine.open_days.day_state import OLDER_STEP_US
from aperiodic.engine.open_days.instrument import HOLD_US, OpenInstrument
from aperiodic.engine.open_days.older_file import OlderFile
from aperiodic.lake import LakeError, ObjectKind
from aperiodic.lake.checkpoints import read_checkpoints
from aperiodic.lake.errors import AWAY, UNREADABLE
from aperiodic.lake.objects import last_row, objects_after
from aperiodic.market import DAY_US, Exchange, Interval, Symbol
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from aperiodic.engine.open_days.day_state import DayState
    from aperiodic.lake import Lake, ObjectRecord
    from aperiodic.market import Clock

__all__ = ["Instrument", "OpenDays", "instrument_of"]

_ACTIVE_US: Final = 120_000_000

_READ_AGAIN_US: Final = 60_000_000
"""So often it is tried to read what could not be read."""
_ASK_AGAIN_US: Final = 5_000_000
"""So often where the store is away."""

Instrument = tuple[Exchange, Symbol]
Writer = tuple[str, str]
"""Venue and name of a recorder."""


class OpenDays:
    """Keeps the bars of open days in memory.

    Attributes:
        instruments: By venue and symbol.
        read_at: When each was read anew, µs, or that was tried.
        late: Ticks that came late to each until then.
        unreadable: Why the ticks of some cannot be read: their bars are not whole until that is tried again.
    """

    def __init__(
        self,
        lake: Lake,
        now: Callable[[], int],
        *,
        hold_us: int = HOLD_US,
        settle: Callable[[Instrument], object] = lambda _key: None,
        read_anew: Callable[[Instrument, Mapping[tuple[Clock, int], DayState]], object] = lambda _key, _states: None,
        found: Callable[[ObjectRecord], object] = lambda _record: None,
        exchanges: Collection[Exchange] = (),
    ) -> None:
        """Begin with nothing.

        Args:
            lake: The installation.
            now: Tells the time, µs.
            hold_us: So long events of the exchange clock wait for others that come later, µs.
            settle: Called with an instrument before it takes what is in files, or is read anew.
            read_anew: Takes an instrument that was read anew, and its states before.
            found: Takes every object of ticks that is new, and at the start those of days that are over.
            exchanges: Only these venues; none: all.
        """
        self.instruments: dict[Instrument, OpenInstrument] = {}
        self.read_at: dict[Instrument, int] = {}
        self.late: dict[Instrument, int] = {}
        self.unreadable: dict[Instrument, LakeError] = {}
        self._lake = lake
        self._now = now
        self._file = OlderFile(lake.home)
        self._hold_us = hold_us
        self._settle = settle
        self._read_anew = read_anew
        self._found = found
        self._exchanges = frozenset(exchanges)
        self._received: dict[Writer, int] = {}
        self._row = 0
        self._begun = False

    @property
    def readable(self) -> dict[Instrument, OpenInstrument]:
        """The instruments whose bars are whole: all but those in `unreadable`."""
        return {key: each for key, each in self.instruments.items() if key not in self.unreadable}

    @property
    def today(self) -> int:
        """Number of the day."""
        return self._now() // DAY_US

    @property
    def trouble(self) -> str | None:
        """Why some instruments have no bars, or why older bars could not leave memory the last time; else None."""
        if self.unreadable:
            error = next(iter(self.unreadable.values()))
            return (
                f"instruments without bars, for their ticks cannot be read: {len(self.unreadable):,} ({error.message})"
            )
        return self._file.trouble

    def received(self, exchange: Exchange) -> int:
        """Return until when files hold everything that arrived of a venue, µs; 0 where nobody records it."""
        return min((time for (venue, _), time in self._received.items() if venue == exchange), default=0)

    def read_ledger(self, is_known: Callable[[str], bool] = lambda _fingerprint: False) -> None:
        """Take in the ticks that are new.

        Args:
            is_known: Tells of the fingerprint of an object whether its ticks have been taken already.

        Raises:
            LakeError: The store or the ledger failed.
        """
        for key, error in list(self.unreadable.items()):
            every = _ASK_AGAIN_US if error.code in AWAY else _READ_AGAIN_US
            if self._now() - self.read_at[key] > every:
                self.reload(key)
        # Asked before the ticks are: what is committed in between must not count as read.
        with self._lake.engine.connect() as connection:
            received = {key: each.last_received for key, each in read_checkpoints(connection).items()}
        if not self._begun:
            self._begin()
        else:
            with self._lake.engine.connect() as connection:
                records, row = objects_after(connection, (ObjectKind.TICKS, ObjectKind.TICK_PARTS), self._row)
            self._take([record for record in records if not is_known(record.fingerprint)])
            self._row = row
        self._received = received

    def fold(
        self, received: Mapping[Exchange, int], *, seconds: bool = False, only: Collection[Instrument] | None = None
    ) -> None:
        """Put into the bars what is certain.

        Args:
            received: Everything that arrived of a venue until then is here, µs; see `received_by_venue`. Venues that are
                not named have to wait.
            seconds: Whether what is over is put there by the second, not by the minute.
            only: Some instruments; None: all.
        """
        seen = self.seen_by_venue()
        for owner in self.instruments if only is None else only:
            exchange, instrument = owner[0], self.instruments[owner]
            instrument.forget_days_over()
            if exchange not in received:
                continue
            try:
                instrument.fold(received[exchange], seen[exchange], seconds=seconds)
            except LakeError as error:  # what was before the day cannot be read
                self._distrust(owner, error)

    def seen_by_venue(self) -> defaultdict[Exchange, int]:
        """Return the latest event of each venue, µs of its clock; 0 where there is none."""
        seen: defaultdict[Exchange, int] = defaultdict(int)
        for (exchange, _), instrument in self.instruments.items():
            seen[exchange] = max(seen[exchange], instrument.seen)
        return seen

    def received_by_venue(self, handed_over: Mapping[Writer, int] | None = None) -> dict[Exchange, int]:
        """Return until when everything that arrived is here, by venue, µs.

        Args:
            handed_over: Everything that arrived at writers until then is here, though not in the ledger yet, µs.
        """
        handed_over = handed_over or {}
        received: defaultdict[Exchange, list[int]] = defaultdict(list)
        for writer in self._received.keys() | handed_over.keys():
            time = max(self._received.get(writer, 0), handed_over.get(writer, 0))
            received[Exchange(writer[0])].append(time)
        found = {
            exchange: min(time for time in times if time > max(times) - _ACTIVE_US)
            for exchange, times in received.items()
        }
        for (exchange, _), instrument in self.instruments.items():
            if exchange not in received:  # nobody records it: its ticks were imported
                found[exchange] = max(found.get(exchange, 0), instrument.received)
        return found

    def _begin(self) -> None:
        """Read the ticks of open days."""
        with self._lake.engine.connect() as connection:
            self._row = last_row(connection)
        first = day_at(self.today - 1).isoformat()
        for record in self._own(self._lake.current(ObjectKind.TICK_PARTS)):
            if record.key.period >= first:
                self.find(instrument_of(record))
        for record in self._own(self._lake.current(ObjectKind.TICKS)):
            self._found(record)
        self._begun = True

    def _own(self, records: Iterable[ObjectRecord]) -> Iterator[ObjectRecord]:
        return (record for record in records if not self._exchanges or record.key.exchange in self._exchanges)

    def _take(self, records: Sequence[ObjectRecord]) -> None:
        of_instrument: defaultdict[Instrument, list[ObjectRecord]] = defaultdict(list)
        first = day_at(self.today - 1).isoformat()
        for record in self._own(records):
            self._found(record)
            key = instrument_of(record)
            if record.key.period[:10] >= first and (
                record.key.kind is ObjectKind.TICK_PARTS or key in self.instruments
            ):
                of_instrument[key].append(record)
        for key, new in of_instrument.items():
            if key not in self.instruments:
                self.find(key)
                continue
            if key in self.unreadable:
                continue
            self._settle(key)
            if self.instruments[key].take(new):
                self.reload(key)

    def find(self, key: Instrument) -> OpenInstrument:
        """Return an instrument; one that is new is read from the ledger.

        Raises:
            LakeError: The store or the ledger failed.
        """
        if key not in self.instruments:
            yesterday = day_at(self.today - 1).isoformat()
            held = self._lake.current(ObjectKind.TICK_PARTS, exchange=key[0], symbol=str(key[1]))
            is_open = any(part.key.period.startswith(yesterday) for part in held)
            minute = Interval.M1.microseconds
            self.instruments[key] = OpenInstrument(
                self._lake,
                *key,
                self.today - is_open,
                self._file,
                hold_us=self._hold_us,
                phase_us=len(self.instruments) * minute % OLDER_STEP_US,
            )
            self.reload(key)
        return self.instruments[key]

    def reload(self, key: Instrument) -> None:
        """Read an instrument anew; where an object is missing or damaged, or the store is away, it is among `unreadable`.

        Raises:
            LakeError: The store or the ledger failed for good.
        """
        instrument = self.instruments[key]
        self._settle(key)
        before = {} if key in self.unreadable else dict(instrument.states)
        self.read_at[key], self.late[key] = self._now(), 0
        for _ in range(2):  # an object may give way to another while it is read
            try:
                instrument.reload()
            except LakeError as error:
                self._distrust(key, error)
            else:
                self.unreadable.pop(key, None)
                self.read_at[key], self.late[key] = self._now(), instrument.late
                self._read_anew(key, before)
                return

    def _distrust(self, key: Instrument, error: LakeError) -> None:
        """Take note that the bars of an instrument are not whole, until it can be read anew."""
        if error.code not in UNREADABLE:
            raise error
        self.unreadable[key] = error
        self.read_at[key] = self._now()


def instrument_of(record: ObjectRecord) -> Instrument:
    """Return what an object is of."""
    return Exchange(record.key.exchange), Symbol.parse(record.key.symbol)
