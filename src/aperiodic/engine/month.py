"""The other task of the engine: a published month of one instrument and family, from the bars of its days."""

from __future__ import annotations

from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO, Final

import polars as pl
from polars.io.plugins import register_io_source

from aperiodic.catalog import DATASETS, TIME_COLUMN, Family
from aperiodic.engine.day import select_bars
from aperiodic.engine.fields import dataset_frame, dataset_frames, partials_of
from aperiodic.lake import NewObject, ObjectKey, ObjectReader, StoredObject
from aperiodic.lake.writing import PARQUET_OPTIONS, parquet_bytes, put_object, put_object_file
from aperiodic.market import Clock, Exchange, Interval, Source, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from aperiodic.catalog import Dataset
    from aperiodic.lake import Store

__all__ = ["MonthTask", "publish_month"]


_SECONDS: Final = Interval.S1
_ALONE: Final[tuple[Interval, ...]] = (Interval.S15, Interval.S30)


@dataclass(frozen=True, slots=True)
class MonthTask:
    """What to publish and from what.

    Attributes:
        family: What the days hold.
        datasets: Which datasets to publish, by the digest of what their files are made from.
        exchange: Venue.
        symbol: Instrument.
        month: First day of the month.
        days: Paths of the day bars, in order of days.
        source: Where the ticks came from.
    """

    family: Family
    datasets: Mapping[str, str]
    exchange: Exchange
    symbol: Symbol
    month: date
    days: tuple[str, ...]
    source: Source


def publish_month(store: Store, task: MonthTask) -> list[tuple[NewObject, StoredObject]]:
    """Write the month's files of every dataset, clock and interval that has rows; the ledger is the caller's."""
    written = []
    with ObjectReader(store) as files:
        days = [files.scan(path) for path in task.days]
        for clock in Clock:
            for publish in (_publish_seconds, _publish_longer):
                written += publish(store, task, days, clock)
    return written


def _publish_longer(
    store: Store, task: MonthTask, days: Sequence[pl.LazyFrame], clock: Clock
) -> list[tuple[NewObject, StoredObject]]:
    """Publish 15s to 1d: a month of one of them fits into memory, and those of a minute and more together."""
    written = []
    groups = [[interval] for interval in _ALONE if interval in clock.intervals]
    groups.append([interval for interval in clock.intervals if not interval.sub_minute])
    for intervals in groups:
        bars = pl.concat([select_bars(day, clock, intervals).collect() for day in days], rechunk=False)
        for interval in intervals:
            # Days come in order, and the bars of a day too.
            partials = bars if len(intervals) == 1 else bars.filter(pl.col("interval") == interval.seconds)
            for dataset in _wanted(task) if partials.height else []:
                key = ObjectKey.bars(dataset.id, clock, interval, task.exchange, task.symbol, task.month)
                data = parquet_bytes(dataset_frame(dataset, partials))
                written.append((_describe(key, task, partials[TIME_COLUMN]), put_object(store, key, data)))
    return written


def _publish_seconds(
    store: Store, task: MonthTask, days: Sequence[pl.LazyFrame], clock: Clock
) -> list[tuple[NewObject, StoredObject]]:
    """Publish 1s: a month of them need not fit into memory, so files are written a day at a time."""
    if _SECONDS not in clock.intervals:
        return []
    seconds = [select_bars(day, clock, [_SECONDS]) for day in days]
    times = pl.concat([day.select(TIME_COLUMN) for day in seconds]).collect()[TIME_COLUMN]
    written = []
    for dataset in _wanted(task) if times.len() else []:
        key = ObjectKey.bars(dataset.id, clock, _SECONDS, task.exchange, task.symbol, task.month)
        with TemporaryFile() as file:
            _write_seconds(dataset, seconds, file)
            written.append((_describe(key, task, times), put_object_file(store, key, file)))
    return written


def _write_seconds(dataset: Dataset, days: Sequence[pl.LazyFrame], file: BinaryIO) -> None:
    """Write a dataset's rows as Parquet, computed day by day; the same rows always give the same bytes."""

    def pieces() -> Iterator[pl.DataFrame]:
        for day in days:
            partials = day.select(TIME_COLUMN, *partials_of(dataset)).collect()
            if partials.height:
                yield partials

    def rows(
        _columns: list[str] | None, _predicate: pl.Expr | None, _rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        yield from dataset_frames(dataset, pieces)

    register_io_source(rows, schema=dataset.schema).sink_parquet(file, maintain_order=True, **PARQUET_OPTIONS)


def _wanted(task: MonthTask) -> list[Dataset]:
    return [DATASETS[name] for name in task.datasets]


def _describe(key: ObjectKey, task: MonthTask, times: pl.Series) -> NewObject:
    starts = times.to_physical()
    return NewObject(
        key=key,
        rows=times.len(),
        source=task.source,
        fingerprint=task.datasets[key.dataset],
        reason="inputs or definitions changed",
        first_reason="first build",
        first_exchange=starts[0],
        last_exchange=starts[-1],
    )
