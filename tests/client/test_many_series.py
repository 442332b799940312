from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.client.mock_api import FakeApi, Reply, bars, json_reply, parquet

import aperiodic

if TYPE_CHECKING:
    from tests.client.mock_api import Asked

FIRST = datetime(2025, 1, 1)  # noqa: DTZ001 (naive UTC)
SYMBOLS = ("perpetual-BTC-USDT:USDT", "perpetual-ETH-USDT:USDT", "perpetual-SOL-USDT:USDT")


def bars_of(metric: str, symbol: str, exchange: str) -> pl.DataFrame:
    """Hourly bars whose values tell the series; each next instrument begins an hour later."""
    late = SYMBOLS.index(symbol)
    number = late + 10 * (exchange == "okx-perps")
    frame = bars("2025-01", metric)
    return frame.select("time", pl.exclude("time") + 1_000_000 * number)[late:]


def publish(fake: FakeApi, *metrics: str, **beside: Any) -> None:
    """Publish January of every instrument on every venue."""

    def answer(metric: str, asked: Asked) -> Reply:
        exchange, symbol = asked.query["exchange"], asked.query["symbol"]
        body = parquet(bars_of(metric, symbol, exchange))
        name = f"/{metric}-{exchange}-{symbol}"
        fake.store.on(name, Reply(body=body))
        link = {
            "year": 2025,
            "month": 1,
            "url": f"{fake.store.url}{name}",
            "size": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        return json_reply({"files": [link], **beside.get(symbol, {})})

    for metric in metrics:
        fake.api.on_each(f"/api/v1/data/{metric}", lambda asked, metric=metric: answer(metric, asked))  # type: ignore[misc]


def test_several_instruments_come_below_each_other_with_their_names(fake: FakeApi) -> None:
    publish(fake, "ohlcv")
    frame = aperiodic.get_ohlcv(**fake.request(symbol=list(SYMBOLS)))
    assert frame.columns[:2] == ["symbol", "time"]
    for symbol in SYMBOLS:
        own = frame.filter(pl.col("symbol") == symbol).drop("symbol")
        assert own.equals(bars_of("ohlcv", symbol, "binance-futures"))
    assert list(dict.fromkeys(frame["symbol"])) == list(SYMBOLS)


def test_a_list_of_one_has_its_name_too_and_venues_have_theirs(fake: FakeApi) -> None:
    publish(fake, "ohlcv")
    asked = fake.request(symbol=[SYMBOLS[0]], exchange=["okx-perps", "binance-futures"])
    frame = aperiodic.get_ohlcv(**asked)
    assert frame.columns[:3] == ["exchange", "symbol", "time"]
    assert frame.filter(pl.col("exchange") == "okx-perps")["close"][0] == bars("2025-01")["close"][0] + 10_000_000


def test_wide_frames_stand_beside_each_other(fake: FakeApi) -> None:
    publish(fake, "ohlcv")
    frame = aperiodic.get_ohlcv(**fake.request(symbol=list(SYMBOLS), columns=["close"], shape="wide"))
    assert frame.columns == ["time", *(f"close|{symbol}" for symbol in SYMBOLS)]
    assert frame.height == 31 * 24
    assert frame.row(0) == (FIRST, 0, None, None)
    assert frame.row(2) == (FIRST + timedelta(hours=2), 2, 1_000_002, 2_000_002)


def test_several_datasets_of_an_instrument_stand_beside_each_other(fake: FakeApi) -> None:
    publish(fake, "ohlcv", "range", "vtwap")
    frame = aperiodic.get_metrics(**fake.request(metric=["ohlcv", "range"], columns=["close", "range.range"]))
    assert frame.columns == ["time", "close", "range"]
    both = aperiodic.get_metrics(**fake.request(metric=["ohlcv", "vtwap"]))
    assert len(both.columns) == len(set(both.columns))


def test_columns_alone_and_time_alone(fake: FakeApi) -> None:
    publish(fake, "ohlcv")
    assert aperiodic.get_ohlcv(**fake.request(columns=["volume", "close"])).columns == ["time", "close", "volume"]
    assert aperiodic.get_ohlcv(**fake.request(columns=["time"])).columns == ["time"]


def test_a_column_that_nobody_knows_names_the_nearest(fake: FakeApi) -> None:
    fake.api.on("/api/v1/metadata/catalog", json_reply({"metrics": []}))
    with pytest.raises(aperiodic.InvalidInputError, match="close") as caught:
        aperiodic.get_ohlcv(**fake.request(columns=["clsoe"]))
    assert caught.value.code == "unknown_column"
    assert fake.api.count("/api/v1/data/ohlcv") == 0


def test_a_column_that_only_the_server_knows_can_be_asked_for(fake: FakeApi) -> None:
    body = parquet(bars("2025-01").with_columns(added=pl.lit(1.5)))
    fake.reply(json_reply({"files": [fake.store_file("2025-01", body)]}))
    fields = [{"name": name, "type": "Float64"} for name in ("close", "added")]
    fake.api.on("/api/v1/metadata/catalog", json_reply({"metrics": [{"id": "ohlcv", "fields": fields}]}))
    frame = aperiodic.get_ohlcv(**fake.request(columns=["added"]))
    assert frame.columns == ["time", "added"]


def test_there_is_one_verdict_on_all_of_them(fake: FakeApi) -> None:
    publish(fake, "ohlcv", **{SYMBOLS[1]: {"missing": ["2025-01-07"]}})
    with pytest.warns(aperiodic.IncompleteDataWarning, match=r"1 of 3 series.*ETH.*2025-01-07") as told:
        aperiodic.get_ohlcv(**fake.request(symbol=list(SYMBOLS)))
    assert len(told) == 1
    with pytest.raises(aperiodic.IncompleteDataError):
        aperiodic.get_ohlcv(**fake.request(symbol=list(SYMBOLS), on_incomplete="raise"))


def test_an_empty_list_and_too_many_series_are_refused(fake: FakeApi) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.get_ohlcv(**fake.request(symbol=[]))
    assert caught.value.code == "bad_symbol"
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        aperiodic.get_ohlcv(**fake.request(symbol=[f"perpetual-A{n}-USDT:USDT" for n in range(10_001)]))
    assert caught.value.code == "too_many_series"
