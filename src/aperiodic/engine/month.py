"""The other task of the engine: a published month of one instrument, from the bars of its days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.engine.day import select_bars
from aperiodic.engine.fields import dataset_frame
from aperiodic.lake import NewObject, ObjectKey, StoredObject
from aperiodic.lake.lake import parquet_bytes, put_object
from aperiodic.market import Clock, Exchange, Interval, Source, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from aperiodic.lake import Store

__all__ = ["MonthTask", "publish_month"]

# Seconds are read apart from the rest: together they would be most of a month's memory.
_PASSES: Final[tuple[list[Interval], ...]] = (
    [Interval.S1],
    [interval for interval in Interval if interval is not Interval.S1],
)


@dataclass(frozen=True, slots=True)
class MonthTask:
    """What to publish and from what.

    Attributes:
        exchange: Venue.
        symbol: Instrument.
        month: First day of the month.
        driving: Stream that drives the datasets.
        days: Paths of the day bars, in order of days.
        source: Where the ticks came from.
        fingerprint: Digest of inputs and catalog.
    """

    exchange: Exchange
    symbol: Symbol
    month: date
    driving: Stream
    days: tuple[str, ...]
    source: Source
    fingerprint: str


def publish_month(store: Store, task: MonthTask) -> list[tuple[NewObject, StoredObject]]:
    """Write the month's files of every dataset, clock and interval that has rows; the ledger is the caller's."""
    datasets = [dataset for dataset in DATASETS.values() if dataset.driving is task.driving]
    written = []
    for clock, interval, partials in _bars(store, task):
        for dataset in datasets:
            key = ObjectKey.bars(dataset.id, clock, interval, task.exchange, task.symbol, task.month)
            new = _describe(key, task, partials)
            written.append((new, put_object(store, key, parquet_bytes(dataset_frame(dataset, partials)))))
    return written


def _bars(store: Store, task: MonthTask) -> Iterator[tuple[Clock, Interval, pl.DataFrame]]:
    for clock in Clock:
        for intervals in _PASSES:
            scans = [select_bars(store.scan_parquet(path), clock, intervals) for path in task.days]
            bars = pl.concat(scans).collect()
            for interval in intervals:
                partials = bars.filter(pl.col("interval") == interval.seconds).drop("clock", "interval")
                if partials.height:
                    # One chunk: Polars divides by a chunk of one row as by a constant, which rounds differently, and
                    # how rows fall into chunks depends on the number of threads.
                    yield clock, interval, partials.sort(TIME_COLUMN).rechunk()


def _describe(key: ObjectKey, task: MonthTask, partials: pl.DataFrame) -> NewObject:
    times = partials[TIME_COLUMN].to_physical()
    return NewObject(
        key=key,
        rows=partials.height,
        source=task.source,
        fingerprint=task.fingerprint,
        reason="inputs or definitions changed",
        first_exchange=times[0],
        last_exchange=times[-1],
    )
