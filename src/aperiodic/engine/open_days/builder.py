"""The resident builder: bars of open days every few seconds, and months when days have closed."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from aperiodic.engine.build import build
from aperiodic.engine.open_days.days import Instrument, OpenDays, instrument_of
from aperiodic.engine.open_days.publishing import MonthsBefore, prune, publish
from aperiodic.engine.plan import Selection
from aperiodic.lake import Lake, LakeError, ObjectKind
from aperiodic.lake.errors import AWAY, UNUSABLE
from aperiodic.market import DAY_US
from aperiodic.market.time import day_at, now_us

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from aperiodic.engine.open_days.instrument import OpenInstrument
    from aperiodic.lake import ObjectRecord
    from aperiodic.market import Exchange, Symbol

__all__ = ["OpenDayBuilder", "Round"]

_LINKS_LIVE_US: Final = 900_000_000
"""For so long files stay that have given way to others: links to them live 5 minutes, and downloads take time."""

_NEVER: Final = date.min
_PRUNED_EVERY_US: Final = 60_000_000
_READ_ANEW_EVERY_US: Final = 600_000_000
_TRIED_AGAIN_US: Final = 60_000_000
_AGAIN: Final = frozenset({"busy", "lease_lost", "ledger_unavailable", *AWAY, *UNUSABLE})


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did.

    Attributes:
        files: Files of open days written.
        bars_until: Bars of open days are published until this time of the slowest instrument, µs; None without any.
        days: Days that were built because they are over.
        waits: What could not be done yet, and why; None where everything was.
        trouble: Why some instruments have no bars, or why older bars of open days stay in memory; else None.
    """

    files: int
    bars_until: int | None
    days: int
    waits: str | None
    trouble: str | None = None


