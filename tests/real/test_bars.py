"""Bars made from recorded data, fetched through the server with the SDK."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.lakes import put_trades
from tests.oracle import FIELDS, TRADE_SCHEMA, assert_bars_equal, bars_python
from tests.servers import Api, serving

import aperiodic
from aperiodic.engine.build import build
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Clock, Exchange, Stream

if TYPE_CHECKING:
    from pathlib import Path

BTC = "perpetual-BTC-USDT:USDT"


def candles(api: Api, interval: str, first: date, last: date) -> pl.DataFrame:
    return api.metrics(
        "ohlcv", interval=interval, exchange="binance-futures", symbol=BTC, start_date=first, end_date=last
    )


def test_set_a_gives_the_facts_of_the_official_candles(recorded_api: Api) -> None:
    frame = candles(recorded_api, "15m", date(2023, 4, 4), date(2023, 4, 5))
    assert frame["time"].to_list() == [datetime(2023, 4, 4, 23, 45), datetime(2023, 4, 5, 0, 0)]  # noqa: DTZ001
    assert frame["close"][0] == 28155.2
    assert frame["open"][1] == 28155.1
    # The INSURANCE_FUND print at 28722.5 is no trade of the market.
    assert frame["high"][1] == 28159.2


def test_set_a_says_that_its_month_is_not_complete(recorded_api: Api) -> None:
    whole_month: dict[str, Any] = {
        "symbol": BTC,
        "start_date": "2023-04-01",
        "end_date": "2023-04-30",
        "show_progress": False,
    }
    with pytest.warns(aperiodic.IncompleteDataWarning, match="2023-04"):
        aperiodic.get_ohlcv(
            recorded_api.key, interval="1h", exchange="binance-futures", base_url=recorded_api.url, **whole_month
        )


@pytest.mark.parametrize("clock", Clock)
@pytest.mark.parametrize("day", [date(2023, 4, 5), date(2020, 2, 22)])
def test_every_field_of_recorded_trades_agrees_with_plain_python(
    recorded: Path, recorded_api: Api, clock: Clock, day: date
) -> None:
    lake = Lake.open(Settings(home=recorded))
    records = lake.current(ObjectKind.TICKS, dataset=Stream.TRADES, exchange=Exchange.BINANCE_FUTURES)
    month = [record for record in records if record.key.period[:7] == f"{day:%Y-%m}"]
    trades = pl.concat([lake.store.read_parquet(record.path) for record in month])
    lake.close()
    for interval in clock.intervals:
        expected = bars_python(trades, clock, interval)
        for dataset in FIELDS:
            actual = recorded_api.metrics(
                dataset,
                timestamp=clock.value,
                interval=interval.value,
                exchange="binance-futures",
                symbol=BTC,
                start_date=day.replace(day=1),
                end_date=day.replace(day=29),
            )
            assert_bars_equal(actual, expected[dataset])


def test_set_f_candles_equal_the_official_ones(real_data: Path, tmp_path: Path) -> None:
    """One candle is exact; the recording lost a few trades of the others, see the README of the data."""
    lake = Lake.open(Settings(home=tmp_path))
    put_trades(lake, read_qubx_trades(real_data / "binance-usdm/trades/BTCUSDT.trades.20241028T1542_1700.csv.gz"))
    build(lake)
    lake.close()
    with serving(tmp_path) as api:
        ours = candles(api, "15m", date(2024, 10, 28), date(2024, 10, 28))
    official = pl.read_ipc(
        real_data / "binance-usdm/klines_15m/BTC_USDT_USDT-15m-futures.20241028T12_17.feather"
    ).with_columns(pl.col("date").dt.replace_time_zone(None).cast(pl.Datetime("us")))
    both = ours.join(official, left_on="time", right_on="date", suffix="_official").sort("time")
    full = both.filter(pl.col("time") >= datetime(2024, 10, 28, 15, 45))  # noqa: DTZ001
    assert full.height == 5
    for name in ("high", "low", "close"):
        assert full[name].equals(full[f"{name}_official"], check_names=False), name
    last = full.row(-1, named=True)
    assert last["time"] == datetime(2024, 10, 28, 16, 45)  # noqa: DTZ001
    assert last["open"] == last["open_official"]
    assert last["volume"] == pytest.approx(last["volume_official"], rel=1e-12)
    assert last["volume"] == pytest.approx(2627.097, abs=1e-9)
    difference = (full["volume_official"] - full["volume"]).abs().to_list()
    assert difference == pytest.approx([0.004, 0.891, 0.113, 2.694, 0.0], abs=1e-6)


def read_qubx_trades(path: Path) -> pl.DataFrame:
    """Trades without ids or arrival times: the file's order numbers them, and the exchange's time stands in."""
    table = pl.read_csv(path)
    time = pl.from_epoch(pl.col("time") // 1000, time_unit="us").dt.replace_time_zone("UTC")
    return table.with_row_index("sequence", offset=1).select(
        exchange_timestamp=time,
        local_timestamp=time,
        id=pl.col("sequence").cast(pl.String),
        side=pl.when(pl.col("side") > 0).then(pl.lit("buy")).otherwise(pl.lit("sell")).cast(TRADE_SCHEMA["side"]),
        price=pl.col("price"),
        amount=pl.col("size"),
        sequence=pl.col("sequence").cast(pl.Int64),
    )
