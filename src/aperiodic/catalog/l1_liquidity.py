"""What trading at the best prices costs, and how much can be traded there."""

from __future__ import annotations

from aperiodic.catalog import partials_quotes as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Unit
from aperiodic.catalog.quantities import Quantity

_spread = p.ask_price - p.bid_price
_midprice = (p.bid_price + p.ask_price) / 2
_depth = p.bid_amount + p.ask_amount

_PAIRS = [
    quantity.fields("quote")
    for quantity in (
        Quantity(
            "spread",
            "Spread",
            Unit.PRICE,
            "Best ask price minus best bid price; negative where the quote is crossed",
            "ask_price - bid_price",
            last=_spread,
            average=ratio(p.spread_sum, p.n_quotes),
        ),
        Quantity(
            "spread_bps",
            "Spread (bps)",
            Unit.BASIS_POINTS,
            "Spread relative to the mid price",
            "(ask_price - bid_price) / midprice · 10,000",
            last=_spread / _midprice * 10_000,
            average=ratio(p.spread_bps_sum, p.n_quotes),
            last_highlight="Cost of a small round trip at the best prices, as it stood when the bar ended; comparable"
            " across instruments.",
            average_highlight="The same over all quotes of the bar, hence steadier. Every quote counts once, so busy "
            "moments weigh more than quiet ones.",
        ),
        Quantity(
            "spread_depth_ratio",
            "Spread/Depth Ratio",
            Unit.PRICE_PER_BASE,
            "Spread per base unit quoted, high when the best prices are both far apart and thin",
            "(ask_price - bid_price) / (bid_amount + ask_amount)",
            last=ratio(_spread, _depth),
            average=ratio(p.spread_depth_ratio_sum, p.n_quotes),
            average_highlight="Both faces of illiquidity in one: high while the best prices were wide apart and thin.",
        ),
        Quantity(
            "total_depth",
            "Total Depth",
            Unit.BASE,
            "Amount at the best bid and the best ask together",
            "bid_amount + ask_amount",
            last=_depth,
            average=ratio(p.bid_amount_sum + p.ask_amount_sum, p.n_quotes),
        ),
        Quantity(
            "dollar_depth_bid",
            "Dollar Depth Bid",
            Unit.QUOTE,
            "Worth of the amount at the best bid, in quote units whatever they are",
            "bid_price · bid_amount",
            last=p.bid_price * p.bid_amount,
            average=ratio(p.bid_notional_sum, p.n_quotes),
        ),
        Quantity(
            "dollar_depth_ask",
            "Dollar Depth Ask",
            Unit.QUOTE,
            "Worth of the amount at the best ask, in quote units whatever they are",
            "ask_price · ask_amount",
            last=p.ask_price * p.ask_amount,
            average=ratio(p.ask_notional_sum, p.n_quotes),
        ),
        Quantity(
            "total_dollar_depth",
            "Total Dollar Depth",
            Unit.QUOTE,
            "Worth of the amounts at the best bid and the best ask together, in quote units whatever they are",
            "bid_price · bid_amount + ask_price · ask_amount",
            last=p.bid_price * p.bid_amount + p.ask_price * p.ask_amount,
            average=ratio(p.bid_notional_sum + p.ask_notional_sum, p.n_quotes),
            last_highlight="What could be traded at the best prices when the bar ended, in money.",
            average_highlight="What could be traded at the best prices at a typical quote: the one to size orders by.",
        ),
    )
]

L1_LIQUIDITY = Dataset(
    id="l1_liquidity",
    name="L1 Liquidity",
    category=Category.L1,
    tier=2,
    family=Family.QUOTES,
    description="Spread and depth of the best bid and ask, at the last quote and on average.",
    fields=(*(last for last, _ in _PAIRS), *(average for _, average in _PAIRS)),
)
