"""`/data/latest/{metric}`: the newest bars themselves, from files and from what was told live since."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.engine.open_days.test_open_days import BEGIN, MINUTE, SECOND, Clockwork, append, rows
from tests.lakes import BTC, VENUE
from tests.server.conftest import publish
from tests.server.in_process import App, application
from tests.server.stream.rows import ETH, row

from aperiodic.catalog import DATASETS
from aperiodic.completeness.recorded import Recorded, add_recorded
from aperiodic.engine.build import build
from aperiodic.engine.open_days import OpenDayBuilder
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Clock, Interval, Stream, Symbol
from aperiodic.server.api.latest import ARROW
from aperiodic.server.queries.newest import NewestBars, newest_bars

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

NOW = BEGIN + 301 * SECOND
LATEST = "/api/v1/data/latest/ohlcv"


def asked(most: int, dataset: str = "ohlcv", interval: Interval = Interval.M1) -> NewestBars:
    return NewestBars(DATASETS[dataset], VENUE, interval, Clock.EXCHANGE, most)


def minutes(frame: pl.DataFrame) -> list[int]:
    return [(time - BEGIN) // MINUTE for time in frame["time"].to_physical()]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Two minutes of the day before in a month, and four of the open day in a file of its own."""
    with closing(Lake.open(Settings(home=tmp_path_factory.mktemp("held")))) as lake:
        append(lake, rows(-120, 0))
        build(lake)
        append(lake, rows(0, 300))
        OpenDayBuilder(lake, Clockwork(BEGIN + 300 * SECOND)).round()
        yield lake


def test_bars_of_the_open_day_come_before_those_of_months(held: Lake) -> None:
    assert minutes(newest_bars(held, asked(3), [BTC], [], NOW)) == [1, 2, 3]
    found = newest_bars(held, asked(100), [BTC], [], NOW)
    assert minutes(found) == [-2, -1, 0, 1, 2, 3]
    files = [held.store.read_parquet(record.path) for record in of_minutes(held)]
    assert_frame_equal(found.drop("symbol", "complete"), pl.concat(files).sort("time"))


def of_minutes(lake: Lake) -> list[Any]:
    series = {"dataset": "ohlcv", "clock": Clock.EXCHANGE, "interval": Interval.M1}
    return [*lake.current(ObjectKind.BARS, **series), *lake.current(ObjectKind.OPEN_BARS, **series)]


def test_what_was_told_since_is_newer_than_the_files(held: Lake) -> None:
    told = [row(number, first=BEGIN) for number in (3, 4)] + [row(4, first=BEGIN, revision=1)]
    found = newest_bars(held, asked(3), [BTC], told, NOW)
    assert minutes(found) == [2, 3, 4]
    assert found["close"].to_list()[1:] == [103.5, 104.5]
    assert found.schema == asked(3).schema


def test_instruments_come_one_after_the_other(held: Lake) -> None:
    other = Symbol.parse(ETH)
    told = [row(7, ETH, first=BEGIN), row(6, ETH, first=BEGIN)]
    told += [row(4, first=BEGIN)]
    found = newest_bars(held, asked(2), [other, BTC], iter(told), NOW)
    assert found["symbol"].to_list() == [ETH, ETH, str(BTC), str(BTC)]
    assert minutes(found) == [6, 7, 3, 4]


def test_bars_know_whether_ticks_are_missing(held: Lake) -> None:
    assert newest_bars(held, asked(100), [BTC], [], NOW)["complete"].to_list() == [True] * 6
    times = [(BEGIN + first * SECOND, BEGIN + last * SECOND) for first, last in ((-3_600, 90), (150, 3_600))]
    recorded = [Recorded(first, last, first, last, ends="disconnect") for first, last in times]
    with begin_write(held.engine) as connection:
        add_recorded(connection, VENUE, {(str(BTC), Stream.TRADES): recorded})
    found = newest_bars(held, asked(100), [BTC], [], NOW)
    judged = dict(zip(minutes(found), found["complete"], strict=True))
    assert judged == {-2: True, -1: True, 0: True, 1: False, 2: False, 3: True}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with application(tmp_path_factory.mktemp("home")) as made:
        publish(made.lake, date(2025, 4, 1))
        yield made


def ask(app: App, plan: str = "pro", accept: str = "*/*", **changes: Any) -> httpx.Response:
    parameters = {
        "timestamp": "exchange",
        "interval": "5m",
        "exchange": "binance-futures",
        "symbol": [str(BTC)],
        **changes,
    }
    answer: httpx.Response = app.client.get(LATEST, params=parameters, headers=app.headers(plan) | {"Accept": accept})
    return answer


def test_the_answer_holds_the_bars(app: App) -> None:
    body = ask(app, n=2).json()
    assert (body["metric"], body["interval"], body["missing"]) == ("ohlcv", "5m", [])
    first = 1_743_465_600_000_000
    assert [(each["symbol"], each["time"], each["close"], each["open"]) for each in body["rows"]] == [
        (str(BTC), first + 300_000_000, 5.0, None),
        (str(BTC), first + 600_000_000, 6.0, None),
    ]


def test_arrow_holds_the_same(app: App) -> None:
    answer = ask(app, accept=ARROW)
    assert answer.headers["content-type"] == ARROW
    frame = pl.read_ipc_stream(BytesIO(answer.content))
    assert frame.schema == asked(1).schema
    rows = ask(app).json()["rows"]
    assert frame.with_columns(pl.col("time").to_physical()).to_dicts() == rows


def test_it_is_for_plans_with_live_data(app: App) -> None:
    answer = ask(app, "starter")
    assert (answer.status_code, answer.json()["code"]) == (403, "live_not_in_plan")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"n": "0"}, 400, "bad_count"),
        ({"n": "1001"}, 400, "bad_count"),
        ({"n": "1e3"}, 400, "bad_count"),
        ({"n": "²"}, 400, "bad_count"),
        ({"symbol": []}, 400, "missing_parameter"),
        ({"symbol": [str(BTC), ""]}, 400, "missing_parameter"),
        ({"symbol": [str(BTC)] * 26}, 400, "repeated_too_often"),
        ({"symbol": [str(BTC), ETH]}, 404, "unknown_symbol"),
        ({"interval": ["5m", "1m"]}, 400, "repeated_parameter"),
        ({"interval": "1s"}, 400, "interval_needs_true_clock"),
        ({"start_date": "2025-04-01"}, 400, "unknown_parameter"),
    ],
)
def test_wrong_requests_are_told_what_is_wrong(app: App, changes: dict[str, Any], status: int, code: str) -> None:
    answer = ask(app, **changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_instrument_that_is_named_twice_comes_once(app: App) -> None:
    assert len(ask(app, symbol=[str(BTC)] * 2).json()["rows"]) == 3
    assert msgspec.json.decode(ask(app, interval="1h").content)["missing"] == [str(BTC)]
