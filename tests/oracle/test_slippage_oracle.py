"""The oracle of slippage: hand-computed bars, and agreement of its two computations."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, TypeAlias

import polars as pl
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from tests.oracle import trades_frame
from tests.oracle.others import (
    assert_other_bars_equal,
    other_bar_schema,
    quotes_frame,
    random_market,
    slippage_bars,
    slippage_bars_duckdb,
)
from tests.oracle.others.strategies import slippage_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    Bars: TypeAlias = Callable[[pl.DataFrame, pl.DataFrame, str, str], dict[str, pl.DataFrame]]
    Ticks: TypeAlias = tuple[pl.DataFrame, pl.DataFrame]

CLOCKS = ("exchange", "true")
NOON = int(datetime(2024, 3, 14, 12, tzinfo=UTC).timestamp()) * 1_000_000
MARCH = int(datetime(2024, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.fixture(params=[slippage_bars, slippage_bars_duckdb], ids=["python", "duckdb"])
def bars(request: pytest.FixtureRequest) -> Bars:
    computation: Bars = request.param
    return computation


def _trades(*trades: tuple[int, str, float, float]) -> pl.DataFrame:
    return trades_frame((time, time, side, price, amount) for time, side, price, amount in trades)


def _quotes(*quotes: tuple[int, float, float]) -> pl.DataFrame:
    """Quotes of (time, bid, ask), both for an amount of 1."""
    return quotes_frame((time, time, bid, 1.0, ask, 1.0) for time, bid, ask in quotes)


def test_every_field_of_a_bar_worked_out_by_hand(bars: Bars) -> None:
    quotes = _quotes((NOON, 99.0, 101.0), (NOON + 5, 199.0, 201.0))
    trades = _trades(
        (NOON, "buy", 500.0, 100.0),  # no quote strictly before it
        (NOON + 1, "buy", 102.0, 1.0),  # 100 bp
        (NOON + 5, "sell", 98.0, 3.0),  # the quote of the same time is not used: 100 bp
        (NOON + 6, "sell", 199.0, 4.0),  # 0 bp
        (NOON + 7, "buy", 200.0, 2.0),  # -50 bp
    )
    row = (0.25, 37.5, 75.0, 50.0, 100.0, 30.0, 25.0, 50.0, 0.5, 2.0)
    expected = pl.DataFrame(
        [(datetime(2024, 3, 14, 12), *row)],  # noqa: DTZ001 -- bar times carry no zone
        schema=other_bar_schema("slippage"),
        orient="row",
    )
    assert_other_bars_equal(bars(trades, quotes, "exchange", "1m"), {"slippage": expected})


def test_an_interval_without_a_matched_trade_has_no_row(bars: Bars) -> None:
    trades = _trades((NOON, "buy", 100.0, 1.0))
    assert bars(trades, _quotes((NOON, 99.0, 101.0)), "exchange", "1m")["slippage"].is_empty()
    assert bars(trades, _quotes(), "exchange", "1m")["slippage"].is_empty()


def test_the_quote_is_the_latest_two_sided_one_of_any_day(bars: Bars) -> None:
    quotes = quotes_frame(
        [
            (MARCH - 3, MARCH - 3, 10.0, 1.0, 12.0, 1.0),
            (MARCH - 2, MARCH - 2, 20.0, 1.0, 22.0, 1.0),
            (MARCH - 2, MARCH - 2, 99.0, 1.0, 101.0, 1.0),  # the later of two of one time
            (MARCH - 1, MARCH - 1, 50.0, 1.0, None, None),
            (MARCH, MARCH, 50.0, 1.0, 52.0, 0.0),
        ]
    )
    result = bars(_trades((MARCH + 1, "sell", 98.0, 1.0)), quotes, "exchange", "1d")["slippage"]
    assert result["slippage_mean"].to_list() == [1.0]
    assert result["time"].dt.date().to_list() == [date(2024, 3, 1)]


def test_the_clock_decides_which_quote_came_before(bars: Bars) -> None:
    trades = trades_frame([(NOON + 10, NOON + 20, "buy", 102.0, 1.0)])
    quotes = quotes_frame([(NOON, NOON + 15, 99.0, 1.0, 101.0, 1.0), (NOON + 10, NOON + 19, 100.0, 1.0, 104.0, 1.0)])
    means = {clock: bars(trades, quotes, clock, "1s")["slippage"]["slippage_mean"].item() for clock in CLOCKS}
    assert means == {"exchange": 1.0, "true": -2.0}


def test_one_trade_has_no_deviation_and_the_other_side_no_mean(bars: Bars) -> None:
    trades, quotes = _trades((NOON + 1, "buy", 102.0, 1.0)), _quotes((NOON, 99.0, 101.0))
    row = bars(trades, quotes, "exchange", "1m")["slippage"].row(0)[1:]
    assert row == (1.0, 100.0, None, 100.0, 100.0, 100.0, 100.0, None, None, None)


def test_costs_that_cancel_are_a_zero_denominator(bars: Bars) -> None:
    trades = _trades(
        *((NOON + 1, "buy", 101.0 + change, 1.0) for change in (0.3, 1e-3, -0.3, -1e-3)),
        (NOON + 1, "sell", 98.0, 1.0),
    )
    row = bars(trades, _quotes((NOON, 99.0, 101.0)), "exchange", "1m")["slippage"].row(0, named=True)
    # 101.3 - 101 and 100.7 - 101 are opposite doubles, and so are the smaller two.
    assert row["slippage_bps_buy_mean"] == 0.0
    assert row["slippage_bps_buy_sell_ratio"] == 0.0
    assert row["slippage_bps_sell_buy_ratio"] is None


def test_equal_costs_deviate_by_exactly_nothing_and_percentiles_interpolate(bars: Bars) -> None:
    quotes = _quotes((NOON, 27_999.9, 28_000.1))
    same = _trades(*((NOON + 1 + k, "buy", 28_000.7, 1.0 + k) for k in range(7)))
    assert bars(same, quotes, "exchange", "1m")["slippage"]["slippage_bps_std"].item() == 0.0
    two = _trades((NOON + 1, "buy", 101.0, 1.0), (NOON + 2, "buy", 102.0, 1.0))
    row = bars(two, _quotes((NOON, 99.0, 101.0)), "exchange", "1m")["slippage"].row(0, named=True)
    assert row["slippage_bps_median"] == 50.0
    assert row["slippage_bps_p95"] == pytest.approx(95.0, rel=1e-15)


@pytest.mark.parametrize("interval", ["1s", "1m", "1h", "1d"])
@pytest.mark.parametrize("clock", CLOCKS)
def test_both_computations_agree_on_a_long_market(clock: str, interval: str) -> None:
    market = random_market(7, 2_000, date(2024, 2, 28), days=3)
    ticks = (market.trades, market.quotes)
    assert_other_bars_equal(slippage_bars_duckdb(*ticks, clock, interval), slippage_bars(*ticks, clock, interval))


@given(ticks=slippage_frames(), clock=st.sampled_from(CLOCKS), interval=st.sampled_from(["1s", "1m", "15m", "1d"]))
@settings(max_examples=25)
def test_both_computations_agree_on_edges(ticks: Ticks, clock: str, interval: str) -> None:
    assert_other_bars_equal(slippage_bars_duckdb(*ticks, clock, interval), slippage_bars(*ticks, clock, interval))


def _day(ticks: Ticks, clock: str = "exchange") -> pl.DataFrame:
    return slippage_bars(*ticks, clock, "1d")["slippage"]


def _matched_after(ticks: Ticks, day: object) -> bool:
    return isinstance(day, date) and (_day(ticks)["time"].dt.date() > day).any()


EDGES: dict[str, Callable[[Ticks], bool]] = {
    "no quotes": lambda ticks: ticks[1].is_empty(),
    "a trade at the time of a quote": lambda ticks: (
        not ticks[0].join(ticks[1], on="exchange_timestamp", how="semi").is_empty()
    ),
    "quotes of one time": lambda ticks: ticks[1]["exchange_timestamp"].is_duplicated().any(),
    "clocks that match differently": lambda ticks: (
        not _day(ticks).is_empty() and not _day(ticks).equals(_day(ticks, "true"))
    ),
    "both sides": lambda ticks: _day(ticks)["slippage_bps_buy_sell_ratio"].is_not_null().any(),
    "one side": lambda ticks: (_day(ticks)["slippage_bps_buy_mean"].is_null()).any(),
    "a match with a quote of an earlier day": lambda ticks: _matched_after(
        ticks, ticks[1]["exchange_timestamp"].dt.date().max()
    ),
}


@pytest.mark.parametrize("edge", EDGES)
def test_generated_ticks_reach(edge: str) -> None:
    find(
        slippage_frames(),
        EDGES[edge],
        settings=settings(max_examples=1_000, deadline=None, database=None, phases=[Phase.generate]),
    )
