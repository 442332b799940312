"""The expressions of the fields made from trades: hand-made bars, the numbers worked out by hand."""

from __future__ import annotations

import math

import polars as pl
import pytest

from aperiodic.catalog import DATASETS, Family, Field, MonthProduct
from aperiodic.catalog.expressions import entropy, ratio
from aperiodic.engine.families import KERNELS
from aperiodic.engine.partials.kernel import DayTicks
from aperiodic.market import SIDE, Clock, Exchange, Interval, Stream

SECOND = 1_000_000


def bars(*trades: tuple[str, float, float]) -> pl.DataFrame:
    """Partials of one bar from (side, price, amount) in order."""
    kernel = KERNELS[Family.TRADES]
    whole = pl.DataFrame(trades, schema={"side": SIDE, "price": pl.Float64, "amount": pl.Float64}, orient="row")
    timed = whole.with_columns(time=pl.int_range(pl.len()) * SECOND)
    ticks = {Stream.TRADES: timed.select("time", *kernel.columns[Stream.TRADES])}
    return kernel.bars(DayTicks(Exchange.BINANCE, Clock.EXCHANGE, 0, ticks, {}))[Interval.D1]


BOTH = bars(("buy", 100.0, 0.5), ("sell", 98.0, 2.0), ("buy", 99.0, 20.0), ("sell", 101.0, 1.5))
BUYS = bars(("buy", 100.0, 3.0), ("buy", 100.0, 1.0))
SELLS = bars(("sell", 100.0, 3.0))
EVEN = bars(("buy", 100.0, 3.0), ("sell", 100.0, 3.0))
PARTIALS = pl.concat([BOTH, BUYS, SELLS, EVEN, BOTH.with_columns(pl.exclude("time") * 0)])
"""Two-sided, one-sided and balanced flow, and a bar in which everything is zero."""


def expressions(field: Field) -> list[pl.Expr]:
    return [field.value.x, field.value.y] if isinstance(field.value, MonthProduct) else [field.value]


DECLARED = [
    (f"{dataset.id}.{field.name}", field)
    for dataset in DATASETS.values()
    if dataset.family is Family.TRADES
    for field in dataset.fields
]
FIELDS = [pytest.param(field, id=name) for name, field in DECLARED]
ALWAYS_DEFINED = [pytest.param(field, id=name) for name, field in DECLARED if field.null == "never"]


@pytest.mark.parametrize("field", FIELDS)
def test_every_expression_is_written_over_partials_that_the_engine_knows(field: Field) -> None:
    for expression in expressions(field):
        roots = set(expression.meta.root_names())
        assert roots
        assert roots <= set(BOTH.columns) - {"time"}


@pytest.mark.parametrize("field", FIELDS)
def test_no_expression_gives_nan_or_infinity(field: Field) -> None:
    for expression in expressions(field):
        values = PARTIALS.select(value=expression)["value"]
        assert len(values) == PARTIALS.height
        assert all(value is None or math.isfinite(value) for value in values), values


@pytest.mark.parametrize("field", ALWAYS_DEFINED)
def test_a_field_that_is_never_null_has_a_value_in_every_bar_with_trades(field: Field) -> None:
    for expression in expressions(field):
        assert PARTIALS[:-1].select(value=expression)["value"].null_count() == 0


def values(dataset: str, partials: pl.DataFrame) -> dict[str, float | None]:
    """Values of the fields that need no other bar."""
    single = {field.name: field.value for field in DATASETS[dataset].fields if isinstance(field.value, pl.Expr)}
    return partials.select(**single).row(0, named=True)


def test_candles_and_averages() -> None:
    assert list(values("ohlcv", BOTH).values()) == [100.0, 101.0, 98.0, 101.0, 24.0, 2377.5]
    assert list(values("vtwap", BOTH).values()) == [2377.5 / 24, 398 / 4]


