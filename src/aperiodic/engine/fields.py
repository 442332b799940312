"""From partials to the fields of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aperiodic.catalog import TIME_COLUMN, Dataset, MonthProduct
from aperiodic.engine.partials.month import past_normalised_product

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["dataset_frame", "dataset_frames", "partials_of"]


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
    months = {
        field.name: _month_column(field.value, pieces)
        for field in dataset.fields
        if isinstance(field.value, MonthProduct)
    }
    begin = 0
    for piece in pieces():
        # One chunk: Polars divides by a chunk of one row as by a constant, which rounds differently, and how rows
        # fall into chunks depends on the number of threads.
        partials = piece.select(TIME_COLUMN, *partials_of(dataset)).rechunk()
        columns = [pl.col(TIME_COLUMN)]
        for field in dataset.fields:
            if isinstance(field.value, MonthProduct):
                value = pl.lit(months[field.name].slice(begin, partials.height))
            else:
                value = field.value
            columns.append(value.cast(field.dtype).alias(field.name))
        yield partials.select(columns)
        begin += partials.height


def partials_of(dataset: Dataset) -> list[str]:
    """Return the names of the partials that a dataset's fields are made from, sorted."""
    return sorted({name for field in dataset.fields for name in _roots(field.value)})


def _roots(value: pl.Expr | MonthProduct) -> set[str]:
    expressions = (value.x, value.y) if isinstance(value, MonthProduct) else (value,)
    return {name for expression in expressions for name in expression.meta.root_names()}


def _month_column(value: MonthProduct, pieces: Callable[[], Iterator[pl.DataFrame]]) -> pl.Series:
    names = _roots(value)
    terms = pl.concat([piece.select(names).rechunk().select(x=value.x, y=value.y) for piece in pieces()])
    product = past_normalised_product(terms["x"].to_numpy(), terms["y"].to_numpy())
    return pl.Series(product, nan_to_null=True)
