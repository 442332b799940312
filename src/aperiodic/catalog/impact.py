"""How much trading moved the price."""

from __future__ import annotations

from typing import Final

from aperiodic.catalog import partials as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit
from aperiodic.catalog.statistics import covariance, variance

_size: Final = p.bar_return.abs()

IMPACT = Dataset(
    id="impact",
    name="Impact Metrics",
    category=Category.TRADES,
    tier=2,
    family=Family.TRADES,
    description="How much the price moved for what was traded, and whether it came back after large trades.",
    fields=(
        Field(
            "amihud_like",
            "Amihud Illiquidity",
            Unit.RETURN_PER_QUOTE,
            "Size of the return from the first to the last trade, per quote unit traded: high when little money moves "
            "the price far.",
            "|R| / Σ v, R = pₙ/p₁ - 1",
            ratio(_size, p.notional),
            highlight="The classic measure of illiquidity: high when little money moved the price far. It is 0 "
            "whenever a bar ends where it began, so average it over bars.",
        ),
        Field(
            "kyle_like_lambda",
            "Kyle Lambda",
            Unit.RETURN_PER_BASE,
            "Slope of trade-to-trade returns on signed amounts: how far one base unit of net taker buying moves the "
            "price. The covariance is over the second trade on, the variance over all trades.",
            "cov(r, x) / var(x), x = q of a buy, -q of a sell; both sample (n - 1)",
            ratio(covariance(p.n_trades - 1, p.amount_return_moment), variance(p.n_trades, p.signed_amount_moment_2)),
            null="fewer than three trades, or all of one side and amount",
            highlight="The slope of returns on signed amounts: when it rises, the same flow moves the price further. "
            "Bars with few trades make it noise.",
        ),
        Field(
            "impact_per_notional",
            "Impact per Notional",
            Unit.RETURN_PER_QUOTE,
            "Size of the return from the first to the last trade, per quote unit of net taker flow.",
            "|R| / |Σ v over buys - Σ v over sells|, R = pₙ/p₁ - 1",
            ratio(_size, p.net_notional.abs()),
            null="taker buys and sells of equal notional",
            highlight="The bar's move against the net money behind it. Where buying and selling nearly cancel it "
            "explodes, so prefer medians to means.",
        ),
        Field(
            "large_trade_reversal",
            "Large Trade Reversal",
            Unit.RETURN,
            "Mean return from a large trade to the fifth trade after it. Sides are not distinguished, so a bar of large "
            "buys and sells that both revert averages out.",
            "mean of pᵢ₊₅/pᵢ - 1 over trades with q ≥ the bar's 90th percentile of q and five successors in the bar",
            p.large_trade_reversal,
            null="no large trade with five successors in the interval",
            highlight="What the price did in the five trades after the largest ones. Sides are not told apart: below "
            "0 it came back if they were buys and went on if they were sells.",
        ),
        Field(
            "directional_impact_asymmetry",
            "Directional Impact Asymmetry",
            Unit.RETURN,
            "Mean return of taker buys less mean return, with its sign turned, of taker sells: positive when buys moved "
            "the price more than sells did.",
            "mean(r over buys) - mean(-r over sells), i ≥ 2",
            p.return_asymmetry,
            null="no taker buy or no taker sell after the interval's first trade",
            highlight="Above 0 when buys lifted the price more than sells pressed it: a hint at which side of the "
            "book was thinner.",
        ),
    ),
)
