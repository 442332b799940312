"""Makes rows of bars the moment they are over: from ticks that are handed over, and from files where those are all there is."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from aperiodic.engine.handover import HandedOver
from aperiodic.engine.importing.buffers import rows_frame
from aperiodic.engine.live.bars import LiveBars
from aperiodic.engine.live.gaps import KnownGaps
from aperiodic.engine.open_days.days import OpenDays
from aperiodic.engine.open_days.instrument import HOLD_US
from aperiodic.engine.open_days.publishing import MonthsBefore
from aperiodic.lake import LakeError, ObjectKind
from aperiodic.lake.errors import UNUSABLE
from aperiodic.market import DAY_US, Exchange, Stream, Symbol, tick_schema
from aperiodic.market.time import day_at, now_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aperiodic.engine.handover import Announced
    from aperiodic.engine.handover.receiver import Track
    from aperiodic.engine.live.rows import LiveRow
    from aperiodic.engine.open_days.day_state import DayState
    from aperiodic.engine.open_days.days import Instrument
    from aperiodic.lake import Lake
    from aperiodic.market import Clock

__all__ = ["LiveMaker"]

_LEDGER_EVERY_US: Final = 500_000
_READ_ANEW_EVERY_US: Final = 600_000_000
_READ_ANEW_SHARE: Final = 20
"""Reading days anew takes at most this part of the time."""
_FORGET_EVERY_US: Final = 60_000_000
_COMMITTED_WITHIN_US: Final = 20_000_000
"""A day is read anew only where files hold all but the ticks of this time: so long ago they are remembered."""
_AGAIN: Final = frozenset({"busy", "ledger_unavailable", "store_unavailable", *UNUSABLE})
_TIMES: Final = ("exchange_timestamp", "local_timestamp")


class LiveMaker:
    """Makes the rows.

    Args:
        lake: The installation.
        tell: Receives the rows of bars that are over, and of those that have changed since; of bars that were over before
            the first round only those of the last two minutes are told.
        seconds: Whether bars below a minute are to be told too.
        track: Knows what was handed over; None: everything is read from files.
        hold_us: So long bars of the exchange clock wait for ticks that come late, µs.
        now: Tells the time, µs.

    Attributes:
        waits: What could not be done in the last round, and why; None where everything was.
        bars: Rows told since the start.
    """

    def __init__(
        self,
        lake: Lake,
        tell: Callable[[list[LiveRow]], object],
        *,
        seconds: Callable[[], bool] = lambda: False,
        track: Track | None = None,
        hold_us: int = HOLD_US,
        now: Callable[[], int] = now_us,
    ) -> None:
        self.waits: str | None = None
        self.bars = 0
        self._lake = lake
        self._tell_rows = tell
        self._seconds = seconds
        self._track = track
        self._now = now
        self._days = OpenDays(lake, now, hold_us=hold_us, read_anew=self._correct)
        self._gaps = KnownGaps(lake, now)
        self._live = LiveBars(MonthsBefore(lake), self._gaps, now)
        self._new: defaultdict[Instrument, defaultdict[Stream, list[Any]]] = defaultdict(lambda: defaultdict(list))
        self._anew: dict[Instrument, int] = {}
        self._ledger_at = self._forgotten = self._anew_after = 0
        self._begun = False

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
        self.waits = None
        for message in messages:
            if isinstance(message, HandedOver):
                for stream, symbol, rows in message.series:
                    self._new[Exchange(message.exchange), Symbol.parse(symbol)][Stream(stream)] += rows
            else:
                for symbol in message.anew:
                    self._anew[Exchange(message.exchange), Symbol.parse(symbol)] = self._now()
        try:
            self._read_ledger()
            self._read_anew()
        except LakeError as error:
            if error.code not in _AGAIN:
                raise
            self.waits = error.message
        if self._begun:
            self._take()
            seconds = self._seconds()
            self._days.fold({} if self._track is None else self._track.received, seconds=seconds)
            self._tell(seconds=seconds)

    def _read_ledger(self) -> None:
        if self._track is not None and self._now() - self._ledger_at < _LEDGER_EVERY_US:
            return
        self._ledger_at = self._now()
        if self._track is None:
            self._days.read_ledger()
        else:
            writers = self._track.committed()
            self._days.read_ledger(self._track.is_known)
            self._track.read_files(writers)
        self._begun = True
        self._gaps.refresh(self._days.instruments)
        self._forget()

    def _take(self) -> None:
        """Let the open days have what was handed over."""
        for key, streams in self._new.items():
            instrument = self._days.find(key)
            for stream, rows in streams.items():
                ticks = rows_frame(tick_schema(stream), rows)
                latest: list[Any] = [ticks[name].to_physical().max() for name in _TIMES]
                instrument.add(stream, ticks, *(time or 0 for time in latest))
        self._new.clear()

    def _tell(self, *, seconds: bool) -> None:
        if not self._days.instruments:
            return
        states = {owner: instrument.states for owner, instrument in self._days.instruments.items()}
        rows = [row for owner, held in states.items() for row in self._live.touched(owner, held)]
        self._hand_out(rows)
        self._hand_out(list(self._live.take(states, seconds=seconds)))

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
        for key, instrument in self._days.instruments.items():
            days = self._days
            is_late = instrument.late > days.late.get(key, 0) and began - days.read_at[key] > _READ_ANEW_EVERY_US
            if (is_late or self._anew.get(key, began) < began) and self._is_committed(key[0]):
                self._anew.pop(key, None)
                self._take()
                days.reload(key)
                self._anew_after = self._now() + (self._now() - began) * _READ_ANEW_SHARE
                return

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
