"""Slippage against computations that share no code with the engine, and the rules of its join to quotes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.in_memory import bars_in_memory
from tests.lakes import SOAK
from tests.oracle import trades_frame
from tests.oracle.others import (
    assert_other_bars_equal,
    quotes_frame,
    random_market,
    slippage_bars,
    slippage_bars_duckdb,
)
from tests.oracle.others.strategies import slippage_frames

from aperiodic.catalog import Family, dataset
from aperiodic.engine.partials.quantiles import bar_quantiles
from aperiodic.market import Clock, Exchange, Interval, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

SECOND: Final = 1_000_000
NOON: Final = int(datetime(2025, 5, 1, 12, tzinfo=UTC).timestamp()) * SECOND


def check(
    trades: pl.DataFrame,
    quotes: pl.DataFrame,
    oracle: Callable[[pl.DataFrame, pl.DataFrame, str, str], dict[str, pl.DataFrame]],
) -> None:
    for clock in Clock:
        bars = bars_in_memory(Family.SLIPPAGE, {Stream.TRADES: trades, Stream.QUOTES: quotes}, clock)
        for interval in Interval:
            assert_other_bars_equal(bars[interval], oracle(trades, quotes, clock, interval))


def slippage(
    trades: list[tuple[int, str, float]],
    quotes: list[tuple[int, float, float]],
    *,
    clock: Clock = Clock.TRUE,
    interval: Interval = Interval.D1,
    exchange: Exchange = Exchange.BINANCE_FUTURES,
) -> pl.DataFrame:
    """Bars of trades (µs after noon, side, price) and quotes (µs after noon, bid, ask)."""
    ticks = {
        Stream.TRADES: trades_frame([(NOON + at, NOON + at, side, price, 2.0) for at, side, price in trades]),
        Stream.QUOTES: quotes_frame([(NOON + at, NOON + at, bid, 1.0, ask, 1.0) for at, bid, ask in quotes]),
    }
    return bars_in_memory(Family.SLIPPAGE, ticks, clock, exchange)[interval]["slippage"]


@settings(max_examples=25 * SOAK)
@given(ticks=slippage_frames())
def test_generated_edge_cases_agree_with_plain_python(ticks: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    check(*ticks, slippage_bars)


def test_many_trades_agree_with_sql() -> None:
    market = random_market(17, 40_000, date(2025, 4, 30), days=2)
    check(market.trades, market.quotes, slippage_bars_duckdb)


@settings(max_examples=30 * SOAK)
@given(
    values=st.lists(st.sampled_from([-1.5, 0.0, 0.0, 0.25, 1e300]) | st.floats(-9, 9), min_size=1, max_size=300),
    cuts=st.tuples(st.sets(st.integers(1, 299)), st.sets(st.integers(1, 299)), st.sets(st.integers(1, 299))),
    percent=st.integers(0, 100),
)
def test_quantiles_of_values_of_either_sign_are_those_of_the_sorted_bars(
    values: list[float], cuts: tuple[set[int], ...], percent: int
) -> None:
    levels = [{cut for cut in cuts[0] if cut < len(values)} | {len(values)}]
    for more in cuts[1:]:
        levels.append((levels[-1] & more) | {len(values)})
    found = bar_quantiles(np.array(values), [np.array(sorted(ends)) for ends in levels], (percent, 50))
    for level, ends in enumerate(levels):
        for bar, (begin, end) in enumerate(pairwise([0, *sorted(ends)])):
            assert found[level][bar, 0] == pytest.approx(np.percentile(values[begin:end], percent), rel=1e-12)
            assert found[level][bar, 1] == pytest.approx(np.median(values[begin:end]), rel=1e-12)


def test_a_quote_of_the_same_microsecond_is_not_yet_seen() -> None:
    quotes = [(0, 99.0, 100.0), (5, 99.0, 101.0)]
    assert slippage([(5, "buy", 101.0)], quotes)["slippage_mean"].item() == 1.0
    assert slippage([(6, "buy", 101.0)], quotes)["slippage_mean"].item() == 0.0


def test_the_last_of_quotes_with_the_same_time_counts() -> None:
    quotes = [(0, 99.0, 100.0), (0, 98.0, 103.0)]
    assert slippage([(1, "sell", 97.0)], quotes)["slippage_mean"].item() == 1.0


def test_trades_before_the_first_quote_make_no_row() -> None:
    trades = [(0, "buy", 100.0), (SECOND, "buy", 100.0), (3 * SECOND, "buy", 100.5)]
    bars = slippage(trades, [(SECOND, 99.0, 100.0)], interval=Interval.S1)
    assert bars["time"].to_list() == [datetime(2025, 5, 1, 12, 0, 3)]  # noqa: DTZ001 (published times are naive)


def test_a_quote_of_the_day_before_holds_for_24_hours() -> None:
    quote = [(-86_400 * SECOND, 99.0, 101.0)]
    assert slippage([(0, "sell", 98.0)], quote)["slippage_bps_mean"].item() == 100.0
    assert slippage([(1, "sell", 98.0)], quote).is_empty()


def test_equal_costs_have_a_spread_of_exactly_zero() -> None:
    bars = slippage([(at, "buy", 100.3) for at in range(1, 8)], [(0, 100.0, 100.1)])
    assert bars["slippage_bps_std"].item() == 0.0
    assert bars["slippage_bps_median"].item() == bars["slippage_bps_p95"].item() == bars["slippage_bps_mean"].item()


def test_costs_that_cancel_are_no_denominator() -> None:
    trades = [(1, "sell", 98.9), (2, "sell", 99.1), (3, "buy", 101.0)]
    bars = slippage(trades, [(0, 99.0, 100.0)]).row(0, named=True)
    assert bars["slippage_bps_sell_mean"] == 0.0
    assert bars["slippage_bps_buy_sell_ratio"] is None
    assert bars["slippage_bps_sell_buy_ratio"] == 0.0


@pytest.mark.parametrize("interval", Interval)
def test_quotes_without_exchange_time_give_slippage_on_arrival_times_only(interval: Interval) -> None:
    ticks = ([(1, "buy", 101.0)], [(0, 99.0, 100.0)])
    bars = slippage(*ticks, clock=Clock.EXCHANGE, interval=interval, exchange=Exchange.BINANCE)
    assert bars.schema == dataset("slippage").schema
    assert bars.height == 0
    assert slippage(*ticks, clock=Clock.TRUE, interval=interval, exchange=Exchange.BINANCE).height == 1


def test_every_description_says_which_clock_measures_costs() -> None:
    for field in dataset("slippage").fields:
        assert "On the `true` clock" in field.description
        assert "use the `exchange` clock" in field.description
