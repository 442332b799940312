"""The resident builder: bars of open days every few seconds, and months when days have closed."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from aperiodic.engine.build import build
from aperiodic.engine.live import LiveBars, LiveRow
from aperiodic.engine.live.gaps import KnownGaps
from aperiodic.engine.open_days.instrument import OpenInstrument
from aperiodic.engine.open_days.publishing import MonthsBefore, prune, publish
from aperiodic.engine.plan import Selection
from aperiodic.lake import Lake, LakeError, ObjectKind
from aperiodic.lake.checkpoints import read_checkpoints
from aperiodic.lake.errors import UNUSABLE
from aperiodic.lake.objects import last_row, objects_after
from aperiodic.market import DAY_US, Exchange, Symbol
from aperiodic.market.time import day_at, now_us

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aperiodic.lake import ObjectRecord

__all__ = ["OpenDayBuilder", "Round"]

_LINKS_LIVE_US: Final = 900_000_000
"""For so long files stay that have given way to others: links to them live 5 minutes, and downloads take time."""

_NEVER: Final = date.min
_ACTIVE_US: Final = 120_000_000
_PRUNED_EVERY_US: Final = 60_000_000
_READ_ANEW_EVERY_US: Final = 600_000_000
_TRIED_AGAIN_US: Final = 60_000_000
_AGAIN: Final = frozenset({"busy", "lease_lost", "ledger_unavailable", "store_unavailable", *UNUSABLE})

Instrument = tuple[Exchange, Symbol]


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did.

    Attributes:
        files: Files of open days written.
        bars_until: Bars of open days are published until this time of the slowest instrument, µs; None without any.
        days: Days that were built because they are over.
        waits: What could not be done yet, and why; None where everything was.
    """

    files: int
    bars_until: int | None
    days: int
    waits: str | None


