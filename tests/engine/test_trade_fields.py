"""The trade datasets beyond flow, in memory and through a lake, against computations that share no code with the engine."""

from __future__ import annotations

from datetime import date
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from hypothesis import given, settings
from tests.lakes import SOAK, VENUE, built, published
from tests.oracle import CLOCK_COLUMN, assert_bars_equal, random_trades, trades_frame
from tests.oracle.strategies import trades_frames
from tests.oracle.trades import (
    SQL_ATOL,
    SQL_RTOL,
    TRADE_ATOL,
    TRADE_FIELDS,
    TRADE_RTOL,
    trade_bars_duckdb,
    trade_bars_python,
)
from tests.oracle.trades.strategies import SHAPES, crowded_second, shaped_trades

from aperiodic.catalog import DATASETS
from aperiodic.engine.fields import dataset_frame, partials_of
from aperiodic.engine.partials.kernel import DayTicks
from aperiodic.engine.partials.trades import KERNEL
from aperiodic.market import DAY_US, Clock, Interval, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aperiodic.lake import Lake

    Oracle = Callable[[pl.DataFrame, str, str], dict[str, pl.DataFrame]]

_NOON: Final = 19_796 * DAY_US + DAY_US // 2
_GAPS: Final = (0, 0, 1, 0, 14, 1, 0, 0, 45, 300, 1, 0, 3_000)
"""Seconds from trade to trade: bars of one, two, three and four trades that meet at edges of all intervals."""


