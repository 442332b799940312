from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.mock_api import trades as some_trades

import aperiodic
from aperiodic import bars
from aperiodic.market import Stream, tick_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
Row = tuple[int, str, float, float]


def frame(rows: list[Row]) -> pl.DataFrame:
    """Trades of (second, side, price, amount)."""
    times = [FIRST + timedelta(seconds=second) for second, *_ in rows]
    values = {
        "exchange_timestamp": times,
        "local_timestamp": times,
        "id": [str(number) for number in range(len(rows))],
        "side": [side for _, side, _, _ in rows],
        "price": [price for _, _, price, _ in rows],
        "amount": [amount for *_, amount in rows],
        "sequence": list(range(len(rows))),
    }
    return pl.DataFrame(values, schema=tick_schema(Stream.TRADES))


def plain_bars(groups: list[list[Row]], starts: list[datetime]) -> list[tuple[Any, ...]]:
    """What each group of trades is as a bar."""
    return [
        (
            start.replace(tzinfo=None),
            *(
                group[0][2],
                max(price for _, _, price, _ in group),
                min(price for _, _, price, _ in group),
                group[-1][2],
            ),
            math.fsum(amount for *_, amount in group),
            math.fsum(price * amount for _, _, price, amount in group),
            len(group),
            *(math.fsum(amount for _, side, _, amount in group if side == taker) for taker in ("buy", "sell")),
            *(sum(side == taker for _, side, _, _ in group) for taker in ("buy", "sell")),
            *((FIRST + timedelta(seconds=row[0])).replace(tzinfo=None) for row in (group[0], group[-1])),
        )
        for group, start in zip(groups, starts, strict=True)
    ]


def first_times(groups: list[list[Row]]) -> list[datetime]:
    return [FIRST + timedelta(seconds=group[0][0]) for group in groups]


def plain_sums(rows: list[Row], size: Decimal, value: Callable[[Row], Decimal]) -> list[list[Row]]:
    """Cut by exact decimal sums."""
    groups, total = [], Decimal(0)
    group: list[Row] = []
    for row in rows:
        group.append(row)
        total += value(row)
        if total >= size:
            groups.append(group)
            group, total = [], Decimal(0)
    return groups


def amount_of(row: Row) -> Decimal:
    return Decimal(str(row[3]))


def money_of(row: Row) -> Decimal:
    return Decimal(str(row[2])) * Decimal(str(row[3]))


def cut(whole: pl.DataFrame, places: list[int]) -> list[pl.DataFrame]:
    edges = [0, *sorted(place % (whole.height + 1) for place in places), whole.height]
    return [whole[begin:end] for begin, end in pairwise(edges)]


ROWS = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 10**7).map(lambda ticks: ticks / 100),
        st.integers(1, 5000).map(lambda lots: lots / 1000),
    ),
    max_size=40,
).map(lambda rows: sorted(rows, key=lambda row: row[0]))
PLACES = st.lists(st.integers(0, 40), max_size=4)


