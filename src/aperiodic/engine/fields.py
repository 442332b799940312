"""From partials to the fields of a dataset."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aperiodic.catalog import TIME_COLUMN, Dataset, MonthProduct
from aperiodic.engine.partials.month import new_month, past_normalised_product

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Month", "dataset_frame", "dataset_frames", "frame_of_months", "new_month_of", "partials_of"]

Month = dict[str, "NDArray[np.void]"]
"""What fields that look back over the month know of its bars so far, by field."""


def dataset_frame(dataset: Dataset, partials: pl.DataFrame) -> pl.DataFrame:
    """Compute a dataset's rows at once.

    Args:
        dataset: Which dataset.
        partials: `time` and partials of one clock and interval, ascending; the whole month so far where the dataset
            has fields that look back over it.

    Returns:
        A frame with the dataset's schema.
    """
    (frame,) = dataset_frames(dataset, lambda: iter([partials]))
    return frame


def dataset_frames(dataset: Dataset, pieces: Callable[[], Iterator[pl.DataFrame]]) -> Iterator[pl.DataFrame]:
    """Compute a dataset's rows piece by piece, so that only one piece is in memory.

    Args:
        dataset: Which dataset.
        pieces: Yields partials from the start of the month on, ascending; called twice where fields look back.
    """
    month = new_month_of(dataset)
    months = {
        field.name: _month_column(field.value, pieces, month[field.name])
        for field in dataset.fields
        if isinstance(field.value, MonthProduct)
    }
    begin = 0
    for piece in pieces():
        yield _rows(dataset, piece, {name: column.slice(begin, piece.height) for name, column in months.items()})
        begin += piece.height


def frame_of_months(dataset: Dataset, bars: pl.DataFrame, months: Sequence[tuple[int, Month]]) -> pl.DataFrame:
    """Compute rows of several series at once, each of which goes on from what is known of its month.

    Args:
        dataset: Which dataset.
        bars: `time` and partials, one series below the other, each ascending and within a month.
        months: How many bars each series has, and what is known of the bars before them, which is brought up to date.
    """
    columns = {}
    for field in dataset.fields:
        if isinstance(field.value, MonthProduct):
            terms = _terms(field.value, bars)
            found, begin = [], 0
            for count, month in months:
                found.append(_product(terms.slice(begin, count), month[field.name]))
                begin += count
            columns[field.name] = pl.Series(np.concatenate(found), nan_to_null=True)
    return _rows(dataset, bars, columns)


def _rows(dataset: Dataset, bars: pl.DataFrame, months: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Compute rows, given the columns of fields that look back over the month."""
    # One chunk: Polars divides by a chunk of one row as by a constant, which rounds differently, and how rows
    # fall into chunks depends on the number of threads.
    partials = bars.select(TIME_COLUMN, *partials_of(dataset)).rechunk()
    rows = partials.height
    alone = rows == 1
    if alone:  # so a row on its own is told twice: it has to be the same wherever it is computed
        partials = pl.concat([partials, partials], rechunk=True)
    # Of frames of one row each Polars makes columns of one value where they are equal, with the same effect.
    partials = pl.DataFrame(partials.get_columns())
    columns = dict(_columns_of(dataset))
    for field in dataset.fields:
        if isinstance(field.value, MonthProduct):
            column = months[field.name]
            value = pl.lit(pl.concat([column, column]) if alone else column)
            columns[field.name] = value.cast(field.dtype).alias(field.name)
    return partials.select(columns.values()).head(rows)


def new_month_of(dataset: Dataset) -> Month:
    """Return what the fields of a dataset that look back over the month know before its first bar."""
    return {field.name: new_month() for field in dataset.fields if isinstance(field.value, MonthProduct)}


@cache
def _columns_of(dataset: Dataset) -> dict[str, pl.Expr]:
    """Return what makes the columns of a dataset, in order; of fields that look back over the month the place."""
    columns = {TIME_COLUMN: pl.col(TIME_COLUMN)}
    for field in dataset.fields:
        value = pl.lit(None) if isinstance(field.value, MonthProduct) else field.value
        columns[field.name] = value.cast(field.dtype).alias(field.name)
    return columns


@cache
def partials_of(dataset: Dataset) -> list[str]:
    """Return the names of the partials that a dataset's fields are made from, sorted."""
    return sorted({name for field in dataset.fields for name in _roots(field.value)})


def _roots(value: pl.Expr | MonthProduct) -> set[str]:
    expressions = (value.x, value.y) if isinstance(value, MonthProduct) else (value,)
    return {name for expression in expressions for name in expression.meta.root_names()}


def _month_column(
    value: MonthProduct, pieces: Callable[[], Iterator[pl.DataFrame]], month: NDArray[np.void]
) -> pl.Series:
    return pl.Series(_product(pl.concat([_terms(value, piece) for piece in pieces()]), month), nan_to_null=True)


def _terms(value: MonthProduct, bars: pl.DataFrame) -> pl.DataFrame:
    return bars.select(_roots(value)).rechunk().select(x=value.x, y=value.y)


def _product(terms: pl.DataFrame, month: NDArray[np.void]) -> NDArray[np.float64]:
    return past_normalised_product(terms["x"].to_numpy(), terms["y"].to_numpy(), month)
