from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.server.conftest import BTC, publish, query
from tests.server.in_process import App, application, put_ticks

from aperiodic.market import Exchange, Stream
from aperiodic.server.settings import PreviewEntry, ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

PREVIEW = "/api/v1/data/preview/ohlcv"
RAW = "/api/v1/data/raw/preview"
DEMO = {"X-API-KEY": "DEMO-KEY"}
MAY = {"start_date": "2025-05-01", "end_date": "2025-05-31"}
BTC_ON_BINANCE = {"exchange": "binance-futures", "symbol": "perpetual-BTC-USDT:USDT"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with application(tmp_path_factory.mktemp("home"), address_requests_per_minute=10_000) as made:
        publish(made.lake, date(2025, 5, 1))
        put_ticks(made.lake, Stream.TRADES, Exchange.BINANCE_FUTURES, BTC, date(2025, 6, 1))
        yield made


def refusal(answer: Any, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code)
    return body


def test_the_demo_key_gets_what_the_data_endpoint_would_answer(app: App) -> None:
    answer = app.client.get(PREVIEW, params=query(**MAY), headers=DEMO)
    assert answer.headers["cache-control"] == "no-store"
    whole = app.client.get("/api/v1/data/ohlcv", params=query(**MAY), headers=app.headers("pro")).json()
    preview = answer.json()
    assert preview.keys() == whole.keys()
    (entry,), (same,) = preview["files"], whole["files"]
    assert {**entry, "url": ""} == {**same, "url": ""}
    assert (preview["missing"], preview["expires_in"]) == ([], 300)
    assert app.client.get(entry["url"]).content == app.client.get(same["url"]).content


@pytest.mark.parametrize("plan", ["free", "starter", "prime-raw"])
def test_a_key_of_any_plan_and_scope_may_look(app: App, plan: str) -> None:
    for path, asked in ((PREVIEW, query(**MAY)), (f"{RAW}/trades", BTC_ON_BINANCE)):
        assert app.client.get(path, params=asked, headers=app.headers(plan, ("raw",))).status_code == 200


def test_the_demo_key_reads_no_other_data(app: App) -> None:
    refusal(app.client.get("/api/v1/data/ohlcv", params=query(**MAY), headers=DEMO), 403, "metric_not_in_plan")


@pytest.mark.parametrize("path", [PREVIEW, f"{RAW}/trades"])
def test_a_key_is_needed(app: App, path: str) -> None:
    refusal(app.client.get(path), 401, "missing_key")
    refusal(app.client.get(path, headers={"X-API-KEY": "demo-key"}), 401, "unknown_key")


@pytest.mark.parametrize(
    "changes",
    [
        {"start_date": "2025-05-02"},
        {"end_date": "2025-05-30"},
        {"end_date": "2025-06-01"},
        {"start_date": "2025-04-01", "end_date": "2025-04-30"},
        {"interval": "1m"},
        {"timestamp": "true"},
        {"exchange": "okx-perps"},
        {"symbol": "perpetual-ETH-USDT:USDT"},
    ],
)
def test_a_request_that_differs_in_anything_names_the_nearest_that_is_listed(app: App, changes: dict[str, str]) -> None:
    body = refusal(app.client.get(PREVIEW, params=query(**{**MAY, **changes}), headers=DEMO), 400, "not_in_preview")
    nearest = body["hint"].split(": ", 1)[1]
    assert urlsplit(nearest).path == PREVIEW
    assert len(app.client.get(nearest, headers=DEMO).json()["files"]) == 1


def test_another_metric_is_not_listed(app: App) -> None:
    body = refusal(
        app.client.get("/api/v1/data/preview/flow", params=query(**MAY), headers=DEMO), 400, "not_in_preview"
    )
    assert "/api/v1/data/preview/ohlcv?" in body["hint"]


@pytest.mark.parametrize(
    ("metric", "changes", "status", "code"),
    [
        ("ohlc", {}, 404, "unknown_metric"),
        ("ohlcv", {"symbol": None}, 400, "missing_parameter"),
        ("ohlcv", {"end_date": "2025-04-01"}, 400, "inverted_range"),
        ("ohlcv", {"as_of": "2025-05-01"}, 400, "unknown_parameter"),
        ("ohlcv", {"interval": "15s"}, 400, "interval_needs_true_clock"),
    ],
)
def test_parameters_are_read_as_those_of_the_data_endpoint(
    app: App, metric: str, changes: dict[str, str | None], status: int, code: str
) -> None:
    answer = app.client.get(f"/api/v1/data/preview/{metric}", params=query(**{**MAY, **changes}), headers=DEMO)
    refusal(answer, status, code)


def test_a_listed_dataset_that_is_not_built_is_missing(app: App) -> None:
    body = app.client.get("/api/v1/data/preview/l2_imbalance", params=query(**MAY), headers=DEMO).json()
    assert (body["files"], body["missing"]) == ([], ["2025-05"])


def test_the_operator_chooses_what_is_listed(app: App) -> None:
    entry = app.settings.preview[0].model_dump(mode="json")
    chosen = PreviewEntry.model_validate({**entry, "interval": "1h"})
    home = app.settings.home / "other"
    with application(home, preview=(chosen,), raw_preview=(), demo_key="open") as other:
        refusal(other.client.get(PREVIEW, params=query(**MAY), headers=DEMO), 401, "unknown_key")
        key = {"X-API-KEY": "open"}
        body = refusal(other.client.get(PREVIEW, params=query(**MAY), headers=key), 400, "not_in_preview")
        assert "interval=1h" in body["hint"]
        refusal(other.client.get(PREVIEW, params=query(**MAY, interval="1h"), headers=key), 404, "unknown_symbol")
        body = refusal(other.client.get(f"{RAW}/trades", params=BTC_ON_BINANCE, headers=key), 400, "not_in_preview")
        assert "no preview" in body["hint"]


def test_raw_ticks_of_the_listed_days(app: App) -> None:
    body = app.client.get(f"{RAW}/trades", params=BTC_ON_BINANCE, headers=DEMO).json()
    assert [file["period"] for file in body["files"]] == ["2025-06-01"]
    assert body["missing_periods"] == [f"2025-06-{day:02d}" for day in range(2, 31)]
    assert body["expires_in"] == 3600
    assert app.client.get(body["files"][0]["url"]).content[:4] == b"PAR1"


@pytest.mark.parametrize(
    ("dataset", "changes", "status", "code", "hint"),
    [
        ("trades", {"symbol": "perpetual-ETH-USDT:USDT"}, 400, "not_in_preview", "symbol=perpetual-BTC-USDT:USDT"),
        ("trades", {"exchange": "binance"}, 400, "not_in_preview", "/api/v1/data/raw/preview/trades?exchange="),
        ("trades", {"start_date": "2025-06-01"}, 400, "unknown_parameter", "exchange"),
        ("trade", {}, 404, "unknown_dataset", "'trades'"),
        ("trades", {"exchange": "okx-perps"}, 404, "unknown_symbol", "Nothing of okx-perps"),
    ],
)
def test_a_wrong_request_for_raw_ticks_names_its_reason(
    app: App, dataset: str, changes: dict[str, str], status: int, code: str, hint: str
) -> None:
    answer = app.client.get(f"{RAW}/{dataset}", params={**BTC_ON_BINANCE, **changes}, headers=DEMO)
    assert hint in refusal(answer, status, code)["hint"]


def test_a_stream_may_be_kept_back(app: App) -> None:
    entry = app.settings.raw_preview[0].model_copy(update={"datasets": (Stream.QUOTES,)})
    with application(app.settings.home, raw_preview=(entry,)) as other:
        body = refusal(other.client.get(f"{RAW}/trades", params=BTC_ON_BINANCE, headers=DEMO), 400, "not_in_preview")
        assert "/raw/preview/quotes?" in body["hint"]
        assert other.client.get(f"{RAW}/quotes", params=BTC_ON_BINANCE, headers=DEMO).status_code == 200


def test_the_default_lists_the_two_seeds() -> None:
    listed = [entry.model_dump(mode="json") for entry in ServerSettings().preview]
    common = {**BTC_ON_BINANCE, **MAY, "timestamp": "exchange", "interval": "5m"}
    assert listed == [{"metric": "ohlcv", **common}, {"metric": "l2_imbalance", **common}]
