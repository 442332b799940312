"""The oracle of the trade datasets itself: hand-computed bars, agreement of its two computations, exact edges."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, TypeAlias

import polars as pl
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from tests.oracle import assert_bars_equal, random_trades, trades_frame
from tests.oracle.strategies import trades_frames
from tests.oracle.trades import (
    SQL_ATOL,
    SQL_RTOL,
    TRADE_ATOL,
    TRADE_FIELDS,
    TRADE_RTOL,
    trade_bar_schema,
    trade_bars_duckdb,
    trade_bars_python,
)
from tests.oracle.trades.strategies import SHAPES, crowded_second, dense_trades, shaped_trades

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Bars: TypeAlias = Callable[[pl.DataFrame, str, str], dict[str, pl.DataFrame]]

NOON = int(datetime(2024, 3, 14, 12, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE = 60_000_000


@pytest.fixture(params=[trade_bars_python, trade_bars_duckdb], ids=["python", "duckdb"])
def bars(request: pytest.FixtureRequest) -> Bars:
    computation: Bars = request.param
    return computation


def _ticks(*trades: tuple[str, float, float], start: int = NOON) -> pl.DataFrame:
    """Trades a microsecond apart that arrive the moment they are matched."""
    return trades_frame((start + k, start + k, side, price, amount) for k, (side, price, amount) in enumerate(trades))


def _path(*prices: float) -> pl.DataFrame:
    return _ticks(*(("buy", price, 1.0) for price in prices))


def _row(bars: Bars, trades: pl.DataFrame) -> dict[str, float | None]:
    """The one bar of one minute, all datasets' fields together."""
    row: dict[str, float | None] = {}
    for frame in bars(trades, "exchange", "1m").values():
        row |= frame.drop("time").row(0, named=True)
    return row


def _assert_agreement(trades: pl.DataFrame, clock: str, interval: str) -> None:
    python, duckdb = trade_bars_python(trades, clock, interval), trade_bars_duckdb(trades, clock, interval)
    for dataset in TRADE_FIELDS:
        assert_bars_equal(duckdb[dataset], python[dataset], rtol=SQL_RTOL, atol=SQL_ATOL)


def test_the_contract_has_the_documented_number_of_fields_and_integers() -> None:
    assert {dataset: len(names) for dataset, names in TRADE_FIELDS.items()} == {
        "trade_size": 24,
        "range": 10,
        "impact": 5,
        "updownticks": 14,
        "run_structure": 7,
        "returns": 6,
    }
    integers = {
        name for dataset in TRADE_FIELDS for name, kind in trade_bar_schema(dataset).items() if kind == pl.Int64
    }
    assert integers == {
        *("small_order_count", "medium_order_count", "large_order_count", "n_trades"),
        *("uptick_count", "downtick_count", "unchanged_count"),
        *("buy_run_max_len", "sell_run_max_len"),
    }
    names = {name for fields in TRADE_FIELDS.values() for name in fields}
    assert (TRADE_RTOL.keys() | TRADE_ATOL.keys()) <= names


def test_every_field_of_a_bar_worked_out_by_hand(bars: Bars) -> None:
    trades = _ticks(
        ("buy", 30.0, 50.0),  # 1,500, large
        ("buy", 20.0, 2.0),  # 40, small
        ("buy", 25.0, 4.0),  # exactly 100, medium
        ("sell", 40.0, 25.0),  # exactly 1,000, large
        ("sell", 40.0, 5.0),  # 200, medium
        ("buy", 10.0, 4.0),  # 40, small
    )
    moves = [math.log(step) for step in (2 / 3, 5 / 4, 8 / 5, 1, 1 / 4)]
    realised = sum(move**2 for move in moves)
    bipower = math.pi / 2 * (abs(moves[0] * moves[1]) + abs(moves[1] * moves[2]))
    expected = {
        "trade_size": (
            *(80.0, 2, 300.0, 2, 2500.0, 2),
            *(90.0, 6),
            *(80 / 90, 300 / 90, 2500 / 90, 1 / 3, 1 / 3, 1 / 3),
            *(15.0, 4.5, math.sqrt(367.2), 367.2),
            6 * math.sqrt(5) / 4 * 38_016 / 1836**1.5,
            5 / 12 * (7 * (6 * 1_578_468 / 1836**2 - 3) + 6),
            *(2.0, 50.0, 25.0, math.sqrt(367.2) / 15),
        ),
        "range": (
            *(30.0, 30_000.0),
            *(27.5, 27.5, math.sqrt(137.5), 137.5),
            6 * math.sqrt(5) / 4 * -1875 / 687.5**1.5,
            5 / 12 * (7 * (6 * 145_859.375 / 687.5**2 - 3) + 6),
            *(4.0, math.sqrt(137.5) / 27.5),
        ),
        "impact": (2 / 3 / 2880, -4.65 / 607.2, 2 / 3 / 480, -2 / 3, -5 / 18 + 3 / 10),
        "updownticks": (2, 2, 1, 29.0, 6.0, 5.0, 29 / 6, 1.0, 0.4, 0.4, 0.2, 5 / 40, 6 / 40, 29 / 40),
        "run_structure": (3, 2, 2.0, 2.0, 0.2, 2 / 6, (3 / 5 + 3 / 4) / 2),
        "returns": (
            statistics.variance(moves),
            math.sqrt(realised),
            bipower,
            (realised - bipower) / realised,
            statistics.correlation(moves[1:], moves[:-1]),
            math.log(3) / sum(map(abs, moves)),
        ),
    }
    result = bars(trades, "exchange", "1m")
    assert result.keys() == expected.keys()
    for dataset, values in expected.items():
        row = (datetime(2024, 3, 14, 12), *values)  # noqa: DTZ001 -- bar times carry no zone
        want = pl.DataFrame([row], schema=trade_bar_schema(dataset), orient="row")
        assert_bars_equal(result[dataset], want, rtol=1e-13, atol=1e-15)


