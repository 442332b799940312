"""The live stream at a minute's edge: `.venv/bin/python benchmarks/stream_load.py`.

1,000 connections read the minutes of 200 instruments. The makers' part is played here: 200 rows of `ohlcv` are told at
once, as at the end of a minute, and each connection says when its last byte came. Then the same beside 100 connections
that do not read at all. Printed are the time from telling to the last byte of the last connection, lost rows, and the
server's memory. Clients are a process of their own and do nothing but count bytes and line ends; one in a hundred
parses what it gets.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import socket
import struct
import sys
import time
from contextlib import closing
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, cast

if __name__ == "__main__":
    # The root in place of this folder, so that the modules are `benchmarks.…` here as for the type checker.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import msgspec
import psutil

from aperiodic.accounts.keys import create_key
from aperiodic.accounts.plans import change_plan, find_plan
from aperiodic.engine.live import LiveHub, LiveRow
from aperiodic.lake import Lake
from aperiodic.lake.ledger import begin_write
from aperiodic.market.time import now_us
from aperiodic.server import Secrets, serve
from benchmarks.installation import running, settings_of

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_MINUTE_US: Final = 60_000_000
_FIRST_US: Final = 1_795_000_020_000_000
_SUBSCRIBE: Final = b'{"op":"subscribe","id":"s1","channels":["ohlcv.binance-futures.1m"]}'
_MARK: Final = b'"close":'
_FILLING: Final = 180
"""Minutes after which whoever does not read has more than a server keeps for one connection."""
_PARSES: Final = 100
"""One connection of so many looks at every row."""


def _serve(home: Path, ready: Connection) -> None:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    settings = settings_of(home).model_copy(update={"connections_per_address": 10_000})
    serve(settings, "127.0.0.1", 0, ready=ready.send)


def _new_key(home: Path, connections: int) -> str:
    settings = settings_of(home)
    with closing(Lake.open(settings)) as lake, begin_write(lake.engine) as connection:
        change_plan(connection, replace(find_plan(connection, "prime"), live=connections))
        return create_key(connection, Secrets.load(settings).pepper, "prime", "benchmark")


def _rows(minute: int, symbols: int) -> list[LiveRow]:
    begin, now = _FIRST_US + minute * _MINUTE_US, now_us()
    told = []
    for number in range(symbols):
        symbol = f"perpetual-A{number}-USDT:USDT"
        values = dict.fromkeys(("open", "high", "low"), 103_249.5 + number)
        values |= {"close": 103_250.25, "volume": 12.625, "volume_notional": 1_303_534.40625, "trade_count": 412.0}
        data = msgspec.json.encode(
            {"symbol": symbol, "interval": "1m", "time": begin, **values, "complete": True, "revision": 0}
        )
        series = ("ohlcv", "binance-futures", "1m", "exchange")
        told.append(LiveRow(*series, symbol, begin, begin + _MINUTE_US, now, 0, complete=True, data=data))
    return told


def _masked(message: bytes) -> bytes:
    """Return a text frame of a client."""
    return b"\x81" + struct.pack("!B", 0x80 | len(message)) + b"\0\0\0\0" + message


class _Reader(asyncio.Protocol):
    """Counts rows; the clock stops with the last of a minute."""

    def __init__(self, key: str, rows: int, acknowledged: asyncio.Event, *, parses: bool) -> None:
        self.seen = 0
        self.done_at: list[float] = []
        self.closed = False
        self.symbols: set[str] = set()
        self._key, self._rows = key, rows
        self._acknowledged = acknowledged
        self._parses = parses
        self._rest = b""
        self._in_head = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        head = f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nX-API-KEY: {self._key}\r\nUpgrade: websocket\r\n"
        head += (
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        self.transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if self._in_head:
            if b"\r\n\r\n" not in data:
                self._rest = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                raise RuntimeError(data[:200].decode())
            self._in_head = False
            self._rest = b""
            self.transport.write(_masked(_SUBSCRIBE))
            return
        if not self._acknowledged.is_set() and b'"subscribed"' in data:
            self._acknowledged.set()
            data = data[data.index(b'"subscribed"') :]
        # A mark that is cut by the edge of two pieces is counted with the second one.
        cut = max(0, len(data) - len(_MARK) + 1)
        self._rest = data[cut:]
        before = self.seen
        self.seen += data.count(_MARK)
        if self._parses:
            self.symbols.update(part.split(b'"', 1)[0].decode() for part in data.split(b'"symbol":"')[1:])
        if self.seen // self._rows > before // self._rows:
            self.done_at.append(time.monotonic())

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True


async def _connect(port: int, key: str, count: int, rows: int) -> list[_Reader]:
    loop = asyncio.get_running_loop()
    readers = []
    for number in range(count):
        acknowledged = asyncio.Event()
        reader = _Reader(key, rows, acknowledged, parses=number % _PARSES == 0)
        await loop.create_connection(lambda reader=reader: reader, "127.0.0.1", port)  # type: ignore[misc] # its default
        await asyncio.wait_for(acknowledged.wait(), 30)
        readers.append(reader)
    return readers


def _clients(port: int, key: str, count: int, rows: int, wire: Connection) -> None:
    """Read; say when the last byte of each minute came."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    async def run() -> None:
        readers = await _connect(port, key, count, rows)
        wire.send("ready")
        minute = 0
        while True:
            minute += 1
            deadline = time.monotonic() + 60
            while any(len(reader.done_at) < minute for reader in readers) and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
                if wire.poll():
                    return
            done = [reader.done_at[minute - 1] for reader in readers if len(reader.done_at) >= minute]
            lost = sum(minute * rows - reader.seen for reader in readers)
            closed = sum(reader.closed for reader in readers)
            symbols = {len(reader.symbols) for reader in readers if reader.symbols}
            wire.send((done, lost, closed, symbols))

    asyncio.run(run())


