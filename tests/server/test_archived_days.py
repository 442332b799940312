"""Days out of an archive as the server tells of them: on the exchange clock, and none on the true clock."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.backfill.archive_server import archive_server
from tests.engine.backfill.conftest import Backfiller
from tests.engine.backfill.test_days import ms, put_trades, trade
from tests.server.in_process import App, application

from aperiodic.engine.build import build
from aperiodic.market import Exchange, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

UM = Exchange.BINANCE_FUTURES
SYMBOL = "perpetual-BTC-USDT:USDT"
DAYS = date(2025, 5, 1), date(2025, 5, 2)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with application(tmp_path_factory.mktemp("home") / "home") as made, archive_server() as archive:
        for day in DAYS:
            number = day.day * 1_000
            rows = [
                trade(number + minute, ms(day, 86.4 * minute), price=f"{100 + minute % 7}") for minute in range(1_000)
            ]
            put_trades(archive, day, "".join(rows))
        Backfiller(made.lake, archive).run(UM, "BTCUSDT", *DAYS, Stream.TRADES)
        build(made.lake, workers=None)
        yield made


def ask(app: App, path: str, **query: str) -> dict[str, Any]:
    given = {"exchange": UM, "symbol": SYMBOL, **query}
    answer = app.client.get(f"/api/v1{path}", params=given, headers=app.headers("prime-raw"))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


RANGE = {"start_date": "2025-05-01", "end_date": "2025-05-02"}


def test_bars_are_on_the_exchange_clock_only(app: App) -> None:
    answers = {
        clock: ask(app, "/data/ohlcv", timestamp=clock, interval="1h", **RANGE) for clock in ("exchange", "true")
    }
    (file,) = answers["exchange"]["files"]
    assert (file["complete"], file["days_missing"], file["source"]) == (True, [], "archive")
    assert (answers["true"]["files"], answers["true"]["missing"]) == ([], ["2025-05"])


def test_conditions_say_that_there_is_no_arrival_time(app: App) -> None:
    days = ask(app, "/metadata/conditions", metric="ohlcv", **RANGE)["days"]
    assert [(day["condition"], [cause["code"] for cause in day["causes"]], day["source"]) for day in days] == [
        ("degraded", ["no_arrival_time"], "archive")
    ] * 2


def test_raw_ticks_and_coverage_name_the_source(app: App) -> None:
    raw = ask(app, "/data/raw/trades", **RANGE)
    assert {(file["source"], file["complete"], file["exchange_timestamp_kind"]) for file in raw["files"]} == {
        ("archive", True, "matching_engine")
    }
    (series,) = ask(app, "/metadata/coverage", metric="ohlcv")["series"]
    assert (series["source"], list(series["intervals"]["true"])) == ("archive", [])


@pytest.mark.parametrize(
    "path", ["/", "/catalog", "/catalog/ohlcv", "/catalog/slippage", "/status", "/status/incidents.atom", "/charts"]
)
def test_pages_are_shown(app: App, path: str) -> None:
    answer = app.client.get(path, params={"exchange": UM, "symbol": SYMBOL} if path == "/charts" else {})
    assert answer.status_code == 200
    if path == "/status":
        assert "from an archive, which does not tell arrival times" in answer.text
