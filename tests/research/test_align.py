from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aperiodic

FIRST = datetime(2025, 1, 1)  # noqa: DTZ001 (naive UTC)
MINUTE = timedelta(minutes=1)


def frame(minutes: list[int], **values: Any) -> pl.DataFrame:
    times = [FIRST + minute * MINUTE for minute in minutes]
    return pl.DataFrame({"time": pl.Series(times, dtype=pl.Datetime("us")), **values})


def test_a_bar_is_joined_once_it_is_over_and_not_while_it_runs() -> None:
    minutes = frame(list(range(12)), close=list(range(12)))
    fives = frame([0, 5, 10], close=[100, 105, 110])
    got = aperiodic.align(minutes, fives, interval_left="1m", interval_right="5m")
    assert got.columns == ["time", "close", "time_right", "close_right"]
    assert got["close"].to_list() == list(range(12))
    # The bar of 00:00 to 00:05 is known when the minute that begins at 00:04 is over.
    assert got["close_right"].to_list() == [None] * 4 + [100] * 5 + [105] * 3
    assert got["time_right"][4] == FIRST


def test_a_long_bar_sees_the_last_short_one_of_its_own_time() -> None:
    got = aperiodic.align(
        frame([0, 5]), frame(list(range(10)), close=list(range(10))), interval_left="5m", interval_right="1m"
    )
    assert got["close"].to_list() == [4, 9]


def test_events_are_known_at_their_time() -> None:
    events = frame([4, 5])
    got = aperiodic.align(events, frame([0], close=[1]), interval_left=None, interval_right=5 * MINUTE)
    assert got["close"].to_list() == [None, 1]
    got = aperiodic.align(frame([4]), frame([4, 5, 6], id=[4, 5, 6]), interval_left="1m", interval_right=None)
    assert got["id"].to_list() == [5], "an event at the very end of the bar is known then"


def test_what_is_too_old_is_null() -> None:
    left = frame([10, 11, 12])
    right = frame([0, 9], close=[0, 9])
    got = aperiodic.align(left, right, interval_left="1m", interval_right="1m", tolerance="1m")
    assert got["close"].to_list() == [9, None, None]
    got = aperiodic.align(left, right, interval_left="1m", interval_right="1m", tolerance=2 * MINUTE)
    assert got["close"].to_list() == [9, 9, None]


def test_series_are_joined_with_their_own_and_the_order_stays() -> None:
    left = frame([6, 0, 6]).with_columns(symbol=pl.Series(["b", "a", "a"]))
    right = frame([0, 0, 5], close=[1, 2, 3]).with_columns(symbol=pl.Series(["a", "b", "a"]).cast(pl.Categorical))
    got = aperiodic.align(left, right, interval_left="1m", interval_right="1m")
    assert got.columns == ["time", "symbol", "time_right", "close"]
    assert got.rows() == [
        (FIRST + 6 * MINUTE, "b", FIRST, 2),
        (FIRST, "a", FIRST, 1),
        (FIRST + 6 * MINUTE, "a", FIRST + 5 * MINUTE, 3),
    ]


def test_the_columns_to_join_on_can_be_chosen() -> None:
    left = frame([0]).with_columns(exchange=pl.lit("x"), symbol=pl.lit("a"))
    right = frame([0], close=[1]).with_columns(exchange=pl.lit("y"), symbol=pl.lit("a"))
    got = aperiodic.align(left, right, interval_left="1m", interval_right="1m", by=["symbol"], suffix="|okx")
    assert got.columns == ["time", "exchange", "symbol", "time|okx", "close", "exchange|okx"]
    assert got["exchange|okx"].to_list() == ["y"]
    assert aperiodic.align(left, right, interval_left="1m", interval_right="1m")["close"].to_list() == [None]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"left": [1]}, "bad_frame"),
        ({"interval_left": "7m"}, "unknown_interval"),
        ({"interval_right": timedelta(0)}, "bad_interval_right"),
        ({"tolerance": -MINUTE}, "bad_tolerance"),
        ({"by": ["symbol"]}, "unknown_column"),
        ({"right": frame([0, 0])}, "duplicate_times"),
        ({"right": frame([0, 0]).with_columns(symbol=pl.Series(["a", "b"]))}, "duplicate_times"),
        ({"right": frame([0]).with_columns(time_right=1)}, "duplicate_columns"),
        ({"right": frame([0]).with_columns(pl.col("time").dt.replace_time_zone("UTC"))}, "different_times"),
    ],
)
def test_what_cannot_be_joined_is_refused(changes: dict[str, Any], code: str) -> None:
    asked = {"left": frame([0]), "right": frame([0]), "interval_left": "1m", "interval_right": "1m", **changes}
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.align(asked.pop("left"), asked.pop("right"), **asked)
    assert caught.value.code == code


@pytest.mark.parametrize("empty", ["left", "right"])
def test_an_empty_side_leaves_the_columns(empty: str) -> None:
    sides = {"left": frame([0], a=[1]), "right": frame([0], b=[1])}
    sides[empty] = sides[empty].clear()
    got = aperiodic.align(sides["left"], sides["right"], interval_left="1m", interval_right="1m")
    assert got.columns == ["time", "a", "time_right", "b"]
    assert got.height == sides["left"].height


TIMES = st.lists(st.integers(0, 40), max_size=12)
LENGTHS = st.sampled_from([0, 1, 3, 5])


@given(
    TIMES,
    st.sets(st.tuples(st.integers(0, 40), st.sampled_from("ab"))),
    LENGTHS,
    LENGTHS,
    st.none() | st.integers(1, 9),
)
def test_no_value_is_of_a_bar_that_had_not_ended(
    times: list[int], bars: set[tuple[int, str]], length_left: int, length_right: int, tolerance: int | None
) -> None:
    symbols = [("a", "b")[time % 2] for time in times]
    left = frame(times, symbol=pl.Series(symbols, dtype=pl.String))
    there = sorted(bars, key=hash)
    right = frame([time for time, _ in there]).with_columns(
        symbol=pl.Series([symbol for _, symbol in there], dtype=pl.String),
        value=pl.Series([f"{symbol}{time}" for time, symbol in there], dtype=pl.String),
    )
    got = aperiodic.align(
        left,
        right,
        interval_left=length_left * MINUTE if length_left else None,
        interval_right=length_right * MINUTE if length_right else None,
        tolerance=None if tolerance is None else tolerance * MINUTE,
    )
    expected = []
    for time, symbol in zip(times, symbols, strict=True):
        now = time + length_left
        over = [
            bar
            for bar, whose in bars
            if whose == symbol
            and bar + length_right <= now
            and (tolerance is None or now - (bar + length_right) <= tolerance)
        ]
        expected.append(f"{symbol}{max(over)}" if over else None)
    assert got["value"].to_list() == expected
    assert got.select(left.columns).equals(left)


def test_times_with_a_zone_are_joined_too() -> None:
    zoned = pl.DataFrame({"time": [datetime(2025, 1, 1, tzinfo=UTC)]}).cast(pl.Datetime("us", "UTC"))
    got = aperiodic.align(zoned, zoned.with_columns(a=1), interval_left="1m", interval_right="1m")
    assert got["a"].to_list() == [1]
