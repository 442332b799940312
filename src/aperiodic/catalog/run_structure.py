"""Runs of trades of one side."""

from __future__ import annotations

from typing import Final

from aperiodic.catalog import partials as p
from aperiodic.catalog.expressions import ratio
from aperiodic.catalog.model import Category, Dataset, Family, Field, Unit

_LONGEST: Final = {"buy": p.buy_longest_run, "sell": p.sell_longest_run}
_RUNS: Final = {"buy": p.buy_run_count, "sell": p.sell_run_count}
_COUNT: Final = {"buy": p.buy_count, "sell": p.sell_count}

_flips = p.buy_run_count + p.sell_run_count - 1


def _longest(side: str) -> Field:
    return Field(
        f"{side}_run_max_len",
        f"Longest {side.title()} Run",
        Unit.COUNT,
        f"Trades in the longest run of taker {side}s; 0 if there are none.",
        f"max length of the runs of {side}s",
        _LONGEST[side],
        highlight=f"An unusually long run of {side}s comes from one order worked in pieces, or from takers who follow each "
        "other.",
        integer=True,
    )


def _mean(side: str) -> Field:
    return Field(
        f"{side}_run_mean_len",
        f"Mean {side.title()} Run",
        Unit.COUNT,
        f"Average number of trades in a run of taker {side}s; 0 if there are none.",
        f"(number of {side}s) / (number of runs of {side}s)",
        ratio(_COUNT[side], _RUNS[side]).fill_null(0.0),
    )


RUN_STRUCTURE = Dataset(
    id="run_structure",
    name="Trade Run Structure",
    category=Category.TRADES,
    tier=2,
    family=Family.TRADES,
    description="Runs: longest sequences of consecutive trades of the same side within the interval, and their ends.",
    fields=(
        _longest("buy"),
        _longest("sell"),
        _mean("buy"),
        _mean("sell"),
        Field(
            "run_imbalance",
            "Run Imbalance",
            Unit.RATIO,
            "Whether buys or sells had the longer run: from -1 (only sells) to 1 (only buys).",
            "(buy_run_max_len - sell_run_max_len) / (buy_run_max_len + sell_run_max_len)",
            ratio(p.buy_longest_run - p.sell_longest_run, p.buy_longest_run + p.sell_longest_run),
            highlight="Which side had the longer unbroken run. It looks at one run of each side only, so confirm it "
            "with the volume delta of `flow`.",
        ),
        Field(
            "flip_rate",
            "Flip Rate",
            Unit.FRACTION,
            "Share of trades whose side differs from that of the trade before; low when orders are split or herding.",
            "(number of trades i ≥ 2 of another side than trade i - 1) / n",
            ratio(_flips, p.n_trades),
            highlight="Near one half if sides came up at random; low when orders are worked in pieces or takers "
            "follow each other.",
        ),
        Field(
            "price_change_on_flip",
            "Price Change on Flip",
            Unit.RETURN,
            "Average size of the return when the side flips: mostly the bounce between bid and ask.",
            "mean |r| over trades of another side than the one before",
            ratio(p.flip_return_size_sum, _flips),
            null="no flip in the interval",
            highlight="Mostly the step from bid to ask or back: a reading of the spread from trades alone.",
        ),
    ),
)
