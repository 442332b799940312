from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from tests.server.conftest import RunningServer, publish

from aperiodic.catalog import DATASETS
from aperiodic.market import Exchange, Symbol

if TYPE_CHECKING:
    from tests.server.conftest import Installation

from datetime import date

SYMBOLS = "/api/v1/metadata/symbols"


def test_symbols_are_those_with_bars_sorted(api: httpx.Client) -> None:
    body = api.get(SYMBOLS, params={"exchange": "binance-futures"}).json()
    assert body == {"symbols": ["perpetual-BTC-USDT:USDT", "perpetual-ETH-USDT:USDT"], "exchange": "binance-futures"}


def test_symbols_of_an_exchange_without_data(api: httpx.Client) -> None:
    assert api.get(SYMBOLS, params={"exchange": "hyperliquid-perps"}).json()["symbols"] == []


def test_many_symbols_of_many_months_are_each_listed_once(api: httpx.Client, installation: Installation) -> None:
    for base in ("ADA", "BTC", "SOL"):
        for month in (1, 2):
            symbol = Symbol.parse(f"spot-{base}-USDT")
            publish(installation.lake, date(2025, month, 1), exchange=Exchange.BINANCE, symbol=symbol)
    body = api.get(SYMBOLS, params={"exchange": "binance"}).json()
    assert body["symbols"] == ["spot-ADA-USDT", "spot-BTC-USDT", "spot-SOL-USDT"]


def test_symbols_need_a_known_exchange(api: httpx.Client) -> None:
    assert api.get(SYMBOLS).json()["code"] == "missing_parameter"
    unknown = api.get(SYMBOLS, params={"exchange": "binanse"})
    assert (unknown.status_code, unknown.json()["code"]) == (400, "unknown_exchange")
    assert "'binance'" in unknown.json()["hint"]
    extra = api.get(SYMBOLS, params={"exchange": "binance", "bucket": "ohlcv"})
    assert (extra.status_code, extra.json()["code"]) == (400, "unknown_parameter")


def test_a_free_key_may_list_symbols(server: RunningServer, installation: Installation) -> None:
    headers = {"X-API-KEY": installation.keys["free"]}
    assert httpx.get(server.url + SYMBOLS, params={"exchange": "binance"}, headers=headers).status_code == 200


def test_the_catalog_needs_no_key_and_shows_every_declaration(server: RunningServer) -> None:
    catalog = httpx.get(f"{server.url}/api/v1/metadata/catalog").json()
    metrics = catalog["metrics"]
    assert catalog["exchanges"] == list(Exchange)
    assert [metric["id"] for metric in metrics] == list(DATASETS)
    ohlcv = next(metric for metric in metrics if metric["id"] == "ohlcv")
    assert ohlcv["category"] == "Market Data"
    assert ohlcv["driving"] == "trades"
    assert ohlcv["intervals"] == ["1s", "15s", "30s", "1m", "5m", "15m", "30m", "1h", "4h", "1d"]
    assert ohlcv["timestamps"] == ["exchange", "true"]
    volume = ohlcv["fields"][4]
    assert (volume["name"], volume["type"], volume["unit"], volume["null"]) == (
        "volume",
        "Float64",
        "base units",
        "never",
    )
    shown = {(metric["id"], field["name"]) for metric in metrics for field in metric["fields"]}
    assert shown == {(declared.id, field.name) for declared in DATASETS.values() for field in declared.fields}
