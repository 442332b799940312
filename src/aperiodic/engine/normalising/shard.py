"""One writer's recordings → ticks: what its reader found is committed in pieces, each with how far it goes."""

from __future__ import annotations

from collections import deque
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from aperiodic.engine.handover import Announced, HandedOver
from aperiodic.engine.importing.arrivals import explain_runs, recorded_by_connections
from aperiodic.engine.importing.buffers import Quarantine
from aperiodic.engine.importing.report import IMPORTER_VERSION
from aperiodic.engine.normalising.commits import Ready, growing_digest, write
from aperiodic.engine.normalising.places import Place
from aperiodic.engine.normalising.reading import RecordingsReader
from aperiodic.lake.checkpoints import Checkpoint
from aperiodic.lake.imports import ImportRecord
from aperiodic.lake.recordings import is_cut
from aperiodic.market import Source, Stream, Symbol
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from aperiodic.engine.handover import TicksSender
    from aperiodic.engine.importing.buffers import HeldTicks
    from aperiodic.engine.normalising.pace import Pace
    from aperiodic.lake import Lake
    from aperiodic.lake.recordings import Recording
    from aperiodic.market import Exchange

__all__ = ["Shard"]

_MOST_ASIDE: Final = 2
"""So many pieces wait to be written at most: one at work, and the rest of a recording that was read to its end meanwhile."""


