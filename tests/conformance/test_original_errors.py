"""Every branch of the original clients' error handling, reached by what our server answers.

Two answers that our server never gives are given by a stand-in: a page of a reverse proxy, and a link that is refused
although it is new.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from tests.client.mock_api import MockServer, Reply, json_reply
from tests.conformance.conftest import ALL_DAYS, INSTRUMENT, WITH_RAW, Call, OriginalClient
from tests.servers import make_key, serving

from aperiodic.lake import Lake
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.conformance

BARS: Final = {"timestamp": "exchange", "interval": "1h", **INSTRUMENT, **ALL_DAYS}
RAW: Final = {"dataset": "trades", **INSTRUMENT, "start_date": "2025-04-29", "end_date": "2025-04-30"}
WITH_CODES: Final = ("4.3.1",)
UNAUTHORISED: Final = {"3.1.1": "Unauthorized", "4.0.2": "Unauthorized"}


def metrics(client: OriginalClient, **arguments: Any) -> dict[str, Any]:
    """Ask for a dataset made from trades."""
    function = "get_trade_metrics" if client.version == "3.1.1" else "get_metrics"
    return client.outcome(function, **{**BARS, **arguments})


def test_a_bad_parameter_is_400_with_our_words(client: OriginalClient) -> None:
    outcome = client.outcome("get_ohlcv", **{**BARS, "start_date": "2025-05-02", "end_date": "2025-04-29"})
    assert (outcome["error"], outcome["status_code"]) == ("APIError", 400)
    assert "2025-04-29" in outcome["message"]
    assert any("2025-05-02" in detail for detail in outcome["details"])
    assert outcome.get("code", "inverted_range") == "inverted_range"


def test_an_unknown_key_is_401(client: OriginalClient) -> None:
    outcome = client.outcome("get_ohlcv", **BARS, api_key="ap_live_unknown")
    expected = UNAUTHORISED.get(client.version, "Authorization Required")
    assert (outcome["status_code"], outcome["message"]) == (401, expected)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"metric": "flow", "timestamp": "true", "interval": "15s"}, "interval_not_in_plan"),
        ({"metric": "impact"}, "metric_not_in_plan"),
    ],
)
def test_what_a_plan_lacks_is_403(client: OriginalClient, change: dict[str, str], code: str) -> None:
    outcome = metrics(client, api_key=client.service.starter_key, **change)
    assert outcome["status_code"] == 403
    if client.version in WITH_CODES:
        assert outcome["code"] == code
        assert "plan starter" in outcome["message"]
        assert len(outcome["details"]) == 1
    else:
        assert outcome["message"] == "Forbidden"


def test_an_unknown_metric_is_404(client: OriginalClient) -> None:
    outcome = metrics(client, metric="no_such_metric")
    assert (outcome["status_code"], outcome["message"]) == (404, "Not Found")


def test_an_unknown_symbol_is_404(client: OriginalClient) -> None:
    outcome = client.outcome("get_ohlcv", **{**BARS, "symbol": "perpetual-NONE-USDT:USDT"})
    assert outcome["status_code"] == 404


def test_too_many_requests_are_429(client: OriginalClient) -> None:
    # A key of its own, and both calls from one process, so that nearly all of the minute is still to be waited for.
    arguments = {"api_key": make_key(client.service.home, "slow"), "exchange": INSTRUMENT["exchange"]}
    told = client.run([Call("first", "get_symbols", arguments), Call("second", "get_symbols", arguments)])
    first, second = told["outcomes"]["first"], told["outcomes"]["second"]
    assert "error" not in first
    assert (second["status_code"], second["message"]) == (429, "Too Many Requests")
    # The newest tries again when we say, which it caps at ten seconds; the others give up at once.
    assert second["waits"] == ([10.0] * 3 if client.version in WITH_CODES else [])


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Address and key of a server whose ledger has lost a table."""
    settings = ServerSettings(home=tmp_path_factory.mktemp("broken"))
    Lake.open(settings).close()
    key = make_key(settings)
    with serving(settings) as api:
        with closing(sqlite3.connect(settings.home / "ledger.sqlite")) as ledger, ledger:
            ledger.execute("DROP TABLE objects")
        yield {"base_url": api.url, "api_key": key}


