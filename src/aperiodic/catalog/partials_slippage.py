"""Names of the partials of slippage: sums over the trades that had a quote before them.

`cost` is what a trade paid beyond that quote, in quote units per base unit; `bps` is the same in basis points of the
quote's mid. Sums are correctly rounded, so that costs that cancel sum to zero.
"""

from __future__ import annotations

import polars as pl

buy_count = pl.col("buy_count")
sell_count = pl.col("sell_count")
volume = pl.col("volume")

cost_sum = pl.col("cost_sum")
bps_sum = pl.col("bps_sum")
buy_bps_sum = pl.col("buy_bps_sum")
sell_bps_sum = pl.col("sell_bps_sum")
bps_amount_sum = pl.col("bps_amount_sum")
"""Σ bps·q."""

bps_square_sum = pl.col("bps_square_sum")
"""Σ (bps - mean of bps)²; exactly 0 where all are equal."""

bps_median = pl.col("bps_p50")
bps_p95 = pl.col("bps_p95")
