"""Candlesticks."""

from __future__ import annotations

from aperiodic.catalog import partials as p
from aperiodic.catalog.model import Category, Dataset, Family, Field, LinkHost, Unit

OHLCV = Dataset(
    id="ohlcv",
    name="Candlesticks",
    category=Category.MARKET_DATA,
    tier=1,
    family=Family.TRADES,
    description="Open, high, low and close of the trades in the interval, with volume in base and in quote units.",
    fields=(
        Field(
            "open",
            "Open",
            Unit.PRICE,
            "Price of the first trade.",
            "p₁",
            p.open_price,
            highlight="Not always the previous bar's close: the difference is the move between two trades, and a bar "
            "without trades does not exist.",
        ),
        Field("high", "High", Unit.PRICE, "Highest trade price.", "max p", p.high_price),
        Field("low", "Low", Unit.PRICE, "Lowest trade price.", "min p", p.low_price),
        Field(
            "close",
            "Close",
            Unit.PRICE,
            "Price of the last trade.",
            "pₙ",
            p.close_price,
            highlight="The last price of the interval, known only once the interval is over: a signal made from it "
            "can be acted on in the next bar at the earliest.",
        ),
        Field("volume", "Volume", Unit.BASE, "Amount traded, in base units.", "Σ q", p.volume),
        Field(
            "volume_notional",
            "Notional Volume",
            Unit.QUOTE,
            "Amount traded, in quote units: the sum of price times amount.",
            "Σ v",
            p.notional,
            highlight="Money traded. Activity follows the time of day, so set a bar against the same hour of other "
            "days before calling it busy.",
        ),
    ),
    own_function="get_ohlcv",
    own_host=LinkHost.OHLCV,
)
