"""From partials to the fields of a dataset."""

from __future__ import annotations

import polars as pl

from aperiodic.catalog import TIME_COLUMN, Dataset, Field, MonthProduct
from aperiodic.engine.partials.month import past_normalised_product

__all__ = ["dataset_frame"]


def dataset_frame(dataset: Dataset, partials: pl.DataFrame) -> pl.DataFrame:
    """Compute a dataset's rows.

    Args:
        dataset: Which dataset.
        partials: `time` and partials of one clock and interval, ascending; the whole month so far where the dataset
            has fields that look back over it.

    Returns:
        A frame with the dataset's schema.
    """
    return partials.select(
        pl.col(TIME_COLUMN),
        *(_column(field, partials).cast(field.dtype).alias(field.name) for field in dataset.fields),
    )


def _column(field: Field, partials: pl.DataFrame) -> pl.Expr:
    if not isinstance(field.value, MonthProduct):
        return field.value
    terms = partials.select(x=field.value.x, y=field.value.y)
    product = past_normalised_product(terms["x"].to_numpy(), terms["y"].to_numpy())
    return pl.lit(pl.Series(field.name, product, nan_to_null=True))
