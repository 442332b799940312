# %% [markdown]
# # A study of a signal, with costs and without look-ahead
#
# From a question to a number that could have been earned: a signal from what had arrived, positions that begin
# afterwards, half of the month to choose and half to judge, and every trade paid for.
#
# It needs a key of the plan Starter or larger.

# %%
from datetime import timedelta
from typing import Any

import polars as pl

import aperiodic

FEE_BPS = 4.0  # of the venue, for taking, per side
INTERVAL = timedelta(minutes=5)
client = aperiodic.Client(show_progress=False)
asked: dict[str, Any] = {
    "interval": "5m",
    "exchange": "binance-futures",
    "symbol": "perpetual-BTC-USDT:USDT",
    "start_date": "2025-05-01",
    "end_date": "2025-05-31",
    "on_incomplete": "ignore",
}
flow = client.get_metrics("flow", timestamp="true", columns=["taker_buy_sell_percentage"], **asked)
prices = client.get_metrics("ohlcv", timestamp="true", columns=["open", "close"], **asked)
spreads = client.get_metrics("l1_liquidity", timestamp="true", columns=["spread_bps_avg"], **asked)
print(flow.height, prices.height, spreads.height)

# %% [markdown]
# ## Costs
#
# Taking pays half the spread and a fee, each way. The spread is that of the bar before, which was known; its mean over
# the quotes of a bar, for that at the end of a bar is one quote of many. Trades also pay what lies beyond the best
# price: `slippage`, on the `exchange` clock, where a trade comes after the quote that it took.

# %%
slippage = client.get_metrics("slippage", timestamp="exchange", columns=["slippage_bps_vwap"], **asked)
beyond = slippage.select(pl.col("slippage_bps_vwap").mean()).item()
spread = spreads.select(pl.col("spread_bps_avg").mean()).item()
print(f"half the spread: {spread / 2:.3f} bps; beyond the quote: {beyond:.3f} bps; fee: {FEE_BPS} bps")

# %% [markdown]
# ## One table, known by row
#
# The bar `t` is over at `t + 5m`. A decision at that time buys at the open of the next bar, and sells at the open of
# the one after it. All three frames have bars of the same length, so bars of equal `time` were over together; for
# different lengths `aperiodic.align` joins what was over. A bar that is not followed at once by two others makes no
# trade, instead of one across a gap.

# %%
known = flow.join(spreads, on="time")
opens = prices.select("time", "open")
table = (
    known.join(opens.with_columns(pl.col("time") - INTERVAL).rename({"open": "bought"}), on="time", how="left")
    .join(opens.with_columns(pl.col("time") - 2 * INTERVAL).rename({"open": "sold"}), on="time", how="left")
    .with_columns(
        signal=2 * pl.col("taker_buy_sell_percentage") - 1,
        gross_bps=(pl.col("sold") / pl.col("bought") - 1) * 10_000,
        cost_bps=2 * (pl.col("spread_bps_avg") / 2 + beyond + FEE_BPS),
    )
    .select("time", "signal", "gross_bps", "cost_bps")
    .drop_nulls()
)
table

# %% [markdown]
# The mean slippage of the month is one number that nobody knew on its first day. It is a cost and not a signal; to be
# strict, take that of the month before.
#
# ## Choose in one half, judge in the other
#
# The only choice is how strong a signal has to be, and in which direction to follow it. It is made on the first half
# of the rows, and never again.

# %%
half = table.height // 2
earlier, later = table[:half], table[half:]


def result(rows: pl.DataFrame, threshold: float, direction: int) -> dict[str, float]:
    """Return what trading signals beyond a threshold would have given, in basis points a trade."""
    trades = rows.filter(pl.col("signal").abs() >= threshold).with_columns(
        gross=direction * pl.col("signal").sign() * pl.col("gross_bps")
    )
    means = trades.select(gross=pl.col("gross").mean(), net=(pl.col("gross") - pl.col("cost_bps")).mean())
    return {"trades": trades.height, **means.fill_null(0.0).row(0, named=True)}


tried = pl.DataFrame(
    [
        {"threshold": threshold, "direction": direction, **result(earlier, threshold, direction)}
        for threshold in (0.0, 0.25, 0.5)
        for direction in (1, -1)
    ]
)
tried

# %%
best = tried.sort("net", descending=True).row(0, named=True)
judged = result(later, best["threshold"], best["direction"])
print(f"chosen: threshold {best['threshold']}, direction {best['direction']:+d}")
print(f"before: {best['gross']:+.2f} gross, {best['net']:+.2f} net")
print(f"after:  {judged['gross']:+.2f} gross, {judged['net']:+.2f} net, {judged['trades']:.0f} trades")

# %% [markdown]
# ## The flattering version
#
# The same signal against the return of its own bar, without costs. It is what a plain join and a forgotten shift give.

# %%
flattering = flow.join(prices, on="time").select(
    gross=(2 * pl.col("taker_buy_sell_percentage") - 1).sign() * (pl.col("close") / pl.col("open") - 1) * 10_000
)
print(f"{flattering['gross'].mean():+.2f} basis points a bar, none of which could be earned")

# %% [markdown]
# In a simulated market there is nothing to earn, so an honest study has to end near zero before costs and below it
# after them. A study that does not has a mistake. On real data, try it on other months and symbols before believing it,
# and count every threshold that you tried.