def _silent(port: int, key: str, count: int) -> list[socket.socket]:
    """Connections that subscribe and do not read any more."""
    found = []
    for _ in range(count):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        line.connect(("127.0.0.1", port))
        head = (
            f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nX-API-KEY: {key}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        )
        head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        line.sendall(head.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += line.recv(4096)
        line.sendall(_masked(_SUBSCRIBE))
        found.append(line)
    return found


def _cut(lines: list[socket.socket]) -> int:
    """Return how many were let go, now that what is left for them is read."""
    found = 0
    for line in lines:
        line.settimeout(1)
        try:
            while line.recv(1 << 20):
                pass
            found += 1
        except TimeoutError:
            pass
        except OSError:  # reset: what was written for it can be read by nobody any more
            found += 1
        line.close()
    return found


def _minutes(
    hub: LiveHub, wire: Connection, server: psutil.Process, asked: argparse.Namespace, first: int, count: int
) -> None:
    took, lost, closed = [], 0, 0
    symbols: set[int] = set()
    peak = 0
    for minute in range(first, first + count):
        rows = _rows(minute, asked.rows)
        began = time.monotonic()
        hub.tell(rows)
        while not wire.poll(0.05):
            peak = max(peak, server.memory_info().rss)
        done, lost, closed, symbols = wire.recv()
        took.append((max(done) - began) * 1000)
        peak = max(peak, server.memory_info().rss)
        time.sleep(asked.pause)
    print(
        f"  last byte of the last connection: median {median(took):.0f} ms, worst {max(took):.0f} ms of {len(took)} minutes; "
        f"rows lost {lost:,}; connections lost {closed}; symbols seen {sorted(symbols)}; server at most {peak >> 20} MiB",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--minutes", type=int, default=20)
    parser.add_argument("--silent", type=int, default=100)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two minutes")
    asked = parser.parse_args()
    context = get_context("spawn")
    with TemporaryDirectory() as folder:
        home = Path(folder)
        key = _new_key(home, asked.connections + asked.silent + 10)
        with LiveHub(home) as hub, running(_serve, home) as url:
            port = int(url.rsplit(":", 1)[1])
            server = next(
                process
                for process in psutil.Process(os.getpid()).children()
                if any(line.laddr.port == port for line in process.net_connections() if line.status == "LISTEN")
            )
            while not hub.readers:
                time.sleep(0.02)
            here, there = context.Pipe()
            clients = context.Process(target=_clients, args=(port, key, asked.connections, asked.rows, there))
            clients.start()
            here.recv()  # all are connected
            print(f"{asked.connections} connections, {asked.rows} rows a minute", flush=True)
            _minutes(hub, here, server, asked, 0, asked.minutes)
            others = _silent(port, key, asked.silent)
            print(f"beside {asked.silent} connections that do not read", flush=True)
            _minutes(hub, here, server, asked, asked.minutes, asked.minutes + _FILLING)
            print(f"  of them let go: {_cut(others)}", flush=True)
            here.send("over")
            clients.join(10)
            clients.kill()


if __name__ == "__main__":
    main()
