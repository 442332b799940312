"""The metric datasets as declarations: the single source for engine, files, API, SDK, docs and site."""

from aperiodic.catalog.model import (
    TIME_COLUMN,
    Category,
    Dataset,
    Family,
    Field,
    LinkHost,
    MetricGroup,
    MonthProduct,
    Unit,
)
from aperiodic.catalog.registry import DATASETS, dataset, register

__all__ = [
    "DATASETS",
    "TIME_COLUMN",
    "Category",
    "Dataset",
    "Family",
    "Field",
    "LinkHost",
    "MetricGroup",
    "MonthProduct",
    "Unit",
    "dataset",
    "register",
]