def test_a_part_that_is_down_is_503(client: OriginalClient, broken: dict[str, str]) -> None:
    outcome = client.outcome("get_ohlcv", **{**BARS, **broken})
    assert (outcome["error"], outcome["status_code"]) == ("APIError", 503)
    assert outcome["message"] == "A part of the server is not available."
    assert outcome["waits"] == ([5.0] * 3 if client.version in WITH_CODES else [])


def test_a_page_of_a_proxy_is_its_text(client: OriginalClient) -> None:
    with MockServer() as proxy:
        proxy.on("/data/ohlcv", Reply(500, b"<html>Internal error</html>"))
        outcome = client.outcome("get_ohlcv", **BARS, base_url=proxy.url)
    assert (outcome["status_code"], outcome["message"]) == (500, "<html>Internal error</html>")


def test_a_file_that_is_lost_is_a_download_error(client: OriginalClient) -> None:
    asked = {**BARS, "interval": "4h", "timestamp": "true"}
    _lose_april(client, asked)
    outcome = metrics(client, metric="updownticks", **{name: asked[name] for name in ("interval", "timestamp")})
    assert (outcome["error"], outcome["year"], outcome["month"]) == ("DownloadError", 2025, 4)
    assert "404" in outcome["text"]
    assert len(outcome["waits"]) == 3


def _lose_april(client: OriginalClient, asked: dict[str, str]) -> None:
    service = client.service
    answer = httpx.get(
        f"{service.api.url}/data/updownticks", params=asked, headers={"X-API-KEY": service.api.key}
    ).json()
    path = unquote(urlsplit(answer["files"][0]["url"]).path).removeprefix("/files/")
    (service.home / "store" / path).unlink(missing_ok=True)


@pytest.mark.parametrize("client", ["4.0.10", "4.3.1"], indirect=True)
def test_a_preview_that_is_not_given_is_400(client: OriginalClient) -> None:
    outcome = client.outcome("get_ohlcv", **{**BARS, "api_key": None, "preview": True})
    assert outcome["status_code"] == 400
    assert "preview" in outcome["message"]


@pytest.mark.parametrize("client", WITH_RAW, indirect=True)
class TestRaw:
    """Raw data."""

    def test_a_plan_without_it_is_403(self, client: OriginalClient) -> None:
        outcome = client.outcome("get_raw", **RAW, api_key=client.service.starter_key)
        assert (outcome["status_code"], outcome["code"]) == (403, "raw_not_in_plan")

    def test_an_unknown_key_and_an_unknown_symbol(self, client: OriginalClient) -> None:
        assert client.outcome("download_raw", **RAW, output_dir="x", api_key="none")["status_code"] == 401
        unknown = {**RAW, "symbol": "perpetual-NONE-USDT:USDT"}
        assert client.outcome("get_raw", **unknown)["status_code"] == 404

    def test_a_preview_of_another_instrument_is_400(self, client: OriginalClient) -> None:
        outcome = client.outcome("get_raw", **{**RAW, "exchange": "okx-perps", "api_key": None, "preview": True})
        assert (outcome["status_code"], outcome["code"]) == (400, "not_in_preview")

    @pytest.mark.parametrize("function", ["get_raw", "download_raw"])
    def test_a_refused_link_is_renewed_once(self, client: OriginalClient, function: str, tmp_path: Path) -> None:
        folder = {"output_dir": str(tmp_path)} if function == "download_raw" else {}
        good = _raw_answer(client)
        bad = {**good, "files": [{**file, "url": file["url"][:-1] + "_"} for file in good["files"]]}
        with MockServer() as api:
            api.on("/data/raw/trades", json_reply(bad), json_reply(good))
            assert "error" not in client.outcome(function, **RAW, **folder, base_url=api.url)
            assert len(api.asked) == 1 + len(good["files"])
            api.on("/data/raw/trades", json_reply(bad))
            outcome = client.outcome(function, **RAW, **folder, base_url=api.url, **_overwrite(function))
        assert (outcome["error"], outcome["status_code"]) == ("DownloadError", 403)
        assert (outcome["year"], outcome["month"]) == (2025, 4)


def _raw_answer(client: OriginalClient) -> dict[str, Any]:
    service = client.service
    params = {name: value for name, value in RAW.items() if name != "dataset"}
    answer: dict[str, Any] = httpx.get(
        f"{service.api.url}/data/raw/trades", params=params, headers={"X-API-KEY": service.api.key}
    ).json()
    return answer


def _overwrite(function: str) -> dict[str, bool]:
    return {"overwrite": True} if function == "download_raw" else {}
