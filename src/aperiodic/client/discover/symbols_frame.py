"""`symbols`: the instruments of venues, with the days and the datasets there are of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aperiodic.client.discover.coverage import coverage_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["symbols_frame"]

_SCHEMA: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "exchange": pl.String(),
        "first_day": pl.Date(),
        "last_day": pl.Date(),
        "datasets": pl.List(pl.String()),
    }
)


def symbols_frame(series: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return a row for each instrument of each venue, ascending by venue, then by symbol.

    Args:
        series: As the server tells them (`fetch_series`).

    Raises:
        APIError: As `coverage_frame`.
    """
    grouped = (
        coverage_frame(series)
        .group_by("symbol", "exchange")
        .agg(
            pl.col("first_day").min(),
            pl.col("last_day").max(),
            pl.col("metric").alias("datasets"),
        )
    )
    return grouped.sort("exchange", "symbol").select(_SCHEMA.names()).cast(_SCHEMA)
