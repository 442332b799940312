from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import websockets
from tests.mock.market import HYPERLIQUID, all_frames, closing, frames, hl_book, mocking

from aperiodic.mock import Fault

if TYPE_CHECKING:
    from pathlib import Path


def request(kind: str, coin: str = "BTC", method: str = "subscribe", **more: Any) -> str:
    return json.dumps({"method": method, "subscription": {"type": kind, "coin": coin, **more}})


async def test_one_subscription_a_message_is_answered_before_its_first_frame(tmp_path: Path) -> None:
    async with mocking(tmp_path, HYPERLIQUID) as client, client.socket("ws") as socket:
        await socket.send(request("trades"))
        await socket.send(request("l2Book"))
        got = await frames(socket, 4)
    assert [frame["channel"] for frame in got] == ["subscriptionResponse", "subscriptionResponse", "trades", "l2Book"]
    assert got[1]["data"]["subscription"]["nSigFigs"] is None


async def test_several_in_one_message_are_refused(tmp_path: Path) -> None:
    async with mocking(tmp_path, HYPERLIQUID) as client, client.socket("ws") as socket:
        await socket.send(json.dumps({"method": "subscribe", "subscription": [{"type": "trades", "coin": "BTC"}]}))
        await socket.send(request("nonsense"))
        for frame in await frames(socket, 2):
            assert frame["channel"] == "error"
            assert frame["data"].startswith("Error parsing JSON into valid websocket request")


async def test_twice_the_same_is_an_error(tmp_path: Path) -> None:
    async with mocking(tmp_path, HYPERLIQUID) as client, client.socket("ws") as socket:
        await socket.send(request("bbo"))
        await socket.send(request("bbo"))
        assert (await frames(socket, 2))[1]["data"].startswith("Already subscribed: {")


@pytest.mark.parametrize("coin", ["NONE", "btc"])
async def test_an_unknown_coin_kills_the_connection_without_a_word(tmp_path: Path, coin: str) -> None:
    async with mocking(tmp_path, HYPERLIQUID) as client, client.socket("ws") as socket:
        await socket.send(request("trades"))
        await socket.send(request("trades", coin))
        assert (await closing(socket))[0] == 1006
        assert client.truth("close")[0]["code"] is None


async def test_a_coin_can_be_delisted(tmp_path: Path) -> None:
    async with mocking(tmp_path, HYPERLIQUID) as client:
        async with client.socket("ws") as one, client.socket("ws") as other:
            await one.send(request("l2Book", "ETH"))
            await other.send(request("l2Book", "BTC"))
            await frames(other, 2)
            client.mock.disturb(
                Fault(at=0, exchange="hyperliquid-perps", kind="coin_kill", symbol="perpetual-ETH-USDC:USDC")
            )
            assert (await closing(one))[0] == 1006
            await frames(other, 2)
        async with client.socket("ws") as again:
            await again.send(request("l2Book", "ETH"))
            assert (await closing(again))[0] == 1006


async def test_the_fast_book_is_another_stream(tmp_path: Path) -> None:
    books = [(at, hl_book(at, fast=at % 100 == 0)) for at in range(0, 1_000, 50)]
    async with mocking(tmp_path, HYPERLIQUID, frames=books) as client, client.socket("ws") as socket:
        await socket.send(request("l2Book", fast=True))
        got = await frames(socket, 5)
    assert all(frame["data"].get("fast") for frame in got[1:])


async def test_pings_are_answered_and_silence_of_the_server_closes(tmp_path: Path) -> None:
    async with mocking(tmp_path, HYPERLIQUID, timers=0.005) as client, client.socket("ws") as socket:
        await socket.send('{"method":"ping"}')
        assert await frames(socket, 1) == [{"channel": "pong"}]
        assert (await closing(socket))[0] == 1006


async def test_trades_begin_with_a_backlog(tmp_path: Path) -> None:
    async with mocking(tmp_path, HYPERLIQUID, at_once=True) as client, client.socket("ws") as socket:
        while len(client.venue.market.recent.get("trades:BTC", ())) < 3:
            await client.ask("/info", json={"type": "exchangeStatus"})
        await socket.send(request("trades"))
        _, backlog, following = await frames(socket, 3)
        numbers = [trade["tid"] for trade in backlog["data"]]
        assert numbers == list(range(1, len(numbers) + 1))
        assert following["data"][0]["tid"] == len(numbers) + 1
        logged = [line["number"] for line in client.truth("sent") if line.get("note") == "backlog"]
        assert logged == numbers


async def test_the_eleventh_connection_is_refused(tmp_path: Path) -> None:
    async with mocking(tmp_path, HYPERLIQUID) as client:
        sockets = [await client.socket("ws") for _ in range(10)]
        with pytest.raises(websockets.InvalidStatus) as refused:
            await client.socket("ws")
        assert refused.value.response.status_code == 429
        for socket in sockets:
            await socket.close()


async def test_rest_answers(tmp_path: Path) -> None:
    async with mocking(tmp_path, HYPERLIQUID, at_once=True) as client:
        meta = (await client.ask("/info", json={"type": "meta"})).json()
        assert {each["name"] for each in meta["universe"]} == {"BTC", "ETH"}
        book = (await client.ask("/info", json={"type": "l2Book", "coin": "BTC"})).json()
        assert book["levels"][0] == [{"px": "100.0", "sz": "1.0", "n": 2}]
        assert client.venue.feed.read_time((await client.ask("/info", json={"type": "exchangeStatus"})).content)
        assert (await client.ask("/info", json={"type": "nonsense"})).status_code == 422
        assert (await client.ask("/info")).status_code == 400
        client.venue.weights.use(1_200)
        assert (await client.ask("/info", json={"type": "meta"})).status_code == 429


async def test_posts_over_the_socket_tell_the_book(tmp_path: Path) -> None:
    async with mocking(tmp_path, HYPERLIQUID, at_once=True) as client, client.socket("ws") as socket:
        await client.venue.book("BTC")
        payload = {"type": "l2Book", "coin": "BTC"}
        await socket.send(json.dumps({"method": "post", "id": 5, "request": {"type": "info", "payload": payload}}))
        told = (await frames(socket, 1))[0]["data"]
        assert (told["id"], told["response"]["payload"]["data"]["coin"]) == (5, "BTC")
        assert await all_frames(socket, until_s=0.1) == []
