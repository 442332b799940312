"""The open day: ticks are appended to it in parts, which become one object when the day closes or is built."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Final

from aperiodic.engine.merging import merge_frames, merge_pieces
from aperiodic.engine.ticks import put_ticks, require_source
from aperiodic.lake import NewObject, ObjectKey, ObjectKind, Scope
from aperiodic.lake.objects import last_part, was_appended
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Exchange, Source, Stream, Symbol

if TYPE_CHECKING:
    import polars as pl

    from aperiodic.lake import Batch, Lake, ObjectRecord

__all__ = ["COMPACTED", "append_ticks", "compact_day", "compact_ticks", "read_day"]

COMPACTED: Final = "parts of the day joined"
"""Reason of ticks of a day that were in parts before."""

_WAIT_S: Final = 10.0
"""How long to wait for imports of the same series, seconds."""


def append_ticks(
    lake: Lake, batch: Batch, stream: Stream, exchange: Exchange, symbol: Symbol, frame: pl.DataFrame, source: Source
) -> list[str]:
    """Add ticks to their UTC days (of exchange time) as a part each; nothing that is there is read or written.

    A part is only added once: the same ticks again change nothing, also after the day was compacted. Ticks that
    arrived in the same microsecond belong into one part. Whoever appends holds the lease `parts` of the series, and
    adds runs of numbers and recorded times to the same batch.

    Args:
        lake: The installation.
        batch: Receives the parts; one batch must see a series only once.
        stream: Which ticks.
        exchange: Venue.
        symbol: Instrument.
        frame: The ticks, in the order they were recorded, with the columns of `tick_schema(stream)`.
        source: Where they come from.

    Returns:
        The fingerprints of the parts that were added.

    Raises:
        ImportSourceError: `source_conflict` when the series holds simulated ticks and these are not, or the other way
            round.
    """
    require_source(lake, stream, exchange, symbol, source)
    days = frame["exchange_timestamp"].dt.date()
    added = []
    for day in days.unique().sort():
        ticks = merge_pieces(stream, [frame if days.n_unique() == 1 else frame.filter(days == day)])
        data = parquet_bytes(ticks)
        digest = hashlib.sha256(data).hexdigest()
        first = ObjectKey.tick_part(stream, exchange, symbol, day, 0)
        with lake.engine.connect() as connection:
            if was_appended(connection, first, digest):
                continue
            number = last_part(connection, first) + 1
        key = ObjectKey.tick_part(stream, exchange, symbol, day, number)
        batch.put(NewObject.of_ticks(key, ticks, source, digest, "appended"), data)
        added.append(digest)
    return added


def read_day(lake: Lake, stream: Stream, exchange: Exchange, symbol: Symbol, day: date) -> pl.DataFrame | None:
    """Return the ticks of a UTC day, those in parts too, each event once; None when there are none.

    Raises:
        LakeError: `object_missing` or `object_damaged`.
    """
    records = [*_compacted(lake, stream, exchange, symbol, day), *_parts(lake, stream, exchange, symbol, day)]
    if not records:
        return None
    return merge_frames(stream, [lake.store.read_parquet(record.path) for record in records])


def compact_day(lake: Lake, batch: Batch, stream: Stream, exchange: Exchange, symbol: Symbol, day: date) -> int:
    """Make one object of the parts of a day and what it held before: the same bytes as if all had come at once.

    Whoever does so holds the lease `ticks` of the series; parts may be appended meanwhile.

    Returns:
        The number of parts that were taken in.

    Raises:
        LakeError: `object_missing` or `object_damaged`.
        ImportSourceError: `source_conflict` when the day holds ticks of another source.
    """
    parts = _parts(lake, stream, exchange, symbol, day)
    ticks = read_day(lake, stream, exchange, symbol, day) if parts else None
    if ticks is None:
        return 0
    key = ObjectKey.ticks(stream, exchange, symbol, day)
    put_ticks(lake, batch, key, ticks, Source(parts[0].source), COMPACTED)
    for part in parts:
        batch.retire(part.key)
    return len(parts)


def compact_ticks(
    lake: Lake, exchange: str | None = None, symbol: str | None = None, before: date | None = None
) -> int:
    """Compact every day that has parts, of one instrument or of all; return the number of days.

    Args:
        lake: The installation.
        exchange: One venue, or None for all.
        symbol: One instrument, or None for all.
        before: Only days before this one.

    Raises:
        LakeError: `busy` when an import of the same series does not end; others as `compact_day`.
    """
    parts = lake.current(ObjectKind.TICK_PARTS, exchange=exchange, symbol=symbol)
    days = {(part.key.exchange, part.key.symbol, part.key.dataset, part.key.period[:10]) for part in parts}
    for venue, instrument, stream, period in sorted(days):
        if before is not None and period >= before.isoformat():
            continue
        with lake.writing(Scope(venue, instrument, "ticks"), wait_s=_WAIT_S):
            batch = lake.batch()
            where = Stream(stream), Exchange(venue), Symbol.parse(instrument), date.fromisoformat(period)
            compact_day(lake, batch, *where)
            batch.commit()
    return len(days)


def _compacted(lake: Lake, stream: Stream, exchange: Exchange, symbol: Symbol, day: date) -> list[ObjectRecord]:
    record = lake.find(ObjectKey.ticks(stream, exchange, symbol, day))
    return [] if record is None else [record]


def _parts(lake: Lake, stream: Stream, exchange: Exchange, symbol: Symbol, day: date) -> list[ObjectRecord]:
    held = lake.current(ObjectKind.TICK_PARTS, dataset=stream, exchange=exchange, symbol=str(symbol))
    return [record for record in held if record.key.period.startswith(day.isoformat())]
