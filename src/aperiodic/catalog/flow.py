"""Order flow: who took, how much, in what sizes, and how one-sided it was."""

from __future__ import annotations

from typing import Final

from aperiodic.catalog import partials as p
from aperiodic.catalog.expressions import entropy, ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, MonthProduct, Unit
from aperiodic.catalog.size_buckets import BUCKET_BOUNDS, BUCKET_WORDS, MIXED_UNITS

_VOLUME: Final = {"buy": p.buy_volume, "sell": p.sell_volume}
_COUNT: Final = {"buy": p.buy_count, "sell": p.sell_count}
_LARGE_BUY_HIGHLIGHT: Final = (
    "Large takers' buying against all taker buying. It mixes units (notional over quantity), so compare it with "
    "itself over time, never across symbols."
)

_delta_notional = p.buy_notional - p.sell_notional


def _bucket_sums(side: str) -> list[Field]:
    fields = []
    for bucket in p.SIZE_BUCKETS:
        words = f"taker {side}s {BUCKET_WORDS[bucket]}"
        title = f"{side.title()} {bucket.title()} Order"
        fields += [
            Field(
                f"taker_{side}_{bucket}_order_volume",
                f"{title} Volume",
                Unit.QUOTE,
                f"Notional of {words}. Despite the name it is in quote units.",
                f"Σ v over {side}s with {BUCKET_BOUNDS[bucket]}",
                p.bucket_notional(side, bucket),
            ),
            Field(
                f"taker_{side}_{bucket}_order_count",
                f"{title} Count",
                Unit.COUNT,
                f"Number of {words}.",
                f"number of {side}s with {BUCKET_BOUNDS[bucket]}",
                p.bucket_count(side, bucket),
                integer=True,
            ),
        ]
    return fields


def _bucket_percentages(side: str) -> list[Field]:
    none = f"no taker {side}s in the interval"
    notional_over_quantity = [
        Field(
            f"taker_{side}_{bucket}_order_percentage",
            f"{side.title()} {bucket.title()} Order %",
            Unit.QUOTE_PER_BASE,
            f"Notional of taker {side}s {BUCKET_WORDS[bucket]}, divided by taker {side} volume. {MIXED_UNITS}",
            f"taker_{side}_{bucket}_order_volume / taker_{side}_volume, bucket: {BUCKET_BOUNDS[bucket]}",
            ratio(p.bucket_notional(side, bucket), _VOLUME[side]),
            null=none,
            highlight=_LARGE_BUY_HIGHLIGHT if (side, bucket) == ("buy", "large") else None,
            caveat=MIXED_UNITS,
        )
        for bucket in p.SIZE_BUCKETS
    ]
    counts = [
        Field(
            f"taker_{side}_{bucket}_order_count_percentage",
            f"{side.title()} {bucket.title()} Count %",
            Unit.FRACTION,
            f"Share of taker {side}s that were {BUCKET_WORDS[bucket]}, by number.",
            f"taker_{side}_{bucket}_order_count / taker_{side}_count, bucket: {BUCKET_BOUNDS[bucket]}",
            ratio(p.bucket_count(side, bucket), _COUNT[side]),
            null=none,
        )
        for bucket in p.SIZE_BUCKETS
    ]
    return notional_over_quantity + counts


