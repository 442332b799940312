"""The metric datasets as declarations: the single source for engine, files, API, SDK, docs and site.

The datasets themselves are imported when they are first used, since their expressions need Polars.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
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


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module("aperiodic.catalog.registry"), name)
    globals()[name] = value
    return value
