"""How unevenly the amounts at the best prices are split between bid and ask."""

from __future__ import annotations

from aperiodic.catalog import partials_quotes as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Unit
from aperiodic.catalog.quantities import Quantity

_depth = p.bid_amount + p.ask_amount

_PAIRS = [
    quantity.fields("quote")
    for quantity in (
        Quantity(
            "imbalance",
            "Imbalance",
            Unit.BASE,
            "Amount at the best bid minus amount at the best ask",
            "bid_amount - ask_amount",
            last=p.bid_amount - p.ask_amount,
            average=ratio(p.imbalance_sum, p.n_quotes),
            average_word="Avg",
            last_highlight="Which side is heavier right now, in base units: positive when buyers are waiting.",
        ),
        Quantity(
            "imbalance_ratio",
            "Imbalance Ratio",
            Unit.RATIO,
            "Imbalance as a share of all that is quoted, from -1 (only asks) to 1 (only bids)",
            "(bid_amount - ask_amount) / (bid_amount + ask_amount)",
            last=ratio(p.bid_amount - p.ask_amount, _depth),
            average=ratio(p.imbalance_ratio_sum, p.n_quotes),
            average_word="Avg",
            last_highlight="The imbalance made comparable across symbols; its sign often leads the next mid-price move.",
        ),
        Quantity(
            "bid_ask_ratio",
            "Bid/Ask Ratio",
            Unit.RATIO,
            "Amount at the best bid per unit at the best ask",
            "bid_amount / ask_amount",
            last=ratio(p.bid_amount, p.ask_amount),
            average=ratio(p.bid_ask_ratio_sum, p.n_quotes),
            average_word="Avg",
            last_highlight="Above 1 the bid is heavier; it is not symmetric, so 2 and 0.5 are the same imbalance.",
        ),
        Quantity(
            "bid_percentage",
            "Bid %",
            Unit.FRACTION,
            "The bid's share of all that is quoted at the best prices",
            "bid_amount / (bid_amount + ask_amount)",
            last=ratio(p.bid_amount, _depth),
            average=ratio(p.bid_percentage_sum, p.n_quotes),
            average_word="Avg",
            average_highlight="How much of the quoted amount stood on the bid through the interval, not just at its end.",
        ),
        Quantity(
            "ask_percentage",
            "Ask %",
            Unit.FRACTION,
            "The ask's share of all that is quoted at the best prices",
            "ask_amount / (bid_amount + ask_amount)",
            last=ratio(p.ask_amount, _depth),
            average=ratio(p.ask_percentage_sum, p.n_quotes),
            average_word="Avg",
            average_highlight="How much of the quoted amount stood on the ask through the interval, not just at its end.",
        ),
    )
]

L1_IMBALANCE = Dataset(
    id="l1_imbalance",
    name="L1 Imbalance",
    category=Category.L1,
    tier=2,
    family=Family.QUOTES,
    description="Amounts at the best bid and ask against each other, at the last quote and on average.",
    fields=(*(last for last, _ in _PAIRS), *(average for _, average in _PAIRS)),
)
