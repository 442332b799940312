"""Every field made from quotes, on every interval and clock, against computations that share no code with the engine."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal
from tests.in_memory import bars_in_memory
from tests.lakes import SOAK, published, put_ticks
from tests.oracle import assert_other_bars_equal, quote_bars, quote_bars_duckdb, quotes_frame, random_market
from tests.oracle.others.strategies import quotes_frames

from aperiodic.catalog import Family
from aperiodic.engine.build import build
from aperiodic.engine.partials import columns
from aperiodic.market import Clock, Interval, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from aperiodic.lake import Lake

SECOND = 1_000_000
NOON = 1_710_417_600 * SECOND  # 2024-03-14 12:00 UTC


def check(quotes: pl.DataFrame, oracle: Callable[[pl.DataFrame, str, str], dict[str, pl.DataFrame]]) -> None:
    for clock in Clock:
        for interval, frames in bars_in_memory(Family.QUOTES, {Stream.QUOTES: quotes}, clock).items():
            assert_other_bars_equal(frames, oracle(quotes, clock, interval))


def rows(*quotes: tuple[int, float | None, float | None, float | None, float | None]) -> pl.DataFrame:
    """Ticks from (µs after noon, bid price, bid amount, ask price, ask amount)."""
    return quotes_frame((NOON + time, NOON + time, *values) for time, *values in quotes)  # type: ignore[misc]


def bar(quotes: pl.DataFrame, interval: Interval) -> dict[str, float | None]:
    """All fields of the only bar there is."""
    frames = bars_in_memory(Family.QUOTES, {Stream.QUOTES: quotes}, Clock.EXCHANGE)[interval]
    return {name: value for frame in frames.values() for name, value in frame.row(0, named=True).items()}


@settings(max_examples=25 * SOAK)
@given(quotes=quotes_frames())
def test_generated_edge_cases_agree_with_plain_python(quotes: pl.DataFrame) -> None:
    check(quotes, quote_bars)


def test_many_quotes_agree_with_sql() -> None:
    check(random_market(11, 40_000, date(2024, 2, 28), days=2).quotes, quote_bars_duckdb)


def test_bars_published_from_a_lake_agree_with_plain_python(lake: Lake) -> None:
    quotes = random_market(5, 3_000, date(2025, 4, 30), days=2).quotes
    put_ticks(lake, Stream.QUOTES, quotes)
    build(lake)
    for clock in Clock:
        for interval in clock.intervals:
            expected = quote_bars(quotes, clock, interval)
            assert_other_bars_equal({name: published(lake, name, clock, interval) for name in expected}, expected)


def test_each_quote_holds_until_the_next_and_the_last_until_its_own_bar_ends() -> None:
    quotes = rows(
        (15 * SECOND, 100.0, 1.0, 101.0, 1.0),
        (30 * SECOND, 102.0, 1.0, 104.0, 1.0),
        (75 * SECOND, 90.0, 1.0, 91.0, 1.0),
    )
    minutes = bars_in_memory(Family.QUOTES, {Stream.QUOTES: quotes}, Clock.TRUE)[Interval.M1]["l1_price"]
    assert minutes["bid_price_twap"].to_list() == [(100 * 15 + 102 * 30) / 45, 90.0]
    assert minutes["ask_price_twap"].to_list() == [(101 * 15 + 104 * 30) / 45, 91.0]
    assert bar(quotes, Interval.M5)["bid_price_twap"] == (100 * 15 + 102 * 45 + 90 * 225) / 285


def test_mean_update_interval_is_null_for_a_single_quote() -> None:
    quote = (100.0, 1.0, 101.0, 1.0)
    assert bar(rows((0, *quote)), Interval.M1)["avg_update_interval"] is None
    assert bar(rows((0, *quote), (0, *quote)), Interval.M1)["avg_update_interval"] == 0
    three = bar(rows((0, *quote), (2 * SECOND, *quote), (3 * SECOND, *quote)), Interval.M1)
    assert three["avg_update_interval"] == 1.5
    assert three["quote_update_frequency"] == 3


@pytest.mark.parametrize(
    "unusable",
    [
        (None, None, 101.0, 1.0),
        (100.0, 0.0, 101.0, 1.0),
        (100.0, 1.0, 0.0, 1.0),
        (100.0, 1.0, 101.0, float("nan")),
    ],
)
def test_quotes_that_lack_a_side_change_nothing_and_make_no_bar(unusable: tuple[float | None, ...]) -> None:
    whole = (0, 100.0, 1.0, 101.0, 2.0), (40 * SECOND, 102.0, 3.0, 103.0, 1.0)
    hole = (20 * SECOND, *unusable)
    assert bar(rows(whole[0], hole, whole[1]), Interval.M1) == bar(rows(*whole), Interval.M1)  # type: ignore[arg-type]
    for frames in bars_in_memory(Family.QUOTES, {Stream.QUOTES: rows(hole)}, Clock.EXCHANGE).values():  # type: ignore[arg-type]
        assert [frame.height for frame in frames.values()] == [0, 0, 0]


@pytest.mark.parametrize("apart", [0, 1, 20 * SECOND])
def test_what_opposite_quotes_leave_over_is_not_lost(apart: int) -> None:
    much, less = 2.0**60, 2.0**59
    quotes = rows((0, 9.0, much, 10.0, less), (apart, 9.0, 2.0, 10.0, 1.0), (2 * apart, 9.0, less, 10.0, much))
    found = bar(quotes, Interval.M1)
    assert found["imbalance_avg"] == 1 / 3
    assert found["imbalance_ratio_avg"] == pytest.approx(1 / 9, rel=1e-15)


def test_crossed_quotes_have_negative_spreads() -> None:
    found = bar(rows((0, 101.0, 1.0, 99.0, 3.0)), Interval.S1)
    assert (found["spread"], found["spread_bps"], found["spread_depth_ratio"]) == (-2.0, -200.0, -0.5)
    assert found["midprice"] == 100.0
    assert found["weighted_midprice"] == (101 * 3 + 99 * 1) / 4


def test_bars_do_not_depend_on_how_many_quotes_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    quotes = random_market(2, 500, date(2024, 3, 14)).quotes
    whole = bars_in_memory(Family.QUOTES, {Stream.QUOTES: quotes}, Clock.TRUE)
    monkeypatch.setattr(columns, "_ROWS_AT_ONCE", 7)
    pieces = bars_in_memory(Family.QUOTES, {Stream.QUOTES: quotes}, Clock.TRUE)
    for interval, frames in whole.items():
        for dataset, frame in frames.items():
            assert_frame_equal(pieces[interval][dataset], frame, check_exact=True)
