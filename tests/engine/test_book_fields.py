"""Every field made from order books, on every interval and clock, against computations that share no code with the engine."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal
from tests.in_memory import bars_in_memory
from tests.lakes import BTC, SOAK, VENUE, published, put_ticks
from tests.oracle import assert_other_bars_equal, book_bars, book_bars_duckdb, book_frame, random_market
from tests.oracle.others.strategies import book_frames

from aperiodic.catalog import Family
from aperiodic.engine.build import build
from aperiodic.engine.partials import book as kernel
from aperiodic.lake import NewObject, ObjectKey
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Clock, Interval, Source, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aperiodic.lake import Lake

SECOND = 1_000_000
NOON = 1_710_417_600 * SECOND  # 2024-03-14 12:00 UTC
DEPTHS = (5, 10, 20, 25)


def check(book: pl.DataFrame, oracle: Callable[[pl.DataFrame, str, str], dict[str, pl.DataFrame]]) -> None:
    for clock in Clock:
        for interval, frames in bars_in_memory(Family.BOOK, {Stream.BOOK: book}, clock).items():
            assert_other_bars_equal(frames, oracle(book, clock, interval))


def bar(*snapshots: tuple[Sequence[float], Sequence[float]], interval: Interval = Interval.M1) -> dict[str, Any]:
    """All fields of one bar of snapshots, a second apart; each is the amounts of its bids and of its asks."""
    book = book_frame(
        (
            NOON + second * SECOND,
            NOON + second * SECOND,
            [(100.0 - level, amount) for level, amount in enumerate(bids)],
            [(101.0 + level, amount) for level, amount in enumerate(asks)],
        )
        for second, (bids, asks) in enumerate(snapshots)
    )
    frames = bars_in_memory(Family.BOOK, {Stream.BOOK: book}, Clock.EXCHANGE)[interval]
    assert {frame.height for frame in frames.values()} == {1}
    return {name: value for frame in frames.values() for name, value in frame.row(0, named=True).items()}


@settings(max_examples=25 * SOAK)
@given(book=book_frames())
def test_generated_edge_cases_agree_with_plain_python(book: pl.DataFrame) -> None:
    check(book, book_bars)


def test_many_snapshots_agree_with_sql() -> None:
    check(random_market(13, 60_000, date(2024, 2, 28), days=2).book, book_bars_duckdb)


def test_bars_published_from_a_lake_agree_with_plain_python(lake: Lake) -> None:
    book = random_market(5, 6_000, date(2025, 4, 30), days=2).book
    put_ticks(lake, Stream.BOOK, book)
    build(lake)
    for clock in Clock:
        for interval in clock.intervals:
            expected = book_bars(book, clock, interval)
            assert_other_bars_equal({name: published(lake, name, clock, interval) for name in expected}, expected)


def test_a_shallow_side_is_summed_as_far_as_it_goes() -> None:
    found = bar(([1.0] * 25, [2.0] * 7))
    assert [found[f"bid_agg_{depth}"] for depth in DEPTHS] == [5, 10, 20, 25]
    assert [found[f"ask_agg_{depth}"] for depth in DEPTHS] == [10, 14, 14, 14]
    assert [found[f"imbalance_{depth}"] for depth in DEPTHS] == [-5, -4, 6, 11]
    assert [found[f"bid_ask_ratio_{depth}"] for depth in DEPTHS] == [5 / 10, 10 / 14, 20 / 14, 25 / 14]
    assert [found[f"imbalance_ratio_{depth}"] for depth in DEPTHS] == [-5 / 15, -4 / 24, 6 / 34, 11 / 39]


def test_an_empty_side_is_null_and_averages_skip_it() -> None:
    found = bar(([1.0], [3.0]), ([5.0], []))
    assert (found["bid_agg_5"], found["ask_agg_5"]) == (5.0, None)
    assert (found["bid_agg_5_avg"], found["ask_agg_5_avg"]) == (3.0, 3.0)
    for name, average in (("imbalance", -2.0), ("imbalance_ratio", -0.5), ("bid_ask_ratio", 1 / 3)):
        assert (found[f"{name}_5"], found[f"{name}_5_avg"]) == (None, average)


def test_a_bar_of_empty_books_is_there_and_holds_nothing() -> None:
    found = bar(([], []), ([], []))
    assert found.pop("time") is not None
    assert set(found.values()) == {None}


def test_what_a_snapshot_could_not_show_is_unknown_and_not_zero() -> None:
    level = [(100.0, 1.0)] * 5
    rows = [
        (NOON, NOON, [(100.0, 1.0)] * 20, [(101.0, 2.0)] * 20, 25),
        (NOON + SECOND, NOON + SECOND, level, level, 5),
        (NOON + 70 * SECOND, NOON + 70 * SECOND, level, [], 5),
    ]
    frames = bars_in_memory(Family.BOOK, {Stream.BOOK: book_frame(rows)}, Clock.EXCHANGE)[Interval.M1]
    bids, asks, mean = (
        {depth: frames["l2_liquidity"][name.format(depth)].to_list() for depth in DEPTHS}
        for name in ("bid_agg_{}", "ask_agg_{}", "ask_agg_{}_avg")
    )
    assert bids == {5: [5, 5], 10: [10, None], 20: [20, None], 25: [20, None]}
    assert asks == {5: [5, None], 10: [20, None], 20: [40, None], 25: [40, None]}
    assert mean == {5: [7.5, None], 10: [20, None], 20: [40, None], 25: [40, None]}


def test_no_ratio_to_levels_of_no_amount() -> None:
    found = bar(([1.0], [0.0]), ([0.0], [0.0]))
    assert found["imbalance_ratio_25"] is None
    assert found["bid_ask_ratio_25"] is None
    assert found["imbalance_ratio_25_avg"] == 1.0
    assert found["bid_ask_ratio_25_avg"] is None
    assert found["ask_agg_25_avg"] == 0.0


def test_the_same_amounts_in_another_order_are_balanced_exactly() -> None:
    amounts = [1e16 if level == 3 else 0.1 * (level + 1) for level in range(25)]
    found = bar((amounts, amounts[::-1]))
    assert found["imbalance_25"] == 0.0
    assert found["imbalance_ratio_25"] == 0.0
    assert found["bid_ask_ratio_25"] == 1.0


@pytest.mark.parametrize("interval", [Interval.M1, Interval.D1])
def test_what_opposite_books_leave_over_is_not_lost(interval: Interval) -> None:
    much, less = [2.0**60], [2.0**59]
    assert bar((much, less), ([2.0], [1.0]), (less, much), interval=interval)["imbalance_20_avg"] == 1 / 3


def test_bars_do_not_depend_on_how_many_snapshots_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    book = random_market(2, 3_000, date(2024, 3, 14)).book
    whole = bars_in_memory(Family.BOOK, {Stream.BOOK: book}, Clock.TRUE)
    monkeypatch.setattr(kernel, "_ROWS_AT_ONCE", 7)
    pieces = bars_in_memory(Family.BOOK, {Stream.BOOK: book}, Clock.TRUE)
    for interval, frames in whole.items():
        for dataset, frame in frames.items():
            assert_frame_equal(pieces[interval][dataset], frame, check_exact=True)


def test_files_of_before_the_column_depth_could_show_all_levels(lake: Lake) -> None:
    book = random_market(5, 3_000, date(2025, 4, 30), days=2).book.with_columns(depth=25).cast({"depth": pl.Int64()})
    put_old_ticks(lake, book.drop("depth"))
    build(lake)
    for clock in Clock:
        expected = book_bars(book, clock, Interval.M5)
        assert_other_bars_equal({name: published(lake, name, clock, Interval.M5) for name in expected}, expected)


def put_old_ticks(lake: Lake, book: pl.DataFrame) -> None:
    """Write book ticks as they were before."""
    days = book["exchange_timestamp"].dt.date()
    batch = lake.batch()
    for day in days.unique().sort():
        part = book.filter(days == day)
        key, data = ObjectKey.ticks(Stream.BOOK, VENUE, BTC, day), parquet_bytes(part)
        batch.put(NewObject.of_ticks(key, part, Source.RECORDING, hashlib.sha256(data).hexdigest(), "test"), data)
    batch.commit()
