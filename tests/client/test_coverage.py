from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.client.mock_api import API_KEY, json_reply
from tests.client.test_client import client_of

import aperiodic

if TYPE_CHECKING:
    from tests.client.mock_api import Asked, FakeApi, Reply

COVERAGE = "/api/v1/metadata/coverage"
BTC, ETH = "perpetual-BTC-USDT:USDT", "perpetual-ETH-USDT:USDT"


def entry(symbol: str = BTC, metric: str = "ohlcv", **changes: Any) -> dict[str, Any]:
    return {
        "exchange": "binance-futures",
        "symbol": symbol,
        "metric": metric,
        "stream": "trades",
        "source": "recording",
        "intervals": {"exchange": ["5m", "1h"], "true": ["1h"]},
        "first_day": "2025-05-01",
        "last_day": "2025-06-02",
        "missing_days": ["2025-05-17"],
        "missing_days_total": 1,
        "gaps": [
            {
                "start": "2025-05-09T04:00:01.120000+00:00",
                "end": "2025-05-09T06:00:03+02:00",
                "stream": "trades",
                "cause": "sequence_break",
                "first_missing": 6_100_204_113,
                "last_missing": None,
            }
        ],
        "gaps_total": 30,
        "complete": False,
        "files": 4,
        "rows": 100,
        "bytes": 2_000,
        "missing_months": ["2025-07"],
        "months": [
            {
                "month": "2025-05",
                "complete": False,
                "gaps": 1,
                "missing_days": 1,
                "source": "recording",
                "files": 4,
                "rows": 100,
                "bytes": 2_000,
                "revision": 2,
                "published_at": "2025-06-04T08:30:00Z",
                "reason": "new ticks",
                "earlier": [],
            }
        ],
        "numbered_from": None,
        "not_known_here": 1,
        **changes,
    }


def answer(fake: FakeApi, *pages: list[dict[str, Any]], endless: bool = False) -> None:
    def page(asked: Asked) -> Reply:
        number = int(asked.query.get("after", "p0")[1:])
        last = number == len(pages) - 1 and not endless
        return json_reply(
            {"series": pages[min(number, len(pages) - 1)], "next": None if last else f"p{number + 1 - endless}"}
        )

    fake.api.on_each(COVERAGE, page)
    fake.api.on("/api/v1/metadata/catalog", json_reply({"metrics": [], "exchanges": ["binance-futures"]}))


def ask(fake: FakeApi, *arguments: Any, **options: Any) -> pl.DataFrame:
    return aperiodic.coverage(*arguments, api_key=API_KEY, base_url=fake.base_url, **options)


def test_a_row_is_a_series(fake: FakeApi) -> None:
    answer(fake, [entry()])
    frame = ask(fake, "binance-futures")
    assert frame.row(0, named=True) == {
        "exchange": "binance-futures",
        "symbol": BTC,
        "metric": "ohlcv",
        "source": "recording",
        "first_day": date(2025, 5, 1),
        "last_day": date(2025, 6, 2),
        "complete": False,
        "missing_days": 1,
        "missing_months": ["2025-07"],
        "gaps": 30,
        "months": 1,
        "files": 4,
        "rows": 100,
        "bytes": 2_000,
        "intervals_exchange": ["5m", "1h"],
        "intervals_true": ["1h"],
    }


def test_a_row_is_a_month_or_a_gap(fake: FakeApi) -> None:
    answer(fake, [entry(), entry(metric="flow", months=[], gaps=[])])
    months = ask(fake, "binance-futures", by="month")
    assert months.select("metric", "month", "revision", "published_at").rows() == [
        ("ohlcv", "2025-05", 2, datetime(2025, 6, 4, 8, 30))  # noqa: DTZ001
    ]
    gaps = ask(fake, "binance-futures", by="gap")
    assert gaps.select("symbol", "start", "end", "first_missing", "last_missing").rows() == [
        (BTC, datetime(2025, 5, 9, 4, 0, 1, 120_000), datetime(2025, 5, 9, 4, 0, 3), 6_100_204_113, None)  # noqa: DTZ001
    ]


def test_all_pages_are_read(fake: FakeApi) -> None:
    answer(fake, [entry()], [entry(ETH)], [entry("spot-X-USDT")])
    assert ask(fake, "binance-futures")["symbol"].to_list() == [BTC, ETH, "spot-X-USDT"]
    assert [asked.query.get("after") for asked in fake.api.asked] == [None, "p1", "p2"]


def test_pages_that_do_not_end_are_an_error(fake: FakeApi) -> None:
    answer(fake, [entry()], [entry()], endless=True)
    with pytest.raises(aperiodic.APIError, match="do not come to an end"):
        ask(fake, "binance-futures")
    assert fake.api.count(COVERAGE) < 5


