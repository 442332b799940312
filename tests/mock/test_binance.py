from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from tests.mock.market import FUTURES, SPOT, all_frames, bare_socket, closing, frames, mocking

from aperiodic.mock.venues.binance import class_of
from aperiodic.venues.registry import feed_of

if TYPE_CHECKING:
    from pathlib import Path


def subscribe(*names: str, number: int = 1) -> str:
    return json.dumps({"method": "SUBSCRIBE", "params": names, "id": number})


async def test_subscribed_streams_are_sent_and_acknowledged(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client, client.socket("public", "/stream") as socket:
        await socket.send(subscribe("btcusdt@trade", "btcusdt@depth@0ms"))
        got = await frames(socket, 5)
    assert got[0] == {"result": None, "id": 1}
    assert [frame["stream"] for frame in got[1:]] == ["btcusdt@depth@0ms", "btcusdt@trade"] * 2


async def test_an_address_can_name_streams_and_leave_the_wrapper_out(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client:
        async with client.socket("market", "/stream?streams=btcusdt@markPrice@1s") as socket:
            assert (await frames(socket, 1))[0]["stream"] == "btcusdt@markPrice@1s"
        async with client.socket("public", "/ws/btcusdt@trade") as socket:
            assert (await frames(socket, 1))[0]["e"] == "trade"


async def test_a_stream_of_the_other_class_of_host_is_acknowledged_and_silent(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES, at_once=True, seconds=0.3) as client:
        async with client.socket("market", "/stream") as socket:
            await socket.send(subscribe("btcusdt@trade", "btcusdt@depth@0ms"))
            assert await all_frames(socket, until_s=0.5) == [{"result": None, "id": 1}]
        async with client.socket("public", "/stream") as socket:
            await socket.send(subscribe("btcusdt@markPrice@1s", "nonsense", "BTCUSDT@trade"))
            assert await all_frames(socket, until_s=0.2) == [{"result": None, "id": 1}]


async def test_another_pace_of_a_book_is_sent_under_the_name_that_was_asked_for(tmp_path: Path) -> None:
    async with mocking(tmp_path, SPOT) as client, client.socket("ws", "/stream") as socket:
        await socket.send(subscribe("btcusdt@depth", "btcusdt@depth5"))
        _, *got = await frames(socket, 3)
        assert [(frame["stream"], frame["data"]["e"]) for frame in got] == [("btcusdt@depth", "depthUpdate")] * 2
        await socket.send('{"method":"UNSUBSCRIBE","params":["btcusdt@depth"],"id":2}')
        await all_frames(socket, until_s=0.1)
        assert await all_frames(socket, until_s=0.2) == []


def test_the_classes_of_host_are_those_that_the_feed_knows() -> None:
    feed = feed_of(FUTURES)
    streams = [(channel, feed.subscription(channel, "BTCUSDT").name) for channel in feed.channels if channel.template]
    assert streams
    assert {channel.name: class_of(name) for channel, name in streams} == {
        channel.name: channel.host for channel, _ in streams
    }


async def test_one_stream_too_many_is_an_error_and_closes(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client, client.socket("public", "/stream") as socket:
        await socket.send(subscribe(*(f"x{number}@trade" for number in range(1_024))))
        assert await frames(socket, 1) == [{"result": None, "id": 1}]
        await socket.send(subscribe("y@trade", number=2))
        assert await frames(socket, 1) == [{"error": {"code": 4, "msg": "Too many subscriptions"}, "id": 2}]
        assert await closing(socket) == (1008, "Invalid request")


async def test_too_many_messages_close(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client, client.socket("public", "/stream") as socket:
        for number in range(16):
            await socket.send(subscribe("a@trade", number=number))
        assert await closing(socket) == (1008, "Too many requests")
    async with mocking(tmp_path, SPOT) as client, client.socket("ws", "/stream") as socket:
        for _ in range(6):
            await socket.ping()
        assert await closing(socket) == (1008, "Too many requests")


async def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client, client.socket("public", "/stream") as socket:
        await socket.send("{")
        await socket.send('{"method":"SUBSCRIBE","params":"x","id":3}')
        first, second = await frames(socket, 2)
        assert first["error"]["code"] == 3
        assert (second["error"]["code"], second["id"]) == (2, 3)
    async with mocking(tmp_path, SPOT) as client, client.socket("ws", "/stream") as socket:
        await socket.send("{")
        assert (await frames(socket, 1))[0]["code"] == 3


async def test_streams_are_listed_and_ended(tmp_path: Path) -> None:
    async with (
        mocking(tmp_path, FUTURES) as client,
        client.socket("public", "/stream?streams=a@trade/b@trade") as socket,
    ):
        await socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
        await socket.send('{"method":"UNSUBSCRIBE","params":["a@trade"],"id":2}')
        await socket.send('{"method":"LIST_SUBSCRIPTIONS","id":3}')
        assert [frame["result"] for frame in await frames(socket, 3)] == [["a@trade", "b@trade"], None, ["b@trade"]]


async def test_spot_tells_microseconds_to_those_who_ask(tmp_path: Path) -> None:
    async with mocking(tmp_path, SPOT) as client:
        async with client.socket("ws", "/stream?timeUnit=MICROSECOND&streams=btcusdt@trade") as socket:
            fine = (await frames(socket, 1))[0]["data"]["T"]
        async with client.socket("ws", "/stream?streams=btcusdt@trade") as socket:
            coarse = (await frames(socket, 1))[0]["data"]["T"]
    assert len(str(fine)) == 16
    assert len(str(coarse)) == 13


async def test_the_server_pings_and_cuts_those_who_do_not_answer(tmp_path: Path) -> None:
    async with mocking(tmp_path, SPOT, timers=0.01) as client:
        async with client.socket("ws", "/stream") as socket:
            assert await all_frames(socket, until_s=1.2) == []
            assert socket.state.name == "OPEN"
        async with bare_socket(client.mock.port, "/binance/stream") as (reader, _):
            received = await asyncio.wait_for(reader.read(), 5)
    assert b"\x89\x0d17" in received  # a ping with the time in ms, and then the end without a close frame
    assert client.truth("close")[-1] | {"ns": 0} == {
        "what": "close",
        "ns": 0,
        "exchange": "binance",
        "connection": "c2",
        "code": None,
        "by": "venue",
    }


async def test_a_connection_lives_for_its_time(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES, life_s=0.2) as client, client.socket("public", "/stream") as socket:
        assert (await closing(socket))[0] == 1008
        assert client.truth("close")[0]["by"] == "venue"


async def test_a_snapshot_agrees_with_the_stream(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client, client.socket("public", "/stream") as socket:
        await socket.send(subscribe("btcusdt@depth@0ms"))
        _, *seen = await frames(socket, 6)
        told = (await client.ask("/fapi/v1/depth?symbol=BTCUSDT&limit=1000")).json()
        while seen[-1]["data"]["pu"] < told["lastUpdateId"]:
            seen += await frames(socket, 1)
    at_that_moment = {frame["data"]["u"]: frame["data"]["b"][0] for frame in seen}
    assert told["bids"] == [at_that_moment[told["lastUpdateId"]], ["99.0", "5"]]
    assert [line["number"] for line in client.truth("rest")] == [told["lastUpdateId"]]
    assert any(frame["data"]["pu"] == told["lastUpdateId"] for frame in seen)


async def test_a_snapshot_waits_for_a_book_that_the_stream_has_not_told_of(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client:
        assert (await client.ask("/fapi/v1/depth?symbol=BTCUSDT")).status_code == 503
        assert (await client.ask("/fapi/v1/depth?symbol=NONEUSDT")).json()["code"] == -1121


async def test_rest_answers(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES, at_once=True) as client:
        assert (await client.ask("/fapi/v1/time")).json()["serverTime"] > 1_750_000_000_000
        listed = (await client.ask("/fapi/v1/exchangeInfo")).json()["symbols"]
        assert {each["symbol"] for each in listed} == {"BTCUSDT", "ETHUSDT"}
        premium = (await client.ask("/fapi/v1/premiumIndex?symbol=BTCUSDT")).json()
        assert (premium["markPrice"], premium["lastFundingRate"]) == ("100.5", "0.0001")
        assert (await client.ask("/fapi/v2/time")).status_code == 404
        assert client.venue.feed.used_weight({"x-mbx-used-weight-1m": "4"}) == 4


async def test_weight_is_counted_told_and_refused(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES, at_once=True) as client:
        answers = [await client.ask("/fapi/v1/depth?symbol=BTCUSDT&limit=1000") for _ in range(3)]
        weights = [int(answer.headers["x-mbx-used-weight-1m"]) for answer in answers]
        assert weights[1] - weights[0] == 20 or weights[0] == 20  # a minute may begin in between
        for _ in range(2):
            client.venue.weights.use(2_400)
        refused = await client.ask("/fapi/v1/time")
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        banned = [await client.ask("/fapi/v1/time") for _ in range(3)]
        assert banned[-1].status_code == 418
        assert int(banned[-1].headers["retry-after"]) > 60
