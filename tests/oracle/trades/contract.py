"""Names, order, types and tolerances of the trade datasets' fields, copied out by hand from the definitions."""

from __future__ import annotations

from typing import Final

import polars as pl

TRADE_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "trade_size": (
        "small_order_volume",
        "small_order_count",
        "medium_order_volume",
        "medium_order_count",
        "large_order_volume",
        "large_order_count",
        "volume",
        "n_trades",
        "small_order_percentage",
        "medium_order_percentage",
        "large_order_percentage",
        "small_order_count_percentage",
        "medium_order_count_percentage",
        "large_order_count_percentage",
        "trade_amount_mean",
        "trade_amount_median",
        "trade_amount_std",
        "trade_amount_variance",
        "trade_amount_skewness",
        "trade_amount_kurtosis",
        "trade_amount_min",
        "trade_amount_max",
        "trade_amount_range_ratio",
        "trade_amount_cv",
    ),
    "range": (
        "range",
        "range_bps",
        "price_mean",
        "price_median",
        "price_std",
        "price_variance",
        "price_skewness",
        "price_kurtosis",
        "price_range_ratio",
        "price_cv",
    ),
    "impact": (
        "amihud_like",
        "kyle_like_lambda",
        "impact_per_notional",
        "large_trade_reversal",
        "directional_impact_asymmetry",
    ),
    "updownticks": (
        "uptick_count",
        "downtick_count",
        "unchanged_count",
        "uptick_volume",
        "downtick_volume",
        "unchanged_volume",
        "uptick_downtick_volume_ratio",
        "uptick_downtick_count_ratio",
        "uptick_count_percentage",
        "downtick_count_percentage",
        "unchanged_count_percentage",
        "unchanged_volume_percentage",
        "downtick_volume_percentage",
        "uptick_volume_percentage",
    ),
    "run_structure": (
        "buy_run_max_len",
        "sell_run_max_len",
        "buy_run_mean_len",
        "sell_run_mean_len",
        "run_imbalance",
        "flip_rate",
        "price_change_on_flip",
    ),
    "returns": (
        "logret_var",
        "realized_vol",
        "bipower_variation",
        "jump_ratio",
        "ret_autocorr_lag1",
        "trendiness",
    ),
}
"""Fields of every covered dataset, in the order of its file."""

TRADE_RTOL: Final = dict.fromkeys(
    ("trade_amount_skewness", "trade_amount_kurtosis", "price_skewness", "price_kurtosis"), 1e-6
)
"""Relative tolerances other than 1e-9: third and fourth moments are cancelling sums."""

TRADE_ATOL: Final = {
    # Of order one, and zero for a symmetric sample, a mesokurtic one, uncorrelated returns or as much bipower as realised
    # variation.
    **dict.fromkeys(
        (
            "trade_amount_skewness",
            "trade_amount_kurtosis",
            "price_skewness",
            "price_kurtosis",
            "ret_autocorr_lag1",
            "jump_ratio",
        ),
        1e-12,
    ),
    # Means of signed returns and a covariance with them, which cancel: returns of 0.001 and more are doubles.
    "large_trade_reversal": 1e-16,
    "directional_impact_asymmetry": 1e-16,
    "kyle_like_lambda": 5e-15,
}
"""Absolute tolerances, for fields that pass through zero by cancellation."""

SQL_RTOL: Final = {
    **TRADE_RTOL,
    **dict.fromkeys(
        ("kyle_like_lambda", "large_trade_reversal", "directional_impact_asymmetry", "ret_autocorr_lag1"), 1e-6
    ),
    "logret_var": 1e-8,
}
"""Relative tolerances of the computation in SQL, whose returns have no more digits than a double."""

SQL_ATOL: Final = {
    **TRADE_ATOL,
    "large_trade_reversal": 5e-16,
    "directional_impact_asymmetry": 5e-16,
    # Returns that are equal but for a rounding have a variance of (2.2e-16)² / 2.
    "logret_var": 1e-31,
}
"""Absolute tolerances of the computation in SQL."""

_INTEGERS: Final = ("_count", "_run_max_len", "n_trades")


def trade_bar_schema(dataset: str) -> pl.Schema:
    """Columns of a bar file: `time`, then the fields; counts and run maxima are integers."""
    return pl.Schema(
        {
            "time": pl.Datetime("us"),
            **{name: pl.Int64() if name.endswith(_INTEGERS) else pl.Float64() for name in TRADE_FIELDS[dataset]},
        }
    )
