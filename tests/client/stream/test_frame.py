"""Rows as a frame."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.client.stream.stream_server import BTC, CHANNEL, ETH, StreamServer, Talk, row

import aperiodic
from aperiodic.catalog import DATASETS
from aperiodic.client import stream_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    Opened = Callable[..., aperiodic.Stream]

FLOW = "flow.binance-futures.1m"
COLUMNS = ["time", "symbol", "interval", *DATASETS["ohlcv"].schema.names()[1:], "complete", "revision"]


def rows_of_two(talk: Talk) -> None:
    talk.subscribed()
    talk.send(row(0), row(0, ETH), row(1, close=2), row(1, ETH), row(0, close=9.5, revision=1), row(2, extra="new"))


def test_the_next_rows_are_typed_and_follow_each_other(server: StreamServer, opened: Opened) -> None:
    server.on(rows_of_two)
    with opened() as stream:
        first = stream.frame(3)
        assert first.columns == COLUMNS
        assert {name: first.schema[name] for name in DATASETS["ohlcv"].schema} == dict(DATASETS["ohlcv"].schema)
        assert first["symbol"].to_list() == [BTC, ETH, BTC]
        assert first["close"].to_list() == [0.0, 0.0, 2.0]
        assert first["volume_notional"].null_count() == 3
        assert first["time"][0].isoformat() == "2026-11-18T11:07:00"
        assert stream.frame(1)["symbol"].to_list() == [ETH]
        later = stream.frame(2)
        assert later.columns == [*COLUMNS, "extra"]
        assert later["revision"].to_list() == [1, 0]
    assert len(server.headers) == 1
    so_far = stream.frame()
    assert so_far.height == 5
    assert so_far["close"].to_list() == [9.5, 0.0, 2.0, 1.0, 2.0], "the corrected row took the place of the first"
    assert so_far["time"].is_sorted()


def test_a_frame_inside_the_loop_takes_from_the_loop(server: StreamServer, opened: Opened) -> None:
    server.on(rows_of_two)
    stream = opened()
    closes = []
    for message in stream:
        closes.append(message.data["close"])
        if len(closes) == 1:
            assert stream.frame(3)["close"].to_list() == [0.0, 2.0, 1.0]
        if len(closes) == 2:
            break
    assert closes == [0.0, 9.5]
    assert server.code() == 1000


def test_an_empty_frame_has_the_columns(server: StreamServer, opened: Opened) -> None:
    def only_answer(talk: Talk) -> None:
        talk.subscribed()
        talk.close(4000)

    server.on(only_answer)
    stream = opened()
    assert stream.frame().columns == ["time", "symbol", "interval", "complete", "revision"]
    with pytest.raises(aperiodic.StreamClosedError):
        list(stream)
    assert stream.frame().columns == COLUMNS
    assert stream.frame().is_empty()
    assert stream.frame(channel=FLOW).columns[3:5] == DATASETS["flow"].schema.names()[1:3]


def test_several_channels(server: StreamServer, opened: Opened) -> None:
    hour = "ohlcv.binance-futures.1h"

    def several(talk: Talk) -> None:
        talk.subscribed(channels=[CHANNEL, hour, FLOW])
        talk.send(row(0), {**row(0), "channel": hour}, {"channel": FLOW, "data": {"time": row()["data"]["time"]}})

    server.on(several)
    with opened() as stream:
        two = stream.frame(2)
        assert two.columns == ["channel", *COLUMNS]
        assert two["channel"].to_list() == [CHANNEL, hour]
        list(islice(stream, 3))
    with pytest.raises(aperiodic.InvalidInputError, match="several datasets: flow, ohlcv") as caught:
        stream.frame()
    assert caught.value.code == "several_datasets"
    assert stream.frame(channel=hour).columns == COLUMNS


@pytest.mark.parametrize("value", ["12.5", True, {}, [1]])
def test_a_value_of_another_type_is_an_error(server: StreamServer, opened: Opened, value: object) -> None:
    def odd(talk: Talk) -> None:
        talk.subscribed()
        talk.send(row(0, close=value))

    server.on(odd)
    with opened() as stream, pytest.raises(aperiodic.AperiodicDataError, match="close that is no Float64") as caught:
        stream.frame(1)
    assert caught.value.code == "unexpected_schema"


@pytest.mark.parametrize("n", [0, -1, 2.5, True, 1_000_001])
def test_how_many_rows_a_frame_can_have(opened: Opened, n: object) -> None:
    with pytest.raises(aperiodic.InvalidInputError) as caught:
        opened().frame(n)  # type: ignore[arg-type]
    assert caught.value.code == "bad_n"


def test_the_oldest_rows_give_way(server: StreamServer, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    def many(talk: Talk) -> None:
        talk.subscribed()
        talk.rows(*range(10))

    server.on(many)
    stream = opened()
    monkeypatch.setattr(stream._rows, "_most", 4)
    list(islice(stream, 10))
    assert stream.frame()["close"].to_list() == [6.0, 7.0, 8.0, 9.0]
    assert stream_frame.KEPT_ROWS == 20_000


def test_a_dataset_that_is_not_known_here(server: StreamServer, opened: Opened) -> None:
    def unknown(talk: Talk) -> None:
        talk.subscribed(channels=["sweep.kraken.2h"])
        talk.send({"channel": "sweep.kraken.2h", "data": {"symbol": BTC, "time": 0, "depth": 1, "names": ["a"]}})

    server.on(unknown)
    with opened() as stream:
        frame = stream.frame(1)
    assert frame.schema["depth"] == pl.Int64()
    assert frame["names"].to_list() == [["a"]]
