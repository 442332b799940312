"""Sizes of trades: buckets by notional, and the distribution of amounts."""

from __future__ import annotations

from typing import Final

from aperiodic.catalog import partials as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit
from aperiodic.catalog.size_buckets import BUCKET_BOUNDS, BUCKET_WORDS, MIXED_UNITS
from aperiodic.catalog.statistics import kurtosis, skewness, variance

_LARGE_COUNT_HIGHLIGHT: Final = (
    "Share of trades worth 1,000 quote units or more. A shift says that who trades, or how orders are split, has "
    "changed."
)
_NOTIONAL: Final = {
    bucket: p.bucket_notional("buy", bucket) + p.bucket_notional("sell", bucket) for bucket in BUCKET_WORDS
}
_COUNT: Final = {bucket: p.bucket_count("buy", bucket) + p.bucket_count("sell", bucket) for bucket in BUCKET_WORDS}

_mean = ratio(p.volume, p.n_trades)
_variance = variance(p.n_trades, p.amount_moment_2)


def _bucket_sums() -> list[Field]:
    fields = []
    for bucket, words in BUCKET_WORDS.items():
        fields += [
            Field(
                f"{bucket}_order_volume",
                f"{bucket.title()} Order Volume",
                Unit.QUOTE,
                f"Notional of trades {words}. Despite the name it is in quote units.",
                f"Σ v over trades with {BUCKET_BOUNDS[bucket]}",
                _NOTIONAL[bucket],
            ),
            Field(
                f"{bucket}_order_count",
                f"{bucket.title()} Order Count",
                Unit.COUNT,
                f"Number of trades {words}.",
                f"number of trades with {BUCKET_BOUNDS[bucket]}",
                _COUNT[bucket],
                integer=True,
            ),
        ]
    return fields


def _bucket_percentages() -> list[Field]:
    notional_over_quantity = [
        Field(
            f"{bucket}_order_percentage",
            f"{bucket.title()} Order %",
            Unit.QUOTE_PER_BASE,
            f"Notional of trades {words}, divided by volume. {MIXED_UNITS}",
            f"{bucket}_order_volume / volume, bucket: {BUCKET_BOUNDS[bucket]}",
            ratio(_NOTIONAL[bucket], p.volume),
            caveat=MIXED_UNITS,
        )
        for bucket, words in BUCKET_WORDS.items()
    ]
    counts = [
        Field(
            f"{bucket}_order_count_percentage",
            f"{bucket.title()} Count %",
            Unit.FRACTION,
            f"Share of trades that were {words}, by number.",
            f"{bucket}_order_count / n_trades, bucket: {BUCKET_BOUNDS[bucket]}",
            ratio(_COUNT[bucket], p.n_trades),
            highlight=_LARGE_COUNT_HIGHLIGHT if bucket == "large" else None,
        )
        for bucket, words in BUCKET_WORDS.items()
    ]
    return notional_over_quantity + counts


TRADE_SIZE = Dataset(
    id="trade_size",
    name="Trade Size",
    category=Category.TRADES,
    tier=1,
    family=Family.TRADES,
    description="How large trades were: volume and number by size bucket, and the distribution of amounts.",
    fields=(
        *_bucket_sums(),
        Field("volume", "Volume", Unit.BASE, "Amount traded, in base units.", "Σ q", p.volume),
        Field(
            "n_trades",
            "Trade Count",
            Unit.COUNT,
            "Number of trades.",
            "n",
            p.n_trades,
            integer=True,
            highlight="Activity by number; venues that merge fills into one trade report fewer, so compare a venue "
            "with itself.",
        ),
        *_bucket_percentages(),
        Field("trade_amount_mean", "Mean Trade Amount", Unit.BASE, "Average amount of a trade.", "Σ q / n", _mean),
        Field(
            "trade_amount_median",
            "Median Trade Amount",
            Unit.BASE,
            "Amount in the middle: half of the trades were smaller. A few huge trades do not move it.",
            "median of q, linearly interpolated",
            p.amount_median,
            highlight="The ordinary trade. Set against the mean, it tells many alike from few big ones.",
        ),
        Field(
            "trade_amount_std",
            "Trade Amount Std",
            Unit.BASE,
            "Sample standard deviation of the amounts.",
            "√ trade_amount_variance",
            _variance.sqrt(),
            null="fewer than two trades",
        ),
        Field(
            "trade_amount_variance",
            "Trade Amount Variance",
            Unit.SQUARED_BASE,
            "Sample variance of the amounts; exactly 0 when all trades had the same amount.",
            "Σ (q - mean)² / (n - 1)",
            _variance,
            null="fewer than two trades",
        ),
        Field(
            "trade_amount_skewness",
            "Trade Amount Skewness",
            Unit.RATIO,
            "Asymmetry of the amounts: positive when a few trades were much larger than the rest.",
            "√(n(n - 1)) / (n - 2) · m₃ / m₂^1.5, mₖ = Σ (q - mean)ᵏ / n",
            skewness(p.n_trades, p.amount_moment_2, p.amount_moment_3),
            null="fewer than three trades, or all of the same amount",
        ),
        Field(
            "trade_amount_kurtosis",
            "Trade Amount Kurtosis",
            Unit.RATIO,
            "Weight of the tails of the amounts in excess of a normal distribution's.",
            "(n - 1) / ((n - 2)(n - 3)) · ((n + 1)(m₄ / m₂² - 3) + 6), mₖ = Σ (q - mean)ᵏ / n",
            kurtosis(p.n_trades, p.amount_moment_2, p.amount_moment_4),
            null="fewer than four trades, or all of the same amount",
        ),
        Field("trade_amount_min", "Min Trade Amount", Unit.BASE, "Smallest trade.", "min q", p.amount_low),
        Field(
            "trade_amount_max",
            "Max Trade Amount",
            Unit.BASE,
            "Largest trade.",
            "max q",
            p.amount_high,
            highlight="The largest single print, which may be most of a quiet bar's volume.",
        ),
        Field(
            "trade_amount_range_ratio",
            "Trade Amount Range Ratio",
            Unit.RATIO,
            "Largest trade as a multiple of the smallest.",
            "max q / min q",
            ratio(p.amount_high, p.amount_low),
        ),
        Field(
            "trade_amount_cv",
            "Trade Amount CV",
            Unit.RATIO,
            "Coefficient of variation: the standard deviation of the amounts as a multiple of their mean.",
            "trade_amount_std / trade_amount_mean",
            ratio(_variance.sqrt(), _mean),
            null="fewer than two trades",
            highlight="High when small and huge trades mix, near 0 when one size repeats; without a unit, so it "
            "compares across instruments.",
        ),
    ),
)
