"""Fields of the order book by their distance from the best prices, for the heat maps of the charts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from aperiodic.catalog import Unit
from aperiodic.catalog.partials_book import DEPTHS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HEAT_MAPS", "HeatMap", "HeatRow", "heat_map"]


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One distance of a heat map.

    Attributes:
        label: Which levels it is of.
        field: The field.
        less: Another that is taken off it; empty for none.
        share: How many levels the rest is divided by.
        side: 1: bids; -1: asks; 0: the sign of the value tells.
    """

    label: str
    field: str
    less: str
    share: int
    side: int


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Fields of a dataset that are drawn as one pane: distances from the best prices by time.

    Attributes:
        metric: Dataset.
        name: Names it in addresses, where fields have their names.
        label: What people call it.
        unit: Of its values.
        rows: From the top down.
    """

    metric: str
    name: str
    label: str
    unit: str
    rows: tuple[HeatRow, ...]

    @property
    def fields(self) -> list[str]:
        """Names of the fields that it is made of, in the order of the rows."""
        return [row.field for row in self.rows]

    @property
    def for_script(self) -> str:
        """The rows as JSON: label, field, what is taken off it, share and side of each."""
        return json.dumps([[row.label, row.field, row.less, row.share, row.side] for row in self.rows])


def heat_map(metric: str, name: str) -> HeatMap | None:
    """Return the heat map of that name; None when there is none."""
    return next((found for found in HEAT_MAPS.get(metric, ()) if found.name == name), None)


def _amounts(suffix: str) -> tuple[HeatRow, ...]:
    """Amounts of a level, of the bands between the depths: asks from the farthest to the best, then bids."""
    asks = list(_bands("ask", suffix, -1))
    return (*reversed(asks), *_bands("bid", suffix, 1))


def _bands(side: str, suffix: str, sign: int) -> Iterator[HeatRow]:
    for before, depth in pairwise((0, *DEPTHS)):
        less = f"{side}_agg_{before}{suffix}" if before else ""
        yield HeatRow(f"{side} {before + 1}\u2013{depth}", f"{side}_agg_{depth}{suffix}", less, depth - before, sign)


def _ratios(suffix: str) -> tuple[HeatRow, ...]:
    return tuple(HeatRow(f"top {depth}", f"imbalance_ratio_{depth}{suffix}", "", 1, 0) for depth in reversed(DEPTHS))


_AMOUNT: Final = f"{Unit.BASE} a level"
HEAT_MAPS: Final[dict[str, tuple[HeatMap, ...]]] = {
    "l2_liquidity": (
        HeatMap("l2_liquidity", "depth", "Amounts by depth, heat map", _AMOUNT, _amounts("")),
        HeatMap("l2_liquidity", "depth_avg", "Avg amounts by depth, heat map", _AMOUNT, _amounts("_avg")),
    ),
    "l2_imbalance": (
        HeatMap("l2_imbalance", "ratios", "Imbalance ratios by depth, heat map", Unit.RATIO, _ratios("")),
        HeatMap("l2_imbalance", "ratios_avg", "Avg imbalance ratios by depth, heat map", Unit.RATIO, _ratios("_avg")),
    ),
}
"""By dataset; their names are no fields'."""
