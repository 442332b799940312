# %% [markdown]
# # From raw ticks to a bar of your own
#
# First rebuild a published candle from the ticks, to the last digit. Then make a bar that no file offers: one for each
# million of notional traded.
#
# Raw ticks need a key of the plan Prime-Raw; `aperiodic demo` prints one.

# %%
import polars as pl

import aperiodic

trades = aperiodic.get_raw(
    dataset="trades",
    exchange="binance-futures",
    symbol="perpetual-BTC-USDT:USDT",
    start_date="2025-05-01",
    end_date="2025-05-01",
    show_progress=False,
    on_incomplete="ignore",
)
trades

# %% [markdown]
# Ticks are in the venue's order and carry both times. The exchange clock orders by `exchange_timestamp`; equal times
# keep the order of the file, so the sort has to be a stable one.

# %%
ordered = trades.sort("exchange_timestamp", maintain_order=True)
mine = (
    ordered.group_by_dynamic("exchange_timestamp", every="5m")
    .agg(
        open=pl.col("price").first(),
        high=pl.col("price").max(),
        low=pl.col("price").min(),
        close=pl.col("price").last(),
        volume=pl.col("amount").sum(),
    )
    .rename({"exchange_timestamp": "time"})
    .with_columns(pl.col("time").dt.replace_time_zone(None))
)

# %%
published = aperiodic.get_ohlcv(
    interval="5m",
    exchange="binance-futures",
    symbol="perpetual-BTC-USDT:USDT",
    start_date="2025-05-01",
    end_date="2025-05-01",
    show_progress=False,
    on_incomplete="ignore",
)
print(f"{mine.height} bars of mine, {published.height} published")
mine.join(published, on="time", how="full", suffix="_published").select(
    (pl.col(name) - pl.col(f"{name}_published")).abs().max() for name in ("open", "high", "low", "close", "volume")
)

# %% [markdown]
# Prices agree exactly. Volumes may differ in the last bits: sums of floating-point numbers depend on the order of
# adding, and the engine adds with twice the digits and rounds once.
#
# ## A bar for each million of notional
#
# Bars of equal notional are short when much is traded and long when little is. Each trade belongs to the bar in which
# the running total before it falls.

# %%
SIZE = 1_000_000
notional = pl.col("price") * pl.col("amount")
bars = (
    ordered.with_columns(bar=((notional.cum_sum() - notional) // SIZE).cast(pl.Int64))
    .group_by("bar", maintain_order=True)
    .agg(
        begin=pl.col("exchange_timestamp").first(),
        end=pl.col("exchange_timestamp").last(),
        close=pl.col("price").last(),
        net_taker=(notional * pl.when(pl.col("side") == "buy").then(1).otherwise(-1)).sum() / notional.sum(),
        trades=pl.len(),
    )
)
print(f"{bars.height} bars")
bars.select("begin", minutes=(pl.col("end") - pl.col("begin")).dt.total_seconds() / 60, close="close").head(8)

# %% [markdown]
# A backtest on such bars must use `local_timestamp` instead: whether a bar is full is known only when its last trade
# has arrived. Drop the last bar of a day as well; it is not full.
