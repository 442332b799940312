"""What takers paid beyond the quote they saw."""

from __future__ import annotations

from typing import Final

from aperiodic.catalog import partials_slippage as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit
from aperiodic.catalog.statistics import variance

_CAUTION: Final = (
    "On the `true` clock quotes often arrive before the trade that caused them, so slippage reads lower there: for "
    "cost analysis use the `exchange` clock."
)
_NO_BUYS: Final = "no matched buys in the interval"
_NO_SELLS: Final = "no matched sells in the interval"
_ONE_SIDED: Final = "no matched buys or no matched sells in the interval"

_count = p.buy_count + p.sell_count
_buy_mean = ratio(p.buy_bps_sum, p.buy_count)
_sell_mean = ratio(p.sell_bps_sum, p.sell_count)

SLIPPAGE = Dataset(
    id="slippage",
    name="Slippage",
    category=Category.TRADES,
    tier=2,
    family=Family.SLIPPAGE,
    description="How far trades printed from the best quote just before them: what taking liquidity really cost.",
    fields=(
        Field(
            "slippage_mean",
            "Mean Slippage",
            Unit.PRICE,
            "Average of what a trade paid beyond the latest two-sided quote strictly before it: price minus ask for a "
            f"buy, bid minus price for a sell; negative when it got a better price. {_CAUTION}",
            "mean of slippage; slippage = p - ask for buys, bid - p for sells",
            ratio(p.cost_sum, _count),
            caveat=_CAUTION,
        ),
        Field(
            "slippage_bps_mean",
            "Mean Slippage (bps)",
            Unit.BASIS_POINTS,
            f"Average slippage relative to the mid of the same quote. {_CAUTION}",
            "mean of bps; bps = slippage / ((bid + ask) / 2) · 10,000",
            ratio(p.bps_sum, _count),
            caveat=_CAUTION,
        ),
        Field(
            "slippage_bps_std",
            "Slippage Std (bps)",
            Unit.BASIS_POINTS,
            f"How unequal the slippage of single trades was: their sample standard deviation. {_CAUTION}",
            "sample std of bps",
            variance(_count, p.bps_square_sum).sqrt(),
            null="fewer than two matched trades in the interval",
            caveat=_CAUTION,
        ),
        Field(
            "slippage_bps_median",
            "Median Slippage (bps)",
            Unit.BASIS_POINTS,
            "Slippage that half of the trades stayed at or below; 0 where most trades print at the quote. " + _CAUTION,
            "median of bps",
            p.bps_median,
            caveat=_CAUTION,
        ),
        Field(
            "slippage_bps_p95",
            "95th Percentile Slippage (bps)",
            Unit.BASIS_POINTS,
            f"Slippage that 95 of 100 trades stayed at or below: the expensive end. {_CAUTION}",
            "95th percentile of bps, interpolated linearly",
            p.bps_p95,
            highlight="The expensive end: one trade in twenty paid more than this, which is where sweeps through the "
            "book show.",
            caveat=_CAUTION,
        ),
        Field(
            "slippage_bps_vwap",
            "Volume-Weighted Slippage (bps)",
            Unit.BASIS_POINTS,
            f"Average slippage in which a trade counts by its amount: what a base unit paid. {_CAUTION}",
            "Σ bps·q / Σ q",
            ratio(p.bps_amount_sum, p.volume),
            highlight="What a unit paid beyond the best quote: the number for a cost model. The half spread is not in"
            " it; add half of `spread_bps`.",
            caveat=_CAUTION,
        ),
        Field(
            "slippage_bps_buy_mean",
            "Mean Buy Slippage (bps)",
            Unit.BASIS_POINTS,
            f"Average slippage of the taker buys. {_CAUTION}",
            "mean of bps over buys",
            _buy_mean,
            null=_NO_BUYS,
            highlight="Against that of sells it says on which side taking was dearer, which the overall mean hides.",
            caveat=_CAUTION,
        ),
        Field(
            "slippage_bps_sell_mean",
            "Mean Sell Slippage (bps)",
            Unit.BASIS_POINTS,
            f"Average slippage of the taker sells. {_CAUTION}",
            "mean of bps over sells",
            _sell_mean,
            null=_NO_SELLS,
            highlight="Against that of buys it says on which side taking was dearer, which the overall mean hides.",
            caveat=_CAUTION,
        ),
        Field(
            "slippage_bps_buy_sell_ratio",
            "Buy/Sell Slippage Ratio",
            Unit.RATIO,
            "Average slippage of buys against that of sells; either may be negative, so look at both before reading "
            f"it. {_CAUTION}",
            "slippage_bps_buy_mean / slippage_bps_sell_mean",
            ratio(_buy_mean, _sell_mean),
            null=f"{_ONE_SIDED}, or slippage_bps_sell_mean is 0",
            caveat=_CAUTION,
        ),
        Field(
            "slippage_bps_sell_buy_ratio",
            "Sell/Buy Slippage Ratio",
            Unit.RATIO,
            f"Average slippage of sells against that of buys. {_CAUTION}",
            "slippage_bps_sell_mean / slippage_bps_buy_mean",
            ratio(_sell_mean, _buy_mean),
            null=f"{_ONE_SIDED}, or slippage_bps_buy_mean is 0",
            caveat=_CAUTION,
        ),
    ),
)
