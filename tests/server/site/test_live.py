"""The live boards show the newest minutes of the preview's instruments, and nothing where nothing is collected."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from tests.lakes import BTC, VENUE
from tests.server.in_process import App, application

from aperiodic.catalog import DATASETS
from aperiodic.lake import NewObject, ObjectKey
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Clock, Interval, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = 60_000_000


@pytest.fixture
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with application(tmp_path_factory.mktemp("home")) as made:
        yield made


def hold(app: App, age_minutes: int, count: int = 3) -> list[int]:
    """Publish minutes of today; the newest has closed so many minutes ago. Return their starts."""
    newest = (time.time_ns() // 1000 // MINUTE - age_minutes) * MINUTE
    times = [newest - number * MINUTE for number in reversed(range(count))]
    schema = DATASETS["ohlcv"].schema
    values: dict[str, Any] = {name: [100.25 + number for number in range(count)] for name in schema if name != "time"}
    frame = pl.DataFrame({"time": pl.Series(times).cast(pl.Datetime("us")), **values}).select(schema.names())
    day = datetime.fromtimestamp(newest / 1e6, UTC).date()
    key = ObjectKey.open_bars("ohlcv", Clock.EXCHANGE, Interval.M1, VENUE, BTC, day)
    batch = app.lake.batch()
    new = NewObject(key=key, rows=count, source=Source.RECORDING, fingerprint="1", reason="test")
    batch.put(new, parquet_bytes(frame))
    batch.commit()
    return times


def test_nothing_is_shown_where_nothing_is_collected(app: App) -> None:
    answer = app.client.get("/site/live?metric=ohlcv")
    assert answer.status_code == 200
    assert answer.json()["instruments"] == []
    hold(app, age_minutes=10)
    time.sleep(1.1)
    assert app.client.get("/site/live?metric=ohlcv").json()["instruments"] == []


def test_the_newest_minutes_are_shown(app: App) -> None:
    times = hold(app, age_minutes=2)
    body = app.client.get("/site/live?metric=ohlcv").json()
    (instrument,) = body["instruments"]
    assert (instrument["exchange"], instrument["symbol"]) == (VENUE, str(BTC))
    assert [row["time"] for row in instrument["rows"]] == times
    assert instrument["rows"][-1]["close"] == 102.25
    assert body["now"] >= times[-1]
    assert app.client.get("/site/live?metric=flow").json()["instruments"] == []


@pytest.mark.parametrize("query", ["", "?metric=", "?metric=ohlc", "?metric=../ohlcv"])
def test_other_requests_are_refused(app: App, query: str) -> None:
    answer = app.client.get(f"/site/live{query}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_metric")
