# %% [markdown]
# # Order flow and the next return, without look-ahead
#
# Does one-sided taking foretell the next bar? The honest way to ask: a signal from what had arrived, a return that
# begins afterwards, and the flattering but useless number beside it.
#
# It needs a key of the plan Starter or larger.

# %%
from typing import Literal

import polars as pl

import aperiodic


def fetch(metric: Literal["flow", "ohlcv"], timestamp: Literal["exchange", "true"]) -> pl.DataFrame:
    """Return 5 minute bars of one month."""
    return aperiodic.get_metrics(
        metric=metric,
        timestamp=timestamp,
        interval="5m",
        exchange="binance-futures",
        symbol="perpetual-BTC-USDT:USDT",
        start_date="2025-05-01",
        end_date="2025-05-31",
        show_progress=False,
        on_incomplete="ignore",
    )


# %% [markdown]
# ## Two clocks
#
# `exchange` orders events by the time of the matching engine, `true` by their arrival at the capture host. A trade
# made just before the end of a bar arrives just after it. On the exchange clock it belongs to the bar; on the true
# clock to the next one, which is when you could have known it.

# %%
flow = fetch("flow", "true")
by_engine = fetch("flow", "exchange")
both = flow.join(by_engine, on="time", suffix="_by_engine")
differing = both.filter(pl.col("volume_delta") != pl.col("volume_delta_by_engine")).height
print(f"{differing:,} of {both.height:,} bars differ between the clocks")

# %% [markdown]
# So take the signal on the `true` clock. Net taker flow as a share of volume, from -1 to 1:

# %%
signal = flow.select("time", imbalance=2 * pl.col("taker_buy_sell_percentage") - 1)
signal.describe()

# %% [markdown]
# ## A return that begins afterwards
#
# The bar labelled `t` is complete at `t + 5m`. The earliest return that can follow is that of the next bar, from its
# first trade to its last. Where the next row is not the next five minutes, there is no such bar, and the pair is left
# out instead of being bridged.

# %%
prices = fetch("ohlcv", "true").select("time", own=pl.col("close") / pl.col("open") - 1)
joined = signal.join(prices, on="time").with_columns(
    next=pl.when(pl.col("time").shift(-1) == pl.col("time").dt.offset_by("5m")).then(pl.col("own").shift(-1))
)
print(joined.select(pairs=pl.len(), left_out=pl.col("next").null_count()))

# %%
correlations = joined.select(
    same_bar=pl.corr("imbalance", "own"),
    next_bar=pl.corr("imbalance", "next"),
)
print(correlations)

# %% [markdown]
# The first number is look-ahead: the flow of a bar against the return of the same bar, which it helped to make. The
# second is the one that a strategy could have used. By fifths of the signal, in basis points:

# %%
fifths = (
    joined.drop_nulls()
    .with_columns(fifth=(pl.col("imbalance").rank("ordinal") * 5 / (pl.len() + 1)).cast(pl.Int32) + 1)
    .group_by("fifth")
    .agg(bars=pl.len(), same_bar=pl.col("own").mean() * 10_000, next_bar=pl.col("next").mean() * 10_000)
    .sort("fifth")
)
print(fifths)


# %%
class Bars:
    """Pairs of bars as SVG, which Jupyter shows without further libraries."""

    def __init__(self, label: str, first: list[float], second: list[float]) -> None:
        self.label, self.first, self.second = label, first, second

    def _repr_svg_(self) -> str:
        largest = max(abs(value) for value in self.first + self.second) or 1.0
        shapes = []
        for place, pair in enumerate(zip(self.first, self.second, strict=True)):
            for shift, (value, colour) in enumerate(zip(pair, ("#7d8ca3", "#0e9384"), strict=True)):
                height = abs(value) / largest * 80
                top = 90 - height if value > 0 else 90
                shapes.append(
                    f'<rect x="{40 + place * 90 + shift * 30}" y="{top:.1f}" width="26" height="{height:.1f}" fill="{colour}"/>'
                )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 180" role="img" aria-label="{self.label}">'
            f'<rect x="30" y="90" width="440" height="1" fill="currentColor"/>{"".join(shapes)}</svg>'
        )


Bars(
    "Mean return by fifth of the signal, lowest first: of the same bar in grey, of the next bar in green",
    fifths["same_bar"].to_list(),
    fifths["next_bar"].to_list(),
)

# %% [markdown]
# Grey is the same bar, green the next one; from the fifth with the most selling to the one with the most buying. What
# is left after the look-ahead is gone is small, as it should be in a simulated market. On real data, costs come next:
# `slippage` on the `exchange` clock, and the spread of `l1_liquidity`.
