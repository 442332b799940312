"""Takes what a mapper reads out of one recording, and hands it to the import."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Final

from aperiodic.engine.importing.books import updates_frame
from aperiodic.engine.importing.buffers import SpanBuilder, TickBuffer
from aperiodic.engine.importing.files import Lines
from aperiodic.market import Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from aperiodic.completeness.gaps import Span
    from aperiodic.engine.importing.arrivals import Unknown
    from aperiodic.engine.importing.books import BookStates
    from aperiodic.engine.importing.buffers import HeldTicks
    from aperiodic.engine.importing.files import SourceFile
    from aperiodic.engine.importing.report import Findings
    from aperiodic.engine.packed_rows import Piece
    from aperiodic.venues import Row
    from aperiodic.venues.events import SpanRecorder

__all__ = ["FollowingSink", "RecordingSink"]

_MAX_WAITING: Final = 256 << 20
_STAND_IN_NOTES: Final = {Stream.TRADES: "aggregated_trades", Stream.QUOTES: "quotes_from_book"}
_STAND_IN_KINDS: Final = {Stream.TRADES: "aggTrade", Stream.QUOTES: "quote_from_book"}


class RecordingSink:
    """See `aperiodic.venues.Sink`.

    What a mapper calls aggregated stands in where the recording has nothing better: aggregates where no single
    trades were recorded, changes of the book's best level where no quotes were.
    """

    def __init__(self, states: BookStates, file: SourceFile | None = None) -> None:
        """Begin empty; `file` is the recording, to be searched for names."""
        self.checkpoint = states.find
        self._file = file
        self._buffers: dict[tuple[Stream, Symbol, bool], TickBuffer] = {}
        self._spans: dict[tuple[Stream, Symbol, bool], SpanBuilder] = {}
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._notes: set[str] = set()
        self._waiting: dict[tuple[Symbol, int], list[tuple[int, bytes]]] = {}
        self._waiting_bytes = 0
        self._found: dict[Callable[[bytes], str | None], frozenset[str]] = {}
        self._unknown_since: dict[Symbol, tuple[int, str]] = {}
        self._unknown_books: defaultdict[Symbol, list[Unknown]] = defaultdict(list)

    def rows(self, stream: Stream, symbol: Symbol, *, aggregated: bool = False) -> Callable[[Row], None]:
        """Return the function that takes the ticks of one series."""
        key = (stream, symbol, aggregated)
        if key not in self._buffers:
            self._buffers[key] = TickBuffer(stream)
        return self._buffers[key].append

    def spans(self, stream: Stream, symbol: Symbol, *, aggregated: bool = False) -> SpanRecorder:
        """Return the function that takes the numbers seen on one series."""
        key = (stream, symbol, aggregated)
        if key not in self._spans:
            self._spans[key] = SpanBuilder(partial(self.count, kind=stream))
        return self._spans[key].see

    def book_unknown(self, symbol: Symbol, local: int, cause: str) -> None:
        """Take that the order book is not known at an arrival time (µs), and why; the first reason stays."""
        self._unknown_since.setdefault(symbol, (local, cause))

    def book_known(self, symbol: Symbol, local: int) -> None:
        """Take that the order book is known again since an arrival time (µs)."""
        begin, cause = self._unknown_since.pop(symbol, (local, ""))
        for (waiting, _), updates in self._waiting.items():
            if waiting == symbol and updates[-1][1]:
                updates.append((local, b""))
        if begin < local:
            self._unknown_books[symbol].append((begin, local, cause))

    def unknown_books(self, end: int) -> dict[tuple[Stream, str], list[Unknown]]:
        """Return when books, and quotes that are made from them, were unknown in a file that ends at `end` (µs)."""
        for symbol in list(self._unknown_since):
            self.book_known(symbol, end + 1)
        return self._unknown_by_series()

    def _unknown_by_series(self) -> dict[tuple[Stream, str], list[Unknown]]:
        return {
            (stream, str(symbol)): intervals
            for symbol, intervals in self._unknown_books.items()
            for stream in (Stream.BOOK, Stream.QUOTES)
            if stream is Stream.BOOK or (stream, symbol, False) not in self._buffers
        }

    def count(self, what: str, kind: str) -> None:
        """Count an event that made no tick of its own."""
        self._counts[what][kind] += 1

    def note(self, code: str) -> None:
        """Remember something that a reader of the data should know."""
        self._notes.add(code)

    def find_all(self, read: Callable[[bytes], str | None]) -> frozenset[str]:
        """Return what `read` gives of all lines of the file, None left out."""
        if self._file is None:
            return frozenset()
        if read not in self._found:
            told = (read(line) for _, batch in Lines(self._file) for line in batch)
            self._found[read] = frozenset(name for name in told if name is not None)
        return self._found[read]

    def wait(self, symbol: Symbol, after: int) -> Callable[[int, bytes], None] | None:
        """Keep book updates; the first that find no room any more give up those of their symbol."""
        updates = self._waiting[symbol, after] = []

        def keep(local: int, frame: bytes) -> None:
            self._waiting_bytes += len(frame)
            if self._waiting_bytes > _MAX_WAITING:
                self._waiting.pop((symbol, after), None)
                self._notes.add(f"book_awaits:{symbol}:{after}")
            else:
                updates.append((local, frame))

        return keep

    def arrivals(self, stream: Stream, symbol: Symbol, since: int) -> tuple[int, int] | None:
        """Return when the first tick of a series from `since` (µs) on arrived, and the last one; None without any."""
        found = [
            bounds
            for stands_in in (False, True)
            if (buffer := self._buffers.get((stream, symbol, stands_in))) is not None
            and (bounds := buffer.arrivals(since)) is not None
        ]
        return (min(first for first, _ in found), max(last for _, last in found)) if found else None

    def symbols(self, stream: Stream) -> set[Symbol]:
        """Return the instruments of which a stream has come."""
        return {symbol for kind, symbol, _ in self._buffers if kind is stream}

    def quotes_of_books(self) -> set[Symbol]:
        """Return the instruments whose quotes are made from their books, as no others have come."""
        quoted = {
            is_own: {
                symbol for stream, symbol, stands_in in self._buffers if stream is Stream.QUOTES and stands_in != is_own
            }
            for is_own in (False, True)
        }
        return quoted[False] - quoted[True]

    def pack(self) -> None:
        """Turn rows into columns where many have come together."""
        for buffer in self._buffers.values():
            buffer.pack()

    def series(self) -> tuple[dict[tuple[Stream, Symbol], pl.DataFrame], dict[tuple[Stream, Symbol], list[Span]]]:
        """Return ticks and runs of numbers by series."""
        frames: dict[tuple[Stream, Symbol], pl.DataFrame] = {}
        for (stream, symbol, stands_in), buffer in self._buffers.items():
            frame = buffer.frame()
            if not stands_in:
                frames[stream, symbol] = frame
            elif (stream, symbol, False) in self._buffers:
                self._counts["ignored"][_STAND_IN_KINDS[stream]] += frame.height
            else:
                frames[stream, symbol] = frame
                if frame.height:
                    self._notes.add(_STAND_IN_NOTES[stream])
        spans = {
            (stream, symbol): runs.spans()
            for (stream, symbol, stands_in), runs in self._spans.items()
            if not stands_in or (stream, symbol, False) not in self._spans
        }
        return frames, spans

    def fill(self, found: Findings) -> None:
        """Hand over everything gathered."""
        found.frames, found.spans = self.series()
        for (symbol, after), updates in self._waiting.items():
            quotes_too = (Stream.QUOTES, symbol, False) not in self._buffers
            found.waiting[symbol, after] = updates_frame(updates, quotes_too=quotes_too)
            if not found.spans.get((Stream.BOOK, symbol)):
                self._notes.add(f"book_awaits:{symbol}:{after}")
        found.ignored = dict(self._counts["ignored"])
        found.duplicates = dict(self._counts["duplicate"])
        found.late = dict(self._counts["late"])
        found.notes = sorted(self._notes)


class FollowingSink(RecordingSink):
    """Takes what a mapper reads out of a recording that grows, and hands it over piece by piece."""

    def __init__(self, states: BookStates) -> None:
        """Begin empty."""
        super().__init__(states)
        self._stood_in: set[tuple[Stream, Symbol]] = set()

    def wait(self, symbol: Symbol, after: int) -> None:
        """Keep no book updates: a recorder asks for a book that it does not know."""
        self._notes.add(f"book_awaits:{symbol}:{after}")

    def take_new(self, stand_ins: Callable[[Stream, Symbol], bool]) -> tuple[list[tuple[Stream, Symbol, Piece]], bool]:
        """Return ticks that came since the last time by series, and whether these are all; `take` returns them too.

        Args:
            stand_ins: As of `take`; besides, stand-ins are returned once `take` has returned some of their series.
        """
        new: list[tuple[Stream, Symbol, Piece]] = []
        is_whole = True
        for (stream, symbol, stands_in), buffer in self._buffers.items():
            if stands_in and ((stream, symbol, False) in self._buffers or not stand_ins(stream, symbol)):
                continue
            if not stands_in or (stream, symbol) in self._stood_in:
                piece = buffer.take_new()
                if piece is not None:
                    new.append((stream, symbol, piece))
            is_whole = is_whole and buffer.all_told
        return new, is_whole

    @property
    def has_gaps(self) -> bool:
        """Whether numbers have been left out since the last `take`, or a book is or was unknown."""
        return bool(self._unknown_since or self._unknown_books or any(runs.is_broken for runs in self._spans.values()))

    def told(self) -> dict[tuple[Stream, Symbol], int]:
        """Return how many ticks `take_new` has returned since the last `take`, of each series."""
        counts: Counter[tuple[Stream, Symbol]] = Counter()
        for (stream, symbol, _), buffer in self._buffers.items():
            counts[stream, symbol] += buffer.told
        return counts

    def quotes_of_books(self) -> set[Symbol]:
        """Return the instruments whose quotes are made from their books, so far as `take` has returned any."""
        return {symbol for stream, symbol in self._stood_in if stream is Stream.QUOTES} & super().quotes_of_books()

    def better(self) -> set[tuple[Stream, Symbol]]:
        """Return the series for which nothing needs to stand in."""
        return {(stream, symbol) for stream, symbol, stands_in in self._buffers if not stands_in}

    def take(
        self, stand_ins: Callable[[Stream, Symbol], bool]
    ) -> tuple[dict[tuple[Stream, Symbol], HeldTicks], dict[tuple[Stream, Symbol], list[Span]]]:
        """Return ticks and runs of numbers since the last time, by series, and go on.

        Args:
            stand_ins: Whether what stands in is wanted of a series of which nothing better has come yet.
        """
        ticks: dict[tuple[Stream, Symbol], HeldTicks] = {}
        spans: dict[tuple[Stream, Symbol], list[Span]] = {}
        for (stream, symbol, stands_in), buffer in self._buffers.items():
            held = buffer.hold()
            better = (stream, symbol, False) in self._buffers
            if not stands_in:
                ticks[stream, symbol] = held
            elif better or not stand_ins(stream, symbol):
                self._counts["ignored"][_STAND_IN_KINDS[stream]] += held.height
            elif held.height:
                ticks[stream, symbol] = held
                self._stood_in.add((stream, symbol))
                self._notes.add(_STAND_IN_NOTES[stream])
        for (stream, symbol, stands_in), runs in self._spans.items():
            found = runs.take()
            if found and (not stands_in or ((stream, symbol) in ticks and (stream, symbol, False) not in self._spans)):
                spans[stream, symbol] = found
        return ticks, spans

    def take_unknown(self, end: int) -> dict[tuple[Stream, str], list[Unknown]]:
        """Return when books were unknown, those that were known again before the last time left out.

        Args:
            end: Until when those are taken to be that still are, µs; the next time they are told from their begin on,
                as connections may not have been followed as far as this.
        """
        for symbol, (begin, cause) in self._unknown_since.items():
            if begin < end:
                self._unknown_books[symbol].append((begin, end, cause))
        found = self._unknown_by_series()
        self._unknown_books.clear()
        return found

    def take_counts(self) -> tuple[dict[str, dict[str, int]], set[str]]:
        """Return what was counted and noted since the last time: by `ignored`, `duplicate` and `late`, then by kind."""
        counts = {what: dict(kinds) for what, kinds in self._counts.items()}
        notes = set(self._notes)
        self._counts.clear()
        self._notes.clear()
        return counts, notes
