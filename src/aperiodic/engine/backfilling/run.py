"""Going through the units of a backfill: files are fetched ahead by several threads, and imported in order."""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from aperiodic.engine.backfilling.contract_sizes import counts_contracts
from aperiodic.engine.backfilling.fetching import Fetched, Fetcher, Presence
from aperiodic.engine.backfilling.lines import read_lines
from aperiodic.engine.backfilling.report import DayReport, Outcome
from aperiodic.engine.backfilling.tables import Text, read_tables
from aperiodic.engine.backfilling.ticks import DayFindings
from aperiodic.engine.backfilling.unpacking import content_of
from aperiodic.engine.backfilling.writing import record_day, write_day
from aperiodic.engine.errors import ArchiveError, ImportSourceError
from aperiodic.engine.importing.instruments import known_instruments
from aperiodic.engine.importing.tardis import import_tardis
from aperiodic.engine.ticks import require_day_source
from aperiodic.lake.archive_files import IMPORTED, ArchivedFile, read_archived
from aperiodic.market import DAY_US, Source, Stream
from aperiodic.venues import UnknownContractError, venue_of
from aperiodic.venues.archive import LineLayout, TableLayout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aperiodic.engine.backfilling.plan import Unit
    from aperiodic.lake import Lake
    from aperiodic.venues import Contract
    from aperiodic.venues.archive import ArchiveFile

__all__ = ["Options", "outstanding", "run_units"]

_MOST_PIECES: Final = 16
"""MiB of a file that tells the size of a contract."""
_AHEAD: Final = 2
"""Units fetched ahead, for each thread that fetches."""

_Days = dict[tuple[str, str, str], list[ArchivedFile]]


class Options(NamedTuple):
    """How units are gone through.

    Attributes:
        again: Whether days that were imported are fetched and read again.
        check: Whether the files of days that were imported are compared with what the archive has now.
        keep: Whether files stay where they are after their days were imported.
        threads: How many files are fetched at the same time.
    """

    again: bool = False
    check: bool = True
    keep: bool = False
    threads: int = 4


def run_units(
    lake: Lake,
    units: Sequence[Unit],
    fetcher: Fetcher,
    contracts: Mapping[str, Contract],
    *,
    options: Options | None = None,
    finished: Callable[[DayReport], None] = lambda _report: None,
) -> list[DayReport]:
    """Do what a backfill has to do, each unit as a whole: after a crash, run the same again.

    Args:
        lake: Where to.
        units: What to do, in order.
        fetcher: Fetches files.
        contracts: Sizes of contracts by the venue's names.
        options: How it is done.
        finished: Called with the report of each unit as soon as it is done.

    Raises:
        LakeError: The store or the ledger failed, or another import writes the same series and does not end.
    """
    return _Run(lake, fetcher, contracts, options or Options()).run(units, finished)


def outstanding(lake: Lake, units: Sequence[Unit], *, again: bool = False) -> list[Unit]:
    """Return the units whose files have to be fetched, as far as is known without asking the archives."""
    known = _read_known(lake, units)
    return [unit for unit in units if again or not _is_done(lake, unit, known)]


