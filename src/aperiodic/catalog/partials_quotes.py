"""Names of the partials of quotes: what the engine knows of every bar before any field is computed.

Only two-sided quotes count: both prices and both amounts above zero. Times are in µs. Sums are good to about 32 digits
before they are rounded, so averages of signed quantities that cancel keep their digits.
"""

from __future__ import annotations

import polars as pl

n_quotes = pl.col("n_quotes")

bid_price = pl.col("bid_price")
bid_amount = pl.col("bid_amount")
ask_price = pl.col("ask_price")
ask_amount = pl.col("ask_amount")
"""Of the last quote, as the three above."""

held_time = pl.col("held_time")
"""From the first quote to the end of the interval."""

span_time = pl.col("span_time")
"""From the first quote to the last one."""

bid_price_time_sum = pl.col("bid_price_time_sum")
"""Sum of the bid price times how long it held, the last one until the end of the interval."""

ask_price_time_sum = pl.col("ask_price_time_sum")
"""The same of the ask price."""

bid_amount_sum = pl.col("bid_amount_sum")
ask_amount_sum = pl.col("ask_amount_sum")
bid_notional_sum = pl.col("bid_notional_sum")
"""Sum of bid price times bid amount."""

ask_notional_sum = pl.col("ask_notional_sum")
"""Sum of ask price times ask amount."""

imbalance_sum = pl.col("imbalance_sum")
"""Sum of bid amount minus ask amount; the sums below are likewise of what the field of that name says."""

imbalance_ratio_sum = pl.col("imbalance_ratio_sum")
bid_ask_ratio_sum = pl.col("bid_ask_ratio_sum")
bid_percentage_sum = pl.col("bid_percentage_sum")
ask_percentage_sum = pl.col("ask_percentage_sum")
spread_sum = pl.col("spread_sum")
spread_bps_sum = pl.col("spread_bps_sum")
spread_depth_ratio_sum = pl.col("spread_depth_ratio_sum")
