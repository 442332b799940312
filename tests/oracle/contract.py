"""Names, order and types of the columns the oracles return, copied out by hand from the datasets' definitions."""

from __future__ import annotations

from typing import Final

import polars as pl

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "ohlcv": ("open", "high", "low", "close", "volume", "volume_notional"),
    "vtwap": ("vwap", "twap"),
    "flow": (
        "taker_buy_volume",
        "taker_sell_volume",
        "taker_buy_count",
        "taker_sell_count",
        "volume_delta",
        "volume_delta_notional",
        "flow_entropy",
        "flow_toxicity_score",
        "taker_buy_sell_ratio",
        "taker_buy_sell_count_ratio",
        "taker_buy_sell_percentage",
        "taker_buy_sell_count_percentage",
        "taker_buy_small_order_volume",
        "taker_buy_small_order_count",
        "taker_buy_medium_order_volume",
        "taker_buy_medium_order_count",
        "taker_buy_large_order_volume",
        "taker_buy_large_order_count",
        "taker_sell_small_order_volume",
        "taker_sell_small_order_count",
        "taker_sell_medium_order_volume",
        "taker_sell_medium_order_count",
        "taker_sell_large_order_volume",
        "taker_sell_large_order_count",
        "taker_buy_small_order_percentage",
        "taker_buy_medium_order_percentage",
        "taker_buy_large_order_percentage",
        "taker_buy_small_order_count_percentage",
        "taker_buy_medium_order_count_percentage",
        "taker_buy_large_order_count_percentage",
        "taker_sell_small_order_percentage",
        "taker_sell_medium_order_percentage",
        "taker_sell_large_order_percentage",
        "taker_sell_small_order_count_percentage",
        "taker_sell_medium_order_count_percentage",
        "taker_sell_large_order_count_percentage",
    ),
}
"""Fields of every covered dataset, in the order of its file."""

INTERVAL_SECONDS: Final = {
    "1s": 1,
    "15s": 15,
    "30s": 30,
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "30m": 1800,
    "1h": 3600,
    "4h": 14400,
    "1d": 86400,
}
"""Length of each interval."""

CLOCK_COLUMN: Final = {"exchange": "exchange_timestamp", "true": "local_timestamp"}
"""The tick column that holds each clock's time."""


def bar_schema(dataset: str) -> pl.Schema:
    """Columns of a bar file: `time`, then the fields; the counts are integers."""
    return pl.Schema(
        {
            "time": pl.Datetime("us"),
            **{name: pl.Int64() if name.endswith("_count") else pl.Float64() for name in FIELDS[dataset]},
        }
    )
