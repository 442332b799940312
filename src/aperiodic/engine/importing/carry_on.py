"""Applying book updates that had to wait: a recording was imported before the one that its book carries on from."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from aperiodic.completeness.gaps import add_spans
from aperiodic.completeness.recorded import ANY_STREAM, Recorded, add_recorded, read_recorded
from aperiodic.engine.importing.books import BookStates, book_frame
from aperiodic.engine.importing.report import writing_ticks
from aperiodic.engine.importing.sink import RecordingSink
from aperiodic.engine.ticks import merge_ticks
from aperiodic.lake import LakeError, NewObject, ObjectKey
from aperiodic.lake.errors import UNUSABLE
from aperiodic.lake.imports import imports_with_note, remove_note
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Source, Stream
from aperiodic.venues import Instruments, RejectedFrameError, venue_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from aperiodic.lake import Lake
    from aperiodic.market import Exchange, Symbol

__all__ = ["carry_on"]

_PAD_US: Final = 1_000_000
"""Frames come often enough that none was missed within this time."""


def carry_on(lake: Lake, exchange: Exchange, ends: Mapping[Symbol, int]) -> list[str]:
    """Apply updates that waited for recordings to end where these did, and those that waited for them in turn.

    Args:
        lake: Where updates and books lie, and where the ticks go.
        exchange: Venue.
        ends: Number of the last update by symbol.

    Returns:
        A note `book_carried_on:SYMBOL:NUMBER` for each run of updates that was applied, and
        `book_updates_unreadable:SYMBOL:NUMBER` for one that the store holds no more as it was written: it is let go,
        and the file that it came from keeps its note `book_awaits` until it is imported again.
    """
    notes = []
    waiting = list(ends.items())
    while waiting:
        symbol, number = waiting.pop()
        key = ObjectKey.book_updates(exchange, symbol, number)
        if lake.find(key) is None:
            continue
        with writing_ticks(lake, exchange, [symbol]):
            record = lake.find(key)
            if record is None:  # another import has just done it
                continue
            try:
                updates = lake.store.read_parquet(record.path)
            except LakeError as error:
                if error.code not in UNUSABLE:
                    raise
                _let_go(lake, key)
                notes.append(f"book_updates_unreadable:{symbol}:{number}")
                continue
            end = _apply(lake, exchange, symbol, key, updates)
        notes.append(f"book_carried_on:{symbol}:{number}")
        if end is not None:
            waiting.append((symbol, end))
    return sorted(notes)


def _let_go(lake: Lake, key: ObjectKey) -> None:
    batch = lake.batch()
    batch.retire(key)
    batch.commit()


def _apply(lake: Lake, exchange: Exchange, symbol: Symbol, key: ObjectKey, updates: pl.DataFrame) -> int | None:
    """Make ticks of updates and let them go; return the number of the last one, None if that was known before."""
    sink = RecordingSink(BookStates(lake, exchange))
    mapper = venue_of(exchange).mapper(sink, Instruments())
    for local, frame in updates.select("local_timestamp", "frame").iter_rows():
        if not frame:
            continue
        with suppress(RejectedFrameError):  # it was put aside when its file was read
            mapper.read(local, frame)
    frames, spans = sink.series()
    streams = [Stream.BOOK, *([Stream.QUOTES] if updates["quotes"].any() else [])]
    batch = lake.batch()
    note = f"book_awaits:{symbol}:{int(key.period)}"
    recorded: dict[tuple[str, str], list[Recorded]] = {}
    for stream in streams:
        ticks = frames.get((stream, symbol))
        if ticks is not None and not ticks.is_empty():
            merge_ticks(lake, batch, stream, exchange, symbol, ticks, Source.RECORDING)
        recorded[str(symbol), stream] = [_recorded(lake, exchange, symbol, stream, updates, note)]
    batch.change(partial(add_recorded, exchange=exchange, added=recorded))
    runs = spans.get((Stream.BOOK, symbol), [])
    batch.change(partial(add_spans, exchange=exchange, symbol=symbol, stream=Stream.BOOK, runs=runs))
    batch.retire(key)
    batch.change(partial(remove_note, exchange=exchange, note=note))
    end = None
    for known, number, book in mapper.books():
        state = ObjectKey.book_state(exchange, known, number)
        if known == symbol and lake.find(state) is None:
            levels = book.levels()
            end, data = number, parquet_bytes(book_frame(levels))
            digest = hashlib.sha256(data).hexdigest()
            rows = len(levels.bids) + len(levels.asks)
            batch.put(NewObject(state, rows, Source.RECORDING, digest, "end of updates that waited"), data)
    batch.commit()
    return end


def _recorded(
    lake: Lake, exchange: Exchange, symbol: Symbol, stream: Stream, updates: pl.DataFrame, note: str
) -> Recorded:
    """Return when the book of updates that waited was recorded: from where their file begins to its end, or a snapshot.

    A quiet file may begin and end long before and after its updates.
    """
    times = updates["local_timestamp"].filter(updates["local_timestamp"] > 0)
    first, last = int(times.min()), int(times.max())  # type: ignore[arg-type]
    begin, end = first - _PAD_US, last + _PAD_US
    with lake.engine.connect() as connection:
        for file in imports_with_note(connection, exchange, note):
            if file.first_received is None or file.last_received is None:
                continue
            # Updates of one time are told apart by a microsecond each.
            if not file.first_received <= first <= last <= file.last_received + _PAD_US:
                continue
            held = read_recorded(connection, exchange, [str(symbol)], file.first_received, file.last_received)
            received = held.get((str(symbol), ANY_STREAM), [])
            first, last = file.first_received, max(last, file.last_received)
            begin = min([begin, first - _PAD_US, *(item.covers_from for item in received if item.first_time == first)])
            end = max(
                [end, last + _PAD_US, *(item.covers_to for item in received if abs(item.last_time - last) <= _PAD_US)]
            )
            later = [item for item in held.get((str(symbol), stream), ()) if item.first_time > int(times.max())]  # type: ignore[arg-type]
            if later:  # a snapshot came
                last = later[0].first_time
                end = last + _PAD_US
            break
    return Recorded(begin, end, first, last)
