from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx
import pytest
from litestar.testing import TestClient
from tests.server.conftest import DATA, Installation, RunningServer, expire, query

from aperiodic.accounts.keys import create_key, revoke_key
from aperiodic.lake import Lake, LakeError
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.store import Store
from aperiodic.server import Secrets, create_app
from aperiodic.server.api import data
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from litestar import Litestar

SYMBOLS = "/api/v1/metadata/symbols"


def assert_error(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    body: dict[str, object] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    assert set(body) == {"error", "details", "code", "hint", "request_id"}
    assert body["error"]
    assert body["hint"]
    assert isinstance(body["details"], list)
    assert str(body["details"][0]).startswith(str(body["error"]))
    assert answer.headers["content-type"] == "application/json"
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


@pytest.mark.parametrize(
    ("changes", "status", "code", "hint"),
    [
        ({"symbol": None}, 400, "missing_parameter", "symbol="),
        ({"interval": ""}, 400, "missing_parameter", "interval="),
        ({"start_date": "2025-4-1"}, 400, "bad_date", "YYYY-MM-DD"),
        ({"start_date": "20250401"}, 400, "bad_date", "YYYY-MM-DD"),
        ({"start_date": "2025-04-31"}, 400, "bad_date", "YYYY-MM-DD"),
        ({"end_date": "2025-06-20T00:00:00"}, 400, "bad_date", "YYYY-MM-DD"),
        ({"end_date": "٢٠٢٥-06-20"}, 400, "bad_date", "YYYY-MM-DD"),
        ({"start_date": "2008-12-31"}, 400, "bad_date", "YYYY-MM-DD"),
        ({"end_date": "2101-01-01"}, 400, "bad_date", "YYYY-MM-DD"),
        ({"end_date": "2025-04-09"}, 400, "inverted_range", "Swap"),
        ({"interval": "5min"}, 400, "unknown_interval", "'5m'"),
        ({"exchange": "binance-future"}, 400, "unknown_exchange", "'binance-futures'"),
        ({"timestamp": "exchang"}, 400, "unknown_timestamp", "'exchange'"),
        ({"symbol": "BTCUSDT"}, 400, "bad_symbol", "perpetual-BTC-USDT:USDT"),
        ({"symbol": "../../../etc/passwd"}, 400, "bad_symbol", "perpetual-BTC-USDT:USDT"),
        ({"symbol": "perpetual-BTC-USDT:USDT\0"}, 400, "bad_symbol", "perpetual-BTC-USDT:USDT"),
        ({"symbol": "/perpetual-BTC-USDT:USDT"}, 400, "bad_symbol", "perpetual-BTC-USDT:USDT"),
        ({"interval": "15s"}, 400, "interval_needs_true_clock", "timestamp=true"),
        ({"symbl": "x"}, 400, "unknown_parameter", "'symbol'"),
        ({"symbol": "perpetual-BTC-USDC:USDC"}, 404, "unknown_symbol", "'perpetual-BTC-USDT:USDT'"),
        ({"exchange": "hyperliquid-perps"}, 404, "unknown_symbol", "Nothing of hyperliquid-perps"),
        ({"interval": "1s", "timestamp": "true"}, 403, "interval_not_in_plan", "1m or longer"),
    ],
)
def test_a_wrong_request_names_its_reason(
    api: httpx.Client, changes: dict[str, str | None], status: int, code: str, hint: str
) -> None:
    body = assert_error(api.get(DATA, params=query(**changes)), status, code)
    assert hint in str(body["hint"])
    assert len(body["details"]) == 1  # type: ignore[arg-type]


def test_an_unknown_metric_names_the_nearest(api: httpx.Client) -> None:
    body = assert_error(api.get("/api/v1/data/ohlc", params=query()), 404, "unknown_metric")
    assert "'ohlcv'" in str(body["hint"])


def test_all_problems_are_reported_together_and_the_first_gives_the_status(api: httpx.Client) -> None:
    parameters = query(interval="5x", symbol="perpetual-XYZ-USDT:USDT", start_date=None, end_date="soon", extra="1")
    body = assert_error(api.get("/api/v1/data/ohlc", params=parameters), 400, "unknown_interval")
    details = body["details"]
    assert isinstance(details, list)
    expected = ["Unknown interval", "start_date is missing", "end_date 'soon'", "Unknown parameter", "metric", "XYZ"]
    assert len(details) == len(expected)
    for detail, words in zip(details, expected, strict=True):
        assert words in detail


def test_a_repeated_parameter_is_refused_even_when_the_values_agree(api: httpx.Client) -> None:
    assert_error(api.get(DATA, params=f"{httpx.QueryParams(query())}&interval=5m"), 400, "repeated_parameter")


@pytest.mark.parametrize("second", ["", "5m", "nonsense"])
def test_a_repeated_parameter_is_one_error_whatever_its_values_are(api: httpx.Client, second: str) -> None:
    answer = api.get(DATA, params=f"{httpx.QueryParams(query())}&interval={second}")
    assert len(assert_error(answer, 400, "repeated_parameter")["details"]) == 1  # type: ignore[arg-type]


def test_a_free_key_reads_no_data(api: httpx.Client, installation: Installation) -> None:
    answer = api.get(DATA, params=query(), headers={"X-API-KEY": installation.keys["free"]})
    assert_error(answer, 403, "metric_not_in_plan")


def test_a_very_long_query_is_refused(api: httpx.Client) -> None:
    assert_error(api.get(DATA, params=query(symbol="x" * 5000)), 414, "query_too_long")


def test_a_query_of_very_many_parameters_is_refused(api: httpx.Client) -> None:
    assert_error(api.get(f"{DATA}?{'a&' * 500}"), 400, "too_many_parameters")


def test_a_long_value_is_not_sent_back_whole(api: httpx.Client) -> None:
    body = assert_error(api.get(DATA, params=query(interval="x" * 3000)), 400, "unknown_interval")
    assert len(str(body)) < 1000


@pytest.mark.parametrize("path", [DATA, SYMBOLS])
@pytest.mark.parametrize("key", ["", "ap_live_0123456789ab_" + "x" * 40, "ap_live__", "é", "x" * 5000])
def test_no_key_and_unknown_keys_are_refused(server: RunningServer, path: str, key: str) -> None:
    headers = {b"X-API-KEY": key.encode()} if key else {}
    answer = httpx.get(server.url + path, params=query(), headers=headers)
    body = assert_error(answer, 401, "unknown_key" if key else "missing_key")
    assert "X-API-KEY" in str(body["hint"])
    assert not key or key not in answer.text
    assert "www-authenticate" in answer.headers


def test_a_changed_secret_is_an_unknown_key(server: RunningServer, installation: Installation) -> None:
    key = installation.keys["pro"]
    changed = key[:-1] + ("a" if key[-1] != "a" else "b")
    answer = httpx.get(server.url + DATA, params=query(), headers={"X-API-KEY": changed})
    assert_error(answer, 401, "unknown_key")
    assert changed not in answer.text


def test_a_revoked_key_is_refused(server: RunningServer, installation: Installation) -> None:
    key = installation.key("pro")
    assert httpx.get(server.url + DATA, params=query(), headers={"X-API-KEY": key}).status_code == 200
    with begin_write(installation.lake.engine) as connection:
        revoke_key(connection, key.split("_")[2])
    assert_error(httpx.get(server.url + DATA, params=query(), headers={"X-API-KEY": key}), 401, "revoked_key")


def test_an_expired_key_is_refused(server: RunningServer, installation: Installation) -> None:
    key = installation.key("pro")
    with begin_write(installation.lake.engine) as connection:
        expire(connection, key)
    assert_error(httpx.get(server.url + DATA, params=query(), headers={"X-API-KEY": key}), 401, "expired_key")


def test_the_key_is_checked_before_the_parameters_and_those_before_the_plan(
    server: RunningServer, installation: Installation
) -> None:
    wrong = query(interval="nonsense")
    assert_error(httpx.get(server.url + DATA, params=wrong), 401, "missing_key")
    free = {"X-API-KEY": installation.keys["free"]}
    assert_error(httpx.get(server.url + DATA, params=wrong, headers=free), 400, "unknown_interval")
    assert_error(httpx.get(server.url + DATA, params=query(), headers=free), 403, "metric_not_in_plan")


@pytest.mark.parametrize(
    "path", ["/api/v1", "/api/v1/data", "/api/v1/data/raw", "/api/v1/data/raw/x/y", "/files", "/%00"]
)
def test_an_unknown_path_is_an_error_like_the_others(api: httpx.Client, path: str) -> None:
    assert_error(api.get(path), 404, "unknown_path")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/data/ohlcv", "/api/v1/data/{metric}"),
        ("/v1/data/preview/ohlcv", "/api/v1/data/preview/{metric}"),
        ("/api/data/raw/trades", "/api/v1/data/raw/{dataset}"),
        ("/api/v1/api/v1/metadata/symbols", "/api/v1/metadata/symbols"),
        ("/metadata/catalog", "/api/v1/metadata/catalog"),
    ],
)
def test_a_path_without_the_address_of_the_api_names_the_right_one(api: httpx.Client, path: str, meant: str) -> None:
    body = assert_error(api.get(path), 404, "unknown_path")
    assert body["hint"] == f"Did you mean {meant}? The base URL ends in /api/v1."


