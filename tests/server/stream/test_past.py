"""A stretch of the past is told as live rows were: each bar once, in the order in which they close, at a chosen speed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import httpx
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.engine.open_days.test_open_days import BEGIN, MINUTE, SECOND, append, rows
from tests.lakes import BTC, VENUE
from tests.server.stream.talking import ask
from tests.servers import Api, make_key
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import aperiodic
from aperiodic.engine.build import build
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.server.stream.past import PastBars

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERIES = ("ohlcv", str(VENUE), "1m", "exchange")
SECONDS = ("flow", str(VENUE), "1s", "true")
FIRST = BEGIN - 3 * MINUTE


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three minutes before a day's begin and three behind it, in two files of one month."""
    folder: Path = tmp_path_factory.mktemp("home")
    with closing(Lake.open(Settings(home=folder))) as lake:
        append(lake, rows(-180, 0))
        append(lake, rows(0, 180))
        build(lake)
    return folder


@pytest.fixture
def lake(home: Path) -> Iterator[Lake]:
    with closing(Lake.open(Settings(home=home))) as opened:
        yield opened


def published(lake: Lake, series: tuple[str, str, str, str]) -> pl.DataFrame:
    dataset, exchange, interval, clock = series
    records = lake.current(ObjectKind.BARS, dataset=dataset, exchange=exchange, interval=interval, clock=clock)
    return pl.concat(lake.store.read_parquet(record.path) for record in records).sort("time")


@pytest.mark.parametrize("steps", [(1,), (7, 61, 33), (1_000,)])
def test_every_bar_comes_once_wherever_the_steps_end(lake: Lake, steps: tuple[int, ...]) -> None:
    bars = PastBars(lake, None)
    at, told, number = FIRST, [], 0
    while at < BEGIN + 3 * MINUTE:
        until = at + steps[number % len(steps)] * SECOND
        found = bars.closing([SERIES, SECONDS], at, until)
        assert all(at < row.end <= until for row in found)
        told += found
        at, number = until, number + 1
    assert [row.end for row in told] == sorted(row.end for row in told)
    for series in (SERIES, SECONDS):
        times = [row.time for row in told if row.interval == series[2]]
        expected = published(lake, series)["time"].to_physical().to_list()
        assert times == [time for time in expected if time + (MINUTE if series is SERIES else SECOND) > FIRST]
        assert len(times) >= 6


def test_only_the_instruments_asked_for(lake: Lake) -> None:
    assert PastBars(lake, frozenset({"perpetual-ETH-USDT:USDT"})).closing([SERIES], FIRST, BEGIN) == []
    assert len(PastBars(lake, frozenset({str(BTC)})).closing([SERIES], FIRST, BEGIN)) == 3


@pytest.fixture
def replaying(home: Path) -> Iterator[Api]:
    """Six minutes in three seconds."""
    options = ["--start", "2025-05-01T23:57", "--end", "2025-05-02T00:03", "--speed", "120", "--port", "0"]
    command = [sys.executable, "-c", "from aperiodic.cli import main; main()", "replay", "--exchange", VENUE, *options]
    environment = os.environ | {"APERIODIC_HOME": str(home)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "ws://" in line, line + process.stderr.read()
        address = next(word for word in line.split() if word.startswith("ws://"))
        yield Api(address.rstrip(";"), make_key(home, "prime"))
        assert process.wait(60) == 0  # it ends with the stretch
        assert process.stderr.read() == "The replay is over.\n"


def test_a_program_can_be_tried_on_it(replaying: Api, lake: Lake) -> None:
    expected = published(lake, SERIES)
    stream = aperiodic.stream(api_key=replaying.key, channels=["ohlcv.binance-futures.1m"], stream_url=replaying.url)
    messages: list[aperiodic.StreamMessage] = []
    with pytest.raises(aperiodic.StreamClosedError, match="the replay is over") as over, stream:
        messages.extend(stream)
    assert over.value.code == 4000
    assert [message.time_us for message in messages] == expected["time"].to_physical().to_list()
    frame = stream.frame().select(expected.columns)
    assert_frame_equal(frame, expected)


def test_what_lies_behind_the_time_that_is_told_cannot_be_seen(replaying: Api) -> None:
    base = replaying.url.replace("ws", "http", 1).removesuffix("/v1/stream")
    answer = httpx.get(f"{base}/api/v1/data/ohlcv", headers={"X-API-KEY": replaying.key})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_path")
    with connect(replaying.url, additional_headers={"X-API-KEY": replaying.key}) as client:
        told = ask(client, op="subscribe", id="s1", channels=["ohlcv.binance-futures.1m"], since=0)
        assert told["replayed"] is True
        assert len(to_the_end(client)) == 6


def to_the_end(client: ClientConnection) -> list[str | bytes]:
    found = []
    with suppress(ConnectionClosed):
        while True:
            found.append(client.recv(timeout=30))
    return found
