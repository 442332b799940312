"""Names of the partials of mark prices, funding rates and open interest.

An index price, trade price or mark price is the latest one at or before the event that it is joined to, whichever day
it is of, unless that was more than 24 hours before. A sum or number of basis points counts the updates at which they are defined.
"""

from __future__ import annotations

import polars as pl

mark_price = pl.col("mark_price")
"""Of the last mark price update."""

index_price = pl.col("index_price")
"""As of the last mark price update."""

last_price = pl.col("last_price")
"""As of the last mark price update."""

first_mark_price = pl.col("first_mark_price")
"""Of the first mark price update; in bars of open interest as of its first update, where `mark_price` is of its last."""

first_index_price = pl.col("first_index_price")
"""As of the first mark price update at which it is known."""

known_index_price = pl.col("known_index_price")
"""As of the last mark price update at which it is known."""

known_last_price = pl.col("known_last_price")
"""As of the last mark price update at which it is known."""

first_last_price = pl.col("first_last_price")
"""As of the first mark price update at which it is known."""

basis_count = pl.col("basis_count")
basis_sum = pl.col("basis_sum")
basis_bps_count = pl.col("basis_bps_count")
basis_bps_square_sum = pl.col("basis_bps_square_sum")
"""Σ (x - mean of x)²; exactly 0 where all are equal. So are the other square sums."""

spread_count = pl.col("spread_count")
spread_sum = pl.col("spread_sum")
spread_bps_count = pl.col("spread_bps_count")
spread_bps_square_sum = pl.col("spread_bps_square_sum")

funding_rate = pl.col("funding_rate")
"""Of the last update."""

rate_changes = pl.col("rate_changes")
"""Updates that differ from the previous known rate, in whichever interval that was; the first ever is one."""

interval_seconds = pl.col("interval_seconds")
"""Length of the interval."""

open_interest = pl.col("open_interest")
"""Of the last update."""

first_open_interest = pl.col("first_open_interest")
"""Of the first update."""

pct_change_count = pl.col("pct_change_count")
"""Updates whose value differs from that of the update before, both in the interval."""

pct_change_square_sum = pl.col("pct_change_square_sum")
"""Σ (c - mean of c)², where c is the percentage change at such an update."""