def test_flow_of_a_two_sided_bar() -> None:
    buy, sell = 20.5 / 24, 3.5 / 24
    assert values("flow", BOTH) == {
        "taker_buy_volume": 20.5,
        "taker_sell_volume": 3.5,
        "taker_buy_count": 2,
        "taker_sell_count": 2,
        "volume_delta": 17.0,
        "volume_delta_notional": 50 + 1980 - 196 - 151.5,
        "flow_entropy": pytest.approx(-buy * math.log(buy) - sell * math.log(sell), rel=1e-15),
        "taker_buy_sell_ratio": 20.5 / 3.5,
        "taker_buy_sell_count_ratio": 1.0,
        "taker_buy_sell_percentage": 20.5 / 24,
        "taker_buy_sell_count_percentage": 0.5,
        "taker_buy_small_order_volume": 50.0,
        "taker_buy_small_order_count": 1,
        "taker_buy_medium_order_volume": 0.0,
        "taker_buy_medium_order_count": 0,
        "taker_buy_large_order_volume": 1980.0,
        "taker_buy_large_order_count": 1,
        "taker_sell_small_order_volume": 0.0,
        "taker_sell_small_order_count": 0,
        "taker_sell_medium_order_volume": 347.5,
        "taker_sell_medium_order_count": 2,
        "taker_sell_large_order_volume": 0.0,
        "taker_sell_large_order_count": 0,
        "taker_buy_small_order_percentage": 50 / 20.5,
        "taker_buy_medium_order_percentage": 0.0,
        "taker_buy_large_order_percentage": 1980 / 20.5,
        "taker_buy_small_order_count_percentage": 0.5,
        "taker_buy_medium_order_count_percentage": 0.0,
        "taker_buy_large_order_count_percentage": 0.5,
        "taker_sell_small_order_percentage": 0.0,
        "taker_sell_medium_order_percentage": 347.5 / 3.5,
        "taker_sell_large_order_percentage": 0.0,
        "taker_sell_small_order_count_percentage": 0.0,
        "taker_sell_medium_order_count_percentage": 1.0,
        "taker_sell_large_order_count_percentage": 0.0,
    }


@pytest.mark.parametrize(("partials", "missing"), [(BUYS, "sell"), (SELLS, "buy")], ids=["only buys", "only sells"])
def test_a_side_without_trades_leaves_its_shares_undefined_and_nothing_else(
    partials: pl.DataFrame, missing: str
) -> None:
    found = values("flow", partials)
    undefined = {
        f"taker_{missing}_{bucket}_order_{kind}"
        for bucket in ("small", "medium", "large")
        for kind in ("percentage", "count_percentage")
    }
    if missing == "sell":
        undefined |= {"taker_buy_sell_ratio", "taker_buy_sell_count_ratio"}
    assert {name for name, value in found.items() if value is None} == undefined
    assert found["flow_entropy"] == 0


def test_even_flow_has_the_greatest_entropy_and_no_delta() -> None:
    found = values("flow", EVEN)
    assert found["flow_entropy"] == pytest.approx(math.log(2), rel=1e-15)
    assert (found["volume_delta"], found["volume_delta_notional"]) == (0, 0)


def test_toxicity_is_made_of_net_notional_and_realised_volatility() -> None:
    score = {found.name: found for found in DATASETS["flow"].fields}["flow_toxicity_score"].value
    assert isinstance(score, MonthProduct)
    flow, volatility = BOTH.select(x=score.x, y=score.y).row(0)
    assert flow == 1682.5
    assert volatility == pytest.approx(math.hypot(98 / 100 - 1, 99 / 98 - 1, 101 / 99 - 1), rel=1e-14)


@pytest.mark.parametrize("zero", [0.0, -0.0, 0])
def test_a_ratio_over_zero_is_null(zero: float) -> None:
    frame = pl.DataFrame({"a": [1.0, 0.0, -1.0, None], "b": [zero, zero, zero, 2]}, strict=False)
    assert frame.select(ratio(pl.col("a"), pl.col("b"))).to_series().to_list() == [None] * 4


def test_a_ratio_of_counts_is_a_fraction() -> None:
    frame = pl.DataFrame({"a": [1, 3], "b": [2, None]})
    assert frame.select(ratio(pl.col("a"), pl.col("b"))).to_series().to_list() == [0.5, None]


@pytest.mark.parametrize(
    ("parts", "nats"),
    [((1.0, 1.0), math.log(2)), ((5.0, 0.0), 0.0), ((0.0, 0.0), None), ((1.0, 1.0, 1.0, 1.0), math.log(4))],
)
def test_entropy_is_in_nats_and_undefined_for_nothing(parts: tuple[float, ...], nats: float | None) -> None:
    frame = pl.DataFrame({str(number): [part] for number, part in enumerate(parts)})
    found = frame.select(entropy(*map(pl.col, frame.columns))).item()
    assert found == (None if nats is None else pytest.approx(nats, rel=1e-15, abs=0))