def test_runs_of_the_documented_example(bars: Bars) -> None:
    prices = (100, 101, 100, 99, 98, 99, 97, 98)
    row = _row(
        bars, _ticks(*((_side(letter), float(price), 1.0) for letter, price in zip("BBSSSBSB", prices, strict=True)))
    )
    jumps = [abs(100 / 101 - 1), abs(99 / 98 - 1), abs(97 / 99 - 1), abs(98 / 97 - 1)]
    assert [row[name] for name in TRADE_FIELDS["run_structure"]] == [
        2,
        3,
        pytest.approx(4 / 3, rel=1e-15),
        2.0,
        -0.2,
        0.5,
        pytest.approx(statistics.mean(jumps), rel=1e-14),
    ]


def _side(letter: str) -> str:
    return {"B": "buy", "S": "sell"}[letter]


def test_a_single_trade(bars: Bars) -> None:
    row = _row(bars, _ticks(("buy", 94_000.37, 0.1)))
    assert {name for name, value in row.items() if value is None} == {
        *(f"{of}_{statistic}" for of in ("trade_amount", "price") for statistic in ("std", "variance", "skewness")),
        *(f"{of}_{statistic}" for of in ("trade_amount", "price") for statistic in ("kurtosis", "cv")),
        *("kyle_like_lambda", "large_trade_reversal", "directional_impact_asymmetry"),
        *("uptick_downtick_volume_ratio", "uptick_downtick_count_ratio"),
        *(f"{tick}_{of}_percentage" for tick in ("uptick", "downtick", "unchanged") for of in ("count", "volume")),
        "price_change_on_flip",
        *("logret_var", "jump_ratio", "ret_autocorr_lag1", "trendiness"),
    }
    zeros = ("range", "range_bps", "amihud_like", "impact_per_notional", "sell_run_max_len", "sell_run_mean_len")
    assert {row[name] for name in (*zeros, "flip_rate", "realized_vol", "bipower_variation", "unchanged_volume")} == {0}
    assert row["run_imbalance"] == row["price_range_ratio"] == row["buy_run_mean_len"] == 1


def test_two_trades(bars: Bars) -> None:
    row = _row(bars, _ticks(("buy", 100.0, 1.0), ("sell", 101.0, 3.0)))
    assert row["price_variance"] == 0.5
    assert row["price_skewness"] is None
    assert row["logret_var"] is None
    assert row["kyle_like_lambda"] is None
    assert row["ret_autocorr_lag1"] is None
    assert row["bipower_variation"] == 0
    assert row["jump_ratio"] == 1
    assert row["trendiness"] == 1
    assert row["directional_impact_asymmetry"] is None
    assert row["price_change_on_flip"] == pytest.approx(0.01, rel=1e-13)


def test_two_prices_have_skewness_only_from_three_trades_and_kurtosis_from_four(bars: Bars) -> None:
    three, four = _row(bars, _path(1.0, 1.0, 4.0)), _row(bars, _path(1.0, 1.0, 1.0, 4.0))
    assert three["price_skewness"] == pytest.approx(math.sqrt(3), rel=1e-15)
    assert three["price_kurtosis"] is None
    assert four["price_kurtosis"] == pytest.approx(4.0, rel=1e-14)


