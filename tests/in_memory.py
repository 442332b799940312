"""Bars straight from tick frames, day by day as the program computes them, but without a lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aperiodic.engine.families import KERNELS, datasets_of
from aperiodic.engine.fields import dataset_frame
from aperiodic.engine.partials.kernel import DayTicks
from aperiodic.market import DAY_US, Clock, Exchange, Interval, Stream

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aperiodic.catalog import Family


def bars_in_memory(
    family: Family,
    ticks: Mapping[Stream, pl.DataFrame],
    clock: Clock,
    exchange: Exchange = Exchange.BINANCE_FUTURES,
    only: Collection[str] | None = None,
) -> dict[Interval, dict[str, pl.DataFrame]]:
    """Compute the family's datasets on one clock, by interval.

    Args:
        family: Which datasets.
        ticks: Frames in file order, of any number of days, of the streams that the family needs.
        clock: Which times count.
        exchange: Venue.
        only: Names of datasets; None for all of the family.
    """
    kernel = KERNELS[family]
    time = pl.col(clock.column).to_physical().alias("time")
    ordered = {
        stream: ticks[stream]
        .filter(kernel.usable.get(stream, pl.lit(value=True)))
        .select(time, *columns)
        .sort("time", maintain_order=True)
        for stream, columns in kernel.columns.items()
    }
    partials: dict[Interval, list[pl.DataFrame]] = {interval: [] for interval in Interval}
    days = ticks[family.driving].select(time // DAY_US * DAY_US).to_series()
    for begin in days.unique().sort():
        day = DayTicks(
            exchange=exchange,
            clock=clock,
            begin=begin,
            day={
                stream: frame.filter(pl.col("time").is_between(begin, begin + DAY_US, closed="left"))
                for stream, frame in ordered.items()
            },
            before={
                stream: ordered[stream]
                .filter(pl.col("time").is_between(begin - (back or begin), begin, closed="left"))
                .tail(1)
                for stream, back in kernel.looks_back.items()
            },
        )
        for interval, bars in kernel.bars(day).items():
            partials[interval].append(bars)
    months = {interval: _months(pl.concat(frames)) for interval, frames in partials.items()}
    return {
        interval: {
            dataset.id: pl.concat([dataset_frame(dataset, month) for month in frames])
            for dataset in datasets_of(family)
            if only is None or dataset.id in only
        }
        for interval, frames in months.items()
    }


def _months(partials: pl.DataFrame) -> list[pl.DataFrame]:
    """Split partials by the month of their bars, as files are; scores look back over their month."""
    month = pl.from_epoch(pl.col("time").to_physical(), time_unit="us").dt.truncate("1mo").alias("month")
    return partials.with_columns(month).partition_by("month", maintain_order=True, include_key=False) or [partials]
