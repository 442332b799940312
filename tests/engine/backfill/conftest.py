"""Backfills from a server on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.backfill.archive_server import Archive, archive_server

from aperiodic.engine.backfilling.fetching import Fetcher
from aperiodic.engine.backfilling.pace import Pace
from aperiodic.engine.backfilling.plan import Request, Unit, plan_units
from aperiodic.engine.backfilling.run import Options, run_units
from aperiodic.lake import ObjectKey
from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    import polars as pl

    from aperiodic.engine.backfilling.report import DayReport
    from aperiodic.lake import Lake
    from aperiodic.market import Exchange, Stream
    from aperiodic.venues import Contract
    from aperiodic.venues.archive import ArchiveTable

LONG_AFTER = 4_000_000_000_000_000
"""A time, µs, at which everything was published long ago."""


class Backfiller:
    """Runs backfills, and remembers how long they would have waited."""

    def __init__(self, lake: Lake, archive: Archive) -> None:
        self.lake = lake
        self.archive = archive
        self.now = LONG_AFTER
        self.waited: list[float] = []
        self._time = 0.0

    def run(
        self,
        exchange: Exchange,
        native: str | tuple[str, ...],
        start: date,
        end: date | None = None,
        *streams: Stream,
        contracts: Mapping[str, Contract] | None = None,
        from_tardis: bool = False,
        **options: Any,
    ) -> list[DayReport]:
        """Backfill some days and return what is said of each."""
        natives = (native,) if isinstance(native, str) else native
        symbols = tuple(map(venue_of(exchange).symbol, natives))
        units = plan_units(Request(exchange, symbols, start, end or start, streams, from_tardis))
        return self._run(units, contracts, options)

    def run_table(
        self,
        exchange: Exchange,
        native: str,
        table: ArchiveTable,
        day: date,
        *streams: Stream,
        contracts: Mapping[str, Contract] | None = None,
        **options: Any,
    ) -> list[DayReport]:
        """Backfill a day of one kind of file, whether or not the archive had it then."""
        instruments = {native: venue_of(exchange).symbol(native)}
        unit = Unit(exchange, table, day, instruments, streams, table.files(native, day))
        return self._run([unit], contracts, options)

    def _run(
        self, units: Sequence[Unit], contracts: Mapping[str, Contract] | None, options: dict[str, Any]
    ) -> list[DayReport]:
        names = {file.base.name for unit in units for file in unit.files}
        fetcher = Fetcher(
            self.lake.home / "archives",
            dict.fromkeys(names, self.archive.url),
            now=lambda: self.now,
            pace=lambda label: Pace(label, clock=lambda: self._time, sleep=self._sleep, per_s=1e9),
        )
        try:
            finished = options.pop("finished", lambda _report: None)
            return run_units(self.lake, units, fetcher, contracts or {}, options=Options(**options), finished=finished)
        finally:
            fetcher.close()

    def ticks(self, exchange: Exchange, native: str, stream: Stream, day: date) -> pl.DataFrame | None:
        """Return what is held of a day."""
        record = self.lake.find(ObjectKey.ticks(stream, exchange, venue_of(exchange).symbol(native), day))
        return None if record is None else self.lake.store.read_parquet(record.path)

    def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self._time += seconds


@pytest.fixture
def archive() -> Iterator[Archive]:
    """An archive without any files."""
    with archive_server() as server:
        yield server


@pytest.fixture
def backfiller(lake: Lake, archive: Archive) -> Backfiller:
    """What runs backfills from that archive."""
    return Backfiller(lake, archive)