@pytest.mark.parametrize("price", [0.1, 94_000.37, 1e-5])
@pytest.mark.parametrize("count", [2, 3, 7])
def test_constant_samples_have_no_spread_and_no_shape(bars: Bars, price: float, count: int) -> None:
    row = _row(bars, _ticks(*[("buy", price, 0.3)] * count))
    for of in ("trade_amount", "price"):
        assert [row[f"{of}_{name}"] for name in ("std", "variance", "cv")] == [0, 0, 0]
        assert row[f"{of}_skewness"] is None
        assert row[f"{of}_kurtosis"] is None
        assert row[f"{of}_median"] == (price if of == "price" else 0.3)
    assert row["kyle_like_lambda"] is None
    assert row["logret_var"] == (0 if count > 2 else None)
    assert [row[name] for name in ("jump_ratio", "ret_autocorr_lag1", "trendiness")] == [None] * 3
    assert row["unchanged_count_percentage"] == row["unchanged_volume_percentage"] == 1
    assert row["uptick_downtick_count_ratio"] is None


def test_equal_returns_have_variance_zero_and_no_autocorrelation(bars: Bars) -> None:
    row = _row(bars, _path(*(0.3 * 2**k for k in range(6))))
    assert row["logret_var"] == 0
    assert row["ret_autocorr_lag1"] is None
    assert row["trendiness"] == pytest.approx(1, rel=1e-15)


def test_autocorrelation_is_null_when_either_side_of_the_pairs_is_constant(bars: Bars) -> None:
    assert _row(bars, _path(1.0, 2.0, 4.0, 12.0))["ret_autocorr_lag1"] is None  # every predecessor is ln 2
    assert _row(bars, _path(1.0, 3.0, 6.0, 12.0))["ret_autocorr_lag1"] is None  # every successor is ln 2
    assert _row(bars, _path(1.0, 3.0, 6.0))["ret_autocorr_lag1"] is None  # one pair
    assert _row(bars, _path(1.0, 3.0, 6.0, 24.0))["ret_autocorr_lag1"] == pytest.approx(-1, rel=1e-12)


def test_equal_and_opposite_flow_is_a_zero_denominator(bars: Bars) -> None:
    amounts = [0.1, 0.2, 0.3, 1e-5, 7000.7, 1e-3]
    both = [*(("buy", 28000.1, amount) for amount in amounts), *(("sell", 28000.1, amount) for amount in amounts[::-1])]
    assert _row(bars, _ticks(*both))["impact_per_notional"] is None


def test_the_signed_flow_is_rounded_once(bars: Bars) -> None:
    # 1.5 * 0.2 is 0.30000000000000004, as is 0.1 + 0.2 rounded, but the exact sum of the two falls short of it by 2**-55.
    row = _row(bars, _ticks(("buy", 1.0, 0.1), ("buy", 2.0, 0.1), ("sell", 1.5, 0.2)))
    assert row["impact_per_notional"] == 0.5 * 2**55


def test_one_sided_bars(bars: Bars) -> None:
    row = _row(bars, _ticks(*(("sell", price, 1.0 + price) for price in (4.0, 5.0, 2.0))))
    assert row["directional_impact_asymmetry"] is None
    assert row["price_change_on_flip"] is None
    assert row["flip_rate"] == 0
    assert row["run_imbalance"] == -1
    assert row["buy_run_mean_len"] == 0
    assert row["sell_run_mean_len"] == 3
    # r = 1/4, -3/5 and x = -5, -6, -3: the pairs' covariance is -0.85 * 3 / 2, the variance of all three 7/3.
    assert row["kyle_like_lambda"] == pytest.approx(-1.275 / (7 / 3), rel=1e-14)


def test_the_first_trade_of_a_bar_has_no_predecessor(bars: Bars) -> None:
    first = _ticks(("buy", 1.0, 1.0), ("sell", 9.0, 1.0), start=NOON + MINUTE - 2)
    second = _ticks(("buy", 3.0, 1.0), ("buy", 4.0, 1.0), start=NOON + MINUTE)
    result = bars(pl.concat([first, second]), "exchange", "1m")
    assert result["updownticks"]["uptick_count"].to_list() == [1, 1]
    assert result["updownticks"]["downtick_count"].to_list() == [0, 0]
    assert result["run_structure"]["flip_rate"].to_list() == [0.5, 0]
    assert result["returns"]["realized_vol"].to_list() == pytest.approx([math.log(9), math.log(4 / 3)], rel=1e-14)


