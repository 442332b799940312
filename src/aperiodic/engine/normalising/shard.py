"""One writer's recordings → ticks: the mapper lives on from file to file, and what it found is committed in pieces."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aperiodic.completeness.gaps import add_spans
from aperiodic.completeness.recorded import add_recorded
from aperiodic.engine.importing.arrivals import explain_runs, recorded_by_connections
from aperiodic.engine.importing.books import BookStates, book_frame
from aperiodic.engine.importing.buffers import Quarantine
from aperiodic.engine.importing.connections import Connections
from aperiodic.engine.importing.held import TradesHeld
from aperiodic.engine.importing.instruments import known_instruments, learn_instruments
from aperiodic.engine.importing.lines import read_line
from aperiodic.engine.importing.reading import FrameReader
from aperiodic.engine.importing.report import IMPORTER_VERSION
from aperiodic.engine.importing.sink import FollowingSink
from aperiodic.engine.importing.stream_names import StreamNames
from aperiodic.engine.parts import append_ticks
from aperiodic.lake import NewObject, ObjectKey, Scope
from aperiodic.lake.checkpoints import Checkpoint, write_checkpoint
from aperiodic.lake.imports import ImportRecord, record_import, remove_import
from aperiodic.lake.lake import parquet_bytes
from aperiodic.lake.recordings import MAX_LINE, read_sidecar, whole_blocks
from aperiodic.market import Source, Stream, Symbol
from aperiodic.market.time import now_us
from aperiodic.venues import RejectedFrameError, UnknownContractError, venue_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from aperiodic.completeness.gaps import Span
    from aperiodic.completeness.recorded import Recorded
    from aperiodic.lake import Batch, Lake
    from aperiodic.lake.recordings import Recording
    from aperiodic.market import Exchange
    from aperiodic.market.instrument import Instrument

__all__ = ["Shard"]

_WAIT_S: Final = 10.0
_MOST_UNCOMMITTED: Final = 64 << 20
"""Bytes of lines that are read at most before their ticks are committed."""

_TO_GO_ON: Final = "to go on from"
_BOOKS_EVERY_US: Final = 60_000_000
"""How often whole books are kept, by arrival; reading begins again at the last but one of these places."""


@dataclass(slots=True)
class _Place:
    """A place in the recordings: a file and the bytes of it that are read."""

    segment: str = ""
    offset: int = 0


@dataclass(slots=True)
class _FileCounts:
    """What was found in the recording at work."""

    name: str = ""
    lines: int = 0
    first: int | None = None
    last: int | None = None
    ticks: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    notes: set[str] = field(default_factory=set)

    def dump(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "lines": self.lines,
            "first": self.first,
            "last": self.last,
            "ticks": dict(self.ticks),
            "rejected": dict(self.rejected),
            "notes": sorted(self.notes),
        }

    @classmethod
    def restore(cls, dumped: dict[str, Any]) -> _FileCounts:
        counts = cls(dumped["name"], dumped["lines"], dumped["first"], dumped["last"])
        counts.ticks.update(dumped["ticks"])
        counts.rejected.update(dumped["rejected"])
        counts.notes.update(dumped["notes"])
        return counts


@dataclass(slots=True)
class _Ready:
    """What is to be committed together, and how far it goes."""

    frames: dict[tuple[Stream, Symbol], pl.DataFrame]
    spans: dict[tuple[Stream, Symbol], list[Span]]
    recorded: dict[tuple[str, str], list[Recorded]]
    quarantine: Quarantine
    file: ImportRecord
    checkpoint: Checkpoint
    books: list[tuple[NewObject, bytes]]
    dropped_books: list[ObjectKey]


class Shard:
    """Reads the recordings of one writer, in the order they were begun.

    Attributes:
        exchange: Venue.
        name: Host and part of the venue.
        received: Arrival of the last line read, µs; 0 before the first.
        is_idle: Whether the last reading found nothing new.
        ticks: Ticks committed since the start.
    """

    def __init__(
        self,
        lake: Lake,
        exchange: Exchange,
        name: str,
        checkpoint: Checkpoint | None,
        better: set[tuple[Stream, Symbol]],
        source: Source = Source.RECORDING,
    ) -> None:
        """Take up the work.

        Args:
            lake: The installation.
            exchange: Venue.
            name: Host and part of the venue.
            checkpoint: Where to go on; None: from the first recording.
            better: Series of the exchange that need nothing to stand in, in whatever shard they are; it is added to.
            source: What the ticks are: recorded, or simulated by a mock of the exchange.
        """
        self.exchange = exchange
        self.name = name
        self.received = 0
        self.is_idle = False
        self.ticks = 0
        self._lake = lake
        self._better = better
        self._source = source
        self._sink = FollowingSink(BookStates(lake, exchange))
        self._venue = venue_of(exchange)
        known = known_instruments(lake, exchange, now_us())
        mapper = self._venue.mapper(self._sink, known, recorded_before=TradesHeld(lake, exchange).before)
        self._reader = FrameReader(self._venue, mapper, self._sink)
        self._quarantine = Quarantine()
        self._listed: list[tuple[int, list[Instrument]]] = []
        self._file = _FileCounts()
        self._began = 0
        self._uncommitted = 0
        self._ready: _Ready | None = None
        self._place = _Place()
        self._done = ""
        self._sealed_as = ""
        self._committed = _Place()
        self._kept: list[tuple[_Place, list[str]]] = []
        self._kept_at = 0
        self._warming = False
        self._restored: dict[str, Any] = {}
        if checkpoint is not None:
            self._committed = _Place(checkpoint.segment, checkpoint.offset)
            self._place = _Place(checkpoint.warm_segment, checkpoint.warm_offset)
            self._restored = checkpoint.state
            self.received = checkpoint.last_received
            self._done = checkpoint.state.get("done", "")
            self._kept_at = checkpoint.state.get("kept_at", 0)
            self._kept = [(_Place(*place), keys) for place, keys in checkpoint.state.get("kept", [])]
            self._warming = self._place != self._committed
            if not self._warming:
                self._warmed()

    @property
    def is_full(self) -> bool:
        """Whether what was read must be committed before more is: so much, or the whole of a recording."""
        over = self._done == self._place.segment != "" and not self._warming and self._place != self._committed
        return self._ready is not None or over or self._uncommitted >= _MOST_UNCOMMITTED

    def read(self, recordings: Sequence[Recording], most: int) -> int:
        """Read what is there and not read yet, of one recording at most.

        Args:
            recordings: Those of this writer, in the order they were begun.
            most: Bytes of lines after which to stop.

        Returns:
            Bytes of lines read.
        """
        done = 0
        for recording in recordings:
            name = recording.sealed_path.name
            if self.is_full or done >= most:
                break
            if self._is_passed(name):
                continue
            if name != self._place.segment:
                self._begin_file(name)
            done += self._read_file(recording, most - done)
            if not self._is_read(recording):
                break
            self._end_file(recording)
        self.is_idle = done == 0
        return done

    def commit(self) -> int:
        """Make true what was read since the last time, in one transaction; return the number of ticks.

        Raises:
            LakeError: `busy` and others; what was read is kept, and the next call tries again.
        """
        if self._ready is None:
            if self._warming or (self._place == self._committed and not self._sealed_as):
                return 0
            self._ready = self._prepare()
        ready = self._ready
        learn_instruments(self._lake, self.exchange, self._listed)
        self._listed.clear()
        self._write(ready)
        self._ready = None
        self._committed = _Place(ready.checkpoint.segment, ready.checkpoint.offset)
        ticks = sum(frame.height for frame in ready.frames.values())
        self.ticks += ticks
        return ticks

    def _is_passed(self, name: str) -> bool:
        """Whether a recording was read before, to its end."""
        if name == self._done and not self._warming:
            return True
        return self._place.segment != "" and _order(name) < _order(self._place.segment)

    def _read_file(self, recording: Recording, most: int) -> int:
        path = recording.path if recording.path.exists() else recording.sealed_path
        done = 0
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return 0
        with file:
            file.seek(self._place.offset)
            for place, block in whole_blocks(file):
                self._read_block(block)
                self._place.offset = place
                done += len(block)
                if self._warming and self._place == self._committed:
                    self._warmed()
                if not self._warming:
                    self._uncommitted += len(block)
                if done >= most or self.is_full:
                    break
        return done

    def _read_block(self, block: bytes) -> None:
        counts = self._file
        for text in block.split(b"\n"):
            if not text:
                continue
            counts.lines += 1
            local = None
            if len(text) > MAX_LINE:
                self._put_aside(None, "overlong_line", "the line is over 16 MiB", text)
                continue
            try:
                line = read_line(text)
                local = line.local
                if local is not None:
                    self._received(local)
                listed = self._reader.read(line)
                if listed and local is not None and not self._warming:
                    self._listed.append((local, listed))
            except RejectedFrameError as refusal:
                self._put_aside(local, refusal.code, refusal.reason, text)
            except UnknownContractError as unknown:
                reason = f"the size of a contract of {unknown.name[:100]} is not known"
                self._put_aside(local, "contract_size_needed", reason, text)
        self._sink.pack()

    def _received(self, local: int) -> None:
        counts = self._file
        self._began = self._began or local
        self.received = max(self.received, local)
        counts.first = local if counts.first is None else min(counts.first, local)
        counts.last = local if counts.last is None else max(counts.last, local)

    def _put_aside(self, local: int | None, code: str, reason: str, text: bytes) -> None:
        if not self._warming:
            self._quarantine.add(self._file.lines, local, code, reason, text)
            self._file.rejected[code] += 1

    def _begin_file(self, name: str) -> None:
        if self._warming and _order(name) > _order(self._committed.segment):
            self._warmed()  # the place to go on from is not there any more
        self._place = _Place(name, 0)
        self._file = _FileCounts(name)
        if not self._kept:
            self._kept.append((_Place(name, 0), []))

    def _is_read(self, recording: Recording) -> bool:
        """Whether a recording is sealed and holds nothing more."""
        return not recording.path.name.endswith(".open") and (
            self._place.offset >= recording.path.stat().st_size or self._is_damaged(recording)
        )

    def _is_damaged(self, recording: Recording) -> bool:
        with recording.path.open("rb") as file:
            file.seek(self._place.offset)
            return next(whole_blocks(file), None) is None

    def _end_file(self, recording: Recording) -> None:
        """Take leave of a sealed recording of which everything was read."""
        name = self._place.segment
        if self._warming and name == self._committed.segment:
            self._warmed()  # less of it is left than was read
            if self._done == name:
                return
        if recording.path.stat().st_size > self._place.offset:
            self._put_aside(None, "corrupt_file", "the compressed file breaks here", b"")
        sidecar = read_sidecar(recording)
        self._reader.connections.end_file(whole=sidecar is None or not sidecar.recovered)
        if not self._warming:
            self._done = name
            self._sealed_as = sidecar.sha256 if sidecar is not None else _digest(name)

    def _warmed(self) -> None:
        """Forget what was read again, and know what was known then."""
        self._warming = False
        self._sink.take(lambda _stream, _symbol: False)
        self._sink.take_unknown(self.received)
        self._sink.take_counts()
        connections = Connections(StreamNames(self.exchange).read, self._sink)
        connections.restore(self._restored.get("connections", {}))
        self._reader.connections = connections
        self._better |= self._sink.better()
        if "file" in self._restored:
            self._file = _FileCounts.restore(self._restored["file"])
        self._began = self._restored.get("began", 0) or self._began

    def _prepare(self) -> _Ready:
        connections = self._reader.connections
        self._better |= self._sink.better()
        told = connections.take(self.received)
        frames, spans = self._sink.take(self._stands_in)
        frames = {series: frame for series, frame in frames.items() if frame.height}
        unknown = self._sink.take_unknown(self.received)
        _, notes = self._sink.take_counts()
        recorded = recorded_by_connections(told, unknown, self._began)
        spans = explain_runs(spans, recorded)
        for (stream, _), frame in frames.items():
            self._file.ticks[stream] += frame.height
        self._file.notes |= notes
        books, dropped = self._keep_books()
        warm = self._kept[0][0] if self._kept else self._place
        now = now_us()
        checkpoint = Checkpoint(
            exchange=self.exchange,
            shard=self.name,
            segment=self._place.segment,
            offset=self._place.offset,
            warm_segment=warm.segment,
            warm_offset=warm.offset,
            last_received=self.received,
            state={
                "connections": connections.dump(),
                "file": self._file.dump(),
                "began": self._began,
                "done": self._done,
                "kept_at": self._kept_at,
                "kept": [[[place.segment, place.offset], keys] for place, keys in self._kept],
            },
            updated_at=now,
        )
        record = self._record(self._sealed_as or _digest(self._file.name), self._place.offset)
        quarantine = self._quarantine
        self._quarantine, self._uncommitted, self._sealed_as = Quarantine(), 0, ""
        return _Ready(frames, spans, recorded, quarantine, record, checkpoint, books, dropped)

    def _stands_in(self, stream: Stream, symbol: Symbol) -> bool:
        """Whether what stands in is wanted of a series: nothing better comes, or was asked for."""
        asked_for = self._reader.connections.carried_by(stream, symbol)
        # Aggregates are asked for by a stream of their own; quotes of a book come without one.
        expected = 1 if stream is Stream.TRADES else 0
        return (stream, symbol) not in self._better and asked_for <= expected

    def _record(self, sha256: str, size: int) -> ImportRecord:
        counts = self._file
        return ImportRecord(
            source=Source.RECORDING,
            exchange=self.exchange,
            sha256=sha256,
            name=counts.name,
            size=size,
            version=IMPORTER_VERSION,
            lines=counts.lines,
            first_received=counts.first,
            last_received=counts.last,
            ticks=dict(counts.ticks),
            rejected=dict(sorted(counts.rejected.items())),
            notes=sorted(counts.notes),
            finished_at=now_us(),
        )

    def _keep_books(self) -> tuple[list[tuple[NewObject, bytes]], list[ObjectKey]]:
        """Keep whole books now and then; return those to write, and those that are of no use any more."""
        if self._kept_at and self.received - self._kept_at < _BOOKS_EVERY_US:
            return [], []
        self._kept_at = self.received
        books, names = [], []
        for symbol, number, book in self._reader.mapper.books():
            key = ObjectKey.book_state(self.exchange, symbol, number)
            levels = book_frame(book.levels())
            data = parquet_bytes(levels)
            digest = hashlib.sha256(data).hexdigest()
            books.append((NewObject(key, levels.height, Source.RECORDING, digest, _TO_GO_ON), data))
            names.append(f"{symbol} {number}")
        self._kept.append((_Place(self._place.segment, self._place.offset), names))
        gone, self._kept = self._kept[:-2], self._kept[-2:]
        still = {name for _, kept in self._kept for name in kept}
        return books, [_book_key(self.exchange, name) for _, kept in gone for name in kept if name not in still]

    def _write(self, ready: _Ready) -> None:
        scopes = {Scope(self.exchange, str(symbol), "parts") for _, symbol in ready.frames}
        with self._lake.writing(*scopes, wait_s=_WAIT_S) if scopes else nullcontext():
            batch = self._lake.batch()
            self._fill(batch, ready)
            batch.commit()

    def _fill(self, batch: Batch, ready: _Ready) -> None:
        lake, exchange = self._lake, self.exchange
        for (stream, symbol), frame in sorted(ready.frames.items(), key=lambda item: item[0]):
            append_ticks(lake, batch, stream, exchange, symbol, frame, self._source)
        for key in ready.dropped_books:
            held = lake.find(key)
            if held is not None and held.reason == _TO_GO_ON:  # others may be the end of a file that was imported
                batch.retire(key)
        for new, data in ready.books:
            if lake.find(new.key) is None:
                batch.put(new, data)
        for (stream, symbol), runs in ready.spans.items():
            batch.change(partial(add_spans, exchange=exchange, symbol=symbol, stream=stream, runs=runs))
        if ready.recorded:
            batch.change(partial(add_recorded, exchange=exchange, added=ready.recorded))
        self._fill_file(batch, ready)
        batch.change(partial(write_checkpoint, checkpoint=ready.checkpoint))

    def _fill_file(self, batch: Batch, ready: _Ready) -> None:
        """Tell what was found in the recording; while it grows it goes by a digest of its name."""
        record, growing = ready.file, _digest(ready.file.name)
        if record.sha256 != growing:
            batch.change(partial(remove_import, source=Source.RECORDING, exchange=self.exchange, sha256=growing))
        batch.change(partial(record_import, record=record))
        lines, key = ready.quarantine.frame(), ObjectKey.quarantine(self.exchange, growing)
        held = self._lake.find(key)
        if held is not None:
            lines = self._lake.store.read_parquet(held.path).vstack(lines).rechunk()
        if lines.is_empty():
            return
        if record.sha256 != growing and held is not None:
            batch.retire(key)
        data = parquet_bytes(lines)
        digest = hashlib.sha256(data).hexdigest()
        key = ObjectKey.quarantine(self.exchange, record.sha256)
        batch.put(NewObject(key, lines.height, Source.RECORDING, digest, "lines that became no tick"), data)


def _digest(name: str) -> str:
    """Return what stands for the digest of a recording that still grows."""
    return hashlib.sha256(f"growing {name}".encode()).hexdigest()


def _order(name: str) -> int:
    """Return when a recording was begun, ns, as its name says."""
    return int(name.removesuffix(".open").removesuffix(".zst").rpartition("-")[2])


def _book_key(exchange: Exchange, name: str) -> ObjectKey:
    symbol, _, number = name.rpartition(" ")
    return ObjectKey.book_state(exchange, Symbol.parse(symbol), int(number))
