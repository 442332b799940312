"""The complete grid of bars: a row for every interval, also for those in which nothing happened or nothing is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.market import DAY_US, Interval, InvalidInputError
from aperiodic.market.time import day_start_us, now_us

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CARRIED_FOR", "Grid"]

CARRIED_FOR: Final = timedelta(hours=24)
"""How long a state is known without a new event, as wherever the platform joins streams."""

_MOST_ROWS: Final = 200_000_000
_REAL: Final = " real"  # no field has a space in its name
_SOURCE: Final = " source of "


@dataclass(frozen=True, slots=True)
class Grid:
    """The bars of one length from one time to another.

    Attributes:
        interval: Their length.
        first_us: Start of the first one, µs since the epoch.
        end_us: End of the last one.
    """

    interval: Interval
    first_us: int
    end_us: int

    @classmethod
    def of_days(cls, interval: str, start: date, end: date, series: int = 1) -> Self:
        """Return the bars of whole days, both included, without those that are not over yet.

        Args:
            interval: Name of a bar length.
            start: First UTC day.
            end: Last UTC day.
            series: How often the grid will be filled.

        Raises:
            InvalidInputError: `unknown_interval`, or `grid_too_large`.
        """
        length = Interval.parse(interval)
        first = day_start_us(start)
        over = now_us() // length.microseconds * length.microseconds
        return cls(length, first, max(first, min(day_start_us(end) + DAY_US, over))).limited(series)

    def limited(self, series: int) -> Self:
        """Return the grid itself if so many series on it are not too many rows.

        Raises:
            InvalidInputError: `grid_too_large`.
        """
        rows = (self.end_us - self.first_us) // self.interval.microseconds * series
        if rows > _MOST_ROWS:
            raise InvalidInputError(
                f"Complete, these bars are {rows:,} rows.",
                code="grid_too_large",
                hint=f'Ask for at most {_MOST_ROWS:,} rows, or for those that exist with fill="none".',
            )
        return self

    def fill(
        self, frame: pl.DataFrame, carried: Mapping[str, str], limit: timedelta | None = CARRIED_FOR
    ) -> pl.DataFrame:
        """Return the frame with a row for every bar of the grid; rows of the frame stay as they are.

        Args:
            frame: Bars of one series, each time once, ascending; those outside of the grid are kept too.
            carried: Columns that have a value in a row that was not there, and the column whose last value it is.
            limit: For how long after its bar's start a value is carried; None for ever.

        Raises:
            InvalidInputError: `off_grid` when a bar does not begin where bars of this length do.
        """
        length = self.interval.microseconds
        times = frame.get_column(TIME_COLUMN)
        if not (times.to_physical() % length == 0).all():
            raise InvalidInputError(
                f"There are bars that do not begin at a multiple of {self.interval}.",
                code="off_grid",
                hint="Name the interval that the frame was fetched with.",
            )
        every = pl.datetime_range(
            _naive(self.first_us), _naive(self.end_us), f"{length}us", closed="left", time_unit="us", eager=True
        ).alias(TIME_COLUMN)
        if frame.height:
            every = pl.concat([every, times]).unique().sort()
        sources = {
            name: source for name, source in carried.items() if name in frame.columns and source in frame.columns
        }
        rows = every.to_frame().join(
            frame.with_columns(pl.lit(value=True).alias(_REAL)), on=TIME_COLUMN, how="left", maintain_order="left"
        )
        if sources:
            rows = rows.join_asof(
                frame.select(TIME_COLUMN, *(pl.col(name).alias(_SOURCE + name) for name in set(sources.values()))),
                on=TIME_COLUMN,
                tolerance=limit,
            )
        made = pl.col(_REAL).is_null()
        values = [pl.when(made).then(_SOURCE + source).otherwise(name).alias(name) for name, source in sources.items()]
        return rows.with_columns(values).select(frame.columns)


def _naive(microseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC).replace(tzinfo=None) + timedelta(microseconds=microseconds)
