"""What an import says of a file, and how it becomes true: one batch a file."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from aperiodic.completeness.gaps import Gap, add_spans, gaps_between
from aperiodic.completeness.recorded import add_recorded
from aperiodic.engine.importing.books import book_frame
from aperiodic.engine.merging import changes
from aperiodic.engine.state_rows import merge_state_rows
from aperiodic.engine.ticks import Received, merge_ticks
from aperiodic.lake import NewObject, ObjectKey, Scope
from aperiodic.lake.imports import ImportRecord, find_import, received_between, record_import
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Exchange, Source, Stream, Symbol
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    import polars as pl

    from aperiodic.completeness.gaps import Span
    from aperiodic.completeness.recorded import Recorded
    from aperiodic.engine.importing.buffers import Quarantine
    from aperiodic.engine.importing.files import SourceFile
    from aperiodic.lake import Batch, Lake
    from aperiodic.market.instrument import Instrument
    from aperiodic.venues import Levels

__all__ = [
    "DAMAGE",
    "IMPORTER_VERSION",
    "FileReport",
    "Findings",
    "commit",
    "earlier_report",
    "empty_report",
    "find_earlier",
]

IMPORTER_VERSION: Final = 2
"""Goes up whenever the same file would become other ticks: then files are imported anew."""

_WAIT_S: Final = 10.0
"""How long to wait for other imports that write the same series, seconds: each does so for one file at a time."""

DAMAGE: Final = frozenset({"truncated_file", "corrupt_file"})
"""Codes of files that end early or break off."""

_FOREIGN: Final = DAMAGE | {
    "bad_receive_time",
    "malformed",
    "other_exchange",
    "other_venue",
    "unknown_channel",
    "unknown_frame",
    "unknown_symbol",
}
"""Codes of lines that may be of another venue."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file.

    Attributes:
        name: File name, without folders.
        exchange: Venue; None for a Tardis file without rows, which name it.
        source: `recording` or `tardis`.
        already_imported: Whether nothing was done, because the same content had been imported before.
        lines: Lines read.
        ticks: Ticks by stream; events that the file holds twice are counted twice.
        rejected: Lines that became no tick, by machine code; they are kept in the quarantine.
        ignored: Lines of known kinds that no tick is made of, by kind.
        duplicates: Events that the file holds more than once, and states that an overlapping recording holds as well,
            by stream.
        late: Events older than one before them in the file, by stream.
        gaps: What is missing inside the file.
        notes: What a reader of the data should know.
    """

    name: str
    exchange: Exchange | None
    source: Source
    already_imported: bool
    lines: int
    ticks: dict[str, int]
    rejected: dict[str, int]
    ignored: dict[str, int]
    duplicates: dict[str, int]
    late: dict[str, int]
    gaps: list[Gap]
    notes: list[str]

    @property
    def cut_short(self) -> bool:
        """Whether the file ends early or breaks off; what came before is imported."""
        return not DAMAGE.isdisjoint(self.rejected)

    @property
    def unusable(self) -> bool:
        """Whether there was not one line in it that this venue could have sent."""
        return _unusable(self.rejected, self.ticks, self.ignored)


@dataclass(slots=True)
class Findings:
    """Everything read out of one file, before it is written.

    Attributes:
        file: The file.
        exchange: Venue.
        source: Kind of file.
        quarantine: Lines kept aside.
        lines: Lines read.
        first_received: Earliest arrival time, µs.
        last_received: Latest arrival time, µs.
        frames: Ticks by series.
        state_rows: Series whose frames hold a row for every row of the file, whether or not the state changed.
        spans: Runs of numbers by series.
        recorded: When each series was recorded, by symbol and stream; see `completeness.recorded`.
        books: Last update id and whole order book by symbol.
        waiting: Book updates that could not be applied, by symbol and the number that they carry on from.
        listed: What the venue said of its instruments, and when, µs.
        ignored: As in `FileReport`, like the following.
        duplicates: See there.
        late: See there.
        notes: See there.
    """

    file: SourceFile
    exchange: Exchange
    source: Source
    quarantine: Quarantine
    lines: int = 0
    first_received: int | None = None
    last_received: int | None = None
    frames: dict[tuple[Stream, Symbol], pl.DataFrame] = field(default_factory=dict)
    state_rows: set[tuple[Stream, Symbol]] = field(default_factory=set)
    spans: dict[tuple[Stream, Symbol], list[Span]] = field(default_factory=dict)
    recorded: dict[tuple[str, str], list[Recorded]] = field(default_factory=dict)
    books: dict[Symbol, tuple[int, Levels]] = field(default_factory=dict)
    waiting: dict[tuple[Symbol, int], pl.DataFrame] = field(default_factory=dict)
    listed: list[tuple[int, list[Instrument]]] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def learn(self, listed: list[Instrument] | None, time: int | None) -> None:
        """Take what the venue said of its instruments at a time, µs, if it said anything and the time is known."""
        if listed and time:
            self.listed.append((time, listed))

    @property
    def unusable(self) -> bool:
        """As in `FileReport`: such a file says nothing of when this venue was recorded."""
        return not self.books and _unusable(
            self.quarantine.counts, [series for series, frame in self.frames.items() if frame.height], self.ignored
        )


def empty_report(name: str, source: Source, lines: int) -> FileReport:
    """Report a file without rows, of which the ledger need not know."""
    return FileReport(name, None, source, False, lines, {}, {}, {}, {}, {}, [], [])  # noqa: FBT003 - none of the facts


def find_earlier(lake: Lake, source: Source, exchange: Exchange, file: SourceFile) -> ImportRecord | None:
    """Return the record of an import of the same content by this version, or None."""
    with lake.engine.connect() as connection:
        record = find_import(connection, source, exchange, file.sha256)
    return record if record is not None and record.version == IMPORTER_VERSION else None


def earlier_report(record: ImportRecord, name: str) -> FileReport:
    """Report a file that had been imported before."""
    return FileReport(
        name=name,
        exchange=Exchange(record.exchange),
        source=Source(record.source),
        already_imported=True,
        lines=record.lines,
        ticks=record.ticks,
        rejected=record.rejected,
        ignored={},
        duplicates={},
        late={},
        gaps=[],
        notes=record.notes,
    )


def commit(lake: Lake, found: Findings, *, replace_unusable: bool = False) -> FileReport:
    """Write everything found in a file and make it true in one ledger transaction.

    Args:
        lake: Where to.
        found: What the file holds.
        replace_unusable: Whether its ticks take the place of days that are missing or damaged; see `merge_ticks`.

    Raises:
        LakeError: `object_missing` or `object_damaged` when they may not; `busy` when another import writes the same
            series and does not end.
        ImportSourceError: `source_conflict`; then nothing of the file was taken over.
    """
    symbols = {symbol for _, symbol in (*found.frames, *found.spans)} | {
        *found.books,
        *(name for name, _ in found.waiting),
    }
    with writing_ticks(lake, found.exchange, symbols):
        return _commit(lake, found, replace_unusable=replace_unusable)


@contextmanager
def writing_ticks(lake: Lake, exchange: Exchange, symbols: Iterable[Symbol]) -> Iterator[None]:
    """Hold the leases on the ticks of some symbols, waiting for other imports that hold one.

    Raises:
        LakeError: `busy` when one does not end.
    """
    scopes = [Scope(exchange, str(symbol), "ticks") for symbol in symbols]
    with lake.writing(*scopes, wait_s=_WAIT_S) if scopes else nullcontext():
        yield


def _commit(lake: Lake, found: Findings, *, replace_unusable: bool) -> FileReport:
    batch = lake.batch()
    ticks = _merge(lake, batch, found, replace_unusable=replace_unusable)
    for symbol, (sequence, levels) in sorted(found.books.items()):
        key = ObjectKey.book_state(found.exchange, symbol, sequence)
        _put(batch, found, key, book_frame(levels), "end of a recording")
    for (symbol, after), updates in sorted(found.waiting.items(), key=lambda item: item[0]):
        key = ObjectKey.book_updates(found.exchange, symbol, after)
        held = lake.find(key)
        if held is None or held.rows < updates.height:
            _put(batch, found, key, updates, "no recording ends where they begin")
    kept_aside = ObjectKey.quarantine(found.exchange, found.file.sha256)
    if found.quarantine.counts or lake.find(kept_aside) is not None:
        _put(batch, found, kept_aside, found.quarantine.frame(), "lines that became no tick")
    for (stream, symbol), spans in found.spans.items():
        batch.change(partial(add_spans, exchange=found.exchange, symbol=symbol, stream=stream, runs=spans))
    if found.recorded:
        batch.change(partial(add_recorded, exchange=found.exchange, added=found.recorded))
    record = ImportRecord(
        source=found.source,
        exchange=found.exchange,
        sha256=found.file.sha256,
        name=found.file.name,
        size=found.file.size,
        version=IMPORTER_VERSION,
        lines=found.lines,
        first_received=found.first_received,
        last_received=found.last_received,
        ticks=ticks,
        rejected=dict(sorted(found.quarantine.counts.items())),
        notes=sorted(found.notes),
        finished_at=now_us(),
    )
    batch.change(partial(record_import, record=record))
    batch.commit()
    gaps = [gap for (stream, symbol), spans in found.spans.items() for gap in gaps_between(str(symbol), stream, spans)]
    return FileReport(
        name=record.name,
        exchange=found.exchange,
        source=found.source,
        already_imported=False,
        lines=record.lines,
        ticks=ticks,
        rejected=record.rejected,
        ignored=dict(sorted(found.ignored.items())),
        duplicates=dict(sorted(found.duplicates.items())),
        late=dict(sorted(found.late.items())),
        gaps=gaps,
        notes=record.notes,
    )


def _unusable(rejected: Collection[str], ticks: Collection[object], ignored: Collection[str]) -> bool:
    return bool(rejected) and not ticks and not ignored and _FOREIGN.issuperset(rejected)


def _merge(lake: Lake, batch: Batch, found: Findings, *, replace_unusable: bool) -> dict[str, int]:
    """Add the ticks to those held; return how many the file has of each stream."""
    ticks: dict[str, int] = {}
    received = _received(lake, found)
    for (stream, symbol), frame in sorted(found.frames.items()):
        if frame.is_empty():
            continue
        if (stream, symbol) in found.state_rows:
            counted = changes(stream, frame, None).height
            merge_state_rows(
                lake,
                batch,
                stream,
                found.exchange,
                symbol,
                frame,
                found.source,
                replace_unusable=replace_unusable,
            )
        else:
            counted = frame.height
            repeated = merge_ticks(
                lake,
                batch,
                stream,
                found.exchange,
                symbol,
                frame,
                found.source,
                received=received,
                replace_unusable=replace_unusable,
            )
            if repeated:
                found.duplicates[stream] = found.duplicates.get(stream, 0) + repeated
        ticks[stream] = ticks.get(stream, 0) + counted
    return ticks


def _received(lake: Lake, found: Findings) -> Received | None:
    """Return when other recordings imported before received anything while this one did, and when this one did."""
    if found.first_received is None or found.last_received is None:
        return None
    own = (found.first_received, found.last_received)
    with lake.engine.connect() as connection:
        earlier = received_between(connection, found.source, found.exchange, *own, but=found.file.sha256)
    return (earlier, [own])


def _put(batch: Batch, found: Findings, key: ObjectKey, frame: pl.DataFrame, reason: str) -> None:
    data = parquet_bytes(frame)
    fingerprint = hashlib.sha256(data).hexdigest()
    batch.put(NewObject(key, frame.height, found.source, fingerprint, reason), data)