class OpenDayBuilder:
    """Keeps the bars of open days up to date, and builds the days that are over.

    Args:
        lake: The installation.
        now: Tells the time, µs.
        workers: Processes that build days that are over, while bars of open days go on; None builds them in between.
        tell: Receives the rows of bars that are over, and of those that have changed since; of bars that were over before
            the first round only those of the last two minutes are told.
        seconds: Whether bars below a minute are to be told too.
        closes: Whether days that are over are built at all.
    """

    def __init__(
        self,
        lake: Lake,
        now: Callable[[], int] = now_us,
        *,
        workers: int | None = None,
        tell: Callable[[list[LiveRow]], object] | None = None,
        seconds: Callable[[], bool] = lambda: False,
        closes: bool = True,
    ) -> None:
        self._lake = lake
        self._workers = workers
        self._closes = closes
        self._aside = ThreadPoolExecutor(1, "build")
        self._building: Future[tuple[int, str | None]] | None = None
        self._now = now
        self._open: dict[Instrument, OpenInstrument] = {}
        self._read_at: dict[Instrument, int] = {}
        self._late: dict[Instrument, int] = {}
        self._before = MonthsBefore(lake)
        self._tell = tell
        self._seconds = seconds
        self._gaps = KnownGaps(lake, now)
        self._live = LiveBars(self._before, self._gaps, now)
        self._row = 0
        self._begun = False
        self._pruned = 0
        self._outdated: defaultdict[Instrument, set[date]] = defaultdict(set)
        self._tried = 0

    def round(self) -> Round:
        """Take in what is new, and publish what follows from it.

        Raises:
            LakeError: The store or the ledger failed for good.
        """
        waits, files = None, 0
        self._look()
        # Bars of a minute and more first: the files of shorter ones are large.
        for sub_minute in (False, True):
            for (exchange, symbol), instrument in list(self._open.items()):
                try:
                    published = self._publish(exchange, symbol, instrument, sub_minute=sub_minute)
                except LakeError as error:
                    if error.code not in _AGAIN:
                        raise
                    waits, published = error.message, 0
                if published and self._tell is not None:
                    self._look()  # rows do not wait for the files of other instruments
                files += published
        days, why = self._close()
        self._tidy()
        until = [state.folded_to for each in self._open.values() for state in each.states.values()]
        return Round(files, min(until, default=None), days, why or waits)

    def _look(self) -> None:
        """Take in the ticks that are new, put into the bars what is certain, and tell the rows that are over."""
        # Asked before the ticks are: what is committed in between must not count as read.
        received = self._received()
        if not self._begun:
            self._begin()
        else:
            with self._lake.engine.connect() as connection:
                records, self._row = objects_after(connection, (ObjectKind.TICKS, ObjectKind.TICK_PARTS), self._row)
            self._take(records)
        seconds = self._tell is not None and self._seconds()
        seen: defaultdict[Exchange, int] = defaultdict(int)
        for (exchange, _), instrument in self._open.items():
            seen[exchange] = max(seen[exchange], instrument.seen)
        for (exchange, _), instrument in self._open.items():
            instrument.forget_days_over()
            instrument.fold(received.get(exchange, instrument.received), seen[exchange], seconds=seconds)
        self._tell_rows(seconds=seconds)

    def _tell_rows(self, *, seconds: bool) -> None:
        if self._tell is None or not self._open:
            return
        states = {owner: instrument.states for owner, instrument in self._open.items()}
        self._gaps.refresh(states)
        rows = [row for owner, held in states.items() for row in self._live.touched(owner, held)]
        rows += self._live.take(states, seconds=seconds)
        if rows:
            self._tell(rows)

    @property
    def _today(self) -> int:
        return self._now() // DAY_US

    def _begin(self) -> None:
        """Read the ticks of open days, and remember to build what is out of date of others."""
        with self._lake.engine.connect() as connection:
            self._row = last_row(connection)
        first = day_at(self._today - 1).isoformat()
        for record in self._lake.current(ObjectKind.TICK_PARTS):
            if record.key.period >= first:
                self._find(record)
        today = day_at(self._today).isoformat()
        for record in self._lake.current(ObjectKind.TICKS):
            if record.key.period < today:
                self._outdated[_instrument(record)].add(date.fromisoformat(record.key.period).replace(day=1))
        self._begun = True

    def _take(self, records: Sequence[ObjectRecord]) -> None:
        of_instrument: defaultdict[Instrument, list[ObjectRecord]] = defaultdict(list)
        today, first = day_at(self._today).isoformat(), day_at(self._today - 1).isoformat()
        for record in records:
            day = record.key.period[:10]
            if record.key.kind is ObjectKind.TICKS and day < today and record.retired_at is None:
                self._outdated[_instrument(record)].add(date.fromisoformat(day).replace(day=1))
            if day >= first and (record.key.kind is ObjectKind.TICK_PARTS or _instrument(record) in self._open):
                of_instrument[_instrument(record)].append(record)
        for key, new in of_instrument.items():
            if key not in self._open:
                self._find(new[0])
            elif self._open[key].take(new):
                self._reload(key)

    def _find(self, record: ObjectRecord) -> None:
        key = _instrument(record)
        if key not in self._open:
            yesterday = day_at(self._today - 1).isoformat()
            held = self._lake.current(ObjectKind.TICK_PARTS, exchange=key[0], symbol=str(key[1]))
            is_open = any(part.key.period.startswith(yesterday) for part in held)
            self._open[key] = OpenInstrument(self._lake, *key, self._today - is_open)
            self._reload(key)

    def _reload(self, key: Instrument) -> None:
        told = dict(self._open[key].states)
        try:
            self._open[key].reload()
        except LakeError as error:
            if error.code not in UNUSABLE:
                raise
            # An object gave way to another while it was read.
            self._open[key].reload()
        self._read_at[key], self._late[key] = self._now(), self._open[key].late
        if self._tell is not None and (rows := list(self._live.corrected(key, told, self._open[key].states))):
            self._tell(rows)

    def _received(self) -> dict[Exchange, int]:
        """Return until when everything that arrived has become ticks, by venue, µs."""
        with self._lake.engine.connect() as connection:
            found = read_checkpoints(connection)
        received: defaultdict[Exchange, list[int]] = defaultdict(list)
        for checkpoint in found.values():
            received[Exchange(checkpoint.exchange)].append(checkpoint.last_received)
        return {
            exchange: min(time for time in times if time > max(times) - _ACTIVE_US)
            for exchange, times in received.items()
        }

    def _publish(self, exchange: Exchange, symbol: Symbol, instrument: OpenInstrument, *, sub_minute: bool) -> int:
        key = exchange, symbol
        if instrument.late > self._late.get(key, 0) and self._now() - self._read_at[key] > _READ_ANEW_EVERY_US:
            self._reload(key)
            instrument.fold(instrument.received, seconds=self._tell is not None)
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
            except LakeError as error:
                if error.code not in _AGAIN:
                    raise
                self._outdated[exchange, symbol] |= months
                waits = error.message
            else:
                self._withdraw(exchange, symbol)
        return days, waits

    def _withdraw(self, exchange: Exchange, symbol: Symbol) -> None:
        """Let the months take the place of open days that are over."""
        today = day_at(self._today).isoformat()
        in_parts = {
            record.key.period[:10]
            for record in self._lake.current(ObjectKind.TICK_PARTS, exchange=exchange, symbol=str(symbol))
        }
        batch = self._lake.batch()
        for record in self._lake.current(ObjectKind.OPEN_BARS, exchange=exchange, symbol=str(symbol)):
            if record.key.period < today and record.key.period not in in_parts:
                batch.retire(record.key)
        batch.commit()
        instrument = self._open.get((exchange, symbol))
        if instrument is not None:
            instrument.over |= {
                begin // DAY_US
                for _, begin in list(instrument.states)
                if begin // DAY_US < self._today and day_at(begin // DAY_US).isoformat() not in in_parts
            }

    def _tidy(self) -> None:
        now = self._now()
        if now - self._pruned > _PRUNED_EVERY_US:
            self._pruned = now
            prune(self._lake, now - _LINKS_LIVE_US)


def _instrument(record: ObjectRecord) -> Instrument:
    return Exchange(record.key.exchange), Symbol.parse(record.key.symbol)
