"""The oracle of quotes: hand-computed bars, and agreement of its two computations on edges and on a long market."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, TypeAlias

import polars as pl
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from tests.oracle.others import (
    assert_other_bars_equal,
    other_bar_schema,
    quote_bars,
    quote_bars_duckdb,
    quotes_frame,
    random_market,
)
from tests.oracle.others.strategies import quotes_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    Bars: TypeAlias = Callable[[pl.DataFrame, str, str], dict[str, pl.DataFrame]]

CLOCKS = ("exchange", "true")
SECOND = 1_000_000
NOON = int(datetime(2024, 3, 14, 12, tzinfo=UTC).timestamp()) * SECOND


@pytest.fixture(params=[quote_bars, quote_bars_duckdb], ids=["python", "duckdb"])
def bars(request: pytest.FixtureRequest) -> Bars:
    computation: Bars = request.param
    return computation


def _ticks(*quotes: tuple[int, float | None, float | None, float | None, float | None]) -> pl.DataFrame:
    """Quotes that arrive the moment they are made."""
    return quotes_frame((time, time, *quote) for time, *quote in quotes)  # type: ignore[misc]


def test_every_field_of_a_bar_worked_out_by_hand(bars: Bars) -> None:
    quotes = _ticks(
        (NOON - 1, 50.0, 9.0, 51.0, 9.0),  # of the interval before
        (NOON + 10 * SECOND, 99.0, 2.0, 101.0, 6.0),
        (NOON + 20 * SECOND, 101.0, 1.0, 99.0, 3.0),  # crossed
        (NOON + 40 * SECOND, 98.0, 3.0, 102.0, 1.0),
    )
    rows = {
        "l1_price": (
            *(102.0, 98.0, 1.0, 3.0),
            *(100.0, 101.0),
            # Held 10, 20 and 20 s of the 50 s that remain after the first quote.
            *((1010 + 1980 + 2040) / 50, (990 + 2020 + 1960) / 50),
            *((606 + 297 + 102) / 10, (198 + 101 + 294) / 6),
            *(3, 15.0),
        ),
        "l1_imbalance": (
            *(2.0, 0.5, 3.0, 0.75, 0.25),
            *(-4 / 3, -0.5 / 3, (1 / 3 + 1 / 3 + 3) / 3, 1.25 / 3, 1.75 / 3),
        ),
        "l1_liquidity": (
            *(4.0, 400.0, 1.0, 4.0, 294.0, 102.0, 396.0),
            *(4 / 3, 400 / 3, 0.25, 16 / 3, 593 / 3, 335.0, 1598 / 3),
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
    result = bars(quotes, "exchange", "1m")
    assert_other_bars_equal({dataset: frame.tail(1) for dataset, frame in result.items()}, expected)


@pytest.mark.parametrize("hole", [None, 0.0])
def test_a_quote_without_two_sides_neither_counts_nor_ends_the_one_before(bars: Bars, hole: float | None) -> None:
    whole = (100.0, 1.0, 101.0, 1.0)

    def without_each(time: int) -> list[tuple[int, float | None, float | None, float | None, float | None]]:
        return [
            (time, hole, *whole[1:]),
            (time, *whole[:1], hole, *whole[2:]),
            (time, *whole[:2], hole, *whole[3:]),
            (time, *whole[:3], hole),
        ]

    quotes = _ticks(
        (NOON, 90.0, 1.0, 91.0, 1.0),
        *without_each(NOON + 15 * SECOND),
        (NOON + 30 * SECOND, *whole),
        *without_each(NOON + 45 * SECOND),
        *without_each(NOON + 60 * SECOND),
        (NOON + 130 * SECOND, *whole),
    )
    price = bars(quotes, "exchange", "1m")["l1_price"]
    assert price["quote_update_frequency"].to_list() == [2, 1]
    row = price.row(0, named=True)
    assert row["avg_update_interval"] == 30.0
    assert row["bid_price"] == 100.0
    assert row["bid_price_twap"] == 95.0
    assert row["ask_price_twap"] == 96.0


def test_one_quote_has_no_update_interval(bars: Bars) -> None:
    row = bars(_ticks((NOON + 59 * SECOND, 99.0, 1.0, 101.0, 1.0)), "exchange", "1m")["l1_price"].row(0, named=True)
    assert row["avg_update_interval"] is None
    assert row["ask_price_twap"] == 101.0


def test_among_equal_times_the_last_in_the_file_holds_and_the_clock_decides_which_is_last(bars: Bars) -> None:
    quotes = quotes_frame(
        [
            (NOON + 30 * SECOND, NOON + 2, 30.0, 1.0, 31.0, 1.0),
            (NOON, NOON + 1, 10.0, 1.0, 11.0, 1.0),
            (NOON, NOON + 1, 20.0, 1.0, 21.0, 1.0),
        ]
    )
    by_exchange, by_arrival = (bars(quotes, clock, "1m")["l1_price"].row(0, named=True) for clock in CLOCKS)
    assert by_exchange["bid_price"] == 30.0
    assert by_exchange["bid_price_twap"] == 25.0
    assert by_exchange["avg_update_interval"] == 15.0
    assert by_arrival["avg_update_interval"] == 0.5e-6
    assert by_arrival["bid_price_twap"] == pytest.approx((20.0 + 30.0 * 59_999_998) / 59_999_999, rel=1e-15)


@pytest.mark.parametrize("interval", ["1s", "1m", "1h", "1d"])
@pytest.mark.parametrize("clock", CLOCKS)
def test_both_computations_agree_on_a_long_market(clock: str, interval: str) -> None:
    quotes = random_market(7, 2_000, date(2024, 2, 28), days=3).quotes
    assert_other_bars_equal(quote_bars_duckdb(quotes, clock, interval), quote_bars(quotes, clock, interval))


@given(quotes=quotes_frames(), clock=st.sampled_from(CLOCKS), interval=st.sampled_from(["1s", "1m", "15m", "1d"]))
@settings(max_examples=25)
def test_both_computations_agree_on_edges(quotes: pl.DataFrame, clock: str, interval: str) -> None:
    assert_other_bars_equal(quote_bars_duckdb(quotes, clock, interval), quote_bars(quotes, clock, interval))


EDGES: dict[str, Callable[[pl.DataFrame], bool]] = {
    "no quote that counts": lambda quotes: quote_bars(quotes, "exchange", "1d")["l1_price"].is_empty(),
    "a quote without an ask": lambda quotes: (
        quotes.filter(pl.col("bid_amount") > 0, pl.col("ask_amount").is_null()).height > 0
    ),
    "an amount of zero": lambda quotes: (quotes["ask_amount"] == 0).any(),
    "a crossed quote": lambda quotes: (quotes["bid_price"] > quotes["ask_price"]).any(),
    "ties": lambda quotes: len(quotes) > 10 and quotes["exchange_timestamp"].is_duplicated().any(),
    "a different last quote by arrival": lambda quotes: (
        not quote_bars(quotes, "exchange", "1d")["l1_price"].equals(quote_bars(quotes, "true", "1d")["l1_price"])
    ),
    "several months": lambda quotes: quotes["exchange_timestamp"].dt.month().n_unique() > 1,
}


@pytest.mark.parametrize("edge", EDGES)
def test_generated_ticks_reach(edge: str) -> None:
    find(
        quotes_frames(),
        EDGES[edge],
        settings=settings(max_examples=1_000, deadline=None, database=None, phases=[Phase.generate]),
    )
