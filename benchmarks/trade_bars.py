"""Bars of one day of trades: what the engine does, composed of its public pieces, and what that is measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import DATASETS
from aperiodic.engine.fields import dataset_frame
from aperiodic.engine.partials.bars import Bars, to_frame
from aperiodic.engine.partials.columns import frozen, pieces
from aperiodic.engine.partials.threads import fold_seconds
from aperiodic.engine.partials.trade_sums import TRADE_BAR, finish_trades, fold_trades, merge_trades
from aperiodic.engine.partials.trades import TradeDay
from aperiodic.market import DAY_US, Clock, Interval, Stream
from benchmarks.measure import Pairs, peak_memory_mb, timed_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.inputs import Inputs

__all__ = [
    "all_bars",
    "both_clocks_and_one",
    "compared_with_scan",
    "day_of",
    "memory_of_all_bars",
    "one_dataset",
    "scan",
]

_VALUES: Final = ("side", "price", "amount")
_JOINED: Final = "slippage"  # needs quotes too

Frames = dict[tuple[str, Clock, Interval], pl.DataFrame]


def scan(inputs: Inputs) -> pl.DataFrame:
    """Read four columns with Polars and do nothing with them: the unit of the figures."""
    return pl.read_parquet(inputs.trades_file, columns=[Clock.EXCHANGE.column, *_VALUES])


def all_bars(inputs: Inputs, clocks: Sequence[Clock]) -> Frames:
    """Compute all trade datasets of all intervals from the file."""
    ticks = inputs.store.read_parquet(inputs.trades_path, [*(clock.column for clock in clocks), *_VALUES])
    datasets = [dataset for name, dataset in DATASETS.items() if dataset.driving is Stream.TRADES and name != _JOINED]
    frames = {}
    for clock in clocks:
        for interval, partials in day_of(ticks, clock).items():
            for dataset in datasets:
                frames[dataset.id, clock, interval] = dataset_frame(dataset, partials)
    return frames


def day_of(ticks: pl.DataFrame, clock: Clock) -> dict[Interval, pl.DataFrame]:
    """Compute the partials of a day of trades."""
    day = TradeDay()
    day.add(*sorted_arrays(ticks, clock))
    return day.finish()


def one_dataset(inputs: Inputs, name: str, interval: Interval) -> pl.DataFrame:
    """Compute one dataset of one interval from the file."""
    ticks = inputs.store.read_parquet(inputs.trades_path, [Clock.EXCHANGE.column, *_VALUES])
    times = ticks[Clock.EXCHANGE.column].to_physical()
    if not times.is_sorted():
        ticks = ticks.sort(Clock.EXCHANGE.column, maintain_order=True)
        times = ticks[Clock.EXCHANGE.column].to_physical()

    def fold(begin: int, end: int, bars: NDArray[np.void], used: int) -> tuple[int, None]:
        for piece in pieces(ticks, begin, end):  # where they lie
            used = fold_trades(*_arrays(piece, Clock.EXCHANGE), bars, used)
        return used, None

    seconds = Bars(TRADE_BAR)
    fold_seconds(seconds, times, fold)
    bars = Bars(TRADE_BAR, DAY_US // interval.microseconds)
    bars.used = merge_trades(seconds.filled, interval.microseconds, bars.room, 0)
    return dataset_frame(DATASETS[name], to_frame(bars.filled["start"], finish_trades(bars.filled)))


def compared_with_scan(inputs: Inputs) -> tuple[Pairs, Pairs]:
    """Time all datasets and intervals, and `flow` at 1m alone, each against the scan."""
    everything = timed_pairs(lambda: all_bars(inputs, [Clock.EXCHANGE]), lambda: scan(inputs), inputs.pairs)
    flow = timed_pairs(lambda: one_dataset(inputs, "flow", Interval.M1), lambda: scan(inputs), inputs.pairs)
    return everything, flow


def both_clocks_and_one(inputs: Inputs) -> Pairs:
    """Time both clocks from one decode against one clock."""
    return timed_pairs(lambda: all_bars(inputs, list(Clock)), lambda: all_bars(inputs, [Clock.EXCHANGE]), inputs.pairs)


def memory_of_all_bars(inputs: Inputs) -> tuple[float, float]:
    """Return this process's peak memory after all datasets and intervals of one clock, and before, MB."""
    before = peak_memory_mb()
    all_bars(inputs, [Clock.EXCHANGE])
    return peak_memory_mb(), before


def sorted_arrays(
    ticks: pl.DataFrame, clock: Clock
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """The columns as arrays in order of the clock, as `engine.day` hands them to the kernels."""
    ordered = ticks[clock.column].is_sorted()
    return _arrays((ticks if ordered else ticks.sort(clock.column, maintain_order=True)).rechunk(), clock)


def _arrays(
    ticks: pl.DataFrame, clock: Clock
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    times = ticks[clock.column].to_physical().to_numpy()
    sides = ticks["side"].to_physical().cast(pl.UInt8).to_numpy()
    return frozen(times), frozen(sides), frozen(ticks["price"].to_numpy()), frozen(ticks["amount"].to_numpy())
