"""Best prices and amounts, their averages, and how often they were quoted anew."""

from __future__ import annotations

from typing import Final

from aperiodic.catalog import partials_quotes as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit

_US_PER_SECOND: Final = 1_000_000

L1_PRICE = Dataset(
    id="l1_price",
    name="L1 Price",
    category=Category.L1,
    tier=2,
    family=Family.QUOTES,
    description="Best bid and ask: last prices and amounts, mid prices, weighted averages and the pace of quoting.",
    fields=(
        Field("ask_price", "Ask Price", Unit.PRICE, "Best ask price of the last quote.", "ask_price", p.ask_price),
        Field("bid_price", "Bid Price", Unit.PRICE, "Best bid price of the last quote.", "bid_price", p.bid_price),
        Field(
            "ask_amount",
            "Ask Amount",
            Unit.BASE,
            "Amount on offer at the best ask of the last quote.",
            "ask_amount",
            p.ask_amount,
        ),
        Field(
            "bid_amount",
            "Bid Amount",
            Unit.BASE,
            "Amount bid for at the best bid of the last quote.",
            "bid_amount",
            p.bid_amount,
        ),
        Field(
            "midprice",
            "Mid Price",
            Unit.PRICE,
            "Halfway between best bid and best ask of the last quote.",
            "(bid_price + ask_price) / 2",
            (p.bid_price + p.ask_price) / 2,
            highlight="The price without the bounce between bid and ask: the usual reference for returns and for "
            "costs.",
        ),
        Field(
            "weighted_midprice",
            "Weighted Mid Price",
            Unit.PRICE,
            "Mid price of the last quote leaning towards the side with less on it, where the price is likelier to go.",
            "(bid_price · ask_amount + ask_price · bid_amount) / (bid_amount + ask_amount)",
            ratio(p.bid_price * p.ask_amount + p.ask_price * p.bid_amount, p.bid_amount + p.ask_amount),
            highlight="Its distance from the mid is half the spread times the L1 imbalance ratio: a common short-"
            "horizon signal, in units of price.",
        ),
        Field(
            "ask_price_twap",
            "Ask Price TWAP",
            Unit.PRICE,
            "Best ask price weighted by time, from the first quote of the interval on: each quote holds until the next "
            "one, the last until the interval ends.",
            "Σ (ask_price · time held) / Σ (time held)",
            ratio(p.ask_price_time_sum, p.held_time),
        ),
        Field(
            "bid_price_twap",
            "Bid Price TWAP",
            Unit.PRICE,
            "Best bid price weighted by time, from the first quote of the interval on: each quote holds until the next "
            "one, the last until the interval ends.",
            "Σ (bid_price · time held) / Σ (time held)",
            ratio(p.bid_price_time_sum, p.held_time),
            highlight="What a seller could get on average over time; `ask_price_twap` less this is the spread "
            "weighted by time instead of by quotes.",
        ),
        Field(
            "ask_price_vwap",
            "Ask Price VWAP",
            Unit.PRICE,
            "Best ask price weighted by the amount on offer at it, over the quotes of the interval.",
            "Σ (ask_price · ask_amount) / Σ ask_amount",
            ratio(p.ask_notional_sum, p.ask_amount_sum),
        ),
        Field(
            "bid_price_vwap",
            "Bid Price VWAP",
            Unit.PRICE,
            "Best bid price weighted by the amount bid for at it, over the quotes of the interval.",
            "Σ (bid_price · bid_amount) / Σ bid_amount",
            ratio(p.bid_notional_sum, p.bid_amount_sum),
        ),
        Field(
            "quote_update_frequency",
            "Quote Update Frequency",
            Unit.COUNT,
            "Number of quotes in the interval. Quotes that lack a side are not counted, here and in all L1 fields.",
            "number of quotes",
            p.n_quotes,
            highlight="How busy the top of the book was. Bursts go with news and volatility; an unusual silence may "
            "be a gap, so look at the coverage.",
            integer=True,
        ),
        Field(
            "avg_update_interval",
            "Average Update Interval",
            Unit.SECONDS,
            "Mean time between consecutive quotes of the interval.",
            "(time of the last quote - time of the first) / (number of quotes - 1)",
            ratio(p.span_time, (p.n_quotes - 1) * _US_PER_SECOND),
            null="fewer than two quotes",
        ),
    ),
)
