from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest
import websockets
from tests.mock.market import FUTURES, SPOT, bare_socket, closing, frames, mocking, recording, usual

from aperiodic.market import InvalidInputError
from aperiodic.mock import MockExchange, MockSettings, RecordedSource

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/stream?streams=btcusdt@trade"


async def test_pings_of_the_client_are_answered_and_fragments_joined(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client, client.socket("public", "/stream") as socket:
        await asyncio.wait_for(await socket.ping(b"hello"), 5)
        await socket.send(['{"method":"LIST_SUB', 'SCRIPTIONS","id":', "7}"])
        assert await frames(socket, 1) == [{"result": [], "id": 7}]


async def test_large_messages_are_refused(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client, client.socket("public", "/stream") as socket:
        await socket.send("x" * (1 << 20) + "x")
        assert (await closing(socket))[0] == 1009


async def test_frames_that_are_not_masked_are_refused(tmp_path: Path) -> None:
    async with (
        mocking(tmp_path, FUTURES) as client,
        bare_socket(client.mock.port, "/binance-futures/public/ws") as link,
    ):
        link[1].write(b"\x81\x02{}")
        assert b"\x88\x02\x03\xea" in await asyncio.wait_for(link[0].read(), 5)


async def test_a_client_closes_and_is_answered(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client:
        async with client.socket("public", "/stream") as socket:
            await socket.close(1000)
        assert [(line["code"], line["by"]) for line in client.truth("close")] == [(1000, "client")]
        assert not client.venue.sessions


async def test_clients_are_told_that_the_mock_ends(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client:
        socket = await client.socket("public", "/stream")
        closed = asyncio.create_task(closing(socket))
        await asyncio.sleep(0)
    assert (await closed)[0] == 1001


async def test_unknown_addresses_are_not_found(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client:
        for path in ("/nonsense", "/"):
            with pytest.raises(websockets.InvalidStatus) as caught:
                await client.socket("public", path)
            assert caught.value.response.status_code == 404
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(f"ws://127.0.0.1:{client.mock.port}/okx-perps/ws/v5/public")
        assert [line["status"] for line in client.truth("refused")] == [404, 404]


async def test_long_answers_are_compressed_for_those_who_ask(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES, at_once=True) as client:
        client.venue.market._instruments["exchangeInfo"] = json.dumps({"symbols": ["x"] * 1_000}).encode()
        zipped = await client.ask("/fapi/v1/exchangeInfo")
        plain = await client.ask("/fapi/v1/exchangeInfo", headers={"Accept-Encoding": "identity"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert zipped.json() == plain.json()


async def test_requests_in_one_go_are_answered_in_order(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.mock.port)
        for name in ("ping", "time", "nonsense"):
            writer.write(f"GET /binance-futures/fapi/v1/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"200", b"404", b"404"]


async def test_what_breaks_the_server_is_told(tmp_path: Path) -> None:
    async def broken() -> None:
        async with mocking(tmp_path, FUTURES) as client, client.socket("public", PATH):
            client.venue.market.change = lambda _message: 1 / 0  # type: ignore[assignment,method-assign]
            await client.mock.finished()

    with pytest.raises(ZeroDivisionError):
        await broken()


async def test_nonsense_ends_the_connection(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.mock.port)
        writer.write(b"nonsense\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_who_does_not_read_is_cut_off_and_what_he_missed_is_logged(tmp_path: Path) -> None:
    big = [
        (at, {"stream": "btcusdt@trade", "data": {"t": at, "T": 1_750_000_000_000, "x": "x" * 500_000}})
        for at in range(100)
    ]
    settings = {"frames": big, "most_unsent": 1 << 20}
    async with (
        mocking(tmp_path, FUTURES, **settings) as client,
        bare_socket(client.mock.port, "/binance-futures/public" + PATH),
    ):
        await client.mock.finished()
        assert [(line["code"], line["by"]) for line in client.truth("close")] == [(None, "venue")]
        assert len(client.truth("sent")) + len(client.truth("missed")) == 100
        assert client.truth("missed")


async def test_recordings_begin_when_somebody_listens(tmp_path: Path) -> None:
    async with mocking(tmp_path, SPOT) as client:
        async with client.socket("ws", "/stream?streams=ethusdt@trade"):
            await asyncio.sleep(0.1)
            assert not client.venue.began.is_set()
        async with client.socket("ws", PATH) as socket:
            assert (await frames(socket, 1))[0]["data"]["t"] == 1


async def test_new_connections_are_counted(tmp_path: Path) -> None:
    async with mocking(tmp_path, FUTURES) as client:
        client.venue._dials.extend([asyncio.get_running_loop().time()] * 300)
        with pytest.raises(websockets.InvalidStatus) as caught:
            await client.socket("public", "/stream")
        assert caught.value.response.status_code == 429


async def test_several_exchanges_share_a_port(tmp_path: Path) -> None:
    sources = [
        RecordedSource(exchange, [recording(tmp_path / f"{exchange}.gz", usual(exchange, 0.2))])
        for exchange in (FUTURES, SPOT)
    ]
    async with MockExchange(sources, MockSettings()) as mock:
        settings = mock.environment()
        assert {url.split("/")[2] for url in settings.values()} == {f"127.0.0.1:{mock.port}"}
        assert set(settings) == {
            *("APERIODIC_REST_BINANCE", "APERIODIC_WS_BINANCE_WS", "APERIODIC_REST_BINANCE_FUTURES"),
            *("APERIODIC_WS_BINANCE_FUTURES_PUBLIC", "APERIODIC_WS_BINANCE_FUTURES_MARKET"),
        }
        with pytest.raises(InvalidInputError) as caught:
            async with MockExchange(sources, MockSettings(port=mock.port)):
                pass
        assert caught.value.code == "cannot_listen"
    with pytest.raises(InvalidInputError) as caught:
        MockExchange([])
    assert caught.value.code == "no_sources"
