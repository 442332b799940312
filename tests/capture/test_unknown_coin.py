from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.capture.scripted import answer_http
from tests.capture.test_session import until
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from aperiodic.capture.dialling import DialBudget
from aperiodic.capture.plan import choose_channels
from aperiodic.capture.session import Session
from aperiodic.capture.settings import CaptureSettings
from aperiodic.market import Exchange
from aperiodic.venues import feed_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FEED = feed_of(Exchange.HYPERLIQUID_PERPS)
COINS = [f"C{number}" for number in range(20)]


async def serve_coins(connection: ServerConnection) -> None:
    """Send one frame of each stream; one coin ends everything, without a word."""
    with suppress(ConnectionClosed):
        async for message in connection:
            said = json.loads(message)
            if said["method"] == "ping":
                await connection.send('{"channel":"pong"}')
                continue
            wanted = said["subscription"]
            if wanted["coin"] == "C7":
                await asyncio.sleep(0.05)
                connection.transport.abort()
                return
            answer = {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": wanted}}
            await connection.send(json.dumps(answer))
            data = {"coin": wanted["coin"], "time": 1}
            frame = {"channel": wanted["type"], "data": [data] if wanted["type"] == "trades" else data}
            await connection.send(json.dumps(frame, separators=(",", ":")))


async def test_a_coin_that_ends_the_connection_is_found_and_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = json.dumps({"universe": [{"name": coin} for coin in COINS]}).encode()

    async def turn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_http(lambda *_: (200, {}, meta), reader, writer)

    monkeypatch.setattr(DialBudget, "take", lambda _: 0.0)
    monkeypatch.setattr("aperiodic.capture.keeper._SUSPECT_S", 0.02)
    rest = await asyncio.start_server(turn, "127.0.0.1", 0)
    async with serve(serve_coins, "127.0.0.1", 0, compression=None) as sockets:
        port = next(iter(sockets.sockets)).getsockname()[1]
        monkeypatch.setenv("APERIODIC_WS_HYPERLIQUID_PERPS_WS", f"ws://127.0.0.1:{port}/ws")
        monkeypatch.setenv("APERIODIC_REST_HYPERLIQUID_PERPS", f"http://127.0.0.1:{rest.sockets[0].getsockname()[1]}")
        settings = CaptureSettings(home=tmp_path, capture_disk_floor_bytes=0, capture_most_wait_s=0.02)
        session = Session(FEED, settings, choose_channels(FEED, ["trades", "quotes"]), COINS)
        task = asyncio.create_task(session.run())
        try:
            await until(lambda: session.keepers and session.keepers[0].set_aside)
            (keeper,) = session.keepers
            await until(lambda: keeper.current is not None and len(keeper.current.proven) == 2 * 19)
        finally:
            session.stop()
            await task
            rest.close()
    assert {each.native for each in keeper.set_aside} == {"C7"}
    assert keeper.dials < 10
    assert any("asked for C7; it is set aside" in words for _, words in session.said)
