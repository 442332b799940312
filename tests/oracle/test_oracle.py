"""The oracle itself: hand-computed bars, agreement of its two computations, and a comparison that can fail."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import polars as pl
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from tests.oracle import (
    FIELDS,
    INTERVAL_SECONDS,
    TRADE_SCHEMA,
    assert_bars_equal,
    bar_schema,
    bars_duckdb,
    bars_python,
    random_trades,
    trades_frame,
)
from tests.oracle.strategies import trades_frames

if TYPE_CHECKING:
    from collections.abc import Callable

    Bars: TypeAlias = Callable[[pl.DataFrame, str, str], dict[str, pl.DataFrame]]

CLOCKS = ("exchange", "true")


def _us(month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(2024, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


NOON = _us(3, 14, 12)
SECOND = 1_000_000
MINUTE = 60 * SECOND


@pytest.fixture(params=[bars_python, bars_duckdb], ids=["python", "duckdb"])
def bars(request: pytest.FixtureRequest) -> Bars:
    computation: Bars = request.param
    return computation


def _ticks(*trades: tuple[int, str, float, float]) -> pl.DataFrame:
    """Trades that arrive the moment they are matched."""
    return trades_frame((time, time, side, price, amount) for time, side, price, amount in trades)


def test_every_field_of_a_bar_worked_out_by_hand(bars: Bars) -> None:
    trades = _ticks(
        (NOON, "buy", 20.0, 2.0),  # 40, small
        (NOON + 1, "buy", 25.0, 4.0),  # exactly 100, medium
        (NOON + 2, "sell", 40.0, 25.0),  # exactly 1,000, large
        (NOON + 2, "buy", 30.0, 50.0),  # 1,500, large
        (NOON + MINUTE - 1, "sell", 10.0, 5.0),  # 50, small
    )
    result = bars(trades, "exchange", "1m")
    buy, sell = 56 / 86, 30 / 86
    expected = {
        "ohlcv": (20.0, 40.0, 10.0, 10.0, 86.0, 2690.0),
        "vtwap": (2690 / 86, 25.0),
        "flow": (
            *(56.0, 30.0, 3, 2),
            *(26.0, 590.0),
            -buy * math.log(buy) - sell * math.log(sell),
            None,
            *(56 / 30, 1.5, 56 / 86, 0.6),
            *(40.0, 1, 100.0, 1, 1500.0, 1),
            *(50.0, 1, 0.0, 0, 1000.0, 1),
            *(40 / 56, 100 / 56, 1500 / 56, 1 / 3, 1 / 3, 1 / 3),
            *(50 / 30, 0.0, 1000 / 30, 0.5, 0.0, 0.5),
        ),
    }
    for dataset, values in expected.items():
        row = (datetime(2024, 3, 14, 12), *values)  # noqa: DTZ001 -- bar times carry no zone
        assert_bars_equal(result[dataset], pl.DataFrame([row], schema=bar_schema(dataset), orient="row"))


def test_a_side_without_trades_has_zero_volume_and_no_shares(bars: Bars) -> None:
    row = bars(_ticks((NOON, "sell", 100.0, 5.0)), "exchange", "1m")["flow"].row(0, named=True)
    assert row["taker_buy_volume"] == 0
    assert row["taker_buy_count"] == 0
    assert row["flow_entropy"] == 0
    assert row["taker_buy_sell_ratio"] == 0
    assert row["taker_buy_sell_percentage"] == 0
    assert {name for name, value in row.items() if value is None} == {
        "flow_toxicity_score",
        *(
            f"taker_buy_{size}_order{count}_percentage"
            for size in ("small", "medium", "large")
            for count in ("", "_count")
        ),
    }
    only_buys = bars(_ticks((NOON, "buy", 100.0, 5.0)), "exchange", "1m")["flow"].row(0, named=True)
    assert only_buys["taker_buy_sell_ratio"] is None
    assert only_buys["taker_buy_sell_count_ratio"] is None
    assert only_buys["taker_sell_large_order_percentage"] is None


def test_toxicity_is_the_product_of_expanding_z_scores_and_starts_anew_each_month(bars: Bars) -> None:
    def bar(start: int, price: float, net: float, moved_to: float) -> list[tuple[int, str, float, float]]:
        """A bar of signed notional `price * net` whose one return leads to `moved_to`."""
        return [
            (start, "buy", price, net),
            (start + 1, "buy", moved_to, 1.0),
            (start + 2, "sell", moved_to, 1.0),
        ]

    eve = _us(2, 29, 23, 50)
    trades = _ticks(
        *bar(eve, 100.0, 1.0, 100.0),
        *bar(eve + 2 * MINUTE, 100.0, 2.0, 101.0),
        *bar(eve + 9 * MINUTE, 100.0, 6.0, 105.0),
        *bar(eve + 10 * MINUTE, 100.0, 3.0, 107.0),  # midnight: March begins
        *bar(eve + 11 * MINUTE, 100.0, 9.0, 104.0),
    )
    # Signed notional 100, 200, 600 and rv 0, 0.01, 0.05: z = 3/sqrt(7) and 0.03/sqrt(0.0007), whose product is 9/7.
    scores = bars(trades, "exchange", "1m")["flow"]["flow_toxicity_score"].to_list()
    assert scores == [None, *(pytest.approx(score, rel=1e-12) for score in (0.5, 9 / 7)), None, pytest.approx(-0.5)]


@pytest.mark.parametrize("seed", range(5))
def test_python_toxicity_of_the_second_bar_is_exactly_a_half(seed: int) -> None:
    flow = bars_python(random_trades(seed, 100, date(2024, 3, 14)), "true", "4h")["flow"]
    assert abs(flow["flow_toxicity_score"][1]) == 0.5


def test_toxicity_of_a_constant_sample_is_null(bars: Bars) -> None:
    no_moves = _ticks(*((NOON + k * MINUTE, "buy", 100.0, 1.0 + k) for k in range(4)))
    assert bars(no_moves, "exchange", "1m")["flow"]["flow_toxicity_score"].to_list() == [None] * 4


@pytest.mark.parametrize("count", [2, 3, 50])
def test_python_toxicity_keeps_its_digits_in_a_month_that_hardly_varies(count: int) -> None:
    # One bar of 1e9 + 2 after many of 1e9: z = sqrt(n) * (1 - 1/n), whatever the level.
    flows = [1_000_000_000.0] * (count - 1) + [1_000_000_002.0]
    trades = _ticks(
        *(
            trade
            for k, flow in enumerate(flows)
            for trade in (
                (NOON + k * MINUTE, "buy", 1.0, flow),
                (NOON + k * MINUTE + 1, "buy", 1.0 + (k == count - 1), 1.0),
                (NOON + k * MINUTE + 2, "sell", 1.0 + (k == count - 1), 1.0),
            )
        )
    )
    score = bars_python(trades, "exchange", "1m")["flow"]["flow_toxicity_score"]
    assert score[-1] == pytest.approx((math.sqrt(count) * (1 - 1 / count)) ** 2, rel=1e-15)


def test_equal_and_opposite_flow_is_exactly_zero(bars: Bars) -> None:
    amounts = [0.1, 0.2, 0.3, 1e-5, 7000.7, 1e-3]
    trades = _ticks(
        *((NOON + k, "buy", 28000.1, amount) for k, amount in enumerate(amounts)),
        *((NOON + 100 + k, "sell", 28000.1, amount) for k, amount in enumerate(reversed(amounts))),
    )
    row = bars(trades, "exchange", "1m")["flow"].row(0, named=True)
    assert row["volume_delta"] == 0
    assert row["volume_delta_notional"] == 0
    assert row["flow_entropy"] == pytest.approx(math.log(2), rel=1e-15)


def test_sums_round_once_before_the_sides_are_subtracted(bars: Bars) -> None:
    # 0.1 + 0.2 is 0.30000000000000004 and ten times 0.1 is 1.0 when rounded once (0.9999999999999999 when at each step).
    trades = _ticks(
        *((NOON + k, "buy", 1.0, 0.1) for k in range(10)),
        (NOON + 20, "sell", 1.0, 0.1),
        (NOON + 21, "sell", 1.0, 0.2),
    )
    row = bars(trades, "exchange", "1m")["flow"].row(0, named=True)
    assert row["taker_buy_volume"] == 1.0
    assert row["volume_delta"] == 1.0 - 0.30000000000000004


def test_the_clock_orders_trades_and_ties_keep_the_order_of_the_file(bars: Bars) -> None:
    trades = trades_frame(
        [
            (NOON + 5, NOON + 9, "buy", 3.0, 1.0),
            (NOON + 5, NOON + 8, "buy", 1.0, 1.0),
            (NOON + 4, NOON + 9, "buy", 2.0, 1.0),
        ]
    )
    by_exchange, by_arrival = (bars(trades, clock, "1s")["ohlcv"].row(0, named=True) for clock in CLOCKS)
    assert (by_exchange["open"], by_exchange["close"]) == (2.0, 1.0)
    assert (by_arrival["open"], by_arrival["close"]) == (1.0, 2.0)


def test_bars_are_half_open_utc_aligned_and_exist_only_where_trades_are(bars: Bars) -> None:
    midnight = _us(3, 1)
    trades = trades_frame(
        [
            (midnight - 1, midnight, "buy", 1.0, 1.0),
            (midnight + 4 * 3600 * SECOND, midnight + 4 * 3600 * SECOND - 1, "buy", 2.0, 1.0),
        ]
    )
    times = {clock: bars(trades, clock, "4h")["vtwap"]["time"].cast(pl.String).to_list() for clock in CLOCKS}
    assert times == {
        "exchange": ["2024-02-29 20:00:00.000000", "2024-03-01 04:00:00.000000"],
        "true": ["2024-03-01 00:00:00.000000"],
    }


@pytest.mark.parametrize("interval", INTERVAL_SECONDS)
@pytest.mark.parametrize("clock", CLOCKS)
def test_both_computations_agree_on_a_long_market(clock: str, interval: str) -> None:
    trades = random_trades(7, 5_000, date(2024, 2, 28), days=3)
    python, duckdb = bars_python(trades, clock, interval), bars_duckdb(trades, clock, interval)
    for dataset in FIELDS:
        assert_bars_equal(duckdb[dataset], python[dataset])


@given(trades=trades_frames(), clock=st.sampled_from(CLOCKS), interval=st.sampled_from(["1s", "1m", "15m", "1d"]))
@settings(max_examples=40)
def test_both_computations_agree_on_edges(trades: pl.DataFrame, clock: str, interval: str) -> None:
    python, duckdb = bars_python(trades, clock, interval), bars_duckdb(trades, clock, interval)
    for dataset in FIELDS:
        assert_bars_equal(duckdb[dataset], python[dataset])


def _month(time: datetime) -> tuple[int, int]:
    return time.year, time.month


EDGES: dict[str, Callable[[pl.DataFrame], bool]] = {
    "a single trade": lambda trades: len(trades) == 1,
    "many trades": lambda trades: len(trades) > 100,
    "ties": lambda trades: trades["exchange_timestamp"].is_duplicated().any(),
    "matched out of file order": lambda trades: not trades["exchange_timestamp"].is_sorted(),
    "clocks in different months": lambda trades: any(
        _month(exchange) != _month(local)
        for exchange, local in trades.select("exchange_timestamp", "local_timestamp").iter_rows()
    ),
    "arrival ahead of the event": lambda trades: (trades["local_timestamp"] < trades["exchange_timestamp"]).any(),
    "several months": lambda trades: len({_month(time) for time in trades["exchange_timestamp"]}) > 1,
    "one side only": lambda trades: len(trades) > 5 and trades["side"].n_unique() == 1,
    "one price": lambda trades: len(trades) > 5 and trades["price"].n_unique() == 1,
    "exact cancellation": lambda trades: (
        len(trades) > 5 and (bars_python(trades, "exchange", "1d")["flow"]["volume_delta_notional"] == 0).all()
    ),
    "a notional of exactly 100": lambda trades: (trades["price"] * trades["amount"] == 100).any(),
    "a notional of exactly 1,000": lambda trades: (trades["price"] * trades["amount"] == 1000).any(),
    "a toxicity score past the second bar": lambda trades: (
        bars_python(trades, "true", "1s")["flow"]["flow_toxicity_score"].abs() != 0.5
    ).any(),
}


@pytest.mark.parametrize("edge", EDGES)
def test_generated_ticks_reach(edge: str) -> None:
    find(
        trades_frames(),
        EDGES[edge],
        settings=settings(max_examples=2_000, deadline=None, database=None, phases=[Phase.generate]),
    )


@given(trades=trades_frames())
@settings(max_examples=25)
def test_generated_ticks_are_valid_ticks(trades: pl.DataFrame) -> None:
    assert trades.schema == TRADE_SCHEMA
    assert 1 <= len(trades) <= 200
    assert all(earlier < later for earlier, later in pairwise(trades["sequence"]))
    assert trades["id"].to_list() == [str(number) for number in trades["sequence"]]
    assert trades.select("price", "amount").min_horizontal().min() > 0  # type: ignore[operator]


def test_random_trades_repeat_exactly_and_fill_their_days() -> None:
    trades = random_trades(3, 4_000, date(2024, 2, 29), days=2)
    assert_frame_equal(trades, random_trades(3, 4_000, date(2024, 2, 29), days=2))
    assert not trades.equals(random_trades(4, 4_000, date(2024, 2, 29), days=2))
    assert trades.schema == TRADE_SCHEMA
    assert trades["exchange_timestamp"].dt.date().unique().sort().to_list() == [date(2024, 2, 29), date(2024, 3, 1)]
    flow = bars_python(trades, "exchange", "1d")["flow"]
    sizes = [f"taker_{side}_{size}_order_count" for side in ("buy", "sell") for size in ("small", "medium", "large")]
    assert flow.select(sizes).min_horizontal().min() > 0  # type: ignore[operator]


@pytest.fixture(scope="module")
def flow() -> pl.DataFrame:
    return bars_python(random_trades(1, 500, date(2024, 3, 14)), "exchange", "1h")["flow"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (pl.col("volume_delta") * (1 + 3e-9), "volume_delta at 2024-03-14 00:00:00"),
        (pl.col("volume_delta") * math.nan, "volume_delta at .* nan"),
        (pl.col("taker_buy_sell_ratio") * math.inf, "taker_buy_sell_ratio at .* inf"),
        (pl.lit(None, pl.Float64).alias("flow_entropy"), "flow_entropy at .* null, expected"),
        (pl.col("flow_toxicity_score").fill_null(0.0), "flow_toxicity_score at .* 0.0, expected null"),
        (pl.col("flow_toxicity_score") * (1 + 1e-5), "flow_toxicity_score at .* relative 1e-05; allowed 1e-06"),
        (pl.col("taker_buy_count") + 1, "taker_buy_count: and 21 more of 24 bars"),
        (pl.col("taker_buy_count").cast(pl.Float64), "types differ: taker_buy_count"),
        (pl.col("time").dt.offset_by("1us"), "times differ"),
        (pl.col("time").reverse(), "times differ: .* another order"),
        (pl.lit(1.0).alias("surplus"), "columns differ"),
    ],
    ids=lambda value: None if isinstance(value, pl.Expr) else value,
)
def test_the_comparison_names_what_differs(flow: pl.DataFrame, change: pl.Expr, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        assert_bars_equal(flow.with_columns(change), flow)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_comparison_allows_no_undefined_number_on_either_side(flow: pl.DataFrame, value: float) -> None:
    undefined = flow.with_columns(pl.lit(value).alias("volume_delta"))
    nothing = flow.with_columns(pl.lit(None, pl.Float64).alias("volume_delta"))
    for actual, expected in ((undefined, undefined), (flow, undefined), (undefined, nothing), (nothing, undefined)):
        with pytest.raises(AssertionError, match="volume_delta: and 21 more of 24 bars"):
            assert_bars_equal(actual, expected)


def test_the_comparison_notices_a_missing_bar(flow: pl.DataFrame) -> None:
    with pytest.raises(AssertionError, match=r"23 bars, expected 24; missing \['2024-03-14 05:00:00'"):
        assert_bars_equal(flow.filter(pl.col("time").dt.hour() != 5), flow)


def test_the_comparison_allows_what_it_is_told_to(flow: pl.DataFrame) -> None:
    changed = flow.with_columns(pl.col("volume_delta") * 1.001, pl.col("flow_toxicity_score") * (1 + 1e-7))
    assert_bars_equal(changed, flow, rtol={"volume_delta": 0.002})
    assert_bars_equal(changed, flow, atol={"volume_delta": 1.0})
    with pytest.raises(AssertionError, match="volume_delta"):
        assert_bars_equal(changed, flow, rtol={"flow_entropy": 1.0})
    with pytest.raises(AssertionError, match="flow_toxicity_score"):
        assert_bars_equal(changed, flow, rtol={"volume_delta": 0.002, "flow_toxicity_score": 1e-9})
