"""Recordings → ticks: lines of `<receive time> <frame as the venue sent it>`."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Final

from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.importing.book_state import BookStates
from aperiodic.engine.importing.collect import Quarantine, SpanBuilder, TickBuffer
from aperiodic.engine.importing.files import Lines, Progress, SourceFile
from aperiodic.engine.importing.report import FileReport, Findings, commit, earlier_report, find_earlier
from aperiodic.market import Exchange, Source, Stream, Symbol
from aperiodic.venues import EARLIEST_US, LATEST_US, RejectedFrameError
from aperiodic.venues.binance import BinanceMapper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aperiodic.lake import Lake
    from aperiodic.lake.imports import ImportRecord
    from aperiodic.venues import Book, Row
    from aperiodic.venues.events import SpanRecorder

__all__ = ["import_recordings", "read_recording"]

_SUPPORTED: Final = frozenset({Exchange.BINANCE_FUTURES, Exchange.BINANCE})
_PROBED_LINES: Final = 1_000
_MAX_STAMP_DIGITS: Final = 20
_BOOK_UPDATE: Final = re.compile(rb'"e"\s*:\s*"depthUpdate"[^\[]{0,300}?"s"\s*:\s*"(\w{1,100})"')
_AWAITS: Final = "book_awaits"


def import_recordings(
    lake: Lake,
    exchange: Exchange,
    paths: Sequence[Path],
    *,
    progress: Callable[[Progress], None] | None = None,
    again: bool = False,
) -> list[FileReport]:
    """Import recorded frames of one exchange, file by file in the order of their first receive time.

    Each file is committed as a whole before the next begins: after a crash, run the same call again.

    Args:
        lake: Where to.
        exchange: The venue that sent the frames.
        paths: Files of lines `<receive time> <raw JSON>`, plain, gzip or zstd; receive times in µs or ns.
        progress: Called with the bytes read of the file at work.
        again: Also read files that have been imported before.

    Returns:
        A report of every file, in the order they were imported.

    Raises:
        ImportSourceError: `recording_not_supported`, `file_unreadable`, `not_a_recording` (before anything is
            imported), or `source_conflict`.
        LakeError: `busy`, or the store or ledger failed.
    """
    if exchange not in _SUPPORTED:
        raise ImportSourceError(
            f"Recordings of {exchange} cannot be imported yet.",
            code="recording_not_supported",
            hint=f"Recordings of {' and '.join(sorted(_SUPPORTED))} can; for others, import Tardis files.",
        )
    files = sorted((_first_received(file), place, file) for place, file in enumerate(map(SourceFile.look_at, paths)))
    with lake.writing():
        return [_import_one(lake, exchange, file, progress, again=again) for _, _, file in files]


def read_recording(
    lake: Lake,
    exchange: Exchange,
    file: SourceFile,
    *,
    progress: Callable[[Progress], None] | None = None,
    on_book: Callable[[Symbol, int, Book], None] | None = None,
) -> Findings:
    """Read one recording and write nothing.

    Args:
        lake: Where the order books lie at which earlier recordings ended.
        exchange: The venue that sent the frames.
        file: The recording.
        progress: Called with the bytes read.
        on_book: Called with symbol, update id and book after every update that was applied to a book.
    """
    found = Findings(file, exchange, Source.RECORDING, Quarantine())
    sink = _Collector(BookStates(lake, exchange), file)
    mapper = BinanceMapper(exchange, sink, on_book=on_book)
    put_aside = found.quarantine.add
    first, last = LATEST_US, 0
    lines = Lines(
        file,
        progress=progress,
        overlong=lambda number, start: put_aside(number, None, "overlong_line", "the line is over 16 MiB", start),
    )
    for start, batch in lines:
        for number, line in enumerate(batch, start):
            if not line or line == b"\r":
                continue
            stamp, _, frame = line.partition(b" ")
            local = None
            try:
                local = _receive_time(stamp)
                first = min(first, local)
                last = max(last, local)
                mapper.read(local, frame)
            except RejectedFrameError as refusal:
                cut_off = lines.open_end and refusal.code in {"malformed", "bad_receive_time"}
                code = "truncated_file" if cut_off else refusal.code
                put_aside(number, local, code, refusal.reason, line)
        sink.pack()
    if lines.damage is not None and not found.quarantine.counts["truncated_file"]:
        lines.count += 1
        put_aside(lines.count, None, lines.damage, "the compressed file ends or breaks here", b"")
    found.lines = lines.count
    if last:
        found.first_received, found.last_received = first, last
    sink.fill(found)
    found.books = {symbol: (sequence, book.levels()) for symbol, sequence, book in mapper.books()}
    return found


def _import_one(
    lake: Lake,
    exchange: Exchange,
    file: SourceFile,
    progress: Callable[[Progress], None] | None,
    *,
    again: bool,
) -> FileReport:
    earlier = find_earlier(lake, Source.RECORDING, exchange, file)
    if earlier is not None and not again and not _can_know_more(lake, exchange, earlier):
        return earlier_report(earlier, file.name)
    return commit(lake, read_recording(lake, exchange, file, progress=progress))


def _can_know_more(lake: Lake, exchange: Exchange, earlier: ImportRecord) -> bool:
    """Whether a book that was unknown where this file began has become known, through an import since."""
    states = BookStates(lake, exchange)
    for note in earlier.notes:
        kind, _, rest = note.partition(":")
        symbol, _, sequence = rest.rpartition(":")
        if kind == _AWAITS and states.find(Symbol.parse(symbol), int(sequence)) is not None:
            return True
    return False


def _receive_time(stamp: bytes) -> int:
    """Return a receive time as µs; recorders write µs or ns, told apart by magnitude."""
    if not stamp.isdigit() or len(stamp) > _MAX_STAMP_DIGITS:
        raise RejectedFrameError("malformed", "the line does not begin with a receive time and a space")
    time = int(stamp)
    if time >= LATEST_US:
        time //= 1000
    if not EARLIEST_US <= time < LATEST_US:
        raise RejectedFrameError("bad_receive_time", "the receive time is not µs or ns between 2009 and 2100")
    return time


def _first_received(file: SourceFile) -> int:
    """Return the first receive time in a file, 0 if it is empty."""
    probed = 0
    for _, batch in Lines(file):
        for line in batch:
            probed += 1
            try:
                return _receive_time(line.partition(b" ")[0])
            except RejectedFrameError:
                continue
        if probed >= _PROBED_LINES:
            break
    if not probed:
        return 0
    raise ImportSourceError(
        f"{file.name} is not a recording: none of its first lines begins with a receive time.",
        code="not_a_recording",
        hint="Each line must be a receive time in µs or ns, a space, and the JSON text as the exchange sent it.",
    )


class _Collector:
    """The sink of one recording; see `aperiodic.venues.Sink`."""

    def __init__(self, states: BookStates, file: SourceFile) -> None:
        self.checkpoint = states.find
        self._file = file
        self._buffers: dict[tuple[Stream, Symbol, bool], TickBuffer] = {}
        self._spans: dict[tuple[Stream, Symbol, bool], SpanBuilder] = {}
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._notes: set[str] = set()
        self._book_symbols: frozenset[str] | None = None

    def rows(self, stream: Stream, symbol: Symbol, *, aggregated: bool = False) -> Callable[[Row], None]:
        key = (stream, symbol, aggregated)
        if key not in self._buffers:
            self._buffers[key] = TickBuffer(stream)
        return self._buffers[key].append

    def spans(self, stream: Stream, symbol: Symbol, *, aggregated: bool = False) -> SpanRecorder:
        key = (stream, symbol, aggregated)
        if key not in self._spans:
            self._spans[key] = SpanBuilder(partial(self.count, kind=stream))
        return self._spans[key].see

    def count(self, what: str, kind: str) -> None:
        self._counts[what][kind] += 1

    def note(self, code: str) -> None:
        self._notes.add(code)

    def book_symbols(self) -> frozenset[str]:
        if self._book_symbols is None:
            names: set[bytes] = set()
            for _, batch in Lines(self._file):
                names.update(match[1] for line in batch if (match := _BOOK_UPDATE.search(line)) is not None)
            self._book_symbols = frozenset(name.decode() for name in names)
        return self._book_symbols

    def pack(self) -> None:
        """Turn rows into columns where many have come together."""
        for buffer in self._buffers.values():
            buffer.pack()

    def fill(self, found: Findings) -> None:
        """Hand over everything collected."""
        for (stream, symbol, aggregated), buffer in self._buffers.items():
            frame = buffer.frame()
            if not aggregated:
                found.frames[stream, symbol] = frame
            elif (stream, symbol, False) in self._buffers:
                self._counts["ignored"]["aggTrade"] += frame.height
            else:
                found.frames[stream, symbol] = frame
                self._notes.add("aggregated_trades")
        for (stream, symbol, aggregated), spans in self._spans.items():
            if not aggregated or (stream, symbol, False) not in self._spans:
                found.spans[stream, symbol] = spans.spans()
        found.ignored = dict(self._counts["ignored"])
        found.duplicates = dict(self._counts["duplicate"])
        found.late = dict(self._counts["late"])
        found.notes = sorted(self._notes)
