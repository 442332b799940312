# %% [markdown]
# # Exchange time against true time
#
# The same month on both clocks: how many bars differ, by how much, and how late events arrive. What differs is what a
# backtest on exchange time would have known too early.
#
# It needs a key of the plan Starter or larger; the last part one with raw ticks.

# %%
from typing import Any

import polars as pl

import aperiodic

client = aperiodic.Client(show_progress=False)
asked: dict[str, Any] = {
    "exchange": "binance-futures",
    "symbol": "perpetual-BTC-USDT:USDT",
    "start_date": "2025-05-01",
    "end_date": "2025-05-31",
    "on_incomplete": "ignore",
}
columns = ["volume_delta", "taker_buy_count", "taker_sell_count"]
clocks = {
    clock: client.get_metrics("flow", interval="1m", timestamp=clock, columns=columns, **asked)
    for clock in ("exchange", "true")
}
print({clock: frame.height for clock, frame in clocks.items()})

# %% [markdown]
# ## Bars that differ
#
# A trade that the engine made in the last milliseconds of a minute arrives in the next one. A bar may exist on one
# clock and not on the other, so the join keeps both sides.

# %%
both = clocks["exchange"].join(clocks["true"], on="time", how="full", coalesce=True, suffix="_true")
trades = {suffix: pl.col(f"taker_buy_count{suffix}") + pl.col(f"taker_sell_count{suffix}") for suffix in ("", "_true")}
print(
    both.select(
        bars=pl.len(),
        only_on_one_clock=pl.any_horizontal(pl.col("volume_delta", "volume_delta_true").is_null()).sum(),
        other_trades=(trades[""] != trades["_true"]).sum(),
        other_sign=(pl.col("volume_delta").sign() != pl.col("volume_delta_true").sign()).sum(),
    )
)

# %% [markdown]
# No trade is lost between the clocks but those that cross the edge of the range. Every bar has one edge at which a
# trade can change sides, so longer bars are not spared: fewer of them differ because there are fewer of them, and each
# by less of its volume.

# %%
shares = []
for interval in ("1m", "5m", "1h"):
    pair = [
        client.get_metrics("flow", interval=interval, timestamp=clock, columns=["volume_delta"], **asked)
        for clock in ("exchange", "true")
    ]
    joined = pair[0].join(pair[1], on="time", suffix="_true")
    differing = joined.filter(pl.col("volume_delta") != pl.col("volume_delta_true")).height
    shares.append({"interval": interval, "bars": joined.height, "differ": differing / joined.height})
pl.DataFrame(shares)

# %% [markdown]
# ## How late?
#
# Raw ticks carry both times. A negative delay would say that one of the two hosts' clocks is off.

# %%
day = {**asked, "end_date": "2025-05-01"}
ticks = client.get_raw("trades", **day)
delay = ticks.select(
    milliseconds=(pl.col("local_timestamp") - pl.col("exchange_timestamp")).dt.total_microseconds() / 1000
)
delay.describe(percentiles=[0.01, 0.5, 0.99])

# %% [markdown]
# So use `true` for anything that decides, and add your own delay to it. Use `exchange` to study what happened, and for
# costs: `slippage` compares a trade with the quote before it, which needs the engine's order.