def test_large_trades_include_ties_at_the_ninetieth_percentile_and_need_five_successors(bars: Bars) -> None:
    # Of eleven amounts the tenth is the percentile itself; the largest has only four successors.
    amounts = (2.0, 1.0, 2.0, 1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0)
    prices = (10.0, 1.0, 20.0, 1.0, 1.0, 11.0, 1.0, 30.0, 1.0, 1.0, 1.0)
    trades = _ticks(*(("buy", price, amount) for price, amount in zip(prices, amounts, strict=True)))
    assert _row(bars, trades)["large_trade_reversal"] == pytest.approx((0.1 + 0.5) / 2, rel=1e-14)
    assert _row(bars, trades.head(5))["large_trade_reversal"] is None


def test_python_moments_are_those_of_a_fifty_digit_decimal_computation() -> None:
    trades = crowded_second(n=2_000)
    row = _row(trade_bars_python, trades)
    for of, column in (("price", "price"), ("trade_amount", "amount")):
        variance, skewness, kurtosis = _decimal_moments(trades[column].to_list())
        assert row[f"{of}_variance"] == pytest.approx(variance, rel=1e-15)
        assert row[f"{of}_std"] == pytest.approx(math.sqrt(variance), rel=1e-15)
        assert row[f"{of}_skewness"] == pytest.approx(skewness, rel=1e-15)
        assert row[f"{of}_kurtosis"] == pytest.approx(kurtosis, rel=1e-15)


def _decimal_moments(values: Sequence[float]) -> tuple[float, float, float]:
    with localcontext(prec=50):
        n = Decimal(len(values))
        mean = sum(map(Decimal, values)) / n
        second, third, fourth = (sum((Decimal(value) - mean) ** power for value in values) / n for power in (2, 3, 4))
        skewness = (n * (n - 1)).sqrt() / (n - 2) * third / (second * second.sqrt())
        kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (fourth / second**2 - 3) + 6)
        return float(second * n / (n - 1)), float(skewness), float(kurtosis)


def test_the_tolerances_refuse_moments_that_are_not_centred() -> None:
    trades = crowded_second(n=2_000)
    expected = trade_bars_python(trades, "exchange", "1s")["range"]
    prices = trades["price"]
    mean, squares = prices.mean(), (prices**2).mean()
    assert isinstance(mean, float)
    assert isinstance(squares, float)
    variance = (squares - mean**2) * len(prices) / (len(prices) - 1)
    with pytest.raises(AssertionError, match="price_variance"):
        assert_bars_equal(expected.with_columns(price_variance=variance), expected, rtol=TRADE_RTOL, atol=TRADE_ATOL)


@pytest.mark.parametrize("interval", ["1s", "1m", "1h", "1d"])
@pytest.mark.parametrize("clock", ["exchange", "true"])
def test_both_computations_agree_on_a_long_market(clock: str, interval: str) -> None:
    _assert_agreement(random_trades(7, 4_000, date(2024, 2, 28), days=3), clock, interval)


def test_both_computations_agree_on_a_second_of_ten_thousand_trades() -> None:
    trades = crowded_second()
    _assert_agreement(trades, "true", "1s")
    spread = trade_bars_python(trades, "true", "1s")["range"]["price_std"].to_list()
    assert spread == [pytest.approx(20, rel=0.05)]


@given(trades=trades_frames(), clock=st.sampled_from(["exchange", "true"]), interval=st.sampled_from(["1m", "1d"]))
@settings(max_examples=12)
def test_both_computations_agree_on_edges(trades: pl.DataFrame, clock: str, interval: str) -> None:
    _assert_agreement(trades, clock, interval)


@given(trades=dense_trades())
@settings(max_examples=25)
def test_both_computations_agree_on_shapes(trades: pl.DataFrame) -> None:
    _assert_agreement(trades, "exchange", "1s")


@given(trades=dense_trades())
@settings(max_examples=40)
def test_values_stay_within_their_bounds(trades: pl.DataFrame) -> None:
    row = _row(trade_bars_python, trades)
    correlation, trendiness, skewness = (row[name] for name in ("ret_autocorr_lag1", "trendiness", "price_skewness"))
    assert correlation is None or -1 <= correlation <= 1
    assert trendiness is None or 0 <= trendiness <= 1
    assert skewness is None or abs(skewness) <= math.sqrt(len(trades)) * (1 + 1e-12)
    ticks = [row[f"{tick}_count"] for tick in ("uptick", "downtick", "unchanged")]
    assert sum(count for count in ticks if count is not None) == len(trades) - 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sides", [{"buy"}, {"buy", "sell"}])
def test_shapes_reach_tied_bars_of_either_kind(shape: str, sides: set[str]) -> None:
    find(
        shaped_trades(shape),
        lambda trades: (
            len(trades) > 5 and set(trades["side"]) == sides and trades["exchange_timestamp"].is_duplicated().any()
        ),
        settings=settings(max_examples=500, deadline=None, database=None, phases=[Phase.generate]),
    )