@given(ROWS, PLACES, st.integers(1, 7))
def test_bars_of_time_are_those_of_plain_python(rows: list[Row], places: list[int], seconds: int) -> None:
    got = bars.time(cut(frame(rows), places), timedelta(seconds=seconds))
    length, epoch = seconds, int(FIRST.timestamp())
    numbers = sorted({(epoch + row[0]) // length for row in rows})
    groups = [[row for row in rows if (epoch + row[0]) // length == number] for number in numbers]
    starts = [datetime.fromtimestamp(number * length, UTC) for number in numbers]
    assert got.rows() == plain_bars(groups, starts)


@given(ROWS, PLACES, st.integers(1, 7))
def test_bars_of_trades_are_those_of_plain_python(rows: list[Row], places: list[int], size: int) -> None:
    groups = [rows[begin : begin + size] for begin in range(0, len(rows), size)]
    kept = bars.tick(cut(frame(rows), places), size, keep_last=True)
    assert kept.rows() == plain_bars(groups, first_times(groups))
    full = [group for group in groups if len(group) == size]
    assert bars.tick(cut(frame(rows), places), size).rows() == plain_bars(full, first_times(full))


@given(ROWS, PLACES, st.integers(1, 200).map(lambda tenths: tenths / 10))
def test_bars_of_volume_are_those_of_exact_sums(rows: list[Row], places: list[int], size: float) -> None:
    groups = plain_sums(rows, Decimal(str(size)), amount_of)
    assert bars.volume(cut(frame(rows), places), size).rows() == plain_bars(groups, first_times(groups))


@given(ROWS, PLACES, st.integers(1, 10**6))
def test_bars_of_money_are_those_of_exact_sums(rows: list[Row], places: list[int], size: int) -> None:
    groups = plain_sums(rows, Decimal(size), money_of)
    assert bars.dollar(cut(frame(rows), places), size).rows() == plain_bars(groups, first_times(groups))


def test_ten_tenths_are_one() -> None:
    assert bars.volume(frame([(0, "buy", 1.0, 0.1)] * 20), 1.0)["n_trades"].to_list() == [10, 10]


def test_the_open_bar_goes_on_until_it_is_full() -> None:
    days = [frame([(day * 86_400, "buy", 1.0, 1.0)]) for day in range(5)]
    assert bars.tick(days, 3)["last_time"].to_list() == [datetime(2025, 1, 3)]  # noqa: DTZ001 (naive UTC)
    kept = bars.tick(days, 3, keep_last=True)
    assert kept["n_trades"].to_list() == [3, 2]
    assert bars.tick(days[:3], 3).height == 1, "a bar that is just full is over"


def test_bars_of_time_have_the_columns_and_values_of_candles() -> None:
    got = bars.time(some_trades("2025-01-01", 48), "1h")
    assert got.height == 24
    assert got.columns == [
        *("time", "open", "high", "low", "close", "volume", "volume_notional", "n_trades", "taker_buy_volume"),
        *("taker_sell_volume", "taker_buy_count", "taker_sell_count", "first_time", "last_time"),
    ]
    assert got.schema["time"] == pl.Datetime("us")
    assert got.drop("time", "first_time", "last_time").row(1) == (
        2.0,
        3.0,
        2.0,
        3.0,
        0.5,
        2 * 0.2 + 3 * 0.3,
        2,
        0.3,
        0.2,
        1,
        1,
    )


def test_a_lazy_frame_of_many_files_is_read_in_batches(tmp_path: Path) -> None:
    days = [some_trades(f"2025-01-0{day}", 500) for day in (1, 2, 3)]
    for number, day in enumerate(days):
        day.write_parquet(tmp_path / f"{number}.parquet", row_group_size=100)
    lazy = pl.scan_parquet(tmp_path / "*.parquet")
    expected = bars.dollar(pl.concat(days), 5000.0)
    assert expected.height > 3
    assert bars.dollar(lazy, 5000.0).equals(expected)
    assert bars.dollar((day.lazy() for day in days), 5000.0).equals(expected)


def test_the_clock_orders_trades() -> None:
    rows = frame([(0, "buy", 1.0, 1.0), (1, "buy", 2.0, 1.0), (2, "buy", 3.0, 1.0)])
    late = rows.with_columns(local_timestamp=pl.col("local_timestamp").reverse())
    assert bars.tick(late, 3)["open"].to_list() == [1.0]
    assert bars.tick(late, 3, timestamp="true")["open"].to_list() == [3.0]
    assert bars.time(late[::-1], "1m")["open"].to_list() == [1.0]


def test_nothing_is_a_frame_without_rows() -> None:
    nothing: Any
    for nothing in (frame([]), [], iter([frame([])])):
        got = bars.volume(nothing, 1.0, keep_last=True)
        assert got.is_empty()
        assert got.schema == bars.volume(frame([(0, "buy", 1.0, 1.0)]), 1.0).schema


def test_sums_stay_exact_from_dust_to_millions() -> None:
    rows = [(0, "buy", 0.00001234, amount) for amount in (1e12, 1e-8, 3.3e11, 1e-8, 0.1)]
    got = bars.tick([frame([row]) for row in rows], 5)
    assert got["volume"].to_list() == [math.fsum(row[3] for row in rows)]
    assert bars.tick(frame([(0, "sell", 1.0, 1e-8)]), 1)["taker_sell_volume"].to_list() == [1e-8]


TWO = frame([(0, "buy", 1.0, 1.0), (5, "sell", 1.0, 1.0)])


@pytest.mark.parametrize(
    ("work", "code"),
    [
        (lambda: bars.tick(TWO, 0), "bad_size"),
        (lambda: bars.tick(TWO, 1.5), "bad_size"),  # type: ignore[arg-type]
        (lambda: bars.volume(TWO, math.nan), "bad_size"),
        (lambda: bars.dollar(TWO, -1.0), "bad_size"),
        (lambda: bars.time(TWO, "7m"), "unknown_interval"),
        (lambda: bars.time(TWO, timedelta(0)), "bad_size"),
        (lambda: bars.time(TWO, "1m", timestamp="local"), "unknown_timestamp"),  # type: ignore[arg-type]
        (lambda: bars.tick(TWO.drop("side"), 1), "bad_frame"),
        (lambda: bars.tick(TWO.drop("exchange_timestamp"), 1), "bad_frame"),
        (lambda: bars.tick(TWO.to_pandas(), 1), "bad_frame"),  # type: ignore[arg-type]
        (lambda: bars.tick(7, 1), "bad_frame"),  # type: ignore[arg-type]
        (lambda: bars.tick([1, 2], 1), "bad_frame"),  # type: ignore[list-item]
        (
            lambda: bars.time(
                TWO.with_columns(local_timestamp=None).cast({"local_timestamp": pl.Datetime("us", "UTC")}),
                "1m",
                timestamp="true",
            ),
            "null_time",
        ),
        (lambda: bars.tick(TWO.with_columns(amount=pl.lit(math.nan)), 1), "bad_trades"),
        (lambda: bars.tick(TWO.with_columns(price=pl.lit(None, pl.Float64)), 1), "bad_trades"),
        (lambda: bars.tick(TWO.with_columns(side=pl.lit("none")), 1), "bad_trades"),
        (lambda: bars.tick(TWO.with_columns(amount=pl.lit(1e300)), 1), "bad_trades"),
        (lambda: bars.tick([TWO[1:], TWO[:1]], 1), "trades_out_of_order"),
        (lambda: bars.tick(TWO.with_columns(symbol=pl.Series(["a", "b"])), 1), "several_series"),
        (lambda: bars.tick([TWO.with_columns(symbol=pl.lit(name)) for name in "ab"], 1), "several_series"),
    ],
)
def test_what_cannot_be_cut_into_bars_is_refused(work: Callable[[], Any], code: str) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        work()
    assert caught.value.code == code
