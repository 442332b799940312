from __future__ import annotations

from datetime import date
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest
from litestar.testing import TestClient
from sqlalchemy import event

from aperiodic.lake import Lake, NewObject, ObjectKey
from aperiodic.market import Exchange, Source, Stream, Symbol, tick_schema
from aperiodic.server.api.raw_metadata import HeldTicks
from aperiodic.server.app import create_app
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
ETH = Symbol.parse("perpetual-ETH-USDT:USDT")
HYPER = Symbol.parse("perpetual-BTC-USDC:USDC")
RAW = "/api/v1/metadata/raw"


def put(
    lake: Lake, stream: Stream, exchange: Exchange, symbol: Symbol, *days: int, source: Source = Source.RECORDING
) -> None:
    batch = lake.batch()
    for day in days:
        key = ObjectKey.ticks(stream, exchange, symbol, date(2025, 4, day))
        new = NewObject(key=key, rows=1, source=source, fingerprint="f", reason="test")
        batch.put(new, b"12345")
    batch.commit()


@pytest.fixture
def api(lake: Lake) -> Iterator[httpx.Client]:
    put(lake, Stream.TRADES, Exchange.BINANCE_FUTURES, BTC, 1, 2, 5)
    put(lake, Stream.TRADES, Exchange.BINANCE_FUTURES, ETH, 4, source=Source.TARDIS)
    put(lake, Stream.MARK_PRICE, Exchange.BINANCE_FUTURES, BTC, 1)
    put(lake, Stream.MARK_PRICE, Exchange.HYPERLIQUID_PERPS, HYPER, 7, source=Source.SIMULATED)
    settings = ServerSettings(home=lake.home, address_requests_per_minute=3)
    with TestClient(create_app(lake, settings)) as client:
        yield client


def test_coverage_and_summary_need_no_key(api: httpx.Client) -> None:
    answer = api.get(RAW)
    body: dict[str, Any] = answer.json()
    assert body["request_id"] == answer.headers["X-Request-ID"]
    btc = {
        "first": "2025-04-01",
        "last": "2025-04-05",
        "days": 3,
        "missing": 2,
        "bytes": 15,
        "source": "recording",
    }
    one = {"days": 1, "missing": 0, "bytes": 5}
    assert body["coverage"] == {
        "trades": {
            "binance-futures": {
                str(BTC): btc,
                str(ETH): {"first": "2025-04-04", "last": "2025-04-04", **one, "source": "tardis"},
            }
        },
        "mark_price": {
            "binance-futures": {str(BTC): {"first": "2025-04-01", "last": "2025-04-01", **one, "source": "recording"}},
            "hyperliquid-perps": {
                str(HYPER): {"first": "2025-04-07", "last": "2025-04-07", **one, "source": "simulated"}
            },
        },
    }
    summary = {(row["dataset"], row["exchange"]): row for row in body["summary"]}
    assert len(summary) == len(body["summary"]) == 3
    assert summary["trades", "binance-futures"] == {
        "dataset": "trades",
        "exchange": "binance-futures",
        "symbols": 2,
        "first": "2025-04-01",
        "last": "2025-04-05",
        "days": 4,
        "missing": 2,
        "bytes": 20,
        "source": "mixed",
        "exchange_timestamp_kind": "matching_engine",
    }
    assert summary["mark_price", "binance-futures"]["exchange_timestamp_kind"] == "matching_engine"
    assert summary["mark_price", "hyperliquid-perps"]["exchange_timestamp_kind"] == "modelled"
    assert summary["mark_price", "hyperliquid-perps"]["source"] == "simulated"


def test_every_column_of_every_dataset_is_described(api: httpx.Client) -> None:
    datasets = api.get(RAW).json()["datasets"]
    assert list(datasets) == list(Stream)
    for stream in Stream:
        columns = datasets[stream]["columns"]
        assert {column["name"]: column["type"] for column in columns} == {
            name: str(dtype) for name, dtype in tick_schema(stream).items()
        }
        assert all(column["description"].endswith(".") for column in columns)
        assert datasets[stream]["schema_version"] == 2
    book = {column["name"]: column for column in datasets["book"]["columns"]}
    assert book["ask_amount_25"]["unit"] == "base units"
    assert book["ask_amount_25"]["description"].startswith("Amount of the ask's level 25")
    assert book["bid_price_01"]["unit"] == "quote units per base unit"


def test_an_address_is_limited(api: httpx.Client) -> None:
    answers = [api.get(RAW) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def counted(lake: Lake) -> list[str]:
    statements: list[str] = []

    def note(*call: Any) -> None:
        if call[2].startswith("SELECT"):
            statements.append(call[2])

    event.listen(lake.engine, "before_cursor_execute", note)
    return statements


def test_the_ledger_is_gone_through_again_only_after_a_while(lake: Lake) -> None:
    now = 100.0
    held = HeldTicks(lake, lambda: now)
    statements = counted(lake)
    assert held.get() == ()
    put(lake, Stream.TRADES, Exchange.BINANCE, BTC, 1)
    statements.clear()
    now = 104.9
    assert held.get() == ()
    assert statements == []
    now = 105.0
    assert len(held.get()) == 1
    assert len(statements) == 1


def test_what_took_long_to_read_is_kept_longer(lake: Lake) -> None:
    times = iter([0.0, 2.0])
    now = 41.9
    held = HeldTicks(lake, lambda: next(times, now))
    assert held.get() == ()
    put(lake, Stream.TRADES, Exchange.BINANCE, BTC, 1)
    assert held.get() == ()
    now = 42.0
    assert len(held.get()) == 1


def test_while_one_thread_reads_anew_the_others_get_the_old(lake: Lake) -> None:
    now = 0.0
    held = HeldTicks(lake, lambda: now)
    assert held.get() == ()
    put(lake, Stream.TRADES, Exchange.BINANCE, BTC, 1)
    now = 5.0
    reading, go_on = Event(), Event()

    def hold(*_call: Any) -> None:
        reading.set()
        assert go_on.wait(10)

    event.listen(lake.engine, "before_cursor_execute", hold)
    reader = Thread(target=held.get)
    reader.start()
    assert reading.wait(10)
    assert held.get() == ()
    go_on.set()
    reader.join(10)
    assert len(held.get()) == 1
