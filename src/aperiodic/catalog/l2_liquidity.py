"""How much stands on the best levels of each side of the book."""

from __future__ import annotations

from typing import Final

from aperiodic.catalog import partials_book as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Unit
from aperiodic.catalog.quantities import Quantity

_HIGHLIGHTS: Final = {
    ("ask", 5): "What a buyer can take near the best price: the first thing to hold an order's size against.",
    ("bid", 5): "What a seller can hit near the best price: the first thing to hold an order's size against.",
}
_AVERAGE_HIGHLIGHTS: Final = {
    ("ask", 25): "Standing supply over the interval: when it thins, the same buying goes further.",
    ("bid", 25): "Standing demand over the interval: when it thins, the same selling goes further.",
}

_PAIRS = [
    Quantity(
        f"{side}_agg_{depth}",
        f"{side.title()} Depth (Top {depth})",
        Unit.BASE,
        f"Amount on the best {depth} {side} levels, on fewer where the book is shallower",
        f"{symbol}_{depth}",
        last=last(depth),
        average=ratio(p.total(f"{side}_agg", depth), p.count(f"{side}_agg", depth)),
        null=f"no {side}s in the book",
        last_highlight=_HIGHLIGHTS.get((side, depth)),
        average_highlight=_AVERAGE_HIGHLIGHTS.get((side, depth)),
    ).fields("snapshot")
    for side, symbol, last in (("ask", "A", p.ask_agg), ("bid", "B", p.bid_agg))
    for depth in p.DEPTHS
]

L2_LIQUIDITY = Dataset(
    id="l2_liquidity",
    name="L2 Order Book Liquidity",
    category=Category.L2,
    tier=3,
    family=Family.BOOK,
    description="Amounts on the best 5, 10, 20 and 25 bid and ask levels, at the last snapshot and on average.",
    fields=(*(last for last, _ in _PAIRS), *(average for _, average in _PAIRS)),
)
