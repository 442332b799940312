from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from litestar.testing import TestClient
from tests.server.in_process import application, put_open_ticks

from aperiodic.catalog import DATASETS
from aperiodic.completeness.gaps import Span, add_spans
from aperiodic.lake import Lake, NewObject, ObjectKey
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Clock, Exchange, Interval, Source, Stream, Symbol
from aperiodic.server.app import create_app
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

VENUE = Exchange.BINANCE_FUTURES
BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
COVERAGE = "/api/v1/metadata/coverage"


def us(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """BTC with a month of two revisions, a gap and a missing day; 60 other symbols with one file each."""
    opened = Lake.open(ServerSettings(home=tmp_path_factory.mktemp("home")))
    april = ObjectKey.bars("ohlcv", Clock.EXCHANGE, Interval.M5, VENUE, BTC, date(2025, 4, 1))
    put(opened, april, content="old", reason="first build")
    put(opened, april, content="newer", reason="ticks changed")
    put(opened, ObjectKey.bars("ohlcv", Clock.TRUE, Interval.S1, VENUE, BTC, date(2025, 4, 1)), content="other")
    put(opened, ObjectKey.bars("basis", Clock.TRUE, Interval.H1, VENUE, BTC, date(2025, 6, 1)), source=Source.SIMULATED)
    days = [date(2025, 4, 1) + timedelta(days=offset) for offset in range(30) if offset != 17]
    put(opened, *(ObjectKey.ticks(Stream.TRADES, VENUE, BTC, day) for day in days))
    others = [replace(BTC, base=f"X{number:02d}") for number in range(60)]
    put(opened, *(ObjectKey.bars("flow", Clock.TRUE, Interval.D1, VENUE, other, date(2025, 4, 1)) for other in others))
    stretches = [
        Span(0, 10, us(date(2025, 4, 1)), us(date(2025, 4, 9)), "not_recorded"),
        Span(14, 20, us(date(2025, 4, 10)) + 5, us(date(2025, 5, 1)), "sequence_break"),
    ]
    with begin_write(opened.engine) as connection:
        add_spans(connection, VENUE, BTC, Stream.TRADES, stretches)
    yield opened
    opened.close()


def test_an_open_day_says_up_to_when_it_is_covered(tmp_path: Path) -> None:
    day = date(2025, 7, 1)
    eth = replace(BTC, base="ETH")
    with application(tmp_path) as app:
        put(app.lake, ObjectKey.bars("ohlcv", Clock.TRUE, Interval.S1, VENUE, BTC, date(2025, 4, 1)))
        ticks = put_open_ticks(app.lake, VENUE, BTC, day, us(day) + 90_000_000)
        put_open_ticks(app.lake, VENUE, eth, day, us(day) + 30_000_000)
        app.client.headers["X-API-KEY"] = "DEMO-KEY"
        every, one, funding, alone = (
            ask(app.client, **parameters)
            for parameters in ({}, {"symbol": str(BTC)}, {"metric": "funding"}, {"symbol": str(eth)})
        )
    assert [each["symbol"] for each in every["open_days"]] == [str(BTC), str(eth)]
    (told,) = one["open_days"]
    assert told["covered_until"] >= "2025-07-01T00:01:30Z"
    assert {**told, "covered_until": ""} == {
        "symbol": str(BTC),
        "stream": "trades",
        "day": "2025-07-01",
        "ticks": ticks,
        "covered_until": "",
    }
    assert funding["open_days"] == []
    assert alone["series"] == []
    assert len(alone["open_days"]) == 1


def put(
    lake: Lake, *keys: ObjectKey, content: str = "x", reason: str = "test", source: Source = Source.RECORDING
) -> None:
    batch = lake.batch()
    for key in keys:
        new = NewObject(key=key, rows=len(content), source=source, fingerprint=content, reason=reason)
        batch.put(new, content.encode())
    batch.commit()


@pytest.fixture(scope="module")
def api(lake: Lake) -> Iterator[httpx.Client]:
    settings = ServerSettings(home=lake.home, address_requests_per_minute=100_000)
    with TestClient(create_app(lake, settings)) as client:
        client.headers["X-API-KEY"] = "DEMO-KEY"
        yield client


def ask(api: httpx.Client, **parameters: Any) -> dict[str, Any]:
    answer = api.get(COVERAGE, params={"exchange": "binance-futures", **parameters})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["request_id"] == answer.headers["X-Request-ID"]
    return body


def test_a_series_says_all_that_decides_whether_to_trust_it(api: httpx.Client) -> None:
    body = ask(api, symbol=str(BTC), metric="ohlcv")
    assert (body["exchange"], body["next"]) == ("binance-futures", None)
    (series,) = body["series"]
    (month,) = series.pop("months")
    assert series == {
        "exchange": "binance-futures",
        "symbol": "perpetual-BTC-USDT:USDT",
        "metric": "ohlcv",
        "stream": "trades",
        "source": "recording",
        "intervals": {"exchange": ["5m"], "true": ["1s"]},
        "first_day": "2025-04-01",
        "last_day": "2025-04-30",
        "missing_days": ["2025-04-18"],
        "missing_days_total": 1,
        "gaps": [
            {
                "start": "2025-04-09T00:00:00Z",
                "end": "2025-04-10T00:00:00.000005Z",
                "stream": "trades",
                "cause": "sequence_break",
                "first_missing": 11,
                "last_missing": 14,
            }
        ],
        "gaps_total": 1,
        "numbered_from": "2025-04-01T00:00:00Z",
        "numbered_to": "2025-05-01T00:00:00Z",
        "complete": False,
        "files": 2,
        "rows": 10,
        "bytes": 10,
        "missing_months": [],
    }
    (earlier,) = month.pop("earlier")
    published_at = datetime.fromisoformat(month.pop("published_at"))
    assert month == {
        "month": "2025-04",
        "complete": False,
        "gaps": 1,
        "missing_days": 1,
        "source": "recording",
        "files": 2,
        "rows": 10,
        "bytes": 10,
        "revision": 2,
        "reason": "ticks changed",
    }
    times = [datetime.fromisoformat(earlier.pop(name)) for name in ("published_at", "replaced_at")]
    assert earlier == {"revision": 1, "reason": "first build", "replaced_because": "ticks changed"}
    assert times[0] < times[1] <= published_at <= datetime.now(UTC)


def test_the_times_of_an_earlier_revision_are_those_that_as_of_understands(api: httpx.Client, lake: Lake) -> None:
    (series,) = ask(api, symbol=str(BTC), metric="ohlcv")["series"]
    (earlier,) = series["months"][0]["earlier"]
    with lake.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "select created_at, retired_at from objects where retired_at is not null"
        ).all()
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    told = [(datetime.fromisoformat(earlier[name]) - epoch) for name in ("published_at", "replaced_at")]
    assert [time // timedelta(microseconds=1) for time in told] == list(rows[0])


def test_all_metrics_of_a_symbol_in_catalog_order_each_with_its_own_stream(api: httpx.Client) -> None:
    basis, ohlcv = sorted(ask(api, symbol=str(BTC))["series"], key=lambda series: series["metric"])
    assert (basis["metric"], basis["stream"], basis["source"]) == ("basis", "mark_price", "simulated")
    assert (basis["first_day"], basis["missing_days_total"], basis["complete"]) == (None, 0, False)
    assert (ohlcv["metric"], ohlcv["stream"]) == ("ohlcv", "trades")
    order = [series["metric"] for series in ask(api, symbol=str(BTC))["series"]]
    assert order == [name for name in DATASETS if name in {"basis", "ohlcv"}]


@pytest.mark.parametrize("metric", [None, "flow"])
def test_pages_hold_every_symbol_once(api: httpx.Client, metric: str | None) -> None:
    seen: list[str] = []
    parameters = {} if metric is None else {"metric": metric}
    pages = 0
    while True:
        page = ask(api, **parameters)
        seen += [series["symbol"] for series in page["series"]]
        pages += 1
        assert len(page["series"]) <= 100
        if page["next"] is None:
            break
        parameters["after"] = page["next"]
    others = [f"perpetual-X{number:02d}-USDT:USDT" for number in range(60)]
    assert seen == ([] if metric else [str(BTC)] * 2) + others
    assert pages > 1


def test_an_exchange_without_data_has_no_series(api: httpx.Client) -> None:
    assert ask(api, exchange="okx-perps")["series"] == []
    assert ask(api, symbol=str(BTC), metric="funding")["series"] == []


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({}, 400, "missing_parameter"),
        ({"exchange": "binanse"}, 400, "unknown_exchange"),
        ({"exchange": "binance-futures", "metric": "ohlcw"}, 404, "unknown_metric"),
        ({"exchange": "binance-futures", "metric": ""}, 400, "missing_parameter"),
        ({"exchange": "binance-futures", "symbol": "perpetual-BTC-USD:BTC"}, 404, "unknown_symbol"),
        ({"exchange": "binance-futures", "symbol": "BTCUSDT"}, 400, "bad_symbol"),
        ({"exchange": "binance-futures", "after": "'; drop"}, 400, "bad_symbol"),
        ({"exchange": "binance-futures", "symbol": str(BTC), "after": str(BTC)}, 400, "conflicting_parameters"),
        ({"exchange": "binance-futures", "interval": "5m"}, 400, "unknown_parameter"),
    ],
)
def test_wrong_parameters_are_refused(api: httpx.Client, parameters: dict[str, str], status: int, code: str) -> None:
    answer = api.get(COVERAGE, params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"error", "details", "code", "hint", "request_id"}


