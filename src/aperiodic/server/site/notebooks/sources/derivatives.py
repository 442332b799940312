# %% [markdown]
# # Derivatives: basis, funding and open interest
#
# What a perpetual has that spot has not: a premium over its index, payments that hold the premium down, and a number
# of open contracts. Three datasets in one frame, with the words of the catalog beside them.
#
# It needs a key of the plan Starter or larger.

# %%
from typing import Any

import polars as pl

import aperiodic

client = aperiodic.Client(show_progress=False)
asked: dict[str, Any] = {
    "interval": "1h",
    "timestamp": "true",
    "exchange": "binance-futures",
    "symbol": "perpetual-BTC-USDT:USDT",
    "start_date": "2025-05-01",
    "end_date": "2025-05-31",
    "on_incomplete": "ignore",
}
for field in ("basis.basis_bps", "funding.funding_rate", "open_interest.open_interest_pct_change"):
    print(client.describe(field).frame.select("field", "unit").rows())

# %%
hours = client.get_metrics(
    ["basis", "funding", "open_interest"],
    columns=["basis_bps", "funding_rate", "open_interest", "open_interest_pct_change"],
    **asked,
)
hours

# %% [markdown]
# Each dataset has a row where its own stream had an event: mark prices come every second, the funding rate when it is
# announced, open interest every few seconds. Where one of them had none, its columns are null, and that is no zero.

# %%
hours.null_count()

# %% [markdown]
# ## Premium and payment
#
# Longs pay shorts when the rate is positive. A rate is per funding period of the venue, eight hours here, and the
# basis is a difference of prices: to compare the two, put both in basis points. The rate is a state, so it may be
# carried into hours without an announcement; it never belongs to an hour before it was announced.

# %%
compared = hours.select(
    "time",
    "basis_bps",
    funding_bps=pl.col("funding_rate").forward_fill() * 10_000,
)
print(compared.select(pl.corr("basis_bps", "funding_bps").alias("correlation"), pl.len().alias("hours")))
compared.describe()

# %% [markdown]
# ## Open interest with the price
#
# Positions that grow while the price rises are new longs and new shorts at higher prices; positions that shrink while
# it rises are shorts that close. Four cases by the signs of the two changes of the same hour:

# %%
prices = client.get_metrics("derivative_price", columns=["mark_price_pct_change"], **asked)
cases = (
    hours.join(prices, on="time")
    .drop_nulls(["open_interest_pct_change", "mark_price_pct_change"])
    .group_by(
        positions=pl.when(pl.col("open_interest_pct_change") > 0).then(pl.lit("grow")).otherwise(pl.lit("shrink")),
        price=pl.when(pl.col("mark_price_pct_change") > 0).then(pl.lit("rises")).otherwise(pl.lit("falls")),
    )
    .agg(hours=pl.len(), mean_change_percent=pl.col("mark_price_pct_change").mean())
    .sort("positions", "price")
)
cases

# %% [markdown]
# This describes an hour by what happened within it. To foretell the next hour with it, shift as in the notebook on
# order flow. The market is simulated, so look at the method and not at the numbers.
