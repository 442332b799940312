"""A venue in this process: a WebSocket server and a REST host that do what a test says."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import pytest

    Answer: TypeAlias = tuple[int, dict[str, str], bytes]

INFO = {
    "symbols": [
        {"symbol": name, "status": "TRADING", "contractType": "PERPETUAL", "baseAsset": name[:3], "quoteAsset": "USDT"}
        for name in ("BTCUSDT", "ETHUSDT")
    ]
}


class ScriptedBinance:
    """Binance futures, with one book, trades, quotes and marks of every symbol that is subscribed to.

    Attributes:
        silent: Streams, or whole classes of host, that are acknowledged and send nothing.
        sockets: Connections that are open.
        dials: Connections that were opened.
        requests: Paths that REST was asked for.
        rest: Answers of REST, by path, instead of the usual ones.
        withheld: Depth updates of these numbers are not sent.
        pace_s: Time between two frames of a stream.
    """

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.sockets: list[ServerConnection] = []
        self.dials = 0
        self.requests: list[str] = []
        self.rest: dict[str, Answer] = {}
        self.withheld: set[int] = set()
        self.pace_s = 0.01
        self.number = 1000
        self.refuse: tuple[int, dict[str, str]] | None = None
        self.on_connection: Callable[[ServerConnection], Awaitable[None]] | None = None

    async def serve_socket(self, connection: ServerConnection) -> None:
        self.dials += 1
        self.sockets.append(connection)
        request = connection.request
        assert request is not None
        host = request.path.strip("/").split("/")[0]
        streams: set[str] = set()
        sender = asyncio.create_task(self._send(connection, host, streams))
        try:
            if self.on_connection is not None:
                await self.on_connection(connection)
            async for message in connection:
                said = json.loads(message)
                if said["method"] == "SUBSCRIBE":
                    streams.update(said["params"])
                else:
                    streams.difference_update(said["params"])
                await connection.send(json.dumps({"result": None, "id": said["id"]}))
        except ConnectionClosed:
            pass
        finally:
            sender.cancel()
            self.sockets.remove(connection)

    async def _send(self, connection: ServerConnection, host: str, streams: set[str]) -> None:
        sent = self.number
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(self.pace_s)
                newest = self.number
                for name in sorted(streams):
                    channel = name.partition("@")[2]
                    is_market = channel.startswith(("markPrice", "aggTrade"))
                    if name in self.silent or host in self.silent or is_market is not (host == "market"):
                        continue
                    if channel.startswith("depth"):
                        for number in range(sent + 1, newest + 1):
                            if number not in self.withheld:
                                await connection.send(depth(name, number), text=True)
                    else:
                        await connection.send(json.dumps({"stream": name, "data": {"e": channel, "s": "BTCUSDT"}}))
                sent = newest

    async def count(self) -> None:
        """Let the book move."""
        while True:
            self.number += 1
            await asyncio.sleep(self.pace_s)

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        del method, body
        self.requests.append(path)
        address = urlsplit(path)
        for known, told in self.rest.items():
            if address.path.endswith(known):
                return told
        if address.path.endswith("/exchangeInfo"):
            return 200, {}, json.dumps(INFO).encode()
        if address.path.endswith("/time"):
            return 200, {}, json.dumps({"serverTime": time.time_ns() // 1_000_000}).encode()
        if address.path.endswith("/depth"):
            return (
                200,
                {"X-MBX-USED-WEIGHT-1M": "20"},
                json.dumps({"lastUpdateId": self.number, "bids": [], "asks": []}).encode(),
            )
        if address.path.endswith("/openInterest"):
            symbol = parse_qs(address.query)["symbol"][0]
            return 200, {}, json.dumps({"openInterest": "1", "symbol": symbol, "time": 1}).encode()
        return 404, {}, b"{}"


def depth(stream: str, number: int) -> bytes:
    data = {
        "e": "depthUpdate",
        "E": 1_795_000_000_000 + number,
        "T": 1_795_000_000_000 + number,
        "s": "BTCUSDT",
        "U": number,
        "u": number,
        "pu": number - 1,
    }
    return json.dumps({"stream": stream, "data": {**data, "b": [], "a": []}}, separators=(",", ":")).encode()


@asynccontextmanager
async def running(venue: ScriptedBinance, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedBinance]:
    """Run it on free ports, and name them in the settings."""

    async def turn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_http(venue.answer, reader, writer)

    def check(connection: ServerConnection, _request: Any) -> Any:
        if venue.refuse is None:
            return None
        status, headers = venue.refuse
        response = connection.respond(status, "no")
        response.headers.update(headers)
        return response

    rest = await asyncio.start_server(turn, "127.0.0.1", 0)
    sockets: Server = await serve(
        venue.serve_socket, "127.0.0.1", 0, process_request=check, max_size=None, compression=None
    )
    counting = asyncio.create_task(venue.count())
    port = next(iter(sockets.sockets)).getsockname()[1]
    monkeypatch.setenv("APERIODIC_WS_BINANCE_FUTURES_PUBLIC", f"ws://127.0.0.1:{port}/public")
    monkeypatch.setenv("APERIODIC_WS_BINANCE_FUTURES_MARKET", f"ws://127.0.0.1:{port}/market")
    monkeypatch.setenv("APERIODIC_REST_BINANCE_FUTURES", f"http://127.0.0.1:{rest.sockets[0].getsockname()[1]}")
    try:
        yield venue
    finally:
        counting.cancel()
        sockets.close()
        rest.close()
        await sockets.wait_closed()


async def answer_http(
    answer: Callable[[str, str, bytes], Answer], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer one HTTP request, and close: nothing is left open when a test ends."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        status, told, content = answer(method, path, body)
        more = "".join(f"{name}: {text}\r\n" for name, text in told.items())
        size = f"Connection: close\r\nContent-Length: {len(content)}\r\n\r\n"
        writer.write(f"HTTP/1.1 {status} X\r\n{more}{size}".encode() + content)
        await writer.drain()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
