from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl
import pytest

from aperiodic.market import Exchange, Stream, Symbol
from aperiodic.simulate import MarketSpec, simulate_day
from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from tests.simulate.conftest import Simulated

DAYS = [date(2024, 2, 28) + timedelta(days=n) for n in range(4)]


def btc(exchange: Exchange, trades_per_day: int = 5_000) -> MarketSpec:
    text = {Exchange.BINANCE: "spot-BTC-USDT", Exchange.HYPERLIQUID_PERPS: "perpetual-BTC-USDC:USDC"}
    symbol = Symbol.parse(text.get(exchange, "perpetual-BTC-USDT:USDT"))
    return MarketSpec(exchange, symbol, seed=3, trades_per_day=trades_per_day)


def test_about_half_of_the_trades_share_a_millisecond(venue: Simulated) -> None:
    shared = (pl.len().over("exchange_timestamp") > 1).mean()
    assert 0.35 < venue.frames[Stream.TRADES].select(shared).item() < 0.65


def test_all_size_buckets_occur(venue: Simulated) -> None:
    notional = venue.frames[Stream.TRADES].select(pl.col("price") * pl.col("amount")).to_series()
    assert 0.1 < (notional < 100).to_numpy().mean() < 0.5
    assert 0.1 < (notional >= 1_000).to_numpy().mean() < 0.5
    assert notional.to_numpy().min() > 0
    assert notional.to_numpy().max() > 50_000


def test_sides_are_balanced_but_persist(venue: Simulated) -> None:
    orders = venue.frames[Stream.TRADES].group_by("exchange_timestamp", maintain_order=True).first()
    assert 0.35 < (orders["side"] == "buy").to_numpy().mean() < 0.65
    assert orders.select((pl.col("side") == pl.col("side").shift()).mean()).item() > 0.55


def test_trading_comes_in_bursts_with_silence_between(venue: Simulated) -> None:
    a_second = venue.frames[Stream.TRADES].group_by(pl.col("exchange_timestamp").dt.truncate("1s")).len()["len"]
    assert a_second.len() < 43_200
    # Were trades spread evenly at random, no second would hold nearly as many.
    assert a_second.to_numpy().max() >= 10
    a_minute = venue.frames[Stream.TRADES].group_by(pl.col("exchange_timestamp").dt.truncate("1m")).len()["len"]
    assert a_minute.len() > 1_000


def test_large_orders_walk_the_book(venue: Simulated) -> None:
    walked = (
        venue.frames[Stream.TRADES]
        .group_by("exchange_timestamp", maintain_order=True)
        .agg(pl.col("side").n_unique().alias("sides"), pl.col("side").first(), pl.col("price"), pl.len())
        .filter(pl.col("sides") == 1, pl.col("len") > 1)
    )
    moves = walked.select("side", move=pl.col("price").list.last() - pl.col("price").list.first())
    assert (moves.filter(side="buy")["move"] >= 0).all()
    assert (moves.filter(side="sell")["move"] <= 0).all()
    assert (moves["move"] != 0).to_numpy().mean() > 0.1


def test_sides_lean_towards_the_price_move() -> None:
    trades = simulate_day(btc(Exchange.BINANCE_FUTURES, 20_000), DAYS[0], [Stream.TRADES])[Stream.TRADES]
    minutes = trades.group_by(pl.col("exchange_timestamp").dt.truncate("1m"), maintain_order=True).agg(
        flow=(pl.col("side") == "buy").mean(), move=pl.col("price").last() / pl.col("price").first()
    )
    assert minutes.select(pl.corr("flow", "move")).item() > 0.2


@pytest.mark.parametrize("exchange", Exchange)
def test_days_join_without_a_jump_or_a_missing_id(exchange: Exchange) -> None:
    days = [simulate_day(btc(exchange), day, [Stream.TRADES, Stream.QUOTES]) for day in DAYS]
    for before, after in pairwise(days):
        last, first = before[Stream.QUOTES]["bid_price"][-1], after[Stream.QUOTES]["bid_price"][0]
        assert abs(first / last - 1) < 0.003
        assert abs(after[Stream.TRADES]["price"][0] / before[Stream.TRADES]["price"][-1] - 1) < 0.01
        if Stream.TRADES in venue_of(exchange).numbered:
            assert int(after[Stream.TRADES]["id"][0]) == int(before[Stream.TRADES]["id"][-1]) + 1
            assert after[Stream.QUOTES]["sequence"][0] > before[Stream.QUOTES]["sequence"][-1]
    assert pl.concat([day[Stream.TRADES] for day in days])["id"].is_unique().all()


def test_the_index_is_continuous_and_its_level_plausible_over_years() -> None:
    spec = btc(Exchange.BINANCE_FUTURES, 1)
    index = [
        simulate_day(spec, date(year, 6, day), [Stream.INDEX_PRICE])[Stream.INDEX_PRICE]["index_price"]
        for year in (1990, 2019, 2020, 2025, 2060)
        for day in (1, 2)
    ]
    for before, after in zip(index[::2], index[1::2], strict=True):
        assert abs(after[0] / before[-1] - 1) < 2e-3
    levels = [series[0] for series in index]
    assert min(levels) > 45_000
    assert max(levels) < 190_000
    assert max(levels) / min(levels) > 1.02


def test_venues_of_an_asset_share_its_price_but_not_exactly() -> None:
    minutes = [
        simulate_day(btc(exchange), DAYS[1], [Stream.QUOTES])[Stream.QUOTES]
        .group_by(pl.col("exchange_timestamp").dt.truncate("10m").alias("time"))
        .agg(pl.col("bid_price").mean().alias(exchange))
        for exchange in Exchange
    ]
    first, *others = minutes
    for other in others:
        name = other.columns[1]
        ratio = first.join(other, on="time").select(pl.col(first.columns[1]) / pl.col(name)).to_series()
        assert (ratio - 1).abs().to_numpy().max() < 0.005
        assert (ratio - 1).abs().to_numpy().max() > 0


def test_a_cross_pair_costs_the_ratio_of_its_assets() -> None:
    def mid(text: str) -> float:
        spec = MarketSpec(Exchange.BINANCE, Symbol.parse(text), seed=3, trades_per_day=1)
        return float(simulate_day(spec, DAYS[0], [Stream.QUOTES])[Stream.QUOTES]["bid_price"][0])

    assert mid("spot-ETH-BTC") == pytest.approx(mid("spot-ETH-USDT") / mid("spot-BTC-USDT"), rel=2e-3)


@pytest.mark.parametrize("base", ["BTC", "ETH", "1000SHIB", "ZORP", "USDC"])
def test_any_asset_has_a_positive_price_and_all_size_buckets(base: str) -> None:
    spec = MarketSpec(Exchange.BINANCE, Symbol.parse(f"spot-{base}-USDT"), seed=9, trades_per_day=2_000)
    frames = simulate_day(spec, DAYS[0], [Stream.TRADES, Stream.BOOK])
    notional = frames[Stream.TRADES].select(pl.col("price") * pl.col("amount")).to_series()
    assert (notional < 100).any()
    assert (notional >= 1_000).any()
    assert frames[Stream.BOOK]["bid_price_25"].to_numpy().min() > 0
