from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from litestar.testing import TestClient

from aperiodic.completeness.gaps import Span, add_spans
from aperiodic.lake import Lake, NewObject, ObjectKey
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Clock, Exchange, Interval, Source, Stream, Symbol
from aperiodic.server.app import create_app
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

VENUE = Exchange.BINANCE_FUTURES
BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
ETH = Symbol.parse("perpetual-ETH-USDT:USDT")
CONDITIONS = "/api/v1/metadata/conditions"


def us(day: int, hour: int = 0) -> int:
    return int(datetime(2025, 4, day, hour, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """BTC with trades of two days of which the second ends early, and ETH with bars but without ticks."""
    settings = ServerSettings(home=tmp_path_factory.mktemp("home"), address_requests_per_minute=100_000)
    lake = Lake.open(settings)
    batch = lake.batch()
    keys = [ObjectKey.ticks(Stream.TRADES, VENUE, BTC, date(2025, 4, day)) for day in (1, 2)]
    for key in [*keys, ObjectKey.bars("ohlcv", Clock.TRUE, Interval.D1, VENUE, ETH, date(2025, 4, 1))]:
        batch.put(NewObject(key=key, rows=1, source=Source.TARDIS, fingerprint="f", reason="test"), b"x")
    batch.commit()
    with begin_write(lake.engine) as connection:
        add_spans(connection, VENUE, BTC, Stream.TRADES, [Span(0, 9, us(1), us(2, 18), "not_recorded")])
    with TestClient(create_app(lake, settings)) as client:
        client.headers["X-API-KEY"] = "DEMO-KEY"
        yield client
    lake.close()


def query(**changes: str | None) -> dict[str, str]:
    parameters = {
        "exchange": "binance-futures",
        "symbol": str(BTC),
        "metric": "flow",
        "start_date": "2025-04-01",
        "end_date": "2025-04-03",
        **changes,
    }
    return {name: value for name, value in parameters.items() if value is not None}


def test_every_day_of_the_range_has_a_condition_and_its_causes(api: httpx.Client) -> None:
    answer = api.get(CONDITIONS, params=query())
    body: dict[str, Any] = answer.json()
    assert body.pop("request_id") == answer.headers["X-Request-ID"]
    ends_early = {
        "code": "not_spanned",
        "detail": None,
        "count": None,
        "start": "2025-04-02T18:00:00Z",
        "end": "2025-04-03T00:00:00Z",
        "per_file": False,
    }
    no_ticks = {"code": "no_ticks", "detail": None, "count": None, "start": None, "end": None, "per_file": False}
    assert body == {
        "exchange": "binance-futures",
        "symbol": "perpetual-BTC-USDT:USDT",
        "metric": "flow",
        "stream": "trades",
        "start_date": "2025-04-01",
        "end_date": "2025-04-03",
        "summary": {"available": 1, "degraded": 0, "partial": 1, "missing": 1},
        "days": [
            {"day": "2025-04-01", "condition": "available", "source": "tardis", "causes": []},
            {"day": "2025-04-02", "condition": "partial", "source": "tardis", "causes": [ends_early]},
            {"day": "2025-04-03", "condition": "missing", "source": None, "causes": [no_ticks]},
        ],
    }


def test_a_stream_can_be_asked_for_itself(api: httpx.Client) -> None:
    by_stream = api.get(CONDITIONS, params=query(metric=None, stream="trades")).json()
    by_metric = api.get(CONDITIONS, params=query()).json()
    assert (by_stream["metric"], by_stream["stream"]) == (None, "trades")
    assert by_stream["days"] == by_metric["days"]
    other = api.get(CONDITIONS, params=query(metric=None, stream="open_interest")).json()
    assert other["summary"] == {"available": 0, "degraded": 0, "partial": 0, "missing": 3}


def test_a_symbol_with_bars_alone_is_known(api: httpx.Client) -> None:
    assert api.get(CONDITIONS, params=query(symbol=str(ETH))).json()["summary"]["missing"] == 3


def test_a_leap_year_fits_into_one_request(api: httpx.Client) -> None:
    body = api.get(CONDITIONS, params=query(start_date="2024-01-01", end_date="2024-12-31")).json()
    assert len(body["days"]) == 366


@pytest.mark.parametrize(
    ("changes", "status", "codes"),
    [
        ({"metric": None}, 400, ["missing_parameter"]),
        ({"stream": "trades"}, 400, ["conflicting_parameters"]),
        ({"metric": None, "stream": "trade"}, 400, ["unknown_stream"]),
        ({"metric": "ohlcw"}, 404, ["unknown_metric"]),
        ({"symbol": "perpetual-BCT-USDT:USDT"}, 404, ["unknown_symbol"]),
        ({"symbol": None, "metric": None}, 400, ["missing_parameter", "missing_parameter"]),
        ({"start_date": "2025-04-04"}, 400, ["inverted_range"]),
        ({"start_date": "2024-04-02"}, 400, ["range_too_long"]),
        ({"end_date": "2025-02-30"}, 400, ["bad_date"]),
        ({"interval": "1m"}, 400, ["unknown_parameter"]),
    ],
)
def test_wrong_parameters_are_refused(
    api: httpx.Client, changes: dict[str, str | None], status: int, codes: list[str]
) -> None:
    answer = api.get(CONDITIONS, params=query(**changes))
    assert (answer.status_code, answer.json()["code"]) == (status, codes[0])
    assert len(answer.json()["details"]) == len(codes)


def test_conditions_need_a_key(api: httpx.Client) -> None:
    answer = api.get(CONDITIONS, params=query(), headers={"X-API-KEY": ""})
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_key")
