"""Basis, derivative prices, funding and open interest against computations that share no code with the engine."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl
from hypothesis import given, settings
from tests.in_memory import bars_in_memory
from tests.lakes import SOAK, published
from tests.oracle import trades_frame
from tests.oracle.others import (
    OTHER_FIELDS,
    assert_other_bars_equal,
    derivative_bars,
    derivative_bars_duckdb,
    funding_bars,
    funding_bars_duckdb,
    open_interest_bars,
    open_interest_bars_duckdb,
    random_market,
    slippage_bars_duckdb,
    values_frame,
)
from tests.oracle.others.strategies import derivative_frames, funding_frames, open_interest_frames

from aperiodic.catalog import DATASETS, Family
from aperiodic.engine.build import build
from aperiodic.market import Clock, Exchange, Interval, Stream, Symbol
from aperiodic.simulate import MarketSpec, simulate_day, simulate_into

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.oracle.others.strategies import DerivativeTicks

    from aperiodic.lake import Lake

    Frames: TypeAlias = dict[str, pl.DataFrame]
    Ticks: TypeAlias = dict[Stream, pl.DataFrame]

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
NOON: Final = int(datetime(2025, 5, 1, 12, tzinfo=UTC).timestamp()) * SECOND
MARK_STREAMS: Final = (Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.TRADES)
OPEN_INTEREST_STREAMS: Final = (Stream.OPEN_INTEREST, Stream.MARK_PRICE)


def check(family: Family, ticks: Ticks, oracle: Callable[..., Frames]) -> None:
    """Compare all intervals on both clocks; the oracle takes the frames in the order of `ticks`."""
    for clock in Clock:
        bars = bars_in_memory(family, ticks, clock)
        for interval in Interval:
            assert_other_bars_equal(bars[interval], oracle(*ticks.values(), clock, interval))


def ticks_of(column: str, *events: tuple[int, float]) -> pl.DataFrame:
    """Ticks of (µs after noon of 2025-05-01, value)."""
    return values_frame(column, [(NOON + at, NOON + at, value) for at, value in events])


def trades_of(*events: tuple[int, float]) -> pl.DataFrame:
    """Trades of (µs after noon of 2025-05-01, price)."""
    return trades_frame([(NOON + at, NOON + at, "buy", price, 1.0) for at, price in events])


def day_bar(family: Family, ticks: Ticks, dataset: str) -> dict[str, float | None]:
    """The bar of 2025-05-01."""
    return bars_in_memory(family, ticks, Clock.EXCHANGE)[Interval.D1][dataset].row(-1, named=True)


@settings(max_examples=25 * SOAK)
@given(ticks=derivative_frames())
def test_generated_prices_agree_with_plain_python(ticks: DerivativeTicks) -> None:
    check(Family.MARK_PRICE, dict(zip(MARK_STREAMS, ticks, strict=True)), derivative_bars)


@settings(max_examples=25 * SOAK)
@given(rates=funding_frames())
def test_generated_rates_agree_with_plain_python(rates: pl.DataFrame) -> None:
    check(Family.FUNDING_RATE, {Stream.FUNDING_RATE: rates}, funding_bars)


@settings(max_examples=25 * SOAK)
@given(ticks=open_interest_frames())
def test_generated_open_interest_agrees_with_plain_python(ticks: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    check(Family.OPEN_INTEREST, dict(zip(OPEN_INTEREST_STREAMS, ticks, strict=True)), open_interest_bars)


def test_many_events_over_a_month_edge_agree_with_sql() -> None:
    market = random_market(23, 15_000, date(2025, 4, 30), days=2)
    prices = dict(zip(MARK_STREAMS, (market.mark_price, market.index_price, market.trades), strict=True))
    check(Family.MARK_PRICE, prices, derivative_bars_duckdb)
    check(Family.FUNDING_RATE, {Stream.FUNDING_RATE: market.funding_rate}, funding_bars_duckdb)
    amounts = {Stream.OPEN_INTEREST: market.open_interest, Stream.MARK_PRICE: market.mark_price}
    check(Family.OPEN_INTEREST, amounts, open_interest_bars_duckdb)


def test_published_bars_of_a_simulated_market_agree_with_sql(lake: Lake) -> None:
    spec = MarketSpec(Exchange.HYPERLIQUID_PERPS, Symbol.parse("perpetual-BTC-USDC:USDC"), seed=3, trades_per_day=1_500)
    days = [date(2025, 4, 30), date(2025, 5, 1)]
    streams = [stream for stream in Stream if stream is not Stream.BOOK]
    simulate_into(lake, spec, days[0], days[-1], streams)
    build(lake)
    simulated = [simulate_day(spec, day, streams) for day in days]
    ticks = {stream: pl.concat([day[stream] for day in simulated]) for stream in streams}
    mark = ticks[Stream.MARK_PRICE]
    for clock in Clock:
        for interval in (clock.intervals[0], Interval.M15, Interval.D1):
            expected = {
                **derivative_bars_duckdb(mark, ticks[Stream.INDEX_PRICE], ticks[Stream.TRADES], clock, interval),
                **funding_bars_duckdb(ticks[Stream.FUNDING_RATE], clock, interval),
                **open_interest_bars_duckdb(ticks[Stream.OPEN_INTEREST], mark, clock, interval),
                **slippage_bars_duckdb(ticks[Stream.TRADES], ticks[Stream.QUOTES], clock, interval),
            }
            actual = {name: published(lake, name, clock, interval) for name in expected}
            assert_other_bars_equal(actual, expected)


def test_prices_of_earlier_days_and_of_the_same_microsecond_are_joined() -> None:
    ticks = {
        Stream.MARK_PRICE: ticks_of("mark_price", (0, 102.0), (SECOND, 104.0)),
        Stream.INDEX_PRICE: ticks_of("index_price", (-DAY, 100.0), (SECOND, 99.0), (SECOND, 103.0)),
        Stream.TRADES: trades_of((-DAY, 101.0), (SECOND, 101.5)),
    }
    basis = day_bar(Family.MARK_PRICE, ticks, "basis")
    assert basis["basis"] == 1.0
    assert basis["basis_mean"] == 1.5
    assert basis["mark_price_spread"] == 2.5
    prices = day_bar(Family.MARK_PRICE, ticks, "derivative_price")
    assert prices["last_price"] == 101.5
    assert prices["index_price_pct_change"] == 3.0


def test_a_price_that_becomes_known_in_the_interval_changes_from_there() -> None:
    ticks = {
        Stream.MARK_PRICE: ticks_of("mark_price", (0, 100.0), (2, 101.0), (4, 102.0)),
        Stream.INDEX_PRICE: ticks_of("index_price", (1, 50.0), (3, 51.0)),
        Stream.TRADES: trades_of((5, 100.0)),
    }
    prices = day_bar(Family.MARK_PRICE, ticks, "derivative_price")
    assert prices["index_price_pct_change"] == 2.0
    assert prices["mark_index_pct_change_ratio"] == 1.0
    assert prices["last_price"] is None
    assert prices["last_price_pct_change"] is None
    assert prices["mark_last_pct_change_ratio"] is None
    basis = day_bar(Family.MARK_PRICE, ticks, "basis")
    assert basis["basis_mean"] == 51.0
    assert basis["mark_price_spread_mean"] is None
    assert basis["mark_price_spread_bps_std"] is None


def test_an_index_price_of_zero_gives_null_instead_of_an_infinity() -> None:
    ticks = {
        Stream.MARK_PRICE: ticks_of("mark_price", (0, 100.0), (2, 101.0)),
        Stream.INDEX_PRICE: ticks_of("index_price", (0, 0.0)),
        Stream.TRADES: trades_of(),
    }
    basis = day_bar(Family.MARK_PRICE, ticks, "basis")
    assert basis["basis"] == 101.0
    assert basis["basis_bps"] is None
    assert basis["basis_bps_std"] is None
    assert day_bar(Family.MARK_PRICE, ticks, "derivative_price")["index_price_pct_change"] is None


def test_a_constant_basis_has_a_deviation_of_exactly_zero() -> None:
    ticks = {
        Stream.MARK_PRICE: ticks_of("mark_price", *((at, 94_321.7) for at in range(7))),
        Stream.INDEX_PRICE: ticks_of("index_price", (0, 94_300.1)),
        Stream.TRADES: trades_of((0, 94_310.3)),
    }
    basis = day_bar(Family.MARK_PRICE, ticks, "basis")
    assert basis["basis_bps_std"] == 0.0
    assert basis["mark_price_spread_bps_std"] == 0.0


def test_a_funding_rate_changes_when_it_differs_from_the_one_of_days_before() -> None:
    rates = ticks_of("funding_rate", (-2 * DAY, 1e-4), (-DAY, 1e-4), (0, 1e-4), (SECOND, 2e-4), (2 * SECOND, 2e-4))
    bars = bars_in_memory(Family.FUNDING_RATE, {Stream.FUNDING_RATE: rates}, Clock.TRUE)[Interval.D1]["funding"]
    assert bars["funding_rate"].to_list() == [1e-4, 1e-4, 2e-4]
    assert bars["funding_rate_avg_update_interval"].to_list() == [86_400.0, None, 86_400.0]
    assert bars["funding_rate_update_frequency"].to_list() == [1 / 86_400, 0.0, 1 / 86_400]


def test_open_interest_of_zero_makes_no_row_and_no_change() -> None:
    ticks = {
        Stream.OPEN_INTEREST: ticks_of(
            "open_interest", (-DAY, 0.0), (0, 50.0), (1, 0.0), (2, 50.0), (3, 51.0), (4, 0.0)
        ),
        Stream.MARK_PRICE: ticks_of("mark_price", (-DAY, 100.0), (3, 104.0)),
    }
    bars = bars_in_memory(Family.OPEN_INTEREST, ticks, Clock.EXCHANGE)[Interval.D1]["open_interest"]
    assert bars.drop("time").rows() == [(51.0, 2.0, None, 0.5)]


def test_repeated_open_interest_is_no_step() -> None:
    amounts = ((0, 100.0), (1, 110.0), (2, 110.0), (3, 121.0), (4, 121.0))
    ticks = {Stream.OPEN_INTEREST: ticks_of("open_interest", *amounts), Stream.MARK_PRICE: ticks_of("mark_price")}
    bar = day_bar(Family.OPEN_INTEREST, ticks, "open_interest")
    assert bar["open_interest_volatility"] == 0.0
    assert bar["open_interest_pct_change"] == 21.0
    assert bar["oi_price_change_ratio"] is None


def test_oracle_covers_every_field_of_the_catalog() -> None:
    for name in ("slippage", "basis", "funding", "open_interest", "derivative_price"):
        assert [field.name for field in DATASETS[name].fields] == list(OTHER_FIELDS[name])
