"""Names of the partials: what the engine knows of every bar before any field is computed.

Sums are correctly rounded, so that buy and sell sums that are equal in exact arithmetic are equal here.
`v` is the notional p·q of a trade; size buckets are by the notional of a single trade:
small below 100, medium from 100 to below 1,000, large from 1,000 (quote units).

Returns, ticks, runs and flips are those of neighbouring trades of the bar: r = (pᵢ - pᵢ₋₁)/pᵢ₋₁, l = log1p(r), i ≥ 2.
Differences of prices are those of the decimals that the prices are. `x` is the signed amount of a trade, q of a buy and
-q of a sell. A moment of order k is the sum of the k-th powers of
the deviations from the mean, exactly zero for a constant sample.
"""

from __future__ import annotations

from typing import Final

import polars as pl

SIZE_BUCKETS: Final = ("small", "medium", "large")
MEDIUM_FROM: Final = 100.0
LARGE_FROM: Final = 1000.0

n_trades = pl.col("n_trades")
open_price = pl.col("open_price")
high_price = pl.col("high_price")
low_price = pl.col("low_price")
close_price = pl.col("close_price")
price_sum = pl.col("price_sum")

buy_volume = pl.col("buy_volume")
sell_volume = pl.col("sell_volume")
volume = pl.col("volume")
buy_notional = pl.col("buy_notional")
sell_notional = pl.col("sell_notional")
notional = pl.col("notional")
net_notional = pl.col("net_notional")
buy_count = pl.col("buy_count")
sell_count = pl.col("sell_count")

return_square_sum = pl.col("return_square_sum")
"""Σ r²"""
bar_return = pl.col("bar_return")
"""R = (pₙ - p₁)/p₁"""

amount_low = pl.col("amount_low")
amount_high = pl.col("amount_high")
amount_median = pl.col("amount_median")
amount_moment_2 = pl.col("amount_moment_2")
amount_moment_3 = pl.col("amount_moment_3")
amount_moment_4 = pl.col("amount_moment_4")
price_median = pl.col("price_median")
price_moment_2 = pl.col("price_moment_2")
price_moment_3 = pl.col("price_moment_3")
price_moment_4 = pl.col("price_moment_4")

signed_amount_moment_2 = pl.col("signed_amount_moment_2")
"""Second moment of x over all trades."""
amount_return_moment = pl.col("amount_return_moment")
"""Sum of the products of the deviations of r and x, i ≥ 2."""
return_asymmetry = pl.col("return_asymmetry")
"""Mean of r over buys plus mean of r over sells, i ≥ 2; null without either."""
large_trade_reversal = pl.col("large_trade_reversal")
"""Mean of (pᵢ₊₅ - pᵢ)/pᵢ over the trades not smaller than the 90th percentile of q that have five successors; may be null."""

uptick_count = pl.col("uptick_count")
downtick_count = pl.col("downtick_count")
unchanged_count = pl.col("unchanged_count")
uptick_volume = pl.col("uptick_volume")
downtick_volume = pl.col("downtick_volume")
unchanged_volume = pl.col("unchanged_volume")

buy_run_count = pl.col("buy_run_count")
sell_run_count = pl.col("sell_run_count")
buy_longest_run = pl.col("buy_longest_run")
sell_longest_run = pl.col("sell_longest_run")
flip_return_size_sum = pl.col("flip_return_size_sum")
"""Σ |r| over trades whose side differs from the previous trade's."""

log_return_size_sum = pl.col("log_return_size_sum")
"""Σ |l|"""
log_return_square_sum = pl.col("log_return_square_sum")
"""Σ l²"""
log_return_moment_2 = pl.col("log_return_moment_2")
bipower_sum = pl.col("bipower_sum")
"""Σ |lᵢ| |lᵢ₋₁|, i ≥ 3"""
lag_moment = pl.col("lag_moment")
"""Sum of the products of the deviations of lᵢ and lᵢ₋₁, i ≥ 3."""
later_moment_2 = pl.col("later_moment_2")
"""Second moment of lᵢ, i ≥ 3."""
earlier_moment_2 = pl.col("earlier_moment_2")
"""Second moment of lᵢ₋₁, i ≥ 3."""


def bucket_notional(side: str, bucket: str) -> pl.Expr:
    """Sum of v over the trades of one side ("buy", "sell") in one size bucket."""
    return pl.col(f"{side}_{bucket}_notional")


def bucket_count(side: str, bucket: str) -> pl.Expr:
    """Number of trades of one side in one size bucket."""
    return pl.col(f"{side}_{bucket}_count")
