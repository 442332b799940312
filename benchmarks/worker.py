"""What a new build worker does before its first task is under way: import, and load the compiled kernels."""

from __future__ import annotations

import numpy as np

import aperiodic.engine.executors.processes  # noqa: F401 - what a worker imports
from aperiodic.catalog import DATASETS
from aperiodic.engine.fields import dataset_frame
from aperiodic.market import Clock
from benchmarks.inputs import day_of_trades
from benchmarks.trade_bars import day_of

if __name__ == "__main__":
    trades = day_of_trades(np.random.default_rng(0), 10, 0)
    for partials in day_of(trades, Clock.EXCHANGE).values():
        dataset_frame(DATASETS["flow"], partials)
