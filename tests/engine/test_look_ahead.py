"""A bar knows nothing of what happened after its end on its own clock."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.lakes import BTC, SOAK, put_ticks

from aperiodic.catalog import TIME_COLUMN, Family
from aperiodic.engine.day import compute_day, select_bars
from aperiodic.engine.families import datasets_of
from aperiodic.engine.fields import dataset_frame
from aperiodic.engine.plan import Selection, plan_days
from aperiodic.lake import Lake, Settings
from aperiodic.market import Clock, Exchange, Interval, Stream
from aperiodic.simulate import MarketSpec, simulate_day

if TYPE_CHECKING:
    from collections.abc import Mapping

DAYS = (date(2025, 4, 30), date(2025, 5, 1))
HOUR_US = 3_600_000_000
Ticks = dict[Stream, pl.DataFrame]


@cache
def market(seed: int) -> Ticks:
    """Two days of all streams, with arrivals delayed and shuffled far more than the simulator does by itself."""
    spec = MarketSpec(Exchange.BINANCE_FUTURES, BTC, seed=seed, trades_per_day=1500)
    days = [simulate_day(spec, day, tuple(Stream)) for day in DAYS]
    delays = random.Random(seed)  # noqa: S311 - made-up delays
    ticks = {}
    for stream in Stream:
        frame = pl.concat([day[stream] for day in days])
        late = pl.Series([delays.choice([0, 0, 0, 5, 90, 4000]) * 1_000_000 for _ in range(frame.height)])
        ticks[stream] = frame.with_columns(pl.col("local_timestamp") + late.cast(pl.Duration("us")))
    return ticks


def bars(ticks: Mapping[Stream, pl.DataFrame]) -> dict[Family, pl.DataFrame]:
    """Day bars of every family, days joined."""
    with TemporaryDirectory() as folder, closing(Lake.open(Settings(home=Path(folder)))) as lake:
        for stream, frame in ticks.items():
            if frame.height:
                put_ticks(lake, stream, frame)
        made: dict[Family, list[pl.DataFrame]] = {}
        for task, _ in plan_days(lake, Exchange.BINANCE_FUTURES, BTC, Selection()).tasks:
            made.setdefault(task.family, []).append(compute_day(lake.store, task))
        return {family: pl.concat(days) for family, days in made.items()}


@cache
def bars_of_market(seed: int) -> dict[Family, pl.DataFrame]:
    """Day bars of a market as it was."""
    return bars(market(seed))


def without(ticks: Ticks, clock: Clock, cut: int) -> Ticks:
    """Nothing that happened, or arrived, from `cut` on."""
    return {stream: frame.filter(pl.col(clock.column).to_physical() < cut) for stream, frame in ticks.items()}


def with_other(ticks: Ticks, clock: Clock, cut: int) -> Ticks:
    """Other numbers in all that happened, or arrived, from `cut` on."""
    later = pl.col(clock.column).to_physical() >= cut
    numbers = pl.col(pl.Float64)
    changed = {
        stream: frame.with_columns(pl.when(later).then(numbers * 1.25).otherwise(numbers).name.keep())
        for stream, frame in ticks.items()
    }
    flipped = pl.when(later).then(pl.lit("buy")).otherwise(pl.col("side").cast(pl.String))
    changed[Stream.TRADES] = changed[Stream.TRADES].with_columns(
        flipped.cast(ticks[Stream.TRADES].schema["side"]).alias("side")
    )
    return changed


def closed(frame: pl.DataFrame, clock: Clock, interval: Interval, cut: int) -> pl.DataFrame:
    """The bars of a clock and interval that had ended at `cut`."""
    rows = select_bars(frame.lazy(), clock, [interval]).collect()
    ended = pl.col(TIME_COLUMN).to_physical() + interval.microseconds <= cut
    return rows.filter(ended).drop("clock", "interval")


@pytest.mark.parametrize("clock", Clock)
@pytest.mark.parametrize("change", [without, with_other])
@pytest.mark.parametrize("seed", range(2 * SOAK))
def test_bars_do_not_change_with_what_comes_after_them(clock: Clock, change: type, seed: int) -> None:
    ticks = market(seed)
    begin = int(ticks[Stream.TRADES]["exchange_timestamp"].to_physical()[0])
    cut = begin + random.Random(seed).randrange(20 * HOUR_US, 46 * HOUR_US)  # noqa: S311 - where to cut
    full, changed = bars_of_market(seed), bars(change(ticks, clock, cut))
    seen = 0
    for family, frame in full.items():
        for interval in clock.intervals:
            before = closed(frame, clock, interval, cut)
            after = closed(changed[family], clock, interval, cut)
            assert_frame_equal(before, after, check_exact=True)
            for dataset in datasets_of(family) if before.height else []:
                assert_frame_equal(dataset_frame(dataset, before), dataset_frame(dataset, after), check_exact=True)
                seen += before.height
    assert seen


def test_scores_that_look_back_over_the_month_do_not_look_ahead() -> None:
    frame = select_bars(bars(market(9))[Family.TRADES].lazy(), Clock.EXCHANGE, [Interval.M5]).collect()
    (flow,) = [dataset for dataset in datasets_of(Family.TRADES) if dataset.id == "flow"]
    whole = dataset_frame(flow, frame)
    for rows in (1, 2, 50, frame.height - 1):
        assert_frame_equal(dataset_frame(flow, frame.head(rows)), whole.head(rows), check_exact=True)
