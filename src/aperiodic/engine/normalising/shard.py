"""One writer's recordings → ticks: what its reader found is committed in pieces, each with how far it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.engine.importing.arrivals import explain_runs, recorded_by_connections
from aperiodic.engine.importing.buffers import Quarantine
from aperiodic.engine.importing.instruments import learn_instruments
from aperiodic.engine.importing.report import IMPORTER_VERSION
from aperiodic.engine.normalising.commits import Ready, growing_digest, write
from aperiodic.engine.normalising.places import Place
from aperiodic.engine.normalising.reading import RecordingsReader
from aperiodic.lake.checkpoints import Checkpoint
from aperiodic.lake.imports import ImportRecord
from aperiodic.market import Source, Stream, Symbol
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.lake import Lake
    from aperiodic.lake.recordings import Recording
    from aperiodic.market import Exchange

__all__ = ["Shard"]


class Shard:
    """Makes ticks of the recordings of one writer.

    Attributes:
        exchange: Venue.
        name: Host and part of the venue.
        is_idle: Whether the last reading found nothing new.
        ticks: Ticks committed since the start.
        is_damaged: Whether the checkpoint held nothing that can be read but the place.
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

        Raises:
            LakeError: `checkpoint_newer` or `checkpoint_damaged`.
        """
        self.exchange = exchange
        self.name = name
        self.is_idle = False
        self.ticks = 0
        self._lake = lake
        self._better = better
        self._source = source
        self._reader = RecordingsReader(lake, exchange, checkpoint)
        self.is_damaged = self._reader.is_damaged
        self._ready: Ready | None = None

    @property
    def received(self) -> int:
        """Arrival of the last line read, µs; 0 before the first."""
        return self._reader.received

    @property
    def is_full(self) -> bool:
        """Whether what was read must be committed before more is: so much, or the whole of a recording."""
        return self._ready is not None or self._reader.is_full

    def read(self, recordings: Sequence[Recording], most: int) -> int:
        """Read what is there and not read yet, of one recording at most.

        Args:
            recordings: Those of this writer, in the order they were begun.
            most: Bytes of lines after which to stop.

        Returns:
            Bytes of lines read.
        """
        done = 0 if self.is_full else self._reader.read(recordings, most)
        self._better |= self._reader.sink.better()
        self.is_idle = done == 0
        return done

    def commit(self) -> int:
        """Make true what was read since the last time, in one transaction; return the number of ticks.

        Raises:
            LakeError: `busy` and others; what was read is kept, and the next call tries again.
        """
        reader = self._reader
        if self._ready is None:
            if reader.is_warming or (reader.place == reader.committed and not reader.sealed_as):
                return 0
            self._ready = self._prepare()
        ready = self._ready
        learn_instruments(self._lake, self.exchange, reader.listed)
        reader.listed.clear()
        write(self._lake, self.exchange, self._source, ready)
        self._ready = None
        reader.committed = Place(ready.checkpoint.segment, ready.checkpoint.offset)
        ticks = sum(frame.height for frame in ready.frames.values())
        self.ticks += ticks
        return ticks

    def _prepare(self) -> Ready:
        reader, sink = self._reader, self._reader.sink
        told = reader.connections.take(reader.received)
        frames, spans = sink.take(self._stands_in)
        frames = {series: frame for series, frame in frames.items() if frame.height}
        unknown = sink.take_unknown(reader.received)
        _, notes = sink.take_counts()
        recorded = recorded_by_connections(told, unknown, reader.began)
        spans = explain_runs(spans, recorded)
        for (stream, _), frame in frames.items():
            reader.file.ticks[stream] += frame.height
        reader.file.notes |= notes
        books, dropped = reader.keep_place()
        record = self._record(reader.sealed_as or growing_digest(reader.file.name))
        ready = Ready(frames, spans, recorded, reader.quarantine, record, self._checkpoint(), books, dropped)
        reader.quarantine, reader.uncommitted, reader.sealed_as = Quarantine(), 0, ""
        return ready

    def _stands_in(self, stream: Stream, symbol: Symbol) -> bool:
        """Whether what stands in is wanted of a series: nothing better comes, or was asked for."""
        asked_for = self._reader.connections.carried_by(stream, symbol)
        # Aggregates are asked for by a stream of their own; quotes of a book come without one.
        expected = 1 if stream is Stream.TRADES else 0
        return (stream, symbol) not in self._better and asked_for <= expected

    def _checkpoint(self) -> Checkpoint:
        reader = self._reader
        warm = reader.kept.first or (reader.place, {})
        return Checkpoint(
            exchange=self.exchange,
            shard=self.name,
            segment=reader.place.segment,
            offset=reader.place.offset,
            warm_segment=warm[0].segment,
            warm_offset=warm[0].offset,
            last_received=reader.received,
            state=reader.dump(),
            updated_at=now_us(),
        )

    def _record(self, sha256: str) -> ImportRecord:
        counts = self._reader.file
        return ImportRecord(
            source=Source.RECORDING,
            exchange=self.exchange,
            sha256=sha256,
            name=counts.name,
            size=self._reader.place.offset,
            version=IMPORTER_VERSION,
            lines=counts.lines,
            first_received=counts.first,
            last_received=counts.last,
            ticks=dict(counts.ticks),
            rejected=dict(sorted(counts.rejected.items())),
            notes=sorted(counts.notes),
            finished_at=now_us(),
        )
