"""The oracle of order books: hand-computed bars, and agreement of its two computations."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, TypeAlias

import polars as pl
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from tests.oracle.others import (
    assert_other_bars_equal,
    book_bars,
    book_bars_duckdb,
    book_frame,
    other_bar_schema,
    random_market,
)
from tests.oracle.others.strategies import book_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    Bars: TypeAlias = Callable[[pl.DataFrame, str, str], dict[str, pl.DataFrame]]

CLOCKS = ("exchange", "true")
NOON = int(datetime(2024, 3, 14, 12, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.fixture(params=[book_bars, book_bars_duckdb], ids=["python", "duckdb"])
def bars(request: pytest.FixtureRequest) -> Bars:
    computation: Bars = request.param
    return computation


def _ticks(*books: tuple[int, list[float], list[float]]) -> pl.DataFrame:
    """Books of (time, bid amounts, ask amounts), best first, that arrive the moment they are made."""
    return book_frame(
        (
            time,
            time,
            [(100.0 - level, amount) for level, amount in enumerate(bids)],
            [(101.0 + level, amount) for level, amount in enumerate(asks)],
        )
        for time, bids, asks in books
    )


def test_every_field_of_a_bar_worked_out_by_hand(bars: Bars) -> None:
    result = bars(
        _ticks(
            (NOON, [4.0] * 20, []),
            (NOON + 1, [1.0] * 25, [3.0] * 20),
            (NOON + 2, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2.0, 3.0]),
        ),
        "exchange",
        "1m",
    )
    rows = {
        "l2_imbalance": (
            *(10.0, 0.5, 3.0, 0.0, 0.0, (1 / 3 + 3) / 2),
            *(16.0, 16 / 26, 21 / 5, -2.0, (-0.5 + 16 / 26) / 2, (1 / 3 + 21 / 5) / 2),
            *(16.0, 16 / 26, 21 / 5, -12.0, (-0.5 + 16 / 26) / 2, (1 / 3 + 21 / 5) / 2),
            *(16.0, 16 / 26, 21 / 5, -9.5, (-35 / 85 + 16 / 26) / 2, (25 / 60 + 21 / 5) / 2),
        ),
        "l2_liquidity": (
            *(5.0, 5.0, 5.0, 5.0),
            *(15.0, 21.0, 21.0, 21.0),
            *(10.0, 17.5, 32.5, 32.5),
            *((20 + 5 + 15) / 3, (40 + 10 + 21) / 3, (80 + 20 + 21) / 3, (80 + 25 + 21) / 3),
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


def test_an_empty_side_is_null_in_the_last_book_and_skipped_in_averages(bars: Bars) -> None:
    result = bars(_ticks((NOON, [1.0], [3.0]), (NOON + 1, [2.0], [])), "exchange", "1m")
    liquidity = result["l2_liquidity"].row(0, named=True)
    assert (liquidity["ask_agg_5"], liquidity["bid_agg_5"]) == (None, 2.0)
    assert (liquidity["ask_agg_5_avg"], liquidity["bid_agg_5_avg"]) == (3.0, 1.5)
    imbalance = result["l2_imbalance"].row(0, named=True)
    assert [imbalance[f"{name}_25"] for name in ("imbalance", "imbalance_ratio", "bid_ask_ratio")] == [None] * 3
    assert imbalance["imbalance_25_avg"] == -2.0


def test_an_interval_of_one_sided_or_empty_books_has_a_row(bars: Bars) -> None:
    result = bars(_ticks((NOON, [], [1.0]), (NOON + 60_000_000, [], [])), "exchange", "1m")
    assert result["l2_liquidity"]["ask_agg_10"].to_list() == [1.0, None]
    assert result["l2_liquidity"]["bid_agg_10_avg"].to_list() == [None, None]
    assert result["l2_imbalance"].drop("time").null_count().row(0) == (2,) * 24


@pytest.mark.parametrize("interval", ["1s", "1m", "1h", "1d"])
@pytest.mark.parametrize("clock", CLOCKS)
def test_both_computations_agree_on_a_long_market(clock: str, interval: str) -> None:
    book = random_market(7, 2_000, date(2024, 2, 28), days=3).book
    assert_other_bars_equal(book_bars_duckdb(book, clock, interval), book_bars(book, clock, interval))


@given(book=book_frames(), clock=st.sampled_from(CLOCKS), interval=st.sampled_from(["1s", "1m", "15m", "1d"]))
@settings(max_examples=25)
def test_both_computations_agree_on_edges(book: pl.DataFrame, clock: str, interval: str) -> None:
    assert_other_bars_equal(book_bars_duckdb(book, clock, interval), book_bars(book, clock, interval))


EDGES: dict[str, Callable[[pl.DataFrame], bool]] = {
    "an empty side": lambda book: (book["bid_amount_01"].is_null() & book["ask_amount_01"].is_not_null()).any(),
    "no side": lambda book: (book["bid_amount_01"].is_null() & book["ask_amount_01"].is_null()).any(),
    "20 levels": lambda book: (book["bid_amount_20"].is_not_null() & book["bid_amount_21"].is_null()).any(),
    "no more than 5 levels": lambda book: (book["depth"] == 5).any(),
    "25 levels": lambda book: book["ask_amount_25"].is_not_null().any(),
    "fewer than 5 levels": lambda book: (book["bid_amount_01"].is_not_null() & book["bid_amount_05"].is_null()).any(),
    "equal sides": lambda book: (book_bars(book, "exchange", "1d")["l2_imbalance"]["imbalance_25"] == 0).any(),
    "ties": lambda book: book["exchange_timestamp"].is_duplicated().any(),
}


@pytest.mark.parametrize("edge", EDGES)
def test_generated_ticks_reach(edge: str) -> None:
    find(
        book_frames(),
        EDGES[edge],
        settings=settings(max_examples=1_000, deadline=None, database=None, phases=[Phase.generate]),
    )
