"""Range and distribution of trade prices."""

from __future__ import annotations

from aperiodic.catalog import partials as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit
from aperiodic.catalog.statistics import kurtosis, skewness, variance

_mean = ratio(p.price_sum, p.n_trades)
_variance = variance(p.n_trades, p.price_moment_2)

RANGE = Dataset(
    id="range",
    name="Price Range & Distribution",
    category=Category.TRADES,
    tier=1,
    family=Family.TRADES,
    description="How far prices ranged and how they were distributed, every trade counting once whatever its size.",
    fields=(
        Field(
            "range",
            "Range",
            Unit.PRICE,
            "Highest less lowest trade price.",
            "max p - min p",
            p.high_price - p.low_price,
        ),
        Field(
            "range_bps",
            "Range (bps)",
            Unit.BASIS_POINTS,
            "Range relative to the last trade price.",
            "range / pₙ · 10,000",
            ratio(p.high_price - p.low_price, p.close_price) * 10_000,
            highlight="The simplest measure of volatility, comparable across instruments. It takes one stray print to"
            " widen it.",
        ),
        Field("price_mean", "Mean Price", Unit.PRICE, "Average trade price.", "Σ p / n", _mean),
        Field(
            "price_median",
            "Median Price",
            Unit.PRICE,
            "Price in the middle: half of the trades were at lower prices.",
            "median of p, linearly interpolated",
            p.price_median,
        ),
        Field(
            "price_std",
            "Price Std",
            Unit.PRICE,
            "Sample standard deviation of the trade prices.",
            "√ price_variance",
            _variance.sqrt(),
            null="fewer than two trades",
        ),
        Field(
            "price_variance",
            "Price Variance",
            Unit.SQUARED_PRICE,
            "Sample variance of the trade prices; exactly 0 when the price never changed.",
            "Σ (p - mean)² / (n - 1)",
            _variance,
            null="fewer than two trades",
        ),
        Field(
            "price_skewness",
            "Price Skewness",
            Unit.RATIO,
            "Asymmetry of the trade prices: positive when some were far above the rest.",
            "√(n(n - 1)) / (n - 2) · m₃ / m₂^1.5, mₖ = Σ (p - mean)ᵏ / n",
            skewness(p.n_trades, p.price_moment_2, p.price_moment_3),
            null="fewer than three trades, or all at one price",
            highlight="Its sign says on which side of the bulk the few far trades lay: positive when they were above "
            "it.",
        ),
        Field(
            "price_kurtosis",
            "Price Kurtosis",
            Unit.RATIO,
            "Weight of the tails of the trade prices in excess of a normal distribution's.",
            "(n - 1) / ((n - 2)(n - 3)) · ((n + 1)(m₄ / m₂² - 3) + 6), mₖ = Σ (p - mean)ᵏ / n",
            kurtosis(p.n_trades, p.price_moment_2, p.price_moment_4),
            null="fewer than four trades, or all at one price",
            highlight="High when a few trades printed far from all the others, as in a sweep that came back within "
            "the bar.",
        ),
        Field(
            "price_range_ratio",
            "Price Range Ratio",
            Unit.RATIO,
            "Highest trade price as a multiple of the lowest.",
            "max p / min p",
            ratio(p.high_price, p.low_price),
        ),
        Field(
            "price_cv",
            "Price CV",
            Unit.RATIO,
            "Coefficient of variation: the standard deviation of the trade prices as a multiple of their mean.",
            "price_std / price_mean",
            ratio(_variance.sqrt(), _mean),
            null="fewer than two trades",
            highlight="How widely prices were spread about their mean: less moved by a single far print than the "
            "range.",
        ),
    ),
)
