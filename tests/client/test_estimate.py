from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from tests.client.mock_api import API_KEY, FakeApi, bars, json_reply, parquet
from tests.client.test_client import client_of, options

import aperiodic

ETH = "perpetual-ETH-USDT:USDT"
BTC = "perpetual-BTC-USDT:USDT"


def publish(fake: FakeApi, *months: str, missing: list[str] | None = None, **changes: Any) -> list[dict[str, Any]]:
    files = [
        fake.store_file(month, parquet(bars(month)), **{"rows": bars(month).height, "revision": 2, **changes})
        for month in months
    ]
    beside = {} if missing is None else {"missing": missing}
    fake.reply(json_reply({"files": files, **beside}))
    return files


def ask(fake: FakeApi, **changes: Any) -> aperiodic.Estimate:
    asked = options(fake, start_date="2025-01-15", end_date="2025-03-31", **changes)
    return aperiodic.estimate("ohlcv", api_key=API_KEY, base_url=fake.base_url, **asked)


def test_it_tells_files_rows_bytes_and_what_is_missing_and_downloads_nothing(fake: FakeApi) -> None:
    files = publish(fake, "2025-01", "2025-02", missing=["2025-03"], gaps=2, complete=False, source="recording")
    estimate = ask(fake)
    assert (estimate.files, estimate.rows) == (2, (31 + 28) * 24)
    assert estimate.bytes == sum(file["size"] for file in files)
    name = f"ohlcv of {BTC} on binance-futures"
    assert estimate.missing == {name: ("2025-03",)}
    assert estimate.incomplete == {name: ("2025-01", "2025-02")}
    assert estimate.frame.row(0, named=True) == {
        "exchange": "binance-futures",
        "symbol": BTC,
        "metric": "ohlcv",
        "interval": "1h",
        "timestamp": "exchange",
        "period": "2025-01",
        "rows": 31 * 24,
        "bytes": files[0]["size"],
        "revision": 2,
        "complete": False,
        "gaps": 2,
        "source": "recording",
    }
    assert fake.store.asked == []


def test_each_series_has_its_own_numbers(fake: FakeApi) -> None:
    publish(fake, "2025-01", missing=["2025-02", "2025-03"])
    estimate = ask(fake, symbol=[BTC, ETH])
    assert [(one.symbol, one.files, one.missing) for one in estimate.series] == [
        (BTC, 1, ("2025-02", "2025-03")),
        (ETH, 1, ("2025-02", "2025-03")),
    ]
    assert estimate.frame["symbol"].to_list() == [BTC, ETH]
    assert estimate.rows == 2 * 31 * 24


@pytest.mark.parametrize(
    "changes", [{"rows": None, "size": None}, {"rows": "many", "size": -1}, {"rows": True, "size": 1 << 70}]
)
def test_what_a_server_does_not_say_is_unknown_and_not_0(fake: FakeApi, changes: dict[str, Any]) -> None:
    publish(fake, "2025-01", **changes)
    estimate = ask(fake)
    assert (estimate.files, estimate.rows, estimate.bytes) == (1, None, None)
    assert estimate.missing == {f"ohlcv of {BTC} on binance-futures": ("2025-02", "2025-03")}, (
        "it follows from the files"
    )
    assert "unknown rows, unknown size" in str(estimate)
    assert estimate.frame.select("rows", "bytes").row(0) == (None, None)


def test_it_is_plain_on_a_terminal_and_html_in_a_notebook(fake: FakeApi) -> None:
    publish(fake, "2025-01", missing=["2025-02", "2025-03"], size=12_345_678)
    estimate = ask(fake)
    text = str(estimate)
    assert text.startswith("1 series (1 of them not complete), 1 file, 744 rows, 12.3 MB\n")
    assert "2025-02, 2025-03" in " ".join(text.split())
    assert repr(estimate) == text.rstrip()
    assert "<" not in text
    page = estimate._repr_html_()
    assert page.count("<tr>") == 2
    assert f"ohlcv of {BTC} on binance-futures" in page


def test_of_many_series_those_that_lack_something_are_shown_first(fake: FakeApi) -> None:
    def answer(lacking: bool) -> dict[str, Any]:
        return {"files": [fake.link("2025-01")], "missing": ["2025-02"] if lacking else []}

    fake.api.on_each("/api/v1/data/ohlcv", lambda asked: json_reply(answer("C29" in asked.query["symbol"])))
    estimate = ask(fake, symbol=[f"spot-C{number}-USDT" for number in range(30)])
    assert str(estimate).count("spot-C") == 20
    assert "spot-C29-USDT" in str(estimate).splitlines()[2]
    assert str(estimate).endswith("And 10 series more; all files are in .frame.\n")


def test_nothing_published_is_an_answer_too(fake: FakeApi) -> None:
    fake.publish(missing=["2025-01", "2025-02", "2025-03"])
    estimate = ask(fake)
    assert (estimate.files, estimate.rows, estimate.bytes) == (0, 0, 0)
    assert estimate.frame.schema["period"] == pl.String()
    assert estimate._repr_html_()


async def test_clients_give_the_same(fake: FakeApi) -> None:
    publish(fake, "2025-01", missing=[])
    asked = options(fake)
    with client_of(fake) as client:
        one = client.estimate("ohlcv", **asked)
    async with aperiodic.AsyncClient(API_KEY, base_url=fake.base_url, cache=False) as client_async:
        other = await client_async.estimate("ohlcv", **asked)
    third = await aperiodic.estimate_async("ohlcv", api_key=API_KEY, base_url=fake.base_url, **asked)
    assert str(one) == str(other) == str(third)
    assert one.frame.equals(other.frame)


@pytest.mark.parametrize(
    ("change", "code"), [({"interval": "7m"}, "unknown_interval"), ({"symbol": "BTC"}, "bad_symbol")]
)
def test_a_wrong_value_is_named(fake: FakeApi, change: dict[str, str], code: str) -> None:
    fake.api.on("/api/v1/metadata/catalog", json_reply({"metrics": []}))
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        ask(fake, **change)
    assert caught.value.code == code
    assert fake.api.count("/api/v1/data/ohlcv") == 0


def test_an_error_of_the_server_comes_through(fake: FakeApi) -> None:
    fake.reply(json_reply({"error": "No.", "code": "metric_not_in_plan"}, 403))
    with pytest.raises(aperiodic.APIError, match="No"):
        ask(fake)
