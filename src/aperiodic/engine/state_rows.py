"""States from sources that repeat all of them in every row: a tick is a row in which the state changed.

Whether it changed depends on the latest row before it, whatever file that came from and whenever that was imported.
So all rows are kept, and the ticks of a day are told anew when rows of it, or of the day before it, arrive.
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING

from aperiodic.engine.merging import changes, merge_rows
from aperiodic.engine.ticks import give_up_day, put_ticks, require_source
from aperiodic.lake import Batch, Lake, LakeError, NewObject, ObjectKey, ObjectKind
from aperiodic.lake.errors import UNUSABLE
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Exchange, Source, Stream, Symbol, tick_schema

if TYPE_CHECKING:
    import polars as pl

    from aperiodic.lake.objects import ObjectRecord

__all__ = ["merge_state_rows"]


def merge_state_rows(
    lake: Lake,
    batch: Batch,
    stream: Stream,
    exchange: Exchange,
    symbol: Symbol,
    rows: pl.DataFrame,
    source: Source,
    *,
    replace_unusable: bool = False,
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
        replace_unusable: Whether these rows take the place of those of a day that are missing or damaged; see
            `merge_ticks`.

    Raises:
        LakeError: `object_missing` or `object_damaged` when rows cannot be read that would have to be merged.
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
        frames = _held_rows(lake, batch, record, replace_unusable=replace_unusable and part is not None)
        before = last[0] if last is not None else _last_before(lake, held, period, value)
        merged = merge_rows([*frames, *([] if part is None else [part])], columns)
        if part is not None:
            data = parquet_bytes(merged)
            key = ObjectKey.state_rows(stream, exchange, symbol, day)
            digest = hashlib.sha256(data).hexdigest()
            batch.put(NewObject.of_ticks(key, merged, source, digest, "rows of files"), data)
        key = ObjectKey.ticks(stream, exchange, symbol, day)
        put_ticks(lake, batch, key, changes(stream, merged, before), source, "told from rows of files")
        last = None if part is None else (merged[value][-1],)


def _held_rows(lake: Lake, batch: Batch, record: ObjectRecord | None, *, replace_unusable: bool) -> list[pl.DataFrame]:
    if record is None:
        return []
    try:
        return [lake.store.read_parquet(record.path)]
    except LakeError as error:
        if error.code not in UNUSABLE or not replace_unusable:
            raise
        give_up_day(lake, batch, record)
        return []


def _last_before(lake: Lake, held: dict[str, ObjectRecord], period: str, value: str) -> float | None:
    earlier = [other for other in held if other < period]
    if not earlier:
        return None
    last: float = lake.store.read_parquet(held[max(earlier)].path)[value][-1]
    return last