class Shard:
    """Makes ticks of the recordings of one writer.

    Attributes:
        exchange: Venue.
        name: Host and part of the venue.
        is_idle: Whether the last reading found nothing new.
        ticks: Ticks committed since the start.
        is_damaged: Whether the checkpoint held nothing that can be read but the place.
        cut: The recording that the last reading stopped before, as it is shorter than its sidecar says; None where it
            did not.
    """

    def __init__(
        self,
        lake: Lake,
        exchange: Exchange,
        name: str,
        checkpoint: Checkpoint | None,
        better: set[tuple[Stream, Symbol]],
        source: Source = Source.RECORDING,
        sender: TicksSender | None = None,
    ) -> None:
        """Take up the work.

        Args:
            lake: The installation.
            exchange: Venue.
            name: Host and part of the venue.
            checkpoint: Where to go on; None: from the first recording.
            better: Series of the exchange that need nothing to stand in, in whatever shard they are; it is added to.
            source: What the ticks are: recorded, or simulated by a mock of the exchange.
            sender: Takes ticks before they are committed.

        Raises:
            LakeError: `checkpoint_newer` or `checkpoint_damaged`.
        """
        self.exchange = exchange
        self.name = name
        self.is_idle = False
        self.ticks = 0
        self.cut: Recording | None = None
        self._lake = lake
        self._better = better
        self._source = source
        self._reader = RecordingsReader(lake, exchange, checkpoint)
        self.is_damaged = self._reader.is_damaged
        self._ready: deque[tuple[Ready, int]] = deque()
        """What is put aside, and the number of the last that was handed over of it."""
        self._sender = sender
        self._number = self._put_aside = self._committed = 0
        self._told = (0, 0, 0)

    @property
    def received(self) -> int:
        """Arrival of the last line read, µs; 0 before the first."""
        return self._reader.received

    @property
    def is_full(self) -> bool:
        """Whether what was read must be put aside before more is: so much, or the whole of a recording."""
        return self._reader.is_full

    @property
    def has_gaps(self) -> bool:
        """Whether something was read since the last commit that can tell of ticks that are missing, or are no more."""
        return self._reader.connections.has_news or self._reader.sink.has_gaps

    def read(self, recordings: Sequence[Recording], most: int) -> int:
        """Read what is there and not read yet, of one recording at most, and nothing from a recording on that was cut.

        Args:
            recordings: Those of this writer, in the order they were begun.
            most: Bytes of lines after which to stop.

        Returns:
            Bytes of lines read.
        """
        return self._read(takewhile(self._can_be_read, recordings), most)

    def read_what_is_left(self, recordings: Sequence[Recording], most: int) -> int:
        """Read as `read` does, and what is left of recordings that were cut as well."""
        return self._read(recordings, most)

    def has_ended(self, recordings: Sequence[Recording]) -> bool:
        """Whether all of its recordings are sealed, and all that they hold is committed or about to be."""
        return not self._reader.uncommitted and self._reader.has_ended(recordings)

    def hand_over(self) -> None:
        """Tell whoever wants ticks at once what was read since the last time."""
        reader, sender = self._reader, self._sender
        if sender is None or reader.is_warming or not sender.is_read:
            return
        new, is_whole = reader.sink.take_new(self._stands_in)
        if not is_whole:
            self._number += 1  # what is left out is read from files
        state = (self._number, self._committed, reader.received)
        if not new and state == self._told:
            return
        self._number += 1
        self._told = (self._number, *state[1:])
        series = [(str(stream), str(symbol), piece) for stream, symbol, piece in new]
        sender.tell(HandedOver(self.exchange, self.name, sender.run, *self._told, series))

    def commit(self) -> int:
        """Make true what was read since the last time; return the number of ticks.

        Raises:
            LakeError: `busy` and others; what was read is kept, and the next call tries again.
        """
        ticks = 0
        while self.prepare():
            self.write(self._lake)
            ticks += self.finish()
        return ticks

    @property
    def has_aside(self) -> bool:
        """Whether something is put aside, to be written."""
        return bool(self._ready)

    def prepare(self) -> bool:
        """Put aside what was read since the last time, to be written while reading goes on; return whether there is any.

        Where something is put aside already, the rest of a recording that was read to its end, or what is too much to read
        on, is put aside after it, so that reading need not wait.
        """
        reader = self._reader
        if self._ready and not (reader.is_full and len(self._ready) < _MOST_ASIDE):
            return True
        if reader.is_warming or (reader.place == reader.committed and not reader.sealed_as):
            return self.has_aside
        ready = self._prepare()
        self._ready.append((ready, self._put_aside))
        reader.committed = Place(ready.checkpoint.segment, ready.checkpoint.offset)
        return True

    def write(self, lake: Lake, pace: Pace | None = None) -> None:
        """Make true in one transaction what was put aside first; it may be called from another thread.

        Args:
            lake: The installation, as an object of this thread's own.
            pace: Pauses between the series; None: there are no pauses.

        Raises:
            LakeError: `busy` and others; it stays put aside.
        """
        if self._ready:
            write(lake, self.exchange, self._source, self._ready[0][0], pace)

    def finish(self) -> int:
        """Take leave of what was put aside first and is written; return the number of ticks."""
        if not self._ready:
            return 0
        ready, self._committed = self._ready.popleft()
        ticks = sum(held.height for held in ready.ticks.values())
        self.ticks += ticks
        return ticks

    def drain(self) -> Iterator[Ready]:
        """Give what was read since the last time to somebody who commits nothing."""
        while self.prepare():
            yield self._ready.popleft()[0]

    def _read(self, recordings: Iterable[Recording], most: int) -> int:
        done = 0
        if not self.is_full:
            self.cut = None
            done = self._reader.read(recordings, most)
        self._better |= self._reader.sink.better()
        self.is_idle = done == 0 and self.cut is None
        return done

    def _can_be_read(self, recording: Recording) -> bool:
        """Whether a recording is whole, or of no matter: what comes after it carries on from its books and connections."""
        if self._reader.is_finished(recording.sealed_path.name) or not is_cut(recording):
            return True
        self.cut = recording
        return False

    def _prepare(self) -> Ready:
        self.hand_over()
        reader, sink = self._reader, self._reader.sink
        told = reader.connections.take(reader.received)
        first, handed = self._put_aside + 1, sink.told()
        ticks, spans = sink.take(self._stands_in)
        ticks = {series: held for series, held in ticks.items() if held.height}
        unknown = sink.take_unknown(reader.received)
        _, notes = sink.take_counts()
        recorded = recorded_by_connections(told, unknown, reader.began, sink.quotes_of_books())
        spans = explain_runs(spans, recorded)
        for (stream, _), held in ticks.items():
            reader.file.ticks[stream] += held.height
        reader.file.notes |= notes
        books, dropped = reader.keep_place()
        whole = {series for series, held in ticks.items() if held.height == handed.get(series, 0)}
        if len(whole) < len(ticks):
            self._number += 1
        self._put_aside = self._number
        anew = [str(series[1]) for series, count in handed.items() if count > _height(ticks.get(series))]
        ready = Ready(
            ticks=ticks,
            spans=spans,
            recorded=recorded,
            quarantine=reader.quarantine,
            file=self._record(reader.sealed_as or growing_digest(reader.file.name)),
            checkpoint=self._checkpoint(),
            books=books,
            dropped_books=dropped,
            listed=list(reader.listed),
            handed_over=whole,
            announce=partial(self._announce, first, self._number, anew),
        )
        reader.listed.clear()
        reader.quarantine, reader.uncommitted, reader.sealed_as = Quarantine(), 0, ""
        return ready

    def _announce(self, first: int, last: int, anew: list[str], fingerprints: list[str]) -> None:
        sender = self._sender
        if sender is not None and sender.is_read and (fingerprints or anew):
            sender.tell(Announced(self.exchange, self.name, sender.run, first, last, fingerprints, anew))

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


def _height(ticks: HeldTicks | None) -> int:
    return 0 if ticks is None else ticks.height
