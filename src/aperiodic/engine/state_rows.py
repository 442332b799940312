"""States from sources that repeat all of them in every row: a tick is a row in which the state changed.

Whether it changed depends on the latest row before it, whatever file that came from and whenever that was imported.
So all rows are kept, and the ticks of a day are told anew when rows of it, or of the day before it, arrive.
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING

from aperiodic.engine.merging import changes, merge_rows
from aperiodic.engine.ticks import put_ticks, require_source
from aperiodic.lake import Batch, Lake, NewObject, ObjectKey, ObjectKind
from aperiodic.lake.lake import parquet_bytes
from aperiodic.market import Exchange, Source, Stream, Symbol, tick_schema

if TYPE_CHECKING:
    import polars as pl

    from aperiodic.lake.objects import ObjectRecord

__all__ = ["merge_state_rows"]


def merge_state_rows(
    lake: Lake, batch: Batch, stream: Stream, exchange: Exchange, symbol: Symbol, rows: pl.DataFrame, source: Source
) -> None:
    """Add rows of one series, and renew the ticks of every day that they touch.

    Args:
        lake: Where the rows held are read from.
        batch: Receives rows and ticks; one batch must see a series only once.
        stream: Which state.
        exchange: Venue.
        symbol: Instrument.
        rows: The rows in the order they were recorded, with the columns of `tick_schema(stream)`.
        source: Where they come from.

    Raises:
        ImportSourceError: `source_conflict` when a day holds ticks of another source.
    """
    require_source(lake, stream, exchange, symbol, source)
    days = rows["exchange_timestamp"].dt.date()
    held = {
        record.key.period: record
        for record in lake.current(ObjectKind.STATE_ROWS, dataset=stream, exchange=exchange, symbol=str(symbol))
    }
    parts = {day.isoformat(): rows.filter(days == day) for day in days.unique().sort()}
    columns = tick_schema(stream).names()
    value = columns[2]
    last: tuple[float] | None = None  # of the day just told anew, which tells the first tick of the next
    for period in sorted({*held, *parts}):
        record, part = held.get(period), parts.get(period)
        if part is None and last is None:
            continue
        day = date.fromisoformat(period)
        frames = [lake.store.read_parquet(record.path)] if record is not None else []
        before = last[0] if last is not None else _last_before(lake, held, period, value)
        merged = merge_rows([*frames, *([] if part is None else [part])], columns)
        if part is not None:
            data = parquet_bytes(merged)
            key = ObjectKey.state_rows(stream, exchange, symbol, day)
            batch.put(NewObject(key, merged.height, source, hashlib.sha256(data).hexdigest(), "rows of files"), data)
        key = ObjectKey.ticks(stream, exchange, symbol, day)
        put_ticks(lake, batch, key, changes(stream, merged, before), source, "told from rows of files")
        last = None if part is None else (merged[value][-1],)


def _last_before(lake: Lake, held: dict[str, ObjectRecord], period: str, value: str) -> float | None:
    earlier = [other for other in held if other < period]
    if not earlier:
        return None
    last: float = lake.store.read_parquet(held[max(earlier)].path)[value][-1]
    return last