def partials(trades: pl.DataFrame, clock: Clock) -> dict[Interval, pl.DataFrame]:
    """Run the kernel on every day of a frame of ticks and join the days."""
    time = pl.col(CLOCK_COLUMN[clock]).to_physical().alias("time")
    ordered = trades.select(time, "side", "price", "amount").sort("time", maintain_order=True)
    days: dict[Interval, list[pl.DataFrame]] = {interval: [] for interval in Interval}
    for day in ordered.with_columns(day=pl.col("time") // DAY_US).partition_by("day", include_key=False):
        ticks = DayTicks(VENUE, clock, day["time"][0] // DAY_US * DAY_US, {Stream.TRADES: day}, {})
        for interval, frame in KERNEL.bars(ticks).items():
            days[interval].append(frame)
    return {interval: pl.concat(frames) for interval, frames in days.items()}


def compare(frame: pl.DataFrame, expected: Mapping[str, pl.DataFrame]) -> None:
    for name in TRADE_FIELDS:
        bars = dataset_frame(DATASETS[name], frame)
        assert_bars_equal(bars, expected[name], rtol=TRADE_RTOL, atol=TRADE_ATOL)


def check(trades: pl.DataFrame, oracle: Oracle) -> None:
    for clock in Clock:
        for interval, frame in partials(trades, clock).items():
            compare(frame, oracle(trades, clock, interval))


def day_bar(prices: list[float], amounts: list[float], sides: str, *, apart: int = 1) -> dict[str, float | None]:
    """All fields of the 1d bar of trades that are some seconds apart; sides are the letters B and S."""
    times = [_NOON + i * apart * 1_000_000 for i in range(len(prices))]
    words = ["buy" if side == "B" else "sell" for side in sides]
    trades = trades_frame(zip(times, times, words, prices, amounts, strict=True))
    frame = partials(trades, Clock.EXCHANGE)[Interval.D1]
    row: dict[str, float | None] = {}
    for name in TRADE_FIELDS:
        row |= dataset_frame(DATASETS[name], frame).drop("time").row(0, named=True)
    return row


@settings(max_examples=15 * SOAK)
@given(trades=trades_frames())
def test_edge_cases_agree_with_exact_arithmetic(trades: pl.DataFrame) -> None:
    check(trades, trade_bars_python)


@pytest.mark.parametrize("shape", SHAPES)
def test_bars_of_any_shape_agree_with_exact_arithmetic_in_one_piece_and_merged(shape: str) -> None:
    @settings(max_examples=10 * SOAK)
    @given(trades=shaped_trades(shape))
    def agrees(trades: pl.DataFrame) -> None:
        compare(partials(trades, Clock.EXCHANGE)[Interval.S1], trade_bars_python(trades, Clock.EXCHANGE, Interval.S1))
        gaps = pl.Series(list(islice(cycle(_GAPS), trades.height))) * 1_000_000
        time = (_NOON + gaps.cum_sum()).cast(pl.Datetime("us", "UTC"))
        spread = trades.with_columns(exchange_timestamp=time)
        # The oracle does not merge: it sees one bar of these trades, whenever they were.
        compare(partials(spread, Clock.EXCHANGE)[Interval.D1], trade_bars_python(trades, Clock.TRUE, Interval.D1))

    agrees()


def test_a_crowded_second_agrees_with_exact_arithmetic() -> None:
    trades = crowded_second()
    compare(partials(trades, Clock.EXCHANGE)[Interval.S1], trade_bars_python(trades, Clock.EXCHANGE, Interval.S1))


def test_days_over_a_month_edge_agree_with_exact_arithmetic() -> None:
    check(random_trades(7, 6_000, date(2025, 4, 30), days=2), trade_bars_python)


def test_published_files_agree_with_sql(lake: Lake) -> None:
    trades = random_trades(11, 60_000, date(2024, 2, 28), days=2)
    for clock, interval in built(lake, trades):
        expected = trade_bars_duckdb(trades, clock, interval)
        for name in TRADE_FIELDS:
            bars = published(lake, name, clock, interval)
            assert_bars_equal(bars, expected[name], rtol=SQL_RTOL, atol=SQL_ATOL)


@pytest.mark.parametrize("apart", [0, 1, 20, 2_000])
def test_runs_and_flips_of_the_worked_example(apart: int) -> None:
    bar = day_bar([100, 101, 100, 99, 98, 99, 97, 98], [1.0] * 8, "BBSSSBSB", apart=apart)
    assert (bar["buy_run_max_len"], bar["sell_run_max_len"]) == (2, 3)
    assert (bar["buy_run_mean_len"], bar["sell_run_mean_len"]) == (4 / 3, 2)
    assert (bar["run_imbalance"], bar["flip_rate"]) == (-0.2, 0.5)
    flips = [1 - 100 / 101, 99 / 98 - 1, 1 - 97 / 99, 98 / 97 - 1]
    assert bar["price_change_on_flip"] == pytest.approx(sum(flips) / 4, rel=1e-12)


@pytest.mark.parametrize("apart", [0, 1, 7, 100])
def test_constant_samples_have_no_variance_and_no_shape(apart: int) -> None:
    bar = day_bar([94_000.37] * 30, [0.1] * 30, "B" * 30, apart=apart)
    zero = ("price_std", "price_variance", "trade_amount_std", "trade_amount_variance", "price_cv", "logret_var")
    null = ("price_skewness", "price_kurtosis", "trade_amount_skewness", "trade_amount_kurtosis", "kyle_like_lambda")
    assert [bar[name] for name in zero] == [0] * len(zero)
    assert [bar[name] for name in null] == [None] * len(null)
    assert (bar["jump_ratio"], bar["ret_autocorr_lag1"], bar["trendiness"]) == (None, None, None)
    assert bar["large_trade_reversal"] == 0


@pytest.mark.parametrize("apart", [0, 1, 20])
def test_nearly_equal_returns_keep_their_digits(apart: int) -> None:
    bar = day_bar([9687.61, 9687.62, 9687.63, 9687.64, 9687.66], [1.0] * 5, "BBBBB", apart=apart)
    assert bar["ret_autocorr_lag1"] == pytest.approx(-0.866024658823386, rel=1e-14)


@pytest.mark.parametrize("apart", [0, 1, 20])
def test_a_bar_that_ends_where_it_began_has_no_trend(apart: int) -> None:
    there = [9687.61, 9687.62, 9688.97, 9687.64, 9690.01]
    bar = day_bar([*there, *there[::-1]], [1.0] * 10, "BS" * 5, apart=apart)
    assert (bar["trendiness"], bar["amihud_like"], bar["impact_per_notional"]) == (0, 0, None)


@pytest.mark.parametrize("apart", [0, 1, 20])
def test_constant_growth_has_no_variance_of_returns(apart: int) -> None:
    bar = day_bar([0.3 * 2**k for k in range(12)], [1.0, 2.0] * 6, "BS" * 6, apart=apart)
    assert (bar["logret_var"], bar["ret_autocorr_lag1"]) == (0, None)
    assert bar["trendiness"] == pytest.approx(1, rel=1e-15)


def test_a_single_trade_has_no_returns() -> None:
    bar = day_bar([100.0], [2.0], "S")
    defined = {name for name in TRADE_FIELDS["returns"] if bar[name] is not None}
    assert (defined, bar["realized_vol"], bar["bipower_variation"]) == ({"realized_vol", "bipower_variation"}, 0, 0)
    assert [bar[name] for name in TRADE_FIELDS["run_structure"]] == [0, 1, 0, 1, -1, 0, None]
    assert [bar[name] for name in TRADE_FIELDS["updownticks"]] == [0, 0, 0, 0, 0, 0] + [None] * 8
    assert (bar["amihud_like"], bar["impact_per_notional"], bar["trade_amount_median"]) == (0, 0, 2)


def test_equal_and_opposite_flow_is_a_zero_denominator() -> None:
    amounts = [0.1, 0.2, 0.3, 0.7]
    prices = [100.1, 33.3, 7.7, 0.9]
    bar = day_bar(prices + prices[::-1], amounts + amounts[::-1], "BBBBSSSS", apart=20)
    assert bar["impact_per_notional"] is None


def test_a_day_without_trades_on_a_clock_has_no_bars() -> None:
    nothing = pl.DataFrame(
        schema={"time": pl.Int64, "side": pl.Enum(["buy", "sell"]), "price": pl.Float64, "amount": pl.Float64}
    )
    bars = KERNEL.bars(DayTicks(VENUE, Clock.TRUE, _NOON, {Stream.TRADES: nothing}, {}))
    some = partials(random_trades(1, 10, date(2025, 1, 1)), Clock.TRUE)
    assert set(bars) == set(Interval)
    assert all(frame.is_empty() and frame.schema == some[interval].schema for interval, frame in bars.items())


def test_day_files_hold_only_what_fields_need() -> None:
    frame = partials(random_trades(1, 10, date(2025, 1, 1)), Clock.TRUE)[Interval.S1]
    wanted = {name for dataset in DATASETS.values() if dataset.family == "trades" for name in partials_of(dataset)}
    assert set(frame.columns) == {"time", *wanted}
