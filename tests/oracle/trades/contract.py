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

TRADE_RTOL: Final = {
    **dict.fromkeys(
        (
            "amihud_like",
            "impact_per_notional",
            "price_change_on_flip",
            "logret_var",
            "realized_vol",
            "bipower_variation",
        ),
        1e-8,
    ),
    **dict.fromkeys(
        (
            "trade_amount_skewness",
            "trade_amount_kurtosis",
            "price_skewness",
            "price_kurtosis",
            "kyle_like_lambda",
            "large_trade_reversal",
            "directional_impact_asymmetry",
            "ret_autocorr_lag1",
            "trendiness",
            "jump_ratio",
        ),
        1e-6,
    ),
}
"""Relative tolerances other than 1e-9. A return is a quotient near one less one: for one tick of 94,000.00 the
quotient's rounding alone is 1e-9 of it. Third and fourth moments and correlations are cancelling sums besides."""

TRADE_ATOL: Final = {
    # Of order one, and zero for a symmetric sample, a mesokurtic one, uncorrelated or cancelling returns. Moments centred
    # on a value of the sample before its mean are right to 1e-15; on a rounded mean of cents about 94,000, only to 1e-8.
    **dict.fromkeys(
        (
            "trade_amount_skewness",
            "trade_amount_kurtosis",
            "price_skewness",
            "price_kurtosis",
            "ret_autocorr_lag1",
            "trendiness",
            "jump_ratio",
        ),
        1e-12,
    ),
    # Means of signed returns, each uncertain by the rounding of its quotient, 1.1e-16; the asymmetry has two of them.
    "large_trade_reversal": 5e-16,
    "directional_impact_asymmetry": 5e-16,
    # A signed covariance in returns per base unit, uncertain by 1e-16 of std(r)/std(x). The ratio reaches ten where 1 %
    # moves meet amounts of 0.001, and errors 6e-16.
    "kyle_like_lambda": 5e-15,
    # Returns that differ by one rounding of their quotients (22.5, 24.0, 25.6) have a variance of (2.2e-16)² / 2, none
    # of whose digits survives another library's logarithm.
    "logret_var": 1e-31,
}
"""Absolute tolerances, for fields that pass through zero by cancellation."""

_INTEGERS: Final = ("_count", "_run_max_len", "n_trades")


def trade_bar_schema(dataset: str) -> pl.Schema:
    """Columns of a bar file: `time`, then the fields; counts and run maxima are integers."""
    return pl.Schema(
        {
            "time": pl.Datetime("us"),
            **{name: pl.Int64() if name.endswith(_INTEGERS) else pl.Float64() for name in TRADE_FIELDS[dataset]},
        }
    )
