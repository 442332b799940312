"""The kernel of every family of datasets."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from aperiodic.catalog import DATASETS, Family
from aperiodic.engine.partials import book, derivatives, quotes, slippage, trades

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aperiodic.catalog import Dataset
    from aperiodic.engine.partials.kernel import FamilyKernel

__all__ = ["KERNELS", "datasets_of"]

KERNELS: Final[Mapping[Family, FamilyKernel]] = MappingProxyType(
    {
        Family.TRADES: trades.KERNEL,
        Family.QUOTES: quotes.KERNEL,
        Family.BOOK: book.KERNEL,
        Family.SLIPPAGE: slippage.KERNEL,
        Family.MARK_PRICE: derivatives.MARK_PRICE,
        Family.FUNDING_RATE: derivatives.FUNDING_RATE,
        Family.OPEN_INTEREST: derivatives.OPEN_INTEREST,
    }
)
"""How each family is computed."""


def datasets_of(family: Family) -> list[Dataset]:
    """Return the datasets of a family, in catalog order."""
    return [dataset for dataset in DATASETS.values() if dataset.family is family]
