"""Returns from trade to trade, and what their variation is made of."""

from __future__ import annotations

import math

from aperiodic.catalog import partials as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit
from aperiodic.catalog.statistics import correlation, variance

_bipower = math.pi / 2 * p.bipower_sum

RETURNS = Dataset(
    id="returns",
    name="Returns & Volatility",
    category=Category.TRADES,
    tier=2,
    family=Family.TRADES,
    description="Log returns from trade to trade within the interval: variation, jumps, autocorrelation and trend.",
    fields=(
        Field(
            "logret_var",
            "Log Return Variance",
            Unit.SQUARED_LOG_RETURN,
            "Sample variance of the log returns from trade to trade; exactly 0 when they are all the same.",
            "Σ (l - mean)² / (n - 2)",
            variance(p.n_trades - 1, p.log_return_moment_2),
            null="fewer than three trades",
        ),
        Field(
            "realized_vol",
            "Realized Volatility",
            Unit.LOG_RETURN,
            "Root of the realised variance of the interval. It is not annualised; 0 for a single trade.",
            "√ Σ l²",
            p.log_return_square_sum.sqrt(),
            highlight="Volatility of the bar from every trade in it. It is neither annualised nor cleaned of the "
            "bounce between bid and ask, which raises it.",
        ),
        Field(
            "bipower_variation",
            "Bipower Variation",
            Unit.SQUARED_LOG_RETURN,
            "Estimate of the realised variance that a single jump hardly moves; 0 below three trades.",
            "(π/2) Σ |lᵢ| |lᵢ₋₁|, i ≥ 3",
            _bipower,
        ),
        Field(
            "jump_ratio",
            "Jump Ratio",
            Unit.RATIO,
            "Share of the realised variance that came in jumps. It is not clipped: bid-ask bounce makes it negative.",
            "(RV - bipower_variation) / RV, RV = Σ l²",
            ratio(p.log_return_square_sum - _bipower, p.log_return_square_sum),
            null="the price never changed",
            highlight="Near 1 when one jump made the variance. The bounce between bid and ask pushes it below 0, so "
            "compare bars with each other, not with 0.",
        ),
        Field(
            "ret_autocorr_lag1",
            "Return Autocorrelation (Lag 1)",
            Unit.RATIO,
            "Correlation of each log return with the one before it: negative under bid-ask bounce, positive in trends.",
            "Pearson correlation of (lᵢ, lᵢ₋₁), i ≥ 3",
            correlation(p.lag_moment, p.later_moment_2, p.earlier_moment_2),
            null="fewer than four trades, or constant returns",
            highlight="Clearly negative where prices bounce between bid and ask; a rise towards 0 and above says that"
            " moves went on instead of coming back.",
        ),
        Field(
            "trendiness",
            "Trendiness",
            Unit.RATIO,
            "Net move as a share of the way the price went: 1 when it only rose or only fell, near 0 when it came back.",
            "|Σ l| / Σ |l|, Σ l = log1p((pₙ - p₁)/p₁)",
            ratio(p.bar_return.log1p().abs(), p.log_return_size_sum).clip(upper_bound=1),
            null="the price never changed",
            highlight="Tells bars that went somewhere from bars that churned, however volatile they were.",
        ),
    ),
)
