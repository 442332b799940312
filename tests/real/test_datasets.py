"""All datasets that recorded streams allow, fetched through the server with the SDK, against the oracles."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest
from tests import oracle
from tests.checked import compare
from tests.lakes import published, put_ticks

import aperiodic
from aperiodic.catalog import DATASETS
from aperiodic.engine.build import build
from aperiodic.engine.importing import import_tardis
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Clock, Exchange, Interval, Stream
from aperiodic.venues import has_modelled_time

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import Api

PERPETUAL, SPOT = "perpetual-BTC-USDT:USDT", "spot-BTC-USDT"
SERIES = [
    pytest.param(Exchange.BINANCE_FUTURES, PERPETUAL, date(2023, 4, 1), id="A-futures"),
    pytest.param(Exchange.BINANCE, SPOT, date(2023, 4, 1), id="A-spot"),
    pytest.param(Exchange.BINANCE_FUTURES, PERPETUAL, date(2024, 8, 1), id="B-futures"),
    pytest.param(Exchange.BINANCE, SPOT, date(2024, 8, 1), id="B-spot"),
]
Frames = dict[str, pl.DataFrame]


def ticks_of(home: Path, exchange: Exchange, month: date) -> dict[Stream, pl.DataFrame]:
    with closing(Lake.open(Settings(home=home))) as lake:
        ticks: dict[Stream, list[pl.DataFrame]] = {}
        for record in lake.current(ObjectKind.TICKS, exchange=exchange):
            if record.key.period.startswith(f"{month:%Y-%m}"):
                ticks.setdefault(Stream(record.key.dataset), []).append(lake.store.read_parquet(record.path))
        return {stream: pl.concat(days) for stream, days in ticks.items()}


def expected(ticks: dict[Stream, pl.DataFrame], exchange: Exchange, clock: Clock, interval: Interval) -> Frames:
    trades, at = ticks[Stream.TRADES], (clock.value, interval.value)
    frames = {
        **oracle.bars_duckdb(trades, *at),
        **oracle.trade_bars_python(trades, *at),
        **oracle.quote_bars_duckdb(ticks[Stream.QUOTES], *at),
    }
    if not has_modelled_time(exchange, Stream.QUOTES) or clock is Clock.TRUE:
        frames |= oracle.slippage_bars_duckdb(trades, ticks[Stream.QUOTES], *at)
    if Stream.BOOK in ticks:
        frames |= oracle.book_bars_duckdb(ticks[Stream.BOOK], *at)
    if Stream.MARK_PRICE in ticks:
        marks, index = ticks[Stream.MARK_PRICE], ticks[Stream.INDEX_PRICE]
        frames |= oracle.derivative_bars_duckdb(marks, index, trades, *at)
        frames |= oracle.funding_bars_duckdb(ticks[Stream.FUNDING_RATE], *at)
    return frames


@pytest.mark.parametrize(("exchange", "symbol", "month"), SERIES)
@pytest.mark.parametrize("clock", Clock)
def test_every_dataset_that_the_streams_allow_agrees_with_the_oracles(
    recorded: Path, recorded_api: Api, exchange: Exchange, symbol: str, month: date, clock: Clock
) -> None:
    ticks = ticks_of(recorded, exchange, month)
    for interval in clock.intervals:
        frames = expected(ticks, exchange, clock, interval)
        for dataset in DATASETS:
            actual = fetch(recorded_api, dataset, clock, interval, exchange, symbol, month)
            if dataset not in frames:
                assert actual.is_empty(), f"{dataset} has rows though its streams were not recorded"
                continue
            compare(actual, frames[dataset], dataset, clock, interval)


def fetch(
    api: Api, dataset: str, clock: Clock, interval: Interval, exchange: Exchange, symbol: str, month: date
) -> pl.DataFrame:
    family = DATASETS[dataset].driving in {Stream.TRADES, Stream.QUOTES, Stream.BOOK}
    function: Any = aperiodic.get_metrics if family else aperiodic.get_derivative_metrics
    frame: pl.DataFrame = function(
        api.key,
        metric=dataset,
        timestamp=clock.value,
        interval=interval.value,
        exchange=exchange.value,
        symbol=symbol,
        start_date=month,
        end_date=month.replace(day=28),
        base_url=api.url,
        show_progress=False,
        on_incomplete="ignore",
    )
    return frame


def test_funding_in_set_a_changes_at_the_funding_time(recorded_api: Api) -> None:
    frame = fetch(
        recorded_api, "funding", Clock.EXCHANGE, Interval.M1, Exchange.BINANCE_FUTURES, PERPETUAL, date(2023, 4, 1)
    )
    midnight = frame.filter(pl.col("time").dt.hour() == 0).row(0, named=True)
    assert midnight["funding_rate"] == 0.0000276


def test_slippage_in_set_g_is_that_of_the_readme(real_data: Path, tmp_path: Path) -> None:
    """Against mid, takers who bought paid 0.295 bp on average: the slippage against the ask plus half the spread."""
    folder = real_data / "tardis/binance-futures"
    with closing(Lake.open(Settings(home=tmp_path / "whole"))) as whole:
        import_tardis(whole, [folder / f"{kind}_2020-02-22_BTCUSDT.csv" for kind in ("trades", "quotes")])
        ticks = {
            Stream(record.key.dataset): whole.store.read_parquet(record.path)
            for record in whole.current(ObjectKind.TICKS)
        }
    quotes = ticks[Stream.QUOTES]
    trades = ticks[Stream.TRADES].filter(pl.col("exchange_timestamp") <= quotes["exchange_timestamp"].max())
    with closing(Lake.open(Settings(home=tmp_path / "window"))) as lake:
        put_ticks(lake, Stream.TRADES, trades)
        put_ticks(lake, Stream.QUOTES, quotes)
        build(lake)
        bar = published(lake, "slippage", "exchange", "1d").row(0, named=True)
    duckdb.register("trades", trades.with_columns(pl.col("side").cast(pl.String)))
    duckdb.register("quotes", quotes)
    joined = duckdb.sql("""
        SELECT t.side, t.price, q.bid_price AS bid, q.ask_price AS ask, (q.bid_price + q.ask_price) / 2 AS mid
        FROM trades t ASOF JOIN quotes q ON t.exchange_timestamp > q.exchange_timestamp
    """)
    assert joined is not None
    matched = joined.pl()
    buys = matched.filter(pl.col("side") == "buy")
    against_mid = ((buys["price"] - buys["mid"]) / buys["mid"] * 1e4).mean()
    half_spread = ((buys["ask"] - buys["mid"]) / buys["mid"] * 1e4).mean()
    assert against_mid == pytest.approx(0.295, abs=0.0005)
    assert bar["slippage_bps_buy_mean"] + half_spread == pytest.approx(against_mid, rel=1e-9)
    assert (buys["price"] >= buys["ask"]).all()
