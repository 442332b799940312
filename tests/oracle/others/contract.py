"""Names, order, types and tolerances of the quote, book, derivative and slippage bars, copied out by hand."""

from __future__ import annotations

from typing import Final

import polars as pl

BOOK_SUMS: Final = (5, 10, 20, 25)
"""Numbers of levels a side that the book's fields sum."""

_L1_IMBALANCE: Final = ("imbalance", "imbalance_ratio", "bid_ask_ratio", "bid_percentage", "ask_percentage")
_L1_LIQUIDITY: Final = (
    "spread",
    "spread_bps",
    "spread_depth_ratio",
    "total_depth",
    "dollar_depth_bid",
    "dollar_depth_ask",
    "total_dollar_depth",
)
_L2_LIQUIDITY: Final = tuple(f"{side}_agg_{n}" for side in ("ask", "bid") for n in BOOK_SUMS)


def _averaged(fields: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{field}_avg" for field in fields)


OTHER_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "slippage": (
        "slippage_mean",
        "slippage_bps_mean",
        "slippage_bps_std",
        "slippage_bps_median",
        "slippage_bps_p95",
        "slippage_bps_vwap",
        "slippage_bps_buy_mean",
        "slippage_bps_sell_mean",
        "slippage_bps_buy_sell_ratio",
        "slippage_bps_sell_buy_ratio",
    ),
    "l1_price": (
        "ask_price",
        "bid_price",
        "ask_amount",
        "bid_amount",
        "midprice",
        "weighted_midprice",
        "ask_price_twap",
        "bid_price_twap",
        "ask_price_vwap",
        "bid_price_vwap",
        "quote_update_frequency",
        "avg_update_interval",
    ),
    "l1_imbalance": _L1_IMBALANCE + _averaged(_L1_IMBALANCE),
    "l1_liquidity": _L1_LIQUIDITY + _averaged(_L1_LIQUIDITY),
    "l2_imbalance": tuple(
        field
        for n in BOOK_SUMS
        for field in (
            f"imbalance_{n}",
            f"imbalance_ratio_{n}",
            f"bid_ask_ratio_{n}",
            f"imbalance_{n}_avg",
            f"imbalance_ratio_{n}_avg",
            f"bid_ask_ratio_{n}_avg",
        )
    ),
    "l2_liquidity": _L2_LIQUIDITY + _averaged(_L2_LIQUIDITY),
    "basis": (
        "basis",
        "basis_bps",
        "mark_price_spread",
        "mark_price_spread_bps",
        "basis_mean",
        "basis_bps_std",
        "mark_price_spread_mean",
        "mark_price_spread_bps_std",
    ),
    "funding": ("funding_rate", "funding_rate_update_frequency", "funding_rate_avg_update_interval"),
    "open_interest": (
        "open_interest",
        "open_interest_pct_change",
        "open_interest_volatility",
        "oi_price_change_ratio",
    ),
    "derivative_price": (
        "last_price",
        "index_price",
        "mark_price",
        "last_price_pct_change",
        "index_price_pct_change",
        "mark_price_pct_change",
        "mark_index_pct_change_ratio",
        "mark_last_pct_change_ratio",
        "index_last_pct_change_ratio",
    ),
}
"""Fields of every covered dataset, in the order of its file."""

OTHER_RTOL: Final = {
    # Quotients of two numbers each of which is what rounding left of nearly equal ones.
    "slippage_bps_std": 1e-6,
    "slippage_bps_buy_sell_ratio": 1e-6,
    "slippage_bps_sell_buy_ratio": 1e-6,
    "basis_bps_std": 1e-6,
    "mark_price_spread_bps_std": 1e-6,
    "open_interest_volatility": 1e-6,
    "oi_price_change_ratio": 1e-6,
    "mark_index_pct_change_ratio": 1e-6,
    "mark_last_pct_change_ratio": 1e-6,
    "index_last_pct_change_ratio": 1e-6,
}
"""Relative tolerances other than 1e-9."""

OTHER_ATOL: Final = {
    # Averages of signed values pass through zero. A value's own rounding is 2e-16 of it: an average of slippages of up
    # to 1,000 quote units or basis points is then good to 1e-12, whatever is left of it.
    "slippage_mean": 1e-12,
    "slippage_bps_mean": 1e-12,
    "slippage_bps_median": 1e-12,
    "slippage_bps_p95": 1e-12,
    "slippage_bps_vwap": 1e-12,
    "slippage_bps_buy_mean": 1e-12,
    "slippage_bps_sell_mean": 1e-12,
    # A mean that all but cancelled over one that did not.
    "slippage_bps_buy_sell_ratio": 1e-12,
    "slippage_bps_sell_buy_ratio": 1e-12,
    # Spreads and bases of prices up to 100,000, negative in crossed markets and backwardation.
    "spread_avg": 1e-10,
    "spread_bps_avg": 1e-10,
    "spread_depth_ratio_avg": 1e-10,
    "basis_mean": 1e-10,
    "mark_price_spread_mean": 1e-10,
    # Standard deviations of basis points and percentages: where every value is the same but for its rounding, any
    # deviation up to that rounding is right. (Of values that are the same to the bit it is exactly 0.)
    "slippage_bps_std": 1e-11,
    "basis_bps_std": 1e-11,
    "mark_price_spread_bps_std": 1e-11,
    "open_interest_volatility": 1e-11,
    # Differences of amounts up to 100,000, each a sum of up to 25 levels.
    "imbalance_avg": 1e-9,
    **{f"imbalance_{n}{average}": 1e-9 for n in BOOK_SUMS for average in ("", "_avg")},
    # The same over their sum.
    "imbalance_ratio_avg": 1e-13,
    **{f"imbalance_ratio_{n}{average}": 1e-13 for n in BOOK_SUMS for average in ("", "_avg")},
}
"""Absolute tolerances other than 1e-300."""


def other_bar_schema(dataset: str) -> pl.Schema:
    """Columns of a bar file: `time`, then the fields; the number of quotes is an integer."""
    return pl.Schema(
        {
            "time": pl.Datetime("us"),
            **{
                name: pl.Int64() if name == "quote_update_frequency" else pl.Float64() for name in OTHER_FIELDS[dataset]
            },
        }
    )
