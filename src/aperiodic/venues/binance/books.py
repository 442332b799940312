"""Binance's changes and snapshots of order books → ticks."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from aperiodic.market import BOOK_DEPTH, Stream
from aperiodic.venues.binance import messages as wire
from aperiodic.venues.binance.depth import DepthChange, DepthSync, Outcome
from aperiodic.venues.binance.market import check_levels
from aperiodic.venues.book import Changes, LevelReader
from aperiodic.venues.events import RejectedFrameError, venue_time_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aperiodic.market import Symbol
    from aperiodic.venues.binance.market import Market
    from aperiodic.venues.book import Book
    from aperiodic.venues.events import Row, SpanRecorder

__all__ = ["BookReader"]

_EVENT: Final = b'{"e":"depthUpdate",'


class _Series:
    """One instrument's book and what becomes of it."""

    __slots__ = ("append", "missed", "restarts", "see", "symbol", "sync", "unknown", "wait")

    def __init__(self, append: Callable[[Row], None], see: SpanRecorder, symbol: Symbol, sync: DepthSync) -> None:
        self.append = append
        self.see = see
        self.symbol = symbol
        self.sync = sync
        self.missed = self.unknown = False
        self.restarts = 0
        self.wait: Callable[[int, bytes], None] | None = None


class BookReader:
    """Reads `depthUpdate` and REST `depth`."""

    def __init__(self, market: Market, on_book: Callable[[Symbol, int, Book], None] | None) -> None:
        self._market = market
        self._on_book = on_book
        self._books: dict[str, _Series] = {}
        self._levels = LevelReader(b',"b":', b',"a":')

    def books(self) -> Iterator[tuple[Symbol, int, Book]]:
        """Yield every book that is known, with its symbol and the number of its last update."""
        for series in self._books.values():
            if series.sync.book is not None:
                yield series.symbol, series.sync.last, series.sync.book

    def depth(self, local: int, raw: bytes | msgspec.Raw) -> None:
        """Read one update."""
        head, changes = self._update(bytes(raw))
        market = self._market
        if market.leaves_out(head):
            return
        after, stamp = (head.first - 1, head.event_time) if market.spot else (head.previous, head.time)
        if after is None or stamp is None or (market.spot and head.previous is not None):
            raise RejectedFrameError("other_venue", "the update follows the rules of another Binance market")
        time = venue_time_us(stamp)
        series = self._series(head.symbol)
        sync = series.sync
        outcome = sync.update(DepthChange(head.first, after, head.last, changes, time))
        if series.restarts != sync.restarts:
            series.restarts = sync.restarts
            series.wait = None
            market.sink.note("sequence_reset")
            series.see(head.last, head.last, time, "sequence_reset")
        if outcome is Outcome.REPEATED:
            market.sink.count("duplicate" if head.last == sync.last else "late", Stream.BOOK)
        elif outcome is Outcome.UNKNOWN or outcome is Outcome.BREAK or sync.book is None:
            self._not_applied(series, local, after, raw, lost=outcome is Outcome.BREAK)
        else:
            self._applied(series, local, time, after, head.last, sync.book, changed=outcome is Outcome.CHANGED)

    def snapshot(self, local: int, raw: bytes | msgspec.Raw, *, native: str | None = None) -> None:
        """Read a REST answer; `native` says whose book it is, where that is known."""
        try:
            answer = wire.DEPTH_SNAPSHOT.decode(raw)
        except msgspec.ValidationError:
            answer = wire.DEPTH_SNAPSHOT.decode(wire.with_pairs(raw))
        check_levels(answer.bids)
        check_levels(answer.asks)
        series = self._series(native or self._owner(answer.number))
        series.sync.snapshot(answer)
        if series.unknown and series.sync.book is not None:
            series.unknown = False
            self._market.sink.book_known(series.symbol, local)
        self._market.sink.count("ignored", "snapshot")

    def _update(self, text: bytes) -> tuple[wire.DepthHead, Changes]:
        if text.startswith(_EVENT):
            found = self._levels.read(text)
            # Without its levels a plain update is a plain object.
            if found is not None and found[1].count(b"{") == 1 and b"[" not in found[1]:
                with suppress(msgspec.DecodeError):  # it is read below, and what is wrong with it is told there
                    return wire.DEPTH_HEAD.decode(found[1]), found[0]
        try:
            update = wire.DEPTH_UPDATE.decode(text)
        except msgspec.ValidationError:
            update = wire.DEPTH_UPDATE.decode(wire.with_pairs(text))
        check_levels(update.bids)
        check_levels(update.asks)
        return update, Changes.of(update.bids, update.asks)

    def _not_applied(self, series: _Series, local: int, after: int, raw: bytes | msgspec.Raw, *, lost: bool) -> None:
        sink = self._market.sink
        if not series.missed and series.sync.last < 0:
            series.wait = sink.wait(series.symbol, after)
        if series.wait is not None:
            series.wait(local, bytes(raw))
        sink.book_unknown(series.symbol, local, "sequence_break" if lost else "no_snapshot")
        series.missed = series.unknown = True
        sink.count("ignored", "update_of_unknown_book")

    def _applied(
        self, series: _Series, local: int, time: int, after: int, last: int, book: Book, *, changed: bool
    ) -> None:
        if series.unknown:
            series.unknown = False
            self._market.sink.book_known(series.symbol, local)
        series.wait = None
        series.see(after, last, time, "no_snapshot" if series.missed else "not_recorded")
        if changed:
            series.append((time, local, *book.best, BOOK_DEPTH, last))
            if book.beyond_floor:
                self._market.sink.note("book_beyond_snapshot_depth")

    def _owner(self, number: int) -> str:
        """Find whose book a bare REST answer is: it names no instrument."""
        names = self._market.sink.find_all(wire.depth_name)
        if len(names) == 1:
            return next(iter(names))
        fitting = [name for name, series in self._books.items() if series.sync.continues(number)]
        # An instrument that has not been heard of yet might fit as well.
        if len(fitting) == 1 and all(name in self._books and self._books[name].sync.seen for name in names):
            return fitting[0]
        raise RejectedFrameError("unattributed_snapshot", "the answer names no instrument and fits none or several")

    def _series(self, native: str) -> _Series:
        series = self._books.get(native)
        if series is None:
            sink, symbol = self._market.sink, self._market.symbol(native)
            sync = DepthSync(
                restore=partial(sink.checkpoint, symbol),
                applied=None if self._on_book is None else partial(self._on_book, symbol),
            )
            series = _Series(sink.rows(Stream.BOOK, symbol), sink.spans(Stream.BOOK, symbol), symbol, sync)
            self._books[native] = series
        return series
