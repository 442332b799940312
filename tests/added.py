"""Datasets, fields and intervals that a test adds to the catalog, and takes away again."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aperiodic.catalog import DATASETS, Category, Dataset, Family, Field, Unit, register, registry
from aperiodic.catalog import partials as p
from aperiodic.catalog.expressions import ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELD: Final = Field(
    "average_toy",
    "Average toy",
    Unit.QUOTE,
    "Mean toy of the interval, as only this test knows it.",
    "Σ v / n",
    ratio(p.notional, p.n_trades),
)
DATASET: Final = Dataset(
    id="toy",
    name="Toys",
    category=Category.TRADES,
    tier=2,
    family=Family.TRADES,
    description="What this test adds to the catalog.",
    fields=(FIELD,),
)


@contextmanager
def added(*datasets: Dataset) -> Iterator[None]:
    """Let the catalog hold datasets more, or others of the same ids."""
    before = list(DATASETS.values())
    register(*datasets)
    try:
        yield
    finally:
        registry._by_id.clear()
        register(*before)


def with_field(name: str, field: Field = FIELD) -> Dataset:
    """Return a dataset of the catalog with one field more."""
    declared = DATASETS[name]
    return replace(declared, fields=(*declared.fields, field))