@pytest.mark.parametrize(
    ("method", "path", "instead"),
    [
        ("POST", DATA, ["GET"]),
        ("DELETE", SYMBOLS, ["GET"]),
        ("POST", "/healthz", ["GET"]),
        ("POST", "/files/x", ["GET", "HEAD"]),
        ("GET", "/api/v1/signup", ["POST"]),
        ("PUT", "/api/v1/account/rotate", ["POST"]),
    ],
)
def test_other_methods_are_refused_and_the_right_ones_named(
    api: httpx.Client, method: str, path: str, instead: list[str]
) -> None:
    answer = api.request(method, path, content=b"x")
    body = assert_error(answer, 405, "method_not_allowed")
    assert body["hint"] == f"Use {' or '.join(instead)}."
    assert set(answer.headers["allow"].split(", ")) == {*instead, "OPTIONS"}


@pytest.mark.parametrize("host", ["", "a b", "evil.example/path", "user@evil.example", 'a"onload=', "x:y"])
def test_a_host_that_is_no_host_name_never_gets_into_a_link(
    server: RunningServer, installation: Installation, host: str
) -> None:
    target = f"{DATA}?{httpx.QueryParams(query())}"
    key = installation.keys["pro"]
    request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nX-API-KEY: {key}\r\nConnection: close\r\n\r\n"
    status, _, body = server.send(request.encode())
    assert status == 400
    assert b"/files/" not in body


