"""Average trade prices."""

from __future__ import annotations

from aperiodic.catalog import partials as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit

VTWAP = Dataset(
    id="vtwap",
    name="VWAP & TWAP",
    category=Category.MARKET_DATA,
    tier=1,
    family=Family.TRADES,
    description="Average trade price of the interval, weighted by amount and unweighted.",
    fields=(
        Field(
            "vwap",
            "VWAP",
            Unit.PRICE,
            "Volume-weighted average price: what one base unit cost on average.",
            "Σ v / Σ q",
            ratio(p.notional, p.volume),
            highlight="The benchmark of execution: whoever bought below it did better than the average unit traded in"
            " the interval.",
        ),
        Field(
            "twap",
            "TWAP",
            Unit.PRICE,
            "Arithmetic mean of the trade prices, every trade counting once whatever its size.",
            "Σ p / n",
            ratio(p.price_sum, p.n_trades),
            highlight="A mean over trades, not over seconds. Where VWAP lies above it, the larger trades printed at "
            "the higher prices.",
        ),
    ),
    own_function="get_vwap",
)
