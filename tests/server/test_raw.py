from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from sqlalchemy import insert
from tests.server.conftest import BTC
from tests.server.in_process import App, application, put_open_ticks, put_ticks

from aperiodic.completeness.gaps import Span, add_spans
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import imports
from aperiodic.market import DAY_US, Exchange, Stream, Symbol, tick_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

RAW = "/api/v1/data/raw/trades"
FIRST, SECOND, FOURTH = date(2025, 6, 1), date(2025, 6, 2), date(2025, 6, 4)
ETH = Symbol.parse("perpetual-ETH-USDT:USDT")
HYPERLIQUID_BTC = Symbol.parse("perpetual-BTC-USDC:USDC")
VENUE = Exchange.BINANCE_FUTURES


def us(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_US


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """June 1, 2 and 4 of BTC trades with one gap over midnight, and a day of a stream without time of its own."""
    with application(tmp_path_factory.mktemp("home")) as made:
        for day in (FIRST, SECOND, FOURTH):
            put_ticks(made.lake, Stream.TRADES, VENUE, BTC, day)
        put_ticks(made.lake, Stream.BOOK, VENUE, BTC, FIRST)
        put_ticks(made.lake, Stream.MARK_PRICE, Exchange.HYPERLIQUID_PERPS, HYPERLIQUID_BTC, FIRST)
        put_ticks(made.lake, Stream.FUNDING_RATE, Exchange.OKX_PERPS, BTC, FIRST)
        put_ticks(made.lake, Stream.FUNDING_RATE, Exchange.OKX_PERPS, BTC, SECOND)
        put_ticks(made.lake, Stream.TRADES, VENUE, ETH, FIRST)
        for day in (FIRST, SECOND):
            put_open_ticks(made.lake, VENUE, ETH, day, us(SECOND) + DAY_US)
        put_open_ticks(made.lake, Exchange.OKX_PERPS, ETH, SECOND, us(SECOND) + DAY_US)
        midnight = us(SECOND)
        stretches = [
            Span(0, 10, us(FIRST), midnight - 5, "not_recorded"),
            Span(12, 20, midnight + 5, us(FOURTH) + 1, "sequence_break"),
        ]
        with begin_write(made.lake.engine) as connection:
            add_spans(connection, VENUE, BTC, Stream.TRADES, stretches)
        yield made


@pytest.fixture(scope="module")
def raw_key(app: App) -> dict[str, str]:
    return app.headers("prime-raw")


def query(**changes: str | None) -> dict[str, str]:
    parameters: dict[str, str | None] = {
        "exchange": "binance-futures",
        "symbol": "perpetual-BTC-USDT:USDT",
        "start_date": "2025-06-01",
        "end_date": "2025-06-04",
        **changes,
    }
    return {name: value for name, value in parameters.items() if value is not None}


def assert_refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert body["hint"]
    assert "url" not in body
    return body


def test_lists_a_file_for_every_day_that_is_held(app: App, raw_key: dict[str, str]) -> None:
    answer = app.client.get(RAW, params=query(), headers=raw_key)
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    files = body.pop("files")
    assert body == {
        "dataset": "trades",
        "exchange": "binance-futures",
        "symbol": "perpetual-BTC-USDT:USDT",
        "schema_version": 2,
        "expires_in": 3600,
        "missing_periods": ["2025-06-03"],
        "open_days": [],
        "source": "recording",
        "request_id": answer.headers["x-request-id"],
    }
    assert [file["period"] for file in files] == ["2025-06-01", "2025-06-02", "2025-06-04"]
    assert [file["gaps"] for file in files] == [1, 1, 0]
    assert {file["exchange_timestamp_kind"] for file in files} == {"matching_engine"}
    assert {(file["revision"], file["source"]) for file in files} == {(1, "recording")}


@pytest.mark.parametrize(("exchange", "files"), [("binance-futures", 1), ("okx-perps", 0)])
def test_a_day_that_is_open_is_told_with_how_far_it_is_covered(
    app: App, raw_key: dict[str, str], exchange: str, files: int
) -> None:
    body = app.client.get(RAW, params=query(exchange=exchange, symbol=str(ETH)), headers=raw_key).json()
    assert len(body["files"]) == files
    assert "2025-06-02" in body["missing_periods"]
    (day,) = body["open_days"]
    assert (day["period"], day["covered_until"]) == ("2025-06-02", "2025-06-03T00:00:00+00:00")
    assert day["rows"] > 10
    later = app.client.get(
        RAW, params=query(exchange=exchange, symbol=str(ETH), start_date="2025-06-03"), headers=raw_key
    )
    assert later.json()["open_days"] == []


@pytest.mark.parametrize("stream", [Stream.TRADES, Stream.BOOK])
def test_a_file_is_what_its_entry_says_and_has_the_documented_columns(
    app: App, raw_key: dict[str, str], stream: Stream
) -> None:
    answer = app.client.get(f"/api/v1/data/raw/{stream}", params=query(), headers=raw_key)
    entry = answer.json()["files"][0]
    file = app.client.get(entry["url"])
    assert file.status_code == 200
    assert len(file.content) == entry["size"]
    assert hashlib.sha256(file.content).hexdigest() == entry["sha256"]
    frame = pl.read_parquet(BytesIO(file.content))
    assert frame.height == entry["rows"]
    assert frame.schema == tick_schema(stream)
    assert frame.columns[:2] == ["exchange_timestamp", "local_timestamp"]
    name = f"{stream}-binance-futures-perpetual-BTC-USDT_USDT-2025-06-01.parquet"
    assert file.headers["content-disposition"] == f'attachment; filename="{name}"'


def test_a_stream_without_time_of_its_own_says_so(app: App, raw_key: dict[str, str]) -> None:
    asked = query(exchange="hyperliquid-perps", symbol=str(HYPERLIQUID_BTC))
    body = app.client.get("/api/v1/data/raw/mark_price", params=asked, headers=raw_key).json()
    assert [file["exchange_timestamp_kind"] for file in body["files"]] == ["modelled"]


def test_days_of_recordings_without_a_time_say_so(app: App, raw_key: dict[str, str]) -> None:
    noted: dict[str, Any] = dict.fromkeys(("size", "version", "lines", "finished_at"), 1) | {
        "ticks": {},
        "rejected": {},
    }
    noted |= {"source": "recording", "exchange": "okx-perps", "name": "x"}
    times = {"first_received": us(FIRST) + 5, "last_received": us(FIRST) + 10}
    with begin_write(app.lake.engine) as connection:
        modelled = ["aggregated_trades", "modelled_exchange_time"]
        connection.execute(insert(imports).values(**noted, **times, sha256="a", notes=modelled))
        later = {name: time + DAY_US for name, time in times.items()}
        connection.execute(insert(imports).values(**noted, **later, sha256="b", notes=[]))
    body = app.client.get("/api/v1/data/raw/funding_rate", params=query(exchange="okx-perps"), headers=raw_key).json()
    assert [file["exchange_timestamp_kind"] for file in body["files"]] == ["modelled", "matching_engine"]


def test_days_to_come_are_not_missing(app: App, raw_key: dict[str, str]) -> None:
    today = datetime.now(UTC).date()
    asked = query(start_date=str(today - timedelta(days=1)), end_date=str(today + timedelta(days=30)))
    body = app.client.get(RAW, params=asked, headers=raw_key).json()
    assert body["files"] == []
    assert body["source"] is None
    assert body["missing_periods"][0] == str(today - timedelta(days=1))
    assert len(body["missing_periods"]) in {2, 3}, "the day may end while the test runs"


@pytest.mark.parametrize(
    ("start", "end", "status"),
    [("2024-06-04", "2025-06-04", 200), ("2024-06-03", "2025-06-04", 400), ("2009-01-01", "2100-12-31", 400)],
)
def test_a_range_has_at_most_366_days(app: App, raw_key: dict[str, str], start: str, end: str, status: int) -> None:
    answer = app.client.get(RAW, params=query(start_date=start, end_date=end), headers=raw_key)
    assert answer.status_code == status
    if status == 400:
        assert "366" in assert_refused(answer, 400, "range_too_long")["error"]
    else:
        body = answer.json()
        assert len(body["missing_periods"]) + len(body["files"]) == 366


@pytest.mark.parametrize(
    ("dataset", "changes", "status", "code", "hint"),
    [
        ("trade", {}, 404, "unknown_dataset", "'trades'"),
        ("ohlcv", {}, 404, "unknown_dataset", "trades"),
        ("trades", {"exchange": "okx"}, 400, "unknown_exchange", "'okx-perps'"),
        ("trades", {"symbol": "BTCUSDT"}, 400, "bad_symbol", "perpetual-BTC-USDT:USDT"),
        ("trades", {"symbol": "perpetual-BTC-USDC:USDC"}, 404, "unknown_symbol", "'perpetual-BTC-USDT:USDT'"),
        ("trades", {"exchange": "binance"}, 404, "unknown_symbol", "Nothing of binance"),
        ("trades", {"start_date": None}, 400, "missing_parameter", "start_date="),
        ("trades", {"end_date": "2025-05-01"}, 400, "inverted_range", "Swap"),
        ("trades", {"end_date": "June"}, 400, "bad_date", "YYYY-MM-DD"),
        ("trades", {"interval": "5m"}, 400, "unknown_parameter", "symbol"),
        ("trades", {"as_of": "2025-05-01"}, 400, "unknown_parameter", "symbol"),
    ],
)
def test_a_wrong_request_names_its_reason(
    app: App, raw_key: dict[str, str], dataset: str, changes: dict[str, str | None], status: int, code: str, hint: str
) -> None:
    answer = app.client.get(f"/api/v1/data/raw/{dataset}", params=query(**changes), headers=raw_key)
    body = assert_refused(answer, status, code)
    assert hint in body["hint"]
    assert len(body["details"]) == 1


def test_all_problems_are_reported_together(app: App, raw_key: dict[str, str]) -> None:
    asked = query(exchange="x", start_date="y", end_date=None)
    body = assert_refused(
        app.client.get("/api/v1/data/raw/trade", params=asked, headers=raw_key), 400, "unknown_exchange"
    )
    assert len(body["details"]) == 4


@pytest.mark.parametrize("plan", ["free", "starter", "pro", "prime"])
def test_other_plans_hold_no_raw_ticks(app: App, plan: str) -> None:
    body = assert_refused(app.client.get(RAW, params=query(), headers=app.headers(plan)), 403, "raw_not_in_plan")
    assert plan in body["error"]


def test_the_demo_key_reads_no_raw_ticks(app: App) -> None:
    assert_refused(app.client.get(RAW, params=query(), headers={"X-API-KEY": "DEMO-KEY"}), 403, "raw_not_in_plan")


def test_a_key_for_bars_reads_no_raw_ticks_whatever_its_plan(app: App) -> None:
    answer = app.client.get(RAW, params=query(), headers=app.headers("prime-raw", ("bars",)))
    assert "not for raw, only for bars" in assert_refused(answer, 403, "scope_missing")["error"]


def test_the_key_is_checked_before_the_parameters_and_those_before_the_plan(app: App) -> None:
    wrong = query(exchange="nowhere")
    assert_refused(app.client.get(RAW, params=wrong), 401, "missing_key")
    assert_refused(app.client.get(RAW, params=wrong, headers=app.headers("pro")), 400, "unknown_exchange")
    assert_refused(app.client.get(RAW, params=query(), headers=app.headers("pro")), 403, "raw_not_in_plan")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_link_to_ticks_that_were_replaced_says_to_ask_again(app: App, raw_key: dict[str, str], method: str) -> None:
    day = date(2025, 3, 1)
    asked = query(start_date=str(day), end_date=str(day))
    put_ticks(app.lake, Stream.TRADES, VENUE, BTC, day, trades_per_day=50 if method == "GET" else 60)
    before = app.client.get(RAW, params=asked, headers=raw_key).json()["files"][0]
    data = put_ticks(app.lake, Stream.TRADES, VENUE, BTC, day, trades_per_day=70 if method == "GET" else 80)
    gone = app.client.request(method, before["url"])
    assert gone.status_code == 404
    if method == "GET":
        assert "Ask the endpoint" in assert_refused(gone, 404, "object_missing")["hint"]
    renewed = app.client.get(RAW, params=asked, headers=raw_key).json()["files"][0]
    assert renewed["revision"] == before["revision"] + 1
    assert app.client.get(renewed["url"]).content == data
