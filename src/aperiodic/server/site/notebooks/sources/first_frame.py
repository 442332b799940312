# %% [markdown]
# # A first frame, and what null means
#
# One call gives a data frame of candles. Then: why rows may be absent, why values may be null, and why neither should
# be filled before you know which of the two it is.
#
# The preview needs no key. Address and key come from `APERIODIC_API_URL` and `APERIODIC_API_KEY`.

# %%
import polars as pl

import aperiodic

candles = aperiodic.get_ohlcv(
    interval="5m",
    exchange="binance-futures",
    symbol="perpetual-BTC-USDT:USDT",
    start_date="2025-05-01",
    end_date="2025-05-31",
    preview=True,
    show_progress=False,
)
candles

# %% [markdown]
# `time` is the *start* of the bar, in UTC. A bar's values are known at its end, so the candle of 00:00 belongs to your
# decision at 00:05.
#
# ## A row exists only where something happened
#
# The seconds of one day show it best. Intervals below a minute need the plan Prime and `timestamp="true"`, the time
# at which events arrived at the capture host.

# %%
seconds = aperiodic.get_metrics(
    metric="returns",
    timestamp="true",
    interval="1s",
    exchange="binance-futures",
    symbol="perpetual-BTC-USDT:USDT",
    start_date="2025-05-01",
    end_date="2025-05-01",
    show_progress=False,
    on_incomplete="ignore",
)
print(f"{seconds.height:,} of 86,400 seconds had a trade")

# %% [markdown]
# A second without a trade has no return, no volatility and no row. If your method needs an even grid, make it
# yourself, from the first trade to the last, and say what an empty second shall be: unknown, or zero.

# %%
grid = seconds.upsample("time", every="1s")
print(f"{grid.height:,} rows on the grid, {grid['realized_vol'].null_count():,} of them without a trade")

# %% [markdown]
# ## Null says that a value is not defined
#
# A variance needs three trades, a correlation four. With fewer, the row is there and the value is null. It is never
# NaN or infinite, and never a made-up zero. Each field's rule is in the catalog and in `aperiodic explain logret_var`.

# %%
seconds.null_count()

# %% [markdown]
# Polars leaves nulls out of means. Filling them with 0 would instead claim calm where nothing is known:

# %%
seconds.select(
    mean_of_what_is_known=pl.col("logret_var").mean(),
    with_null_taken_for_0=pl.col("logret_var").fill_null(0).mean(),
)

# %% [markdown]
# Longer bars hold enough trades, and the nulls go:

# %%
minutes = aperiodic.get_metrics(
    metric="returns",
    interval="15m",
    exchange="binance-futures",
    symbol="perpetual-BTC-USDT:USDT",
    start_date="2025-05-01",
    end_date="2025-05-01",
    show_progress=False,
    on_incomplete="ignore",
)
minutes.select(pl.len().alias("bars"), pl.exclude("time").null_count())
