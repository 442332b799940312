"""What was read of a recording becomes true in one transaction: ticks, gaps, recorded times, and how far it goes."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from aperiodic.completeness.gaps import add_spans_of_many
from aperiodic.completeness.recorded import add_recorded
from aperiodic.engine.importing.books import book_frame
from aperiodic.engine.importing.instruments import learn_instruments
from aperiodic.engine.normalising.places import TO_GO_ON
from aperiodic.engine.parts import append_ticks
from aperiodic.lake import NewObject, ObjectKey, Scope
from aperiodic.lake.checkpoints import write_checkpoint
from aperiodic.lake.imports import record_import, remove_import
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Source, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.completeness.gaps import Span
    from aperiodic.completeness.recorded import Recorded
    from aperiodic.engine.importing.buffers import HeldTicks, Quarantine
    from aperiodic.engine.normalising.pace import Pace
    from aperiodic.lake import Batch, Lake
    from aperiodic.lake.checkpoints import Checkpoint
    from aperiodic.lake.imports import ImportRecord
    from aperiodic.market import Exchange
    from aperiodic.market.instrument import Instrument
    from aperiodic.venues.events import Levels

__all__ = ["Ready", "growing_digest", "write"]

_WAIT_S: Final = 10.0
"""How long to wait for other writers of the same series, seconds."""


@dataclass(slots=True)
class Ready:
    """What is to be committed together, and how far it goes.

    Attributes:
        ticks: Ticks by series.
        spans: Runs of numbers that were seen, by series.
        recorded: When each series was recorded, by symbol and stream.
        quarantine: Lines that became no tick.
        file: What was found in the recording so far.
        checkpoint: Where to go on.
        books: Whole books to begin again from.
        dropped_books: Those that are of no use any more.
        listed: Instruments that were listed, with the arrival of the list, µs.
        handed_over: Series of which every tick was handed over.
        announce: Takes the fingerprints of the files of these, just before they are committed.
    """

    ticks: dict[tuple[Stream, Symbol], HeldTicks]
    spans: dict[tuple[Stream, Symbol], list[Span]]
    recorded: dict[tuple[str, str], list[Recorded]]
    quarantine: Quarantine
    file: ImportRecord
    checkpoint: Checkpoint
    books: list[tuple[ObjectKey, Levels]]
    dropped_books: list[ObjectKey]
    listed: list[tuple[int, list[Instrument]]]
    handed_over: set[tuple[Stream, Symbol]]
    announce: Callable[[list[str]], object]


def write(lake: Lake, exchange: Exchange, source: Source, ready: Ready, pace: Pace | None = None) -> None:
    """Commit it; the same again changes nothing.

    Args:
        lake: The installation.
        exchange: Venue.
        source: What the ticks are.
        ready: What is committed.
        pace: Pauses after each series, and chooses when to commit; None: there are no pauses.

    Raises:
        LakeError: `busy` when another program writes one of the series; others as of the store and the ledger.
    """
    learn_instruments(lake, exchange, ready.listed)
    scopes = {Scope(exchange, str(symbol), "parts") for _, symbol in ready.ticks}
    with lake.writing(*scopes, wait_s=_WAIT_S) if scopes else nullcontext():
        batch = lake.batch()
        ready.announce(_fill(lake, batch, exchange, source, ready, pace))
        if pace is not None:
            pace.rest()
        batch.commit()


def growing_digest(name: str) -> str:
    """Return what stands for the digest of a recording that still grows."""
    return hashlib.sha256(f"growing {name}".encode()).hexdigest()


def _fill(lake: Lake, batch: Batch, exchange: Exchange, source: Source, ready: Ready, pace: Pace | None) -> list[str]:
    """Return the fingerprints of files of which every tick was handed over."""
    handed_over: list[str] = []
    series = sorted(ready.ticks.items(), key=itemgetter(0))
    for (stream, symbol), ticks in series if pace is None else pace.over(series):
        added = append_ticks(lake, batch, stream, exchange, symbol, ticks.frame(), source)
        if (stream, symbol) in ready.handed_over:
            handed_over += added
    for key in ready.dropped_books:
        held = lake.find(key)
        if held is not None and held.reason == TO_GO_ON:  # others may be the end of a file that was imported
            batch.retire(key)
    for key, levels in ready.books if pace is None else pace.over(ready.books):
        if lake.find(key) is None:
            frame = book_frame(levels)
            data = parquet_bytes(frame)
            digest = hashlib.sha256(data).hexdigest()
            batch.put(NewObject(key, frame.height, Source.RECORDING, digest, TO_GO_ON), data)
    if ready.spans:
        batch.change(partial(add_spans_of_many, exchange=exchange, runs=ready.spans))
    if ready.recorded:
        batch.change(partial(add_recorded, exchange=exchange, added=ready.recorded))
    _fill_file(lake, batch, exchange, ready)
    batch.change(partial(write_checkpoint, checkpoint=ready.checkpoint))
    return handed_over


def _fill_file(lake: Lake, batch: Batch, exchange: Exchange, ready: Ready) -> None:
    """Tell what was found in the recording; while it grows it goes by a digest of its name."""
    record, growing = ready.file, growing_digest(ready.file.name)
    if record.sha256 != growing:
        batch.change(partial(remove_import, source=Source.RECORDING, exchange=exchange, sha256=growing))
    batch.change(partial(record_import, record=record))
    lines, key = ready.quarantine.frame(), ObjectKey.quarantine(exchange, growing)
    held = lake.find(key)
    if held is not None:
        lines = lake.store.read_parquet(held.path).vstack(lines).rechunk()
    if lines.is_empty():
        return
    if record.sha256 != growing and held is not None:
        batch.retire(key)
    data = parquet_bytes(lines)
    digest = hashlib.sha256(data).hexdigest()
    key = ObjectKey.quarantine(exchange, record.sha256)
    batch.put(NewObject(key, lines.height, Source.RECORDING, digest, "lines that became no tick"), data)
