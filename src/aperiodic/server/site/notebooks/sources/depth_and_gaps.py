# %% [markdown]
# # Depth imbalance, and what to do about gaps
#
# How lopsided the book is near the best prices and further away, how long that lasts, and how to find out what the
# data lacks before it surprises you.
#
# The first part runs on the preview, without a key.

# %%
import polars as pl

import aperiodic

book = aperiodic.get_l2_metrics(
    metric="l2_imbalance",
    interval="5m",
    exchange="binance-futures",
    symbol="perpetual-BTC-USDT:USDT",
    start_date="2025-05-01",
    end_date="2025-05-31",
    preview=True,
    show_progress=False,
    on_incomplete="ignore",
)
ratios = book.select("time", pl.col("^imbalance_ratio_(5|25)(_avg)?$"))
ratios

# %% [markdown]
# A ratio of 1 would be bids alone, -1 asks alone. `imbalance_ratio_5` is the state when the bar ended, and
# `imbalance_ratio_5_avg` the mean over all snapshots in it.
#
# ## How long does it last?
#
# The correlation of each series with itself, a number of bars later. Shifting rows is right only on an even grid, so
# absent bars become nulls first.

# %%
even = ratios.upsample("time", every="5m")
names = even.columns[1:]
pl.DataFrame(
    [
        {"bars later": lag, **even.select(pl.corr(name, pl.col(name).shift(-lag)) for name in names).row(0, named=True)}
        for lag in (1, 3, 12)
    ]
)


# %%
class Line:
    """A line around 0 as SVG, which Jupyter shows without further libraries; a null is a gap in it."""

    def __init__(self, label: str, values: list[float | None]) -> None:
        self.label, self.values = label, values
        self.largest = max(abs(value) for value in values if value is not None)

    def _repr_svg_(self) -> str:
        across = 480 / max(len(self.values) - 1, 1)
        stretches: list[list[str]] = [[]]
        for place, value in enumerate(self.values):
            if value is None:
                stretches.append([])
            else:
                stretches[-1].append(f"{place * across:.1f},{80 - value / self.largest * 75:.1f}")
        lines = "".join(
            f'<polyline fill="none" stroke="#0e9384" stroke-width="1.5" points="{" ".join(points)}"/>'
            for points in stretches
            if points
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 160" role="img" aria-label="{self.label}">'
            f'<rect y="80" width="480" height="1" fill="currentColor"/>{lines}</svg>'
        )


line = Line(
    "Mean imbalance ratio of the top 5 levels on the first day", even["imbalance_ratio_5_avg"].head(288).to_list()
)
print(f"largest: {line.largest:.2f}")
line

# %% [markdown]
# The first day of `imbalance_ratio_5_avg`; the line in the middle is 0, and the picture ends at the largest value. All
# correlations are near 0: this simulated book forgets within one bar, so here a bar's imbalance says nothing of the
# next one's. Do not assume that of a real book, nor the opposite; measure it, at the interval that you would trade.
#
# ## Ask what is missing
#
# The client warns when part of a request does not exist. In a pipeline an error is better: here a range that begins a
# month before the data does. This part needs a key of the plan Prime.

# %%
try:
    aperiodic.get_l2_metrics(
        metric="l2_imbalance",
        interval="1h",
        exchange="binance-futures",
        symbol="perpetual-BTC-USDT:USDT",
        start_date="2025-04-01",
        end_date="2025-05-31",
        show_progress=False,
        on_incomplete="raise",
    )
except aperiodic.IncompleteDataError as error:
    print(error.message)
    print(error.hint)

# %% [markdown]
# A month that is there but lacks days or has gaps is named in the same way. Which days, and why, is under
# `/api/v1/metadata/conditions` and on the status page. Never fill a gap by carrying the book forward: nobody knows
# what it looked like.
