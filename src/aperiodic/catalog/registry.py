"""All datasets, in catalog order."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from aperiodic.catalog.basis import BASIS
from aperiodic.catalog.derivative_price import DERIVATIVE_PRICE
from aperiodic.catalog.flow import FLOW
from aperiodic.catalog.funding import FUNDING
from aperiodic.catalog.impact import IMPACT
from aperiodic.catalog.l1_imbalance import L1_IMBALANCE
from aperiodic.catalog.l1_liquidity import L1_LIQUIDITY
from aperiodic.catalog.l1_price import L1_PRICE
from aperiodic.catalog.l2_imbalance import L2_IMBALANCE
from aperiodic.catalog.l2_liquidity import L2_LIQUIDITY
from aperiodic.catalog.model import Category, Dataset
from aperiodic.catalog.ohlcv import OHLCV
from aperiodic.catalog.open_interest import OPEN_INTEREST
from aperiodic.catalog.range import RANGE
from aperiodic.catalog.returns import RETURNS
from aperiodic.catalog.run_structure import RUN_STRUCTURE
from aperiodic.catalog.slippage import SLIPPAGE
from aperiodic.catalog.trade_size import TRADE_SIZE
from aperiodic.catalog.updownticks import UPDOWNTICKS
from aperiodic.catalog.vtwap import VTWAP
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DATASETS", "dataset", "is_as_declared", "register"]

_ORDER: Final = tuple(Category)

_DECLARED: Final = (
    FLOW,
    TRADE_SIZE,
    RANGE,
    IMPACT,
    UPDOWNTICKS,
    RUN_STRUCTURE,
    RETURNS,
    OHLCV,
    VTWAP,
    SLIPPAGE,
    L1_PRICE,
    L1_IMBALANCE,
    L1_LIQUIDITY,
    L2_IMBALANCE,
    L2_LIQUIDITY,
    BASIS,
    FUNDING,
    OPEN_INTEREST,
    DERIVATIVE_PRICE,
)

_by_id: dict[str, Dataset] = {}

DATASETS: Final[Mapping[str, Dataset]] = MappingProxyType(_by_id)
"""Every dataset by id, grouped by category in the order of the site."""


def register(*declared: Dataset) -> None:
    """Add datasets to the catalog, each after those of its category; one of an id that is there takes its place."""
    known = {**_by_id, **{item.id: item for item in declared}}
    _by_id.clear()
    _by_id.update({item.id: item for item in sorted(known.values(), key=lambda item: _ORDER.index(item.category))})


register(*_DECLARED)


def is_as_declared() -> bool:
    """Whether the datasets are those of this package, none added and none replaced."""
    return len(_by_id) == len(_DECLARED) and all(_by_id[item.id] is item for item in _DECLARED)


def dataset(name: str) -> Dataset:
    """Return the dataset of that id.

    Raises:
        InvalidInputError: `unknown_metric`, naming the nearest valid one.
    """
    try:
        return DATASETS[name]
    except KeyError:
        raise unknown_value("metric", name, DATASETS) from None