def test_symbols_and_metrics_are_asked_for_by_the_server(fake: FakeApi) -> None:
    answer(fake, [entry()])
    ask(fake, "binance-futures", [BTC, ETH], ["ohlcv", "flow"])
    asked = {(one.query["symbol"], one.query["metric"]) for one in fake.api.asked}
    assert asked == {(symbol, metric) for symbol in (BTC, ETH) for metric in ("ohlcv", "flow")}
    assert {one.headers["x-api-key"] for one in fake.api.asked} == {API_KEY}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("binance-futurs",), "unknown_exchange"),
        (("binance-futures", "BTC"), "bad_symbol"),
        (("binance-futures", None, "flw"), "unknown_metric"),
        ((None,), "missing_exchange"),
        (([],), "bad_exchange"),
    ],
)
def test_a_wrong_value_is_named(fake: FakeApi, arguments: tuple[Any, ...], code: str) -> None:
    answer(fake, [entry()])
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        ask(fake, *arguments)
    assert caught.value.code == code
    assert fake.api.count(COVERAGE) == 0


def test_a_row_is_nothing_else(fake: FakeApi) -> None:
    with pytest.raises(aperiodic.InvalidInputError, match="Did you mean 'month'"):
        ask(fake, "binance-futures", by="months")


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": None},
        {"first_day": "soon"},
        {"rows": "many"},
        {"rows": 1 << 70},
        {"complete": 1},
        {"missing_months": [3]},
        {"intervals": [1]},
    ],
)
def test_a_series_that_lies_about_its_types_is_an_error(fake: FakeApi, changes: dict[str, Any]) -> None:
    answer(fake, [entry(**changes)])
    with pytest.raises(aperiodic.APIError) as caught:
        ask(fake, "binance-futures")
    assert caught.value.code == "bad_response"


@pytest.mark.parametrize(("by", "items"), [("month", 3), ("month", [3]), ("gap", {"a": 1}), ("gap", [{"start": 3}])])
def test_so_are_months_and_gaps_that_are_none(fake: FakeApi, by: str, items: Any) -> None:
    answer(fake, [entry(**{f"{by}s": items})])
    with pytest.raises(aperiodic.APIError) as caught:
        ask(fake, "binance-futures", by=by)
    assert caught.value.code == "bad_response"


def test_what_a_server_does_not_say_is_null(fake: FakeApi) -> None:
    answer(fake, [{"exchange": "binance-futures", "symbol": BTC, "metric": "ohlcv"}])
    row = ask(fake, "binance-futures").row(0, named=True)
    assert row["first_day"] is None
    assert row["rows"] is None
    assert row["missing_months"] is None


@pytest.mark.parametrize("body", [{}, {"series": 3}, {"series": [3]}, {"series": [], "next": 3}])
def test_an_answer_without_series_is_an_error(fake: FakeApi, body: dict[str, Any]) -> None:
    fake.api.on(COVERAGE, json_reply(body))
    with pytest.raises(aperiodic.APIError) as caught:
        ask(fake, "binance-futures")
    assert caught.value.code == "bad_response"


def test_an_empty_venue_is_an_empty_frame_with_all_columns(fake: FakeApi) -> None:
    answer(fake, [])
    assert ask(fake, "binance-futures").schema["gaps"] == pl.Int64()
    listed = aperiodic.symbols("binance-futures", api_key=API_KEY, base_url=fake.base_url)
    assert listed.columns == ["symbol", "exchange", "first_day", "last_day", "datasets"]
    assert listed.is_empty()


async def test_symbols_are_listed_with_their_days_and_datasets(fake: FakeApi) -> None:
    later = {"first_day": "2025-05-03", "last_day": "2025-07-01"}
    nothing: dict[str, Any] = {"first_day": None, "last_day": None}
    answer(fake, [entry(ETH, **nothing)], [entry(BTC, "flow"), entry(BTC, "ohlcv", **later)])
    wanted = [
        (BTC, "binance-futures", date(2025, 5, 1), date(2025, 7, 1), ["flow", "ohlcv"]),
        (ETH, "binance-futures", None, None, ["ohlcv"]),
    ]
    assert aperiodic.symbols(api_key=API_KEY, base_url=fake.base_url).rows() == wanted, "of all venues that it names"
    assert (await aperiodic.symbols_async("binance-futures", api_key=API_KEY, base_url=fake.base_url)).rows() == wanted
    with client_of(fake) as client:
        assert client.symbols(["binance-futures"]).rows() == wanted
        assert client.coverage("binance-futures").height == 3
    client_async = aperiodic.AsyncClient(API_KEY, base_url=fake.base_url, cache=False)
    assert (await client_async.coverage("binance-futures")).height == 3
