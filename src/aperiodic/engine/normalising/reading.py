"""One writer's recordings, read block by block into a mapper that lives on from file to file, and again after an end.

Reading that begins again does so at a place before the last commit, with what was known there: what comes from there
on to the commit is read for the memory of the mapper and of repeated frames only, and makes no ticks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aperiodic.engine.importing.books import BookStates
from aperiodic.engine.importing.buffers import Quarantine
from aperiodic.engine.importing.held import TradesHeld
from aperiodic.engine.importing.instruments import known_instruments
from aperiodic.engine.importing.lines import read_line
from aperiodic.engine.importing.reading import FrameReader
from aperiodic.engine.importing.sink import FollowingSink
from aperiodic.engine.normalising.commits import growing_digest
from aperiodic.engine.normalising.known import can_be_taken_up
from aperiodic.engine.normalising.places import FileCounts, KeptPlaces, Place
from aperiodic.lake.blocks import MAX_LINE, whole_blocks
from aperiodic.lake.checkpoints import check_checkpoint
from aperiodic.lake.recordings import order_of, read_sidecar
from aperiodic.market import Stream, Symbol
from aperiodic.market.time import now_us
from aperiodic.venues import RejectedFrameError, UnknownContractError, venue_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from aperiodic.engine.importing.connections import Connections
    from aperiodic.lake import Lake
    from aperiodic.lake.checkpoints import Checkpoint
    from aperiodic.lake.recordings import Recording
    from aperiodic.market import Exchange
    from aperiodic.market.instrument import Instrument

__all__ = ["RecordingsReader"]

_MOST_UNCOMMITTED: Final = 64 << 20
"""Bytes of lines that are read at most before their ticks are committed."""


class RecordingsReader:
    """Reads the recordings of one writer, in the order they were begun.

    Attributes:
        received: Arrival of the last line read, µs; 0 before the first.
        began: Arrival of the first line ever, µs.
        place: Where reading is.
        committed: Up to where what was read is committed, or about to be; whoever commits sets it.
        done: Name of the last recording that was read to its end.
        sealed_as: Digest of the recording at work when it was just read to its end; empty while it grows.
        file: What was found in the recording at work.
        quarantine: Lines that became no tick since the last commit.
        listed: Instruments that were listed, with the arrival of the list, µs.
        kept: Places to begin again from.
        sink: What was read.
        is_warming: Whether what was committed before is read again.
        is_damaged: Whether what was known at the last commit could not be read, but for the place: the recording at
            work is read again from its beginning for what it tells.
        uncommitted: Bytes of lines that were read since the last commit.
    """

    def __init__(self, lake: Lake, exchange: Exchange, checkpoint: Checkpoint | None) -> None:
        """Take up the work.

        Args:
            lake: The installation.
            exchange: Venue.
            checkpoint: Where to go on; None: from the first recording.

        Raises:
            LakeError: `checkpoint_newer` or `checkpoint_damaged`.
        """
        if checkpoint is not None:
            check_checkpoint(checkpoint)
        self.is_damaged = checkpoint is not None and not can_be_taken_up(checkpoint.state)
        state: dict[str, Any] = {} if checkpoint is None or self.is_damaged else checkpoint.state
        self.received = 0
        self.began = 0
        self.place = Place()
        self.committed = Place()
        self.done: str = state.get("done", "")
        self.sealed_as = ""
        self.file = FileCounts()
        self.quarantine = Quarantine()
        self.listed: list[tuple[int, list[Instrument]]] = []
        self.kept = KeptPlaces(exchange, state)
        self.sink = FollowingSink(BookStates(lake, exchange))
        self.is_warming = False
        self.uncommitted = 0
        self._held = TradesHeld(lake, exchange)
        self._traded: frozenset[str] = frozenset()
        venue = venue_of(exchange)
        instruments = known_instruments(lake, exchange, now_us())
        mapper = venue.mapper(self.sink, instruments, recorded_before=self._recorded_before)
        self._reader = FrameReader(venue, mapper, self.sink)
        self._restored = state
        if checkpoint is not None:
            self.committed = Place(checkpoint.segment, checkpoint.offset)
            self.place = Place(checkpoint.warm_segment, checkpoint.warm_offset)
            self.received = checkpoint.last_received
            if self.is_damaged:
                self.place = Place(checkpoint.segment, 0)
            self.is_warming = self.place != self.committed
            if self.is_warming:
                first = self.kept.first
                self._know({} if first is None else first[1])
            else:
                self._warmed()

    @property
    def connections(self) -> Connections:
        """What the recorder tells of its connections."""
        return self._reader.connections

    @property
    def is_full(self) -> bool:
        """Whether what was read must be committed before more is: so much, or the whole of a recording."""
        over = self.done == self.place.segment != "" and not self.is_warming and self.place != self.committed
        return over or self.uncommitted >= _MOST_UNCOMMITTED

    def read(self, recordings: Iterable[Recording], most: int) -> int:
        """Read what is there and not read yet, of one recording at most; return the bytes of lines.

        Args:
            recordings: Those of this writer, in the order they were begun.
            most: Bytes of lines after which to stop.
        """
        done = 0
        for recording in recordings:
            name = recording.sealed_path.name
            if self.is_full or done >= most:
                break
            if self._is_passed(name) or not _is_there(recording):
                continue
            if name != self.place.segment:
                self._begin_file(name)
            done += self._read_file(recording, most - done)
            if not self._is_read(recording):
                break
            self._end_file(recording)
        return done

    def has_ended(self, recordings: Sequence[Recording]) -> bool:
        """Whether the last recording is sealed and was read to its end, or none is there any more."""
        return not recordings or (
            not recordings[-1].is_open and not self.is_warming and self._is_passed(recordings[-1].sealed_path.name)
        )

    def is_finished(self, name: str) -> bool:
        """Whether nothing of a recording is to become ticks any more, though it may be read again for what it tells."""
        passed = {self.committed.segment} if self.is_warming else {self.committed.segment, self.place.segment}
        return name == self.done or any(order_of(name) < order_of(segment) for segment in passed if segment)

    def dump(self) -> dict[str, Any]:
        """Return what a checkpoint needs to know besides places, as values of JSON."""
        return {
            **self._known(),
            "file": self.file.dump(),
            "began": self.began,
            "done": self.done,
            **self.kept.dump(),
        }

    def keep_place(self) -> tuple[list[Any], list[Any]]:
        """Keep the place to begin again from it, if it is time to; see `KeptPlaces.keep`."""
        books = ((symbol, number, book.levels()) for symbol, number, book in self._reader.mapper.books())
        return self.kept.keep(self.received, self.place, lambda: books, self._known)

    def _known(self) -> dict[str, Any]:
        """Return what is known here of what came before and is not told again, as values of JSON."""
        return {
            "connections": self.connections.dump(),
            "overlap": self._reader.repeats.until,
            "traded": sorted(self._traded | {str(symbol) for symbol in self.sink.symbols(Stream.TRADES)}),
        }

    def _know(self, known: dict[str, Any]) -> None:
        self._reader.forget_connections()
        self.connections.restore(known.get("connections", {}))
        self._reader.repeats.until = known.get("overlap", 0)
        self._traded |= frozenset(known.get("traded", ()))

    def _recorded_before(self, symbol: Symbol, local: int) -> bool:
        return str(symbol) in self._traded or self._held.before(symbol, local)

    def _is_passed(self, name: str) -> bool:
        """Whether a recording was read before, to its end."""
        if name == self.done and not self.is_warming:
            return True
        return self.place.segment != "" and order_of(name) < order_of(self.place.segment)

    def _read_file(self, recording: Recording, most: int) -> int:
        path = recording.path if recording.path.exists() else recording.sealed_path
        done = 0
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return 0
        with file:
            file.seek(self.place.offset)
            for place, block in whole_blocks(file):
                self._read_block(block)
                self.place.offset = place
                done += len(block)
                if self.is_warming and self.place == self.committed:
                    self._warmed()
                if not self.is_warming:
                    self.uncommitted += len(block)
                if done >= most or self.is_full:
                    break
        return done

    def _read_block(self, block: bytes) -> None:
        for text in block.split(b"\n"):
            if not text:
                continue
            self.file.lines += 1
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
                if listed and local is not None and not self.is_warming:
                    self.listed.append((local, listed))
            except RejectedFrameError as refusal:
                self._put_aside(local, refusal.code, refusal.reason, text)
            except UnknownContractError as unknown:
                reason = f"the size of a contract of {unknown.name[:100]} is not known"
                self._put_aside(local, "contract_size_needed", reason, text)
        self.sink.pack()

    def _received(self, local: int) -> None:
        self.began = self.began or local
        self.received = max(self.received, local)
        self.file.received(local)

    def _put_aside(self, local: int | None, code: str, reason: str, text: bytes) -> None:
        if not self.is_warming:
            self.quarantine.add(self.file.lines, local, code, reason, text)
            self.file.rejected[code] += 1

    def _begin_file(self, name: str) -> None:
        if self.is_warming and order_of(name) > order_of(self.committed.segment):
            self._warmed()  # the place to go on from is not there any more
        self.place = Place(name, 0)
        self.file = FileCounts(name)
        self.kept.begin(Place(name, 0))

    def _is_read(self, recording: Recording) -> bool:
        """Whether a recording is sealed and holds nothing more."""
        return not recording.path.name.endswith(".open") and (
            self.place.offset >= recording.path.stat().st_size or self._is_damaged(recording)
        )

    def _is_damaged(self, recording: Recording) -> bool:
        with recording.path.open("rb") as file:
            file.seek(self.place.offset)
            return next(whole_blocks(file), None) is None

    def _end_file(self, recording: Recording) -> None:
        """Take leave of a sealed recording of which everything was read."""
        name = self.place.segment
        if self.is_warming and name == self.committed.segment:
            self._warmed()  # less of it is left than was read
            if self.done == name:
                return
        if recording.path.stat().st_size > self.place.offset:
            self._put_aside(None, "corrupt_file", "the compressed file breaks here", b"")
        sidecar = read_sidecar(recording)
        self.connections.end_file(whole=sidecar is None or not sidecar.recovered)
        if not self.is_warming:
            self.done = name
            self.sealed_as = sidecar.sha256 if sidecar is not None else growing_digest(name)

    def _warmed(self) -> None:
        """Forget what was read again, and know what was known then."""
        self.is_warming = False
        if self.is_damaged:
            self.connections.take(self.received)
        self.sink.take(lambda _stream, _symbol: False)
        self.sink.take_unknown(self.received)
        self.sink.take_counts()
        if not self.is_damaged:
            self._know(self._restored)
        if "file" in self._restored:
            self.file = FileCounts.restore(self._restored["file"])
        self.began = self._restored.get("began", 0) or self.began


def _is_there(recording: Recording) -> bool:
    """Whether a recording is a file that can be opened: it may have been moved away, or its link lead nowhere."""
    return recording.path.is_file() or recording.sealed_path.is_file()