@pytest.fixture
def local(tmp_path: Path) -> Iterator[tuple[Lake, TestClient[Litestar], dict[str, str]]]:
    """An application in this process, so that its parts can be broken."""
    settings = ServerSettings(home=tmp_path)
    lake = Lake.open(settings)
    with begin_write(lake.engine) as connection:
        key = create_key(connection, Secrets.load(settings).pepper, "pro", "")
    with TestClient(create_app(lake, settings), raise_server_exceptions=False) as client:
        yield lake, client, {"X-API-KEY": key}
    lake.close()


def test_a_defect_is_logged_under_the_request_id_and_not_shown(
    local: tuple[Lake, TestClient[Litestar], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, client, headers = local

    def fail(*_: object) -> None:
        raise RuntimeError("private detail")

    monkeypatch.setattr(data, "read_query_once", fail)
    with caplog.at_level(logging.ERROR):
        answer = client.get(DATA, params=query(), headers=headers)
    body = assert_error(answer, 500, "internal_error")
    assert "private" not in answer.text
    assert "Traceback" not in answer.text
    assert str(body["request_id"]) in caplog.text
    assert "private detail" in caplog.text
    assert headers["X-API-KEY"] not in caplog.text


def test_a_ledger_that_is_down_is_worth_another_try(local: tuple[Lake, TestClient[Litestar], dict[str, str]]) -> None:
    lake, client, headers = local
    assert client.get("/readyz").status_code == 200
    with begin_write(lake.engine) as connection:
        for table in ("api_keys", "objects"):
            connection.exec_driver_sql(f"drop table {table}")
    answer = client.get(DATA, params=query(), headers=headers)
    assert_error(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert "api_keys" not in answer.text
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_a_store_that_is_down_is_not_ready(
    local: tuple[Lake, TestClient[Litestar], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client, _ = local

    def fail(*_: object) -> bool:
        raise LakeError("The object store did not answer for s3://bucket/x.", code="store_unavailable")

    monkeypatch.setattr(Store, "exists", fail)
    answer = client.get("/readyz")
    assert_error(answer, 503, "store_unavailable")
    assert "bucket" not in answer.text