class OpenDayBuilder:
    """Keeps the bars of open days up to date, and builds the days that are over.

    Args:
        lake: The installation.
        now: Tells the time, µs.
        workers: Processes that build days that are over, while bars of open days go on; None builds them in between.
        closes: Whether days that are over are built at all.
        exchanges: Only these venues; none: all.
    """

    def __init__(
        self,
        lake: Lake,
        now: Callable[[], int] = now_us,
        *,
        workers: int | None = None,
        closes: bool = True,
        exchanges: Collection[Exchange] = (),
    ) -> None:
        self._lake = lake
        self._workers = workers
        self._closes = closes
        self._aside = ThreadPoolExecutor(1, "build")
        self._building: Future[tuple[int, str | None]] | None = None
        self._now = now
        self._days = OpenDays(lake, now, found=self._find_outdated, exchanges=exchanges)
        self._before = MonthsBefore(lake)
        self._pruned = 0
        self._outdated: defaultdict[Instrument, set[date]] = defaultdict(set)
        self._tried = 0

    @property
    def unreadable(self) -> Mapping[Instrument, LakeError]:
        """Why the ticks of some instruments cannot be read."""
        return self._days.unreadable

    def round(self) -> Round:
        """Take in what is new, and publish what follows from it.

        Raises:
            LakeError: The store or the ledger failed for good.
        """
        if away := self._store_away():
            return Round(0, None, 0, away, self._days.trouble)
        files = 0
        waits = self._try(self._days.read_ledger)
        self._days.fold(self._days.received_by_venue())
        # Bars of a minute and more first: the files of shorter ones are large.
        for sub_minute in (False, True):
            for (exchange, symbol), instrument in list(self._days.instruments.items()):
                try:
                    files += self._publish(exchange, symbol, instrument, sub_minute=sub_minute)
                except LakeError as error:
                    if error.code not in _AGAIN:
                        raise
                    waits = error.message
        days, why = self._close()
        why = self._try(self._tidy) or why
        until = [state.folded_to for each in self._days.instruments.values() for state in each.states.values()]
        return Round(files, min(until, default=None), days, why or waits, self._days.trouble)

    def _store_away(self) -> str | None:
        """Return why nothing can be written into the store, also where there is nothing to write."""
        try:
            self._lake.store.presence.require()
        except LakeError as error:
            return error.message
        return None

    def _try(self, action: Callable[[], object]) -> str | None:
        """Do what can be done later as well; return why it could not be done now."""
        try:
            action()
        except LakeError as error:
            if error.code not in _AGAIN:
                raise
            return error.message
        return None

    def _find_outdated(self, record: ObjectRecord) -> None:
        """Remember to build the month of ticks of a day that is over."""
        day = record.key.period[:10]
        if record.key.kind is ObjectKind.TICKS and day < day_at(self._days.today).isoformat() and not record.retired_at:
            self._outdated[instrument_of(record)].add(date.fromisoformat(day).replace(day=1))

    def _publish(self, exchange: Exchange, symbol: Symbol, instrument: OpenInstrument, *, sub_minute: bool) -> int:
        key = exchange, symbol
        days = self._days
        if instrument.late > days.late.get(key, 0) and self._now() - days.read_at[key] > _READ_ANEW_EVERY_US:
            days.reload(key)
            instrument.fold(instrument.received)
        if key in days.unreadable:
            return 0
        batch, files = self._lake.batch(), 0
        for (clock, begin), state in instrument.states.items():
            files += publish(
                batch,
                exchange,
                symbol,
                day_at(begin // DAY_US),
                clock,
                state.closed_bars(sub_minute=sub_minute),
                self._before,
                instrument.source,
            )
        if files:
            batch.commit()
        return files

    def close(self) -> None:
        """Wait for what is being built."""
        self._aside.shutdown()

    def _close(self) -> tuple[int, str | None]:
        """Build the months of days that are over and of which the ticks are one object; return how many days."""
        if self._building is not None:
            if not self._building.done():
                return 0, None
            done, self._building = self._building.result(), None
            return done
        if not self._closes or not self._outdated or self._now() - self._tried < _TRIED_AGAIN_US:
            return 0, None
        self._tried = self._now()
        outdated, self._outdated = self._outdated, defaultdict(set)
        if self._workers is None:
            return self._build(outdated)
        self._building = self._aside.submit(self._build, outdated)
        return 0, None

    def _build(self, outdated: Mapping[Instrument, set[date]]) -> tuple[int, str | None]:
        # An object of its own, for it knows which leases its batches need.
        lake = Lake(self._lake.store, self._lake.engine, self._lake.home)
        days, waits = 0, None
        for (exchange, symbol), months in outdated.items():
            selection = Selection(exchange, symbol, min(months), max(months))
            try:
                days += build(lake, selection, workers=self._workers, compact_before=_NEVER).days
                self._withdraw(exchange, symbol)
            except LakeError as error:
                if error.code not in _AGAIN:
                    raise
                self._outdated[exchange, symbol] |= months
                waits = error.message
        return days, waits

    def _withdraw(self, exchange: Exchange, symbol: Symbol) -> None:
        """Let the months take the place of open days that are over."""
        today = day_at(self._days.today).isoformat()
        in_parts = {
            record.key.period[:10]
            for record in self._lake.current(ObjectKind.TICK_PARTS, exchange=exchange, symbol=str(symbol))
        }
        batch = self._lake.batch()
        for record in self._lake.current(ObjectKind.OPEN_BARS, exchange=exchange, symbol=str(symbol)):
            if record.key.period < today and record.key.period not in in_parts:
                batch.retire(record.key)
        batch.commit()
        instrument = self._days.instruments.get((exchange, symbol))
        if instrument is not None:
            instrument.over |= {
                begin // DAY_US
                for _, begin in list(instrument.states)
                if begin // DAY_US < self._days.today and day_at(begin // DAY_US).isoformat() not in in_parts
            }

    def _tidy(self) -> None:
        now = self._now()
        if now - self._pruned > _PRUNED_EVERY_US:
            self._pruned = now
            prune(self._lake, now - _LINKS_LIVE_US)