def test_coverage_needs_a_key(api: httpx.Client) -> None:
    answer = api.get(COVERAGE, params={"exchange": "binance"}, headers={"X-API-KEY": "unknown"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unknown_key")


def test_long_lists_are_cut_and_counted(tmp_path: Path) -> None:
    lake = Lake.open(ServerSettings(home=tmp_path))
    put(lake, ObjectKey.bars("ohlcv", Clock.TRUE, Interval.D1, VENUE, BTC, date(2025, 4, 1)))
    put(lake, ObjectKey.bars("flow", Clock.TRUE, Interval.D1, VENUE, BTC, date(2025, 4, 1)))
    put(lake, *(ObjectKey.ticks(Stream.TRADES, VENUE, BTC, day) for day in (date(2023, 1, 1), date(2025, 1, 1))))
    with begin_write(lake.engine) as connection:
        stretches = [Span(10 * at, 10 * at + 5, 10 * at, 10 * at + 5, "sequence_break") for at in range(1_101)]
        add_spans(connection, VENUE, BTC, Stream.TRADES, stretches)
    with TestClient(create_app(lake, ServerSettings(home=tmp_path))) as api:
        api.headers["X-API-KEY"] = "DEMO-KEY"
        (alone,) = ask(api, symbol=str(BTC), metric="ohlcv")["series"]
        several = ask(api, symbol=str(BTC))["series"]
    lake.close()
    assert (len(alone["gaps"]), alone["gaps_total"]) == (1_000, 1_100)
    assert (len(alone["missing_days"]), alone["missing_days_total"]) == (366, 730)
    assert alone["missing_days"][0] == "2023-01-02"
    assert [(len(series["gaps"]), series["gaps_total"]) for series in several] == [(20, 1_100)] * 2
