"""Bars of open days as files: a day, dataset, clock and interval each, which give way to others while the day grows."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import TIME_COLUMN, Dataset, MonthProduct
from aperiodic.engine.day import select_bars
from aperiodic.engine.families import datasets_of
from aperiodic.engine.fields import dataset_frames, partials_of
from aperiodic.lake import NewObject, ObjectKey, ObjectKind, ObjectReader
from aperiodic.lake.objects import forget_rows, superseded_before
from aperiodic.lake.writing import parquet_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from aperiodic.catalog import Family
    from aperiodic.lake import Batch, Lake
    from aperiodic.market import Clock, Exchange, Interval, Source, Symbol

__all__ = ["MonthsBefore", "prune", "publish"]

_REASON: Final = "the day is not over"
_MOST_PRUNED: Final = 2_000


class MonthsBefore:
    """The bars of the days of a month before an open one, for fields that look back over the month."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known: dict[tuple[str, ...], tuple[tuple[str, ...], pl.DataFrame]] = {}

    def bars(
        self, dataset: Dataset, clock: Clock, interval: Interval, exchange: Exchange, symbol: Symbol, day: date
    ) -> pl.DataFrame:
        """Return `time` and the dataset's partials of the days that are built, ascending.

        Raises:
            LakeError: `object_missing` or `object_damaged`.
        """
        family = str(dataset.family)
        records = [
            record
            for record in self._lake.current(ObjectKind.DAY_BARS, dataset=family, exchange=exchange, symbol=str(symbol))
            if f"{day:%Y-%m}-01" <= record.key.period < day.isoformat()
        ]
        key = (dataset.id, clock, interval, exchange, str(symbol))
        paths = tuple(record.path for record in records)
        known = self._known.get(key)
        if known is not None and known[0] == paths:
            return known[1]
        columns = [TIME_COLUMN, *partials_of(dataset)]
        with ObjectReader(self._lake.store) as files:
            frames = [select_bars(files.scan(path), clock, [interval]).select(columns).collect() for path in paths]
        bars = pl.concat(frames) if frames else pl.DataFrame()
        self._known[key] = (paths, bars)
        return bars


def publish(
    batch: Batch,
    exchange: Exchange,
    symbol: Symbol,
    day: date,
    clock: Clock,
    bars: Iterable[tuple[Family, Interval, pl.DataFrame]],
    before: MonthsBefore,
    source: Source,
) -> int:
    """Write the bars of an open day; return the number of files.

    Args:
        batch: Receives the files.
        exchange: Venue.
        symbol: Instrument.
        day: The day.
        clock: Clock of the bars.
        bars: Partials by family and interval.
        before: What fields need that look back over the month.
        source: Where the ticks came from.

    Raises:
        LakeError: `object_missing` or `object_damaged` when a day of the month cannot be read.
    """
    files = 0
    for family, interval, partials in bars:
        for dataset in datasets_of(family):
            frame = _frame(dataset, partials, partial(before.bars, dataset, clock, interval, exchange, symbol, day))
            data = parquet_bytes(frame)
            starts = partials[TIME_COLUMN].to_physical()
            new = NewObject(
                key=ObjectKey.open_bars(dataset.id, clock, interval, exchange, symbol, day),
                rows=frame.height,
                source=source,
                fingerprint=hashlib.sha256(data).hexdigest(),
                reason=_REASON,
                first_exchange=int(starts[0]),
                last_exchange=int(starts[-1]),
            )
            batch.put(new, data)
            files += 1
    return files


def prune(lake: Lake, moment: int) -> int:
    """Delete files of open days that gave way before a moment (µs): no link to them lives any more.

    Returns:
        The number of files.

    Raises:
        LakeError: The store or the ledger failed.
    """
    with lake.engine.connect() as connection:
        gone = superseded_before(connection, ObjectKind.OPEN_BARS, moment, _MOST_PRUNED)
    if not gone:
        return 0
    for path in set(gone.values()):
        if lake.find_path(path) is None:
            lake.store.delete(path)
    batch = lake.batch()
    batch.change(lambda connection: forget_rows(connection, list(gone)))
    batch.commit()
    return len(gone)


def _frame(dataset: Dataset, partials: pl.DataFrame, before: partial[pl.DataFrame]) -> pl.DataFrame:
    columns = [TIME_COLUMN, *partials_of(dataset)]
    pieces = [partials.select(columns)]
    if any(isinstance(field.value, MonthProduct) for field in dataset.fields):
        earlier = before()
        if earlier.height:
            pieces.insert(0, earlier)
    *_, frame = dataset_frames(dataset, lambda: iter(pieces))
    return frame
