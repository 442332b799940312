"""The sink of one recording: takes what a mapper reads and hands it to the import."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Final

from aperiodic.engine.importing.collect import SpanBuilder, TickBuffer
from aperiodic.engine.importing.files import Lines
from aperiodic.market import Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.engine.importing.book_state import BookStates
    from aperiodic.engine.importing.files import SourceFile
    from aperiodic.engine.importing.report import Findings
    from aperiodic.venues import Row
    from aperiodic.venues.events import SpanRecorder

__all__ = ["Collector"]

_BOOK_UPDATE: Final = re.compile(rb'"e"\s*:\s*"depthUpdate"[^\[]{0,300}?"s"\s*:\s*"(\w{1,100})"')
_STAND_IN_NOTES: Final = {Stream.TRADES: "aggregated_trades", Stream.QUOTES: "quotes_from_book"}
_STAND_IN_KINDS: Final = {Stream.TRADES: "aggTrade", Stream.QUOTES: "quote_from_book"}


class Collector:
    """See `aperiodic.venues.Sink`.

    What a mapper calls aggregated stands in where the recording has nothing better: aggregates where no single
    trades were recorded, changes of the book's best level where no quotes were.
    """

    def __init__(self, states: BookStates, file: SourceFile) -> None:
        self.checkpoint = states.find
        self._file = file
        self._buffers: dict[tuple[Stream, Symbol, bool], TickBuffer] = {}
        self._spans: dict[tuple[Stream, Symbol, bool], SpanBuilder] = {}
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._notes: set[str] = set()
        self._book_symbols: frozenset[str] | None = None

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

    def count(self, what: str, kind: str) -> None:
        """Count an event that made no tick of its own."""
        self._counts[what][kind] += 1

    def note(self, code: str) -> None:
        """Remember something that a reader of the data should know."""
        self._notes.add(code)

    def book_symbols(self) -> frozenset[str]:
        """Return Binance's names of all instruments with book updates anywhere in the file."""
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
        for (stream, symbol, stands_in), buffer in self._buffers.items():
            frame = buffer.frame()
            if not stands_in:
                found.frames[stream, symbol] = frame
            elif (stream, symbol, False) in self._buffers:
                self._counts["ignored"][_STAND_IN_KINDS[stream]] += frame.height
            else:
                found.frames[stream, symbol] = frame
                if frame.height:
                    self._notes.add(_STAND_IN_NOTES[stream])
        for (stream, symbol, stands_in), spans in self._spans.items():
            if not stands_in or (stream, symbol, False) not in self._spans:
                found.spans[stream, symbol] = spans.spans()
        found.ignored = dict(self._counts["ignored"])
        found.duplicates = dict(self._counts["duplicate"])
        found.late = dict(self._counts["late"])
        found.notes = sorted(self._notes)
