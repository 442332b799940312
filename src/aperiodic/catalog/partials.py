"""Names of the partials: what the engine knows of every bar before any field is computed.

Sums are correctly rounded, so that buy and sell sums that are equal in exact arithmetic are equal here.
`v` is the notional p·q of a trade; size buckets are by the notional of a single trade:
small below 100, medium from 100 to below 1,000, large from 1,000 (quote units).
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
buy_count = pl.col("buy_count")
sell_count = pl.col("sell_count")

return_square_sum = pl.col("return_square_sum")


def bucket_notional(side: str, bucket: str) -> pl.Expr:
    """Sum of v over the trades of one side ("buy", "sell") in one size bucket."""
    return pl.col(f"{side}_{bucket}_notional")


def bucket_count(side: str, bucket: str) -> pl.Expr:
    """Number of trades of one side in one size bucket."""
    return pl.col(f"{side}_{bucket}_count")
