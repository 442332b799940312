"""Statistics of columns, for the whole range or for its days, months or hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from aperiodic.catalog import TIME_COLUMN

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Per", "statistics_frame"]

Per = Literal["all", "day", "month", "hour"]
"""What a row of statistics is of; `hour` is the hour of the day (UTC), of all days together."""

_GROUP: Final[Mapping[str, pl.Expr]] = {
    "all": pl.lit("all"),
    "day": pl.col(TIME_COLUMN).dt.strftime("%Y-%m-%d"),
    "month": pl.col(TIME_COLUMN).dt.strftime("%Y-%m"),
    "hour": pl.col(TIME_COLUMN).dt.strftime("%H"),
}


def statistics_frame(frame: pl.DataFrame, per: Per = "all") -> pl.DataFrame:
    """Return a row for each number column of each group, groups ascending, columns in the order of the frame.

    Nulls count as nothing but `nulls`; a standard deviation needs two values, all others one.

    Args:
        frame: Bars, ascending in time.
        per: What a group is.

    Returns:
        `group` (not for "all"), `column`, `count` (values), `nulls`, `mean`, `std`, `min`, `p05`, `median`, `p95`,
        `max`, `sum`, `first` and `last` (values).
    """
    names = [name for name, dtype in frame.schema.items() if name != TIME_COLUMN and dtype.is_numeric()]
    grouped = frame.with_columns(_GROUP[per].alias(" group"))
    parts = [
        grouped.group_by(pl.col(" group").alias("group"), maintain_order=True).agg(
            pl.lit(name).alias("column"),
            pl.lit(place).alias(" place"),
            pl.col(name).count().cast(pl.Int64).alias("count"),
            pl.col(name).null_count().cast(pl.Int64).alias("nulls"),
            *(value.cast(pl.Float64).alias(title) for title, value in _values(pl.col(name)).items()),
        )
        for place, name in enumerate(names)
    ]
    if not parts:
        return pl.DataFrame()
    told = pl.concat(parts).sort("group", " place", maintain_order=True).drop(" place")
    return told.drop("group") if per == "all" else told


def _values(column: pl.Expr) -> Mapping[str, pl.Expr]:
    known = column.drop_nulls()
    return {
        "mean": known.mean(),
        "std": known.std(),
        "min": known.min(),
        "p05": known.quantile(0.05, "linear"),
        "median": known.median(),
        "p95": known.quantile(0.95, "linear"),
        "max": known.max(),
        "sum": pl.when(known.len() > 0).then(known.sum()),
        "first": known.first(),
        "last": known.last(),
    }
