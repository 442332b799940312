"""How unevenly the amounts of the best levels are split between bids and asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aperiodic.catalog import partials_book as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Unit
from aperiodic.catalog.quantities import Quantity

if TYPE_CHECKING:
    from aperiodic.catalog.model import Field

_RATIO_HIGHLIGHTS: Final = {
    5: "Pressure close to the best prices, where orders are likeliest to trade: the quick signal of the book.",
    25: "Pressure in all of the book that is recorded. Orders far from the best prices are cheap to place and to cancel, so "
    "it says less about the next move than the top 5.",
}
_RATIO_AVERAGE_HIGHLIGHTS: Final = {
    5: "Leaning through the whole interval: one order that comes or goes at its end hardly moves it.",
}
_BID_ASK_HIGHLIGHTS: Final = {
    10: "Above 1 the bids are heavier; it is not symmetric, so 2 and 0.5 are the same imbalance.",
}


def _fields(depth: int) -> list[Field]:
    bid, ask = p.bid_agg(depth), p.ask_agg(depth)
    b, a, label = f"B_{depth}", f"A_{depth}", f"(Top {depth})"
    empty = "a side of the book is empty"
    quantities = (
        Quantity(
            f"imbalance_{depth}",
            f"Imbalance {label}",
            Unit.BASE,
            f"Amount on the best {depth} bid levels minus amount on the best {depth} ask levels, on fewer where the "
            "book is shallower",
            f"{b} - {a}",
            last=bid - ask,
            average=ratio(p.total("imbalance", depth), p.count("imbalance", depth)),
            null=empty,
        ),
        Quantity(
            f"imbalance_ratio_{depth}",
            f"Imbalance Ratio {label}",
            Unit.RATIO,
            f"Imbalance of the best {depth} levels as a share of all that stands on them, from -1 (only asks) to 1 "
            "(only bids)",
            f"({b} - {a}) / ({b} + {a})",
            last=ratio(bid - ask, bid + ask),
            average=ratio(p.total("imbalance_ratio", depth), p.count("imbalance_ratio", depth)),
            null=empty,
            last_highlight=_RATIO_HIGHLIGHTS.get(depth),
            average_highlight=_RATIO_AVERAGE_HIGHLIGHTS.get(depth),
        ),
        Quantity(
            f"bid_ask_ratio_{depth}",
            f"Bid/Ask Ratio {label}",
            Unit.RATIO,
            f"Amount on the best {depth} bid levels per unit on the best {depth} ask levels",
            f"{b} / {a}",
            last=ratio(bid, ask),
            average=ratio(p.total("bid_ask_ratio", depth), p.count("bid_ask_ratio", depth)),
            null=empty,
            last_highlight=_BID_ASK_HIGHLIGHTS.get(depth),
        ),
    )
    pairs = [quantity.fields("snapshot") for quantity in quantities]
    return [last for last, _ in pairs] + [average for _, average in pairs]


L2_IMBALANCE = Dataset(
    id="l2_imbalance",
    name="L2 Order Book Imbalance",
    category=Category.L2,
    tier=3,
    family=Family.BOOK,
    description="Amounts on the best 5, 10, 20 and 25 bid and ask levels against each other, at the last snapshot and on "
    "average.",
    fields=tuple(field for depth in p.DEPTHS for field in _fields(depth)),
)
