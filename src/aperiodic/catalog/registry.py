"""All datasets, in catalog order."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from aperiodic.catalog.flow import FLOW
from aperiodic.catalog.model import Category, Dataset
from aperiodic.catalog.ohlcv import OHLCV
from aperiodic.catalog.vtwap import VTWAP
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DATASETS", "dataset"]

_ORDER: Final = tuple(Category)

DATASETS: Final[Mapping[str, Dataset]] = MappingProxyType(
    {declared.id: declared for declared in sorted((FLOW, OHLCV, VTWAP), key=lambda item: _ORDER.index(item.category))}
)
"""Every dataset by id, grouped by category in the order of the site."""


def dataset(name: str) -> Dataset:
    """Return the dataset of that id.

    Raises:
        InvalidInputError: `unknown_metric`, naming the nearest valid one.
    """
    try:
        return DATASETS[name]
    except KeyError:
        raise unknown_value("metric", name, DATASETS) from None
