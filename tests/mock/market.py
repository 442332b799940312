"""A small market for tests of the mock exchange, and a client that shares no code with it."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import websockets
from websockets.asyncio.client import connect

from aperiodic.market import Exchange
from aperiodic.mock import MockExchange, MockSettings, RecordedSource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection

T = 1_750_000_000_000
"""Time of the first recorded frame, ms."""

FUTURES, SPOT, OKX, HYPERLIQUID = (
    Exchange.BINANCE_FUTURES,
    Exchange.BINANCE,
    Exchange.OKX_PERPS,
    Exchange.HYPERLIQUID_PERPS,
)


def depth(number: int, at: int, symbol: str = "BTCUSDT", **changes: object) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": T + at, "T": T + at, "s": symbol, "U": number * 10 - 9, "u": number * 10}
    data |= {"pu": number * 10 - 10, "b": [["100.0", str(number)]], "a": [["101.0", str(number)]]}
    return {"stream": f"{symbol.lower()}@depth@0ms", "data": data | changes}


def trade(number: int, at: int, symbol: str = "BTCUSDT") -> dict[str, Any]:
    data = {"e": "trade", "E": T + at, "T": T + at, "s": symbol, "t": number, "p": "100.5", "q": "0.1"}
    return {"stream": f"{symbol.lower()}@trade", "data": data | {"X": "MARKET", "m": True}}


def mark(at: int) -> dict[str, Any]:
    data = {
        "e": "markPriceUpdate",
        "E": T + at,
        "s": "BTCUSDT",
        "p": "100.5",
        "P": "100.5",
        "i": "100.4",
        "r": "0.0001",
    }
    return {"stream": "btcusdt@markPrice@1s", "data": data | {"T": T + 28_800_000}}


def snapshot(number: int) -> dict[str, Any]:
    bids, asks = [["100.0", "1"], ["99.0", "5"]], [["101.0", "1"], ["102.0", "6"]]
    return {"lastUpdateId": number * 10, "E": T, "T": T, "bids": bids, "asks": asks}


def okx_book(number: int, at: int, action: str = "update") -> dict[str, Any]:
    data = {"bids": [["100", str(number), "0", "1"]], "asks": [["101", str(number), "0", "1"]], "ts": str(T + at)}
    data |= {"checksum": 0, "seqId": number, "prevSeqId": number - 1 if action == "update" else -1}  # type: ignore[dict-item]
    return {"arg": {"channel": "books", "instId": "BTC-USDT-SWAP"}, "action": action, "data": [data]}


def okx_mark(at: int) -> dict[str, Any]:
    data = {"instType": "SWAP", "instId": "BTC-USDT-SWAP", "markPx": "100.5", "ts": str(T + at)}
    return {"arg": {"channel": "mark-price", "instId": "BTC-USDT-SWAP"}, "data": [data]}


def hl_trade(number: int, at: int, coin: str = "BTC") -> dict[str, Any]:
    one = {"coin": coin, "side": "B", "px": "100.5", "sz": "0.1", "time": T + at, "hash": "0x0", "tid": number}
    return {"channel": "trades", "data": [one | {"users": ["0x0", "0x1"]}]}


def hl_book(at: int, coin: str = "BTC", *, fast: bool = False) -> dict[str, Any]:
    levels = [[{"px": "100.0", "sz": "1.0", "n": 2}], [{"px": "101.0", "sz": "2.0", "n": 3}]]
    data: dict[str, Any] = {"coin": coin, "time": T + at, "levels": levels}
    return {"channel": "l2Book", "data": data | ({"fast": True} if fast else {})}


def recording(path: Path, frames: Iterable[tuple[int, dict[str, Any]]]) -> Path:
    """Write frames, each with its arrival time in ms after the first, as a recording of ours or of others."""
    with gzip.open(path, "wt") as file:
        for at, frame in frames:
            file.write(f"{(T + at) * 1_000} {json.dumps(frame, separators=(',', ':'))}\n")
    return path


def usual(exchange: Exchange, seconds: float = 2.0) -> list[tuple[int, dict[str, Any]]]:
    """Return frames every 50 ms."""
    frames: list[tuple[int, dict[str, Any]]] = []
    for number, at in enumerate(range(0, int(seconds * 1_000), 50), 1):
        if exchange is FUTURES:
            frames.append((at, depth(number, at)))
            if number == 1:
                frames.append((at, snapshot(1)))
            frames += [(at, trade(number, at)), (at, depth(number, at, "ETHUSDT")), (at, mark(at))]
        elif exchange is SPOT:
            one = depth(number, at, pu=None, T=None)
            one["stream"] = "btcusdt@depth@100ms"
            one["data"] = {name: value for name, value in one["data"].items() if value is not None}
            frames += [(at, one), (at, trade(number, at))]
        elif exchange is OKX:
            frames += [(at, okx_book(number, at, "snapshot" if number == 1 else "update")), (at, okx_mark(at))]
        else:
            frames += [(at, hl_trade(number, at)), (at, hl_book(at)), (at, hl_book(at, "ETH"))]
    return frames


@asynccontextmanager
async def mocking(path: Path, exchange: Exchange, **settings: Any) -> AsyncIterator[Client]:
    """Serve a small recording of one exchange."""
    speed = settings.pop("speed", 1.0)
    frames = settings.pop("frames", None) or usual(exchange, settings.pop("seconds", 2.0))
    source = RecordedSource(exchange, [recording(path / f"{exchange}.gz", frames)], speed=speed)
    settings = {"remember": True, "settle_s": 0.02, "known_s": 0.3, **settings}
    async with MockExchange([source], MockSettings(**settings)) as mock:
        yield Client(mock, exchange)


@asynccontextmanager
async def bare_socket(port: int, path: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a WebSocket of which every byte is seen, and that answers nothing by itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = ["Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    head += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    writer.write("\r\n".join([f"GET {path} HTTP/1.1", *head, "", ""]).encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
    yield reader, writer
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


class Client:
    """Speaks with a mock of one exchange."""

    def __init__(self, mock: MockExchange, exchange: Exchange) -> None:
        self.mock = mock
        self.venue = mock.venues[exchange]
        self._name = exchange.upper().replace("-", "_")
        self._environment = mock.environment()

    def socket(self, host: str, path: str = "", **options: Any) -> connect:
        url = self._environment[f"APERIODIC_WS_{self._name}_{host.upper()}"]
        return connect(url + path, compression=None, max_size=None, **options)

    async def ask(self, path: str, **options: Any) -> httpx.Response:
        base = self._environment[f"APERIODIC_REST_{self._name}"]
        # Reading the system's certificates takes longer than all else here.
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501
            method = "POST" if "json" in options else "GET"
            return await client.request(method, base + path, **options)

    def truth(self, what: str) -> list[dict[str, Any]]:
        return [line for line in self.mock.truth.lines if line["what"] == what]


async def frames(socket: ClientConnection, count: int, within_s: float = 5.0) -> list[Any]:
    """Return the next frames."""
    async with asyncio.timeout(within_s):
        return [read(await socket.recv()) for _ in range(count)]


async def all_frames(socket: ClientConnection, *, until_s: float = 5.0) -> list[Any]:
    """Return all frames until the connection is closed, or the time is over."""
    found = []
    with suppress(websockets.ConnectionClosed, TimeoutError):
        async with asyncio.timeout(until_s):
            while True:
                found.append(read(await socket.recv()))
    return found


async def closing(socket: ClientConnection) -> tuple[int, str]:
    """Return code and reason with which the connection is closed."""
    await all_frames(socket)
    return socket.close_code or 0, socket.close_reason or ""


def read(frame: str | bytes) -> Any:
    try:
        return json.loads(frame)
    except ValueError:
        return frame
