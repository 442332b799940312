from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.mock.market import OKX, T, closing, frames, mocking, okx_book

from aperiodic.mock import Fault
from aperiodic.venues.okx import messages as wire
from aperiodic.venues.okx.book import BookSync, Outcome

if TYPE_CHECKING:
    from pathlib import Path

BTC = "BTC-USDT-SWAP"


def request(*channels: str, what: str = "subscribe") -> str:
    return json.dumps({"id": "1", "op": what, "args": [{"channel": channel, "instId": BTC} for channel in channels]})


def data(got: list[Any], channel: str) -> list[Any]:
    return [frame for frame in got if "data" in frame and frame["arg"]["channel"] == channel]


async def test_each_argument_is_acknowledged(tmp_path: Path) -> None:
    async with mocking(tmp_path, OKX) as client, client.socket("public") as socket:
        await socket.send(request("books", "mark-price"))
        got = await frames(socket, 8)
    events = [(frame["event"], frame.get("arg", {}).get("channel")) for frame in got if "event" in frame]
    assert events == [
        ("subscribe", "books"),
        ("channel-conn-count", None),
        ("subscribe", "mark-price"),
        ("channel-conn-count", None),
    ]
    assert [(frame["action"], frame["data"][0]["seqId"]) for frame in data(got, "books")] == [
        ("snapshot", 1),
        ("update", 2),
    ]


async def test_who_comes_later_gets_the_book_of_that_moment(tmp_path: Path) -> None:
    async with mocking(tmp_path, OKX, at_once=True) as client, client.socket("public") as socket:
        while len(client.venue.market.latest) < 2 or client.venue.market.books[BTC].number == 1:
            await client.ask("/api/v5/public/time")
        await socket.send(request("books"))
        got = data(await frames(socket, 6), "books")
    first, *later = [frame["data"][0] for frame in got]
    assert (got[0]["action"], first["prevSeqId"]) == ("snapshot", -1)
    assert first["bids"] == [["100", str(first["seqId"]), "0", "1"]]
    assert [each["prevSeqId"] for each in later] == [first["seqId"] + n for n in range(3)]


async def test_without_snapshots_the_book_comes_from_rest(tmp_path: Path) -> None:
    fault = Fault(at=0, exchange="okx-perps", kind="no_snapshot")
    async with mocking(tmp_path, OKX, at_once=True) as client, client.socket("public") as socket:
        client.mock.disturb(fault)
        answer = (await client.ask(f"/api/v5/market/books?instId={BTC}&sz=400")).json()["data"][0]
        await socket.send(request("books"))
        got = data(await frames(socket, 4), "books")
    assert [frame["action"] for frame in got] == ["update", "update"]
    assert answer["seqId"] <= got[0]["data"][0]["prevSeqId"]


async def test_a_channel_of_the_other_class_of_host_is_refused(tmp_path: Path) -> None:
    async with mocking(tmp_path, OKX) as client, client.socket("public") as socket:
        await socket.send(request("trades-all"))
        assert [(frame["event"], frame["code"]) for frame in await frames(socket, 1)] == [("error", "60018")]
        await socket.send("nonsense")
        assert (await frames(socket, 1))[0]["code"] == "60012"


async def test_ping_is_answered_and_keeps_alive(tmp_path: Path) -> None:
    async with mocking(tmp_path, OKX, timers=0.01) as client, client.socket("public") as socket:
        await socket.send("ping")
        assert await frames(socket, 1) == ["pong"]
        assert await closing(socket) == (4004, "No data received in 30s.")


async def test_481_subscriptions_in_an_hour_are_too_many(tmp_path: Path) -> None:
    async with mocking(tmp_path, OKX) as client, client.socket("public") as socket:
        names = [{"channel": "mark-price", "instId": f"X{number}-USDT-SWAP"} for number in range(481)]
        await socket.send(json.dumps({"op": "subscribe", "args": names}))
        got = await frames(socket, 961)
    assert [frame["code"] for frame in got if frame["event"] == "error"] == ["50011"]


async def test_the_end_is_announced(tmp_path: Path) -> None:
    fault = Fault(at=0.1, exchange="okx-perps", kind="shutdown", seconds=0.2)
    async with mocking(tmp_path, OKX, faults=[fault]) as client, client.socket("public") as socket:
        await socket.send(request("mark-price"))
        got: list[Any] = []
        while "64008" not in str(got):
            got += await frames(socket, 1)
        assert client.venue.feed.read(json.dumps(got[-1]).encode()).kind.name == "CLOSING"
        assert (await closing(socket))[0] == 1006


async def test_recorded_channels_are_sent_under_the_names_of_today(tmp_path: Path) -> None:
    old = [(at, okx_book(number, at, "update" if at else "snapshot")) for number, at in enumerate(range(0, 500, 50), 1)]
    for _, frame in old:
        frame["arg"]["channel"] = "books-l2-tbt"
        for each in frame["data"]:
            del each["seqId"], each["prevSeqId"]
    async with mocking(tmp_path, OKX, frames=old) as client, client.socket("public") as socket:
        await socket.send(request("books"))
        got = data(await frames(socket, 4), "books")
        assert [frame["action"] for frame in got] == ["snapshot", "update"]
        async with client.socket("public") as second:
            await second.send(request("books"))
            snapshot = data(await frames(second, 3), "books")[0]
    raw = json.dumps(snapshot["data"]).encode()
    assert snapshot["action"] == "snapshot"
    sync = BookSync()
    assert sync.snapshot(wire.BOOK.decode(raw)[0], wire.BOOK_TEXTS.decode(raw)[0]) is not Outcome.MISMATCH
    assert sync.verified == 1


async def test_rest_answers_and_limits(tmp_path: Path) -> None:
    async with mocking(tmp_path, OKX, at_once=True, known_s=2.0) as client:
        answer = await client.ask(f"/api/v5/market/books?instId={BTC}&sz=400")
        assert answer.json()["data"][0]["asks"][0][0] == "101"
        assert client.venue.feed.read_time((await client.ask("/api/v5/public/time")).content)
        marks = (await client.ask("/api/v5/public/mark-price?instType=SWAP")).json()["data"]
        assert int(marks[0]["ts"]) >= T
        assert (await client.ask("/api/v5/market/books?instId=NONE")).json()["code"] == "51001"
        statuses = [(await client.ask("/api/v5/public/time")).status_code for _ in range(11)]
    assert statuses[-1] == 429