class _Run:
    """What is remembered of a run."""

    def __init__(self, lake: Lake, fetcher: Fetcher, contracts: Mapping[str, Contract], options: Options) -> None:
        self._lake = lake
        self._fetcher = fetcher
        self._contracts = contracts
        self._options = options
        self._uses: Counter[tuple[str, str]] = Counter()
        self._known: _Days = {}

    def run(self, units: Sequence[Unit], finished: Callable[[DayReport], None]) -> list[DayReport]:
        """Go through all units."""
        self._known = _read_known(self._lake, units)
        self._uses.update((file.base.name, file.path) for unit in units for file in _all_files(unit))
        reports: list[DayReport] = []
        waiting = iter(units)
        ahead: deque[tuple[Unit, Future[DayReport | list[Fetched]]]] = deque()
        with ThreadPoolExecutor(self._options.threads, "fetch") as pool:
            try:
                while True:
                    room = _AHEAD * self._options.threads - len(ahead)
                    ahead.extend((unit, pool.submit(self._prepare, unit)) for unit in islice(waiting, room))
                    if not ahead:
                        return reports
                    unit, prepared = ahead.popleft()
                    reports.append(self._finish(unit, prepared))
                    finished(reports[-1])
            except BaseException:
                self._fetcher.stop()
                pool.shutdown(cancel_futures=True)
                raise

    def _prepare(self, unit: Unit) -> DayReport | list[Fetched]:
        """Fetch the files of a unit, or report why that is not wanted; called by the threads that fetch."""
        for key in unit.keys:
            require_day_source(self._lake, key, unit.source)
        if not self._options.again and _is_done(self._lake, unit, self._known):
            changed = self._changed(unit) if self._options.check else ()
            if not changed or any(file.state == IMPORTED for file in changed):
                outcome = Outcome.CHANGED if changed else self._before(unit)
                return _report(unit, outcome, paths=tuple(file.path for file in changed))
        fetched: list[Fetched] = []
        for file in reversed(unit.files):
            # The latest one is the one that may not be there yet.
            fetched.insert(0, self._fetcher.fetch(file))
            if fetched[0].presence is Presence.NOT_YET:
                return _report(unit, Outcome.NOT_YET, paths=(file.path,))
        if any(each.local is not None for each in fetched):
            for file in unit.size_files.values():
                self._fetcher.fetch(file)
        return fetched

    def _finish(self, unit: Unit, prepared: Future[DayReport | list[Fetched]]) -> DayReport:
        broke_off = False
        try:
            result = prepared.result()
            return result if isinstance(result, DayReport) else self._import(unit, result)
        except ArchiveError as error:
            broke_off = True  # what came of its files is gone on with by the next run
            return _report(unit, Outcome.REFUSED, error=error)
        except ImportSourceError as error:
            return _report(unit, Outcome.REFUSED, error=error)
        except UnknownContractError as unknown:
            return _report(unit, Outcome.REFUSED, error=_contract_size_needed(unknown.name))
        finally:
            self._let_go(unit, keep=self._options.keep or broke_off)

    def _import(self, unit: Unit, fetched: Sequence[Fetched]) -> DayReport:
        if unit.source is Source.TARDIS:
            return self._import_tardis(unit, fetched)
        held = [each for each in fetched if each.local is not None]
        with TemporaryDirectory(prefix="aperiodic-") as folder:
            found = self._read(unit, held, Path(folder)) if held else DayFindings()
            _require_ticks(unit, found)
            ticks = write_day(self._lake, unit, fetched, found)
        missing = tuple(each.file.path for each in fetched if each.presence is Presence.ABSENT)
        outcome = Outcome.ABSENT if not held else Outcome.PARTLY if missing else Outcome.IMPORTED
        rejected: Counter[str] = Counter()
        for findings in found.files.values():
            rejected.update(findings.quarantine.counts)
        return _report(
            unit,
            outcome,
            ticks={stream: rows for stream, rows in ticks.items() if rows},
            rejected=dict(sorted(rejected.items())),
            ignored={kind: count for kind, count in sorted(found.ignored.items()) if count},
            duplicates={stream: count for stream, count in sorted(found.duplicates.items()) if count},
            size=sum(each.size for each in held),
            paths=missing,
        )

    def _import_tardis(self, unit: Unit, fetched: Sequence[Fetched]) -> DayReport:
        held = [each.local for each in fetched if each.local is not None]
        contracts = self._sizes_of(unit) if venue_of(unit.exchange).counts_contracts else None
        told = import_tardis(self._lake, held, again=self._options.again, contracts=contracts)
        record_day(
            self._lake, unit, fetched, {stream: sum(each.ticks.get(stream, 0) for each in told) for stream in Stream}
        )
        cut = any(each.cut_short for each in told)
        outcome = Outcome.ABSENT if not held else Outcome.PARTLY if cut else Outcome.IMPORTED
        rejected = sum((Counter(each.rejected) for each in told), Counter[str]())
        return _report(
            unit,
            outcome,
            ticks=sum((Counter(each.ticks) for each in told), Counter[str]()),
            rejected=rejected,
            duplicates=sum((Counter(each.duplicates) for each in told), Counter[str]()),
            size=sum(each.size for each in fetched),
            paths=tuple(each.file.path for each in fetched) if outcome is not Outcome.IMPORTED else (),
        )

    def _read(self, unit: Unit, held: Sequence[Fetched], folder: Path) -> DayFindings:
        texts = [Text(each.file, each.path, content_of(each.local)) for each in held if each.local is not None]
        layout = unit.table.layout
        where = unit.instruments, self._sizes_of(unit), unit.begin
        if isinstance(layout, LineLayout):
            return read_lines(texts, layout, unit.streams, *where, folder)
        if isinstance(layout, TableLayout):
            return read_tables(texts, layout, unit.streams, *where, shared=unit.table.shared)
        raise TypeError(layout)

    def _sizes_of(self, unit: Unit) -> Mapping[str, Contract]:
        """Return the sizes of contracts on a day: those that the archive tells, else those that are known."""
        if not counts_contracts(unit):
            return {}
        held = known_instruments(self._lake, unit.exchange, unit.begin + DAY_US // 2)
        sizes = {**held.contracts, **self._contracts}
        for native, file in unit.size_files.items():
            fetched = self._fetcher.fetch(file)
            if fetched.local is None or unit.table.sizes is None:
                continue
            content = b"".join(islice(content_of(fetched.local), _MOST_PIECES))
            try:
                told = unit.table.sizes.read(content)
            except ValueError as error:
                raise ImportSourceError(
                    f"The size of a contract of {native} changed on {unit.day}: it was {error}.",
                    code="contract_size_changed",
                    hint="Leave this day out: nothing tells which of its rows are of which size.",
                ) from error
            if told is not None:
                sizes[native] = told
        return sizes

    def _before(self, unit: Unit) -> Outcome:
        key = next(unit.keys)
        known = self._known[key.symbol, key.dataset, key.period]
        return Outcome.HELD if any(file.state == IMPORTED for file in known) else Outcome.ABSENT

    def _changed(self, unit: Unit) -> tuple[ArchivedFile, ...]:
        """Return the files of a unit of which the archive has another content now; those that the reader pays for are not asked for."""
        key = next(unit.keys)
        known = {file.path: file for file in self._known[key.symbol, key.dataset, key.period]}
        found = []
        for file in unit.files:
            held = next((known[path] for path in file.paths if path in known), None)
            if held is not None and not file.base.paid and self._fetcher.changed(held, file):
                found.append(held)
        return tuple(found)

    def _let_go(self, unit: Unit, *, keep: bool) -> None:
        for file in _all_files(unit):
            key = file.base.name, file.path
            self._uses[key] -= 1
            if not self._uses[key] and not keep:
                self._fetcher.release(file)


def _is_done(lake: Lake, unit: Unit, days: _Days) -> bool:
    """Whether all files of a unit were read before, and what they gave is still held."""
    held = []
    for key in unit.keys:
        known = days.get((key.symbol, key.dataset, key.period), [])
        if len(known) != len(unit.files):
            return False
        if any(file.rows for file in known):
            held.append(lake.find(key) is not None)
    return all(held)


def _all_files(unit: Unit) -> list[ArchiveFile]:
    return [*unit.files, *unit.size_files.values()]


def _read_known(lake: Lake, units: Iterable[Unit]) -> _Days:
    days = sorted(unit.day.isoformat() for unit in units)
    symbols = {symbol for unit in units for symbol in unit.symbols}
    exchanges = {unit.exchange for unit in units}
    known: _Days = {}
    with lake.engine.connect() as connection:
        for exchange in exchanges:
            known |= read_archived(connection, exchange, symbols, days[0], days[-1])
    return known


def _require_ticks(unit: Unit, found: DayFindings) -> None:
    """Refuse files of which every line was rejected: they are of another day, or in a form that is not known.

    Raises:
        ImportSourceError: `no_valid_rows`.
    """
    rejected = sum((findings.quarantine.counts for findings in found.files.values()), Counter[str]())
    has_ticks = any(frame.height for frame in found.frames.values()) or bool(found.spools)
    if rejected and not has_ticks and not any(found.ignored.values()):
        reasons = ", ".join(f"{count:,} {code}" for code, count in sorted(rejected.items()))
        raise ImportSourceError(
            f"Every row of {unit.table.name} of {unit.day} was rejected: {reasons}.",
            code="no_valid_rows",
            hint="Nothing was taken over, and the day is fetched again next time. If it stays so, the archive is wrong.",
        )


def _report(
    unit: Unit,
    outcome: Outcome,
    *,
    ticks: Mapping[str, int] | None = None,
    rejected: Mapping[str, int] | None = None,
    ignored: Mapping[str, int] | None = None,
    duplicates: Mapping[str, int] | None = None,
    size: int = 0,
    paths: tuple[str, ...] = (),
    error: ArchiveError | ImportSourceError | None = None,
) -> DayReport:
    return DayReport(
        day=unit.day,
        table=unit.table.name,
        symbols=unit.symbols,
        outcome=outcome,
        ticks=dict(ticks or {}),
        rejected=dict(rejected or {}),
        ignored=dict(ignored or {}),
        duplicates=dict(duplicates or {}),
        bytes=size,
        paths=paths,
        error=error,
    )


def _contract_size_needed(name: str) -> ImportSourceError:
    return ImportSourceError(
        f"{name[:100]} is counted in contracts, and the size of its contract is not known.",
        code="contract_size_needed",
        hint="Give a file with the exchange's answer to /api/v5/public/instruments?instType=SWAP of that time: "
        "--instruments FILE",
    )
