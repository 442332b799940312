"""Every field, interval and clock against computations that share no code with the engine."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from tests.in_memory import bars_in_memory
from tests.lakes import BTC, SOAK, built, published
from tests.oracle import (
    FIELDS,
    OTHER_FIELDS,
    TRADE_FIELDS,
    assert_bars_equal,
    bars_duckdb,
    bars_python,
    random_trades,
)
from tests.oracle.strategies import trades_frames

from aperiodic.catalog import DATASETS, Family
from aperiodic.engine.families import datasets_of
from aperiodic.lake import Lake, Settings
from aperiodic.market import Clock, Exchange, Interval, Stream
from aperiodic.simulate import MarketSpec, simulate_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def check(
    lake: Lake, trades: pl.DataFrame, oracle: Callable[[pl.DataFrame, str, str], dict[str, pl.DataFrame]]
) -> None:
    for clock, interval in built(lake, trades):
        expected = oracle(trades, clock, interval)
        for dataset in FIELDS:
            assert_bars_equal(published(lake, dataset, clock, interval), expected[dataset])


def test_oracle_covers_every_field_of_the_catalog() -> None:
    covered = FIELDS | TRADE_FIELDS | OTHER_FIELDS
    assert {name: list(fields) for name, fields in covered.items()} == {
        name: [field.name for field in dataset.fields] for name, dataset in DATASETS.items()
    }


@settings(max_examples=12 * SOAK)
@given(trades=trades_frames())
def test_generated_edge_cases_agree_with_plain_python(trades: pl.DataFrame) -> None:
    for clock in Clock:
        bars = bars_in_memory(Family.TRADES, {Stream.TRADES: trades}, clock, only=FIELDS)
        for interval in clock.intervals:
            expected = bars_python(trades, clock, interval)
            for dataset in FIELDS:
                assert_bars_equal(bars[interval][dataset], expected[dataset])


@settings(max_examples=2 * SOAK)
@given(trades=trades_frames())
def test_generated_edge_cases_that_are_published_agree_with_plain_python(trades: pl.DataFrame) -> None:
    with TemporaryDirectory() as folder:
        lake = Lake.open(Settings(home=Path(folder)))
        check(lake, trades, bars_python)
        lake.close()


def test_days_over_a_month_edge_agree_with_plain_python(lake: Lake) -> None:
    check(lake, random_trades(7, 12_000, date(2025, 4, 30), days=2), bars_python)


def test_many_trades_agree_with_sql(lake: Lake) -> None:
    check(lake, random_trades(11, 150_000, date(2024, 2, 28), days=3), bars_duckdb)


def test_simulated_market_agrees_with_sql(lake: Lake) -> None:
    spec = MarketSpec(Exchange.BINANCE_FUTURES, BTC, seed=5, trades_per_day=30_000)
    days = [simulate_day(spec, date(2025, 5, day), [Stream.TRADES])[Stream.TRADES] for day in (1, 2)]
    check(lake, pl.concat(days), bars_duckdb)


@pytest.mark.parametrize("clock", Clock)
@pytest.mark.parametrize("interval", [Interval.M5, Interval.H1, Interval.D1])
def test_second_bar_of_a_month_has_a_toxicity_of_exactly_a_half(
    month_edge: Lake, clock: Clock, interval: Interval
) -> None:
    scores = published(month_edge, "flow", clock, interval).select("time", "flow_toxicity_score")
    by_month = scores.group_by(pl.col("time").dt.month(), maintain_order=True)
    seen = 0
    for _, month in by_month:
        values = month["flow_toxicity_score"].head(2).to_list()
        assert values[0] is None
        if len(values) > 1:
            assert values[1] in {None, 0.5, -0.5}
            seen += values[1] is not None
    assert seen


@pytest.fixture(scope="module")
def month_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    lake = Lake.open(Settings(home=tmp_path_factory.mktemp("month-edge")))
    list(built(lake, random_trades(3, 30_000, date(2025, 4, 29), days=5)))
    yield lake
    lake.close()


def test_files_hold_the_schema_and_no_undefined_number(month_edge: Lake) -> None:
    for dataset in datasets_of(Family.TRADES):
        for clock in Clock:
            for interval in clock.intervals:
                frame = published(month_edge, dataset.id, clock, interval)
                assert frame.schema == dataset.schema
                assert frame["time"].is_sorted()
                assert frame["time"].is_unique().all()
                numbers = frame.select(pl.col(pl.Float64))
                assert all(column.is_nan().sum() == 0 and column.is_infinite().sum() == 0 for column in numbers)
