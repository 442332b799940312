"""The oracle of derivatives: hand-computed bars, and agreement of its two computations."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from statistics import stdev
from typing import TYPE_CHECKING, TypeAlias

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from tests.oracle import trades_frame
from tests.oracle.others import (
    assert_other_bars_equal,
    derivative_bars,
    derivative_bars_duckdb,
    funding_bars,
    funding_bars_duckdb,
    open_interest_bars,
    open_interest_bars_duckdb,
    other_bar_schema,
    random_market,
    values_frame,
)
from tests.oracle.others.strategies import DerivativeTicks, derivative_frames, funding_frames, open_interest_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    Frames: TypeAlias = dict[str, pl.DataFrame]
    DerivativeBars: TypeAlias = Callable[[pl.DataFrame, pl.DataFrame, pl.DataFrame, str, str], Frames]
    FundingBars: TypeAlias = Callable[[pl.DataFrame, str, str], Frames]
    OpenInterestBars: TypeAlias = Callable[[pl.DataFrame, pl.DataFrame, str, str], Frames]
    OpenInterestTicks: TypeAlias = tuple[pl.DataFrame, pl.DataFrame]

CLOCKS = ("exchange", "true")
SECOND = 1_000_000
NOON = int(datetime(2024, 3, 14, 12, tzinfo=UTC).timestamp()) * SECOND
EDGY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
INTERVALS = st.sampled_from(["1s", "1m", "15m", "1d"])


@pytest.fixture(params=[derivative_bars, derivative_bars_duckdb], ids=["python", "duckdb"])
def bars(request: pytest.FixtureRequest) -> DerivativeBars:
    computation: DerivativeBars = request.param
    return computation


@pytest.fixture(params=[funding_bars, funding_bars_duckdb], ids=["python", "duckdb"])
def funding(request: pytest.FixtureRequest) -> FundingBars:
    computation: FundingBars = request.param
    return computation


@pytest.fixture(params=[open_interest_bars, open_interest_bars_duckdb], ids=["python", "duckdb"])
def open_interest(request: pytest.FixtureRequest) -> OpenInterestBars:
    computation: OpenInterestBars = request.param
    return computation


def _values(column: str, *updates: tuple[float, float]) -> pl.DataFrame:
    """Updates of (seconds after noon, value) that arrive the moment they are made."""
    times = [(NOON + round(seconds * SECOND), value) for seconds, value in updates]
    return values_frame(column, ((time, time, value) for time, value in times))


def _trades(*trades: tuple[float, float]) -> pl.DataFrame:
    """Trades of (seconds after noon, price)."""
    times = [(NOON + round(seconds * SECOND), price) for seconds, price in trades]
    return trades_frame((time, time, "buy", price, 1.0) for time, price in times)


def test_every_field_of_a_bar_worked_out_by_hand(bars: DerivativeBars) -> None:
    result = bars(
        _values("mark_price", (0, 101.0), (20, 110.0), (40, 99.0)),
        _values("index_price", (0, 100.0), (40, 90.0), (40, 110.0), (41, 1.0)),
        _trades((10, 80.0), (20, 88.0), (30, 110.0)),
        "exchange",
        "1m",
    )
    mark_change = -200 / 101
    rows = {
        # Bases 1, 10, -11 of indices 100, 100, 110; spreads 22, -11 of trades at 88, 110.
        "basis": (
            *(-11.0, -1000.0, -11.0, -1000.0),
            *(0.0, stdev([100.0, 1000.0, -1000.0]), 5.5, 3500 / math.sqrt(2)),
        ),
        "derivative_price": (
            *(110.0, 110.0, 99.0),
            *(25.0, 10.0, mark_change),
            *(mark_change / 10, mark_change / 25, 0.4),
        ),
    }
    expected = {
        dataset: pl.DataFrame(
            [(datetime(2024, 3, 14, 12), *row)],  # noqa: DTZ001 -- bar times carry no zone
            schema=other_bar_schema(dataset),
            orient="row",
        )
        for dataset, row in rows.items()
    }
    assert_other_bars_equal(result, expected)


def test_prices_not_known_yet_are_null_and_known_ones_reach_over_days(bars: DerivativeBars) -> None:
    result = bars(
        _values("mark_price", (0, 101.0), (86_400, 103.0)),
        _values("index_price", (1, 100.0)),
        _trades(),
        "exchange",
        "1d",
    )
    assert result["basis"]["basis"].to_list() == [None, 3.0]
    assert result["basis"]["basis_mean"].to_list() == [None, 3.0]
    assert result["basis"]["mark_price_spread_mean"].to_list() == [None, None]
    assert result["derivative_price"]["index_price"].to_list() == [None, 100.0]
    assert result["derivative_price"]["index_price_pct_change"].to_list() == [None, 0.0]


def test_one_update_changes_by_zero_and_its_ratios_are_null(bars: DerivativeBars) -> None:
    result = bars(
        _values("mark_price", (5, 101.0)), _values("index_price", (0, 100.0)), _trades((1, 50.0)), "true", "1s"
    )
    assert result["derivative_price"].row(0)[1:] == (50.0, 100.0, 101.0, 0.0, 0.0, 0.0, None, None, None)
    assert result["basis"]["basis_bps_std"].to_list() == [None]


def test_changes_count_from_the_first_known_price(bars: DerivativeBars) -> None:
    row = bars(
        _values("mark_price", (0, 100.0), (10, 110.0), (20, 121.0)),
        _values("index_price", (5, 100.0), (15, 120.0)),
        _trades((30, 1.0)),
        "exchange",
        "1m",
    )["derivative_price"].row(0, named=True)
    assert row["mark_price_pct_change"] == 21.0
    assert row["index_price_pct_change"] == 20.0
    assert row["mark_index_pct_change_ratio"] == pytest.approx(1.05, rel=1e-15)
    assert row["last_price_pct_change"] is None
    assert row["index_last_pct_change_ratio"] is None


def test_an_even_premium_deviates_by_exactly_nothing(bars: DerivativeBars) -> None:
    marks = _values("mark_price", *((k, 28_000.7) for k in range(7)))
    row = bars(marks, _values("index_price", (0, 28_000.1)), _trades((0, 27_999.3)), "exchange", "1m")["basis"]
    assert row["basis_bps_std"].item() == 0.0
    assert row["mark_price_spread_bps_std"].item() == 0.0


def test_without_mark_prices_there_are_no_rows(bars: DerivativeBars) -> None:
    result = bars(_values("mark_price"), _values("index_price", (0, 1.0)), _trades((0, 1.0)), "exchange", "1m")
    assert [len(frame) for frame in result.values()] == [0, 0]


def test_funding_changes_count_from_the_previous_known_rate_of_any_day(funding: FundingBars) -> None:
    day = 86_400
    rates = _values(
        "funding_rate",
        *((0, 1e-4), (1, 1e-4), (60, 1e-4)),
        *((120, 2e-4), (121, 1e-4), (121, 2e-4)),
        *((day, 2e-4), (day + 60, 0.0)),
    )
    result = funding(rates, "exchange", "1m")["funding"]
    assert result["funding_rate"].to_list() == [1e-4, 1e-4, 2e-4, 2e-4, 0.0]
    assert result["funding_rate_update_frequency"].to_list() == [1 / 60, 0.0, 3 / 60, 0.0, 1 / 60]
    assert result["funding_rate_avg_update_interval"].to_list() == [60.0, None, 20.0, None, 60.0]


def test_the_clock_orders_funding_rates(funding: FundingBars) -> None:
    rates = values_frame(
        "funding_rate", [(NOON, NOON + 2, 1e-4), (NOON + 1, NOON + 1, 2e-4), (NOON + 2, NOON + 3, 1e-4)]
    )
    last = {clock: funding(rates, clock, "1s")["funding"].row(0)[1:] for clock in CLOCKS}
    assert last == {"exchange": (1e-4, 3.0, 1 / 3), "true": (1e-4, 2.0, 0.5)}


def test_open_interest_worked_out_by_hand(open_interest: OpenInterestBars) -> None:
    amounts = _values(
        "open_interest", (10, 0.0), (20, 100.0), (30, 100.0), (40, 110.0), (45, 0.0), (50, 99.0), (55, 0.0)
    )
    # As of the first and last update that is not zero, ties included: 40 and 60.
    marks = _values("mark_price", (5, 50.0), (20, 45.0), (20, 40.0), (50, 60.0), (55, 100.0))
    expected = pl.DataFrame(
        [(datetime(2024, 3, 14, 12), 99.0, -1.0, math.sqrt(200), -0.02)],  # noqa: DTZ001 -- bar times carry no zone
        schema=other_bar_schema("open_interest"),
        orient="row",
    )
    assert_other_bars_equal(open_interest(amounts, marks, "exchange", "1m"), {"open_interest": expected})


def test_an_interval_of_zero_open_interest_has_no_row(open_interest: OpenInterestBars) -> None:
    amounts = _values("open_interest", (0, 0.0), (60, 5.0), (120, 0.0))
    result = open_interest(amounts, _values("mark_price", (0, 1.0)), "exchange", "1m")["open_interest"]
    assert result["open_interest"].to_list() == [5.0]
    assert result.row(0)[2:] == (0.0, None, None)


def test_open_interest_ratios_need_a_mark_price_at_both_ends_and_a_change_of_it(
    open_interest: OpenInterestBars,
) -> None:
    amounts = _values("open_interest", (0, 100.0), (30, 110.0), (60, 100.0), (90, 110.0))
    marks = _values("mark_price", (1, 40.0), (2, 50.0))
    result = open_interest(amounts, marks, "exchange", "1m")["open_interest"]
    assert result["oi_price_change_ratio"].to_list() == [None, None]
    assert result["open_interest_pct_change"].to_list() == [10.0, 10.0]
    assert result["open_interest_volatility"].to_list() == [None, None]


@pytest.mark.parametrize("interval", ["1s", "1m", "1h", "1d"])
@pytest.mark.parametrize("clock", CLOCKS)
def test_both_computations_agree_on_a_long_market(clock: str, interval: str) -> None:
    market = random_market(7, 1_000, date(2024, 2, 28), days=3)
    at = (clock, interval)
    prices = (market.mark_price, market.index_price, market.trades)
    assert_other_bars_equal(derivative_bars_duckdb(*prices, *at), derivative_bars(*prices, *at))
    assert_other_bars_equal(funding_bars_duckdb(market.funding_rate, *at), funding_bars(market.funding_rate, *at))
    interest = (market.open_interest, market.mark_price)
    assert_other_bars_equal(open_interest_bars_duckdb(*interest, *at), open_interest_bars(*interest, *at))


@given(ticks=derivative_frames(), clock=st.sampled_from(CLOCKS), interval=INTERVALS)
@EDGY
def test_both_computations_of_prices_agree_on_edges(ticks: DerivativeTicks, clock: str, interval: str) -> None:
    assert_other_bars_equal(derivative_bars_duckdb(*ticks, clock, interval), derivative_bars(*ticks, clock, interval))


@given(ticks=funding_frames(), clock=st.sampled_from(CLOCKS), interval=INTERVALS)
@EDGY
def test_both_computations_of_funding_agree_on_edges(ticks: pl.DataFrame, clock: str, interval: str) -> None:
    assert_other_bars_equal(funding_bars_duckdb(ticks, clock, interval), funding_bars(ticks, clock, interval))


@given(ticks=open_interest_frames(), clock=st.sampled_from(CLOCKS), interval=INTERVALS)
@EDGY
def test_both_computations_of_open_interest_agree_on_edges(ticks: OpenInterestTicks, clock: str, interval: str) -> None:
    assert_other_bars_equal(
        open_interest_bars_duckdb(*ticks, clock, interval), open_interest_bars(*ticks, clock, interval)
    )


def _prices(ticks: DerivativeTicks) -> pl.DataFrame:
    return derivative_bars(*ticks, "exchange", "1d")["derivative_price"]


PRICE_EDGES: dict[str, Callable[[DerivativeTicks], bool]] = {
    "no index price": lambda ticks: ticks.index_price.is_empty(),
    "an index price in later bars only": lambda ticks: (
        _prices(ticks)["index_price"].is_null().any() and _prices(ticks)["index_price"].is_not_null().any()
    ),
    "an index price later in a bar": lambda ticks: (
        not derivative_bars(*ticks, "exchange", "1d")["basis"]
        .filter(pl.col("basis").is_not_null(), pl.col("basis_bps_std").is_null())
        .is_empty()
        and len(ticks.mark_price) > 1
    ),
    "an index price at a mark price's time": lambda ticks: (
        not ticks.mark_price.join(ticks.index_price, on="exchange_timestamp", how="semi").is_empty()
    ),
    "index prices of one time": lambda ticks: ticks.index_price["exchange_timestamp"].is_duplicated().any(),
    "all three ratios": lambda ticks: _prices(ticks)["index_last_pct_change_ratio"].is_not_null().any(),
}


@pytest.mark.parametrize("edge", PRICE_EDGES)
def test_generated_prices_reach(edge: str) -> None:
    find(derivative_frames(), PRICE_EDGES[edge], settings=_generating())


INTEREST_EDGES: dict[str, Callable[[OpenInterestTicks], bool]] = {
    "nothing but zero": lambda ticks: len(ticks[0]) > 1 and (ticks[0]["open_interest"] == 0).all(),
    "an unchanged value": lambda ticks: any((ticks[0]["open_interest"].diff() == 0).to_list()),
    "a volatility": lambda ticks: any(
        value is not None
        for value in open_interest_bars(*ticks, "true", "1d")["open_interest"]["open_interest_volatility"]
    ),
    "a price ratio": lambda ticks: any(
        value is not None
        for value in open_interest_bars(*ticks, "true", "1d")["open_interest"]["oi_price_change_ratio"]
    ),
}


@pytest.mark.parametrize("edge", INTEREST_EDGES)
def test_generated_open_interest_reaches(edge: str) -> None:
    find(open_interest_frames(), INTEREST_EDGES[edge], settings=_generating())


def test_generated_funding_reaches_a_bar_without_changes() -> None:
    find(
        funding_frames(),
        lambda ticks: (funding_bars(ticks, "exchange", "1m")["funding"]["funding_rate_update_frequency"] == 0).any(),
        settings=_generating(),
    )


def _generating() -> settings:
    return settings(max_examples=1_000, deadline=None, database=None, phases=[Phase.generate])