FLOW = Dataset(
    id="flow",
    name="Flow Metrics",
    category=Category.TRADES,
    tier=1,
    family=Family.TRADES,
    description="Taker buying and selling: volumes, counts, imbalance, toxicity and the split by trade size.",
    fields=(
        Field(
            "taker_buy_volume",
            "Taker Buy Volume",
            Unit.BASE,
            "Amount bought by takers (trades that lifted the ask).",
            "Σ q over buys",
            p.buy_volume,
        ),
        Field(
            "taker_sell_volume",
            "Taker Sell Volume",
            Unit.BASE,
            "Amount sold by takers (trades that hit the bid).",
            "Σ q over sells",
            p.sell_volume,
        ),
        Field(
            "taker_buy_count",
            "Taker Buy Count",
            Unit.COUNT,
            "Number of trades in which the taker bought.",
            "number of buys",
            p.buy_count,
            integer=True,
        ),
        Field(
            "taker_sell_count",
            "Taker Sell Count",
            Unit.COUNT,
            "Number of trades in which the taker sold.",
            "number of sells",
            p.sell_count,
            integer=True,
        ),
        Field(
            "volume_delta",
            "Volume Delta",
            Unit.BASE,
            "Net taker buying in base units; positive when takers bought more than they sold.",
            "taker_buy_volume - taker_sell_volume",
            p.buy_volume - p.sell_volume,
        ),
        Field(
            "volume_delta_notional",
            "Volume Delta Notional",
            Unit.QUOTE,
            "Net taker buying in quote units.",
            "Σ v over buys - Σ v over sells",
            _delta_notional,
            highlight="Net aggressive money into the market: the most direct reading of buying or selling pressure.",
        ),
        Field(
            "flow_entropy",
            "Flow Entropy",
            Unit.NATS,
            "How evenly taker volume is split between buying and selling: ln 2 = 0.693 when even, 0 when one-sided.",
            "-Σ π ln π over the buy and sell shares π of Σ q",
            entropy(p.buy_volume, p.sell_volume),
            highlight="Low entropy marks one-sided flow, typical of liquidations and informed bursts.",
        ),
        Field(
            "flow_toxicity_score",
            "Flow Toxicity Score",
            Unit.SCORE,
            "Unusual net flow times unusual volatility, each measured against this month's bars so far. The second bar "
            "of a month is exactly +0.5 or -0.5, so give it a warm-up.",
            "z(volume_delta_notional) · z(rv), rv = √Σ r² of the bar's trade-to-trade returns (0 if none); "
            "z = (x - mean) / sample std over the bars of the UTC month up to and including this one",
            MonthProduct(_delta_notional, p.return_square_sum.sqrt()),
            null="first bar of the month, or either standard deviation is 0",
            highlight="Large absolute values mark bars in which flow and volatility were extreme together; the sign "
            "says which side was pushing relative to the month so far.",
        ),
        Field(
            "taker_buy_sell_ratio",
            "Buy/Sell Ratio",
            Unit.RATIO,
            "Taker buy volume per unit of taker sell volume.",
            "taker_buy_volume / taker_sell_volume",
            ratio(p.buy_volume, p.sell_volume),
            null="no taker sells in the interval",
            highlight="Above 1 takers are net buyers; it is not symmetric, so 2 and 0.5 are the same imbalance.",
        ),
        Field(
            "taker_buy_sell_count_ratio",
            "Buy/Sell Count Ratio",
            Unit.RATIO,
            "Number of taker buys per taker sell.",
            "taker_buy_count / taker_sell_count",
            ratio(p.buy_count, p.sell_count),
            null="no taker sells in the interval",
        ),
        Field(
            "taker_buy_sell_percentage",
            "Taker Buy %",
            Unit.FRACTION,
            "Share of volume in which the taker bought.",
            "taker_buy_volume / (taker_buy_volume + taker_sell_volume)",
            ratio(p.buy_volume, p.buy_volume + p.sell_volume),
        ),
        Field(
            "taker_buy_sell_count_percentage",
            "Taker Buy Count %",
            Unit.FRACTION,
            "Share of trades in which the taker bought.",
            "taker_buy_count / (taker_buy_count + taker_sell_count)",
            ratio(p.buy_count, p.buy_count + p.sell_count),
        ),
        *_bucket_sums("buy"),
        *_bucket_sums("sell"),
        *_bucket_percentages("buy"),
        *_bucket_percentages("sell"),
    ),
    first=(
        "volume_delta_notional",
        "flow_toxicity_score",
        "flow_entropy",
        "taker_buy_sell_ratio",
        "taker_buy_large_order_percentage",
    ),
)
