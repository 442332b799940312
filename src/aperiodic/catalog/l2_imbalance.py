"""How unevenly the amounts of the best levels are split between bids and asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.catalog import partials_book as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Unit
from aperiodic.catalog.quantities import Quantity

if TYPE_CHECKING:
    from aperiodic.catalog.model import Field


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
