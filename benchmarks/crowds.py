"""What a crowd costs everybody else: `.venv/bin/python benchmarks/crowds.py`.

Prints how long `/healthz` and `/data` take alone, beside 1,000 idle, 1,000 kept open and 200 dripping connections, and
`/data` beside 20 clients that ask for pages as fast as they are answered.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final

if __name__ == "__main__":
    # The root in place of this folder, so that the modules are `benchmarks.…` here as for the type checker.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.inputs import Inputs
from benchmarks.installation import make_installation, new_key, running, serve_ours
from benchmarks.serving import data_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_IDLE, _KEPT_OPEN, _DRIPPING, _VISITORS = 1000, 1000, 200, 20
_ASKED: Final = 200
_PAUSE_S: Final = 0.01
_HEALTH: Final = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
_HEAD: Final = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
_BODY: Final = b"POST /api/v1/signup HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n"
_PAGES: Final = ("/", "/catalog", "/status", "/charts", "/catalog/flow", "/site/series?metric=flow")


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> float:
    began = time.perf_counter()
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
    return time.perf_counter() - began


async def _tell(port: int, what: str, name: str, request: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    took = []
    for _ in range(_ASKED):
        took.append(await _ask(reader, writer, request))
        await asyncio.sleep(_PAUSE_S)
    writer.close()
    cuts = [cut * 1000 for cut in quantiles(took, n=100, method="inclusive")]
    print(f"{what}: {name} p50 {cuts[49]:.1f} ms, p90 {cuts[89]:.1f} ms, p99 {cuts[98]:.1f} ms", flush=True)


@asynccontextmanager
async def _crowd(port: int) -> AsyncIterator[None]:
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(_IDLE + _KEPT_OPEN + _DRIPPING)]
    for line in opened[_IDLE : _IDLE + _KEPT_OPEN]:
        await _ask(*line, _HEALTH)
    dripping = [writer for _, writer in opened[-_DRIPPING:]]
    for number, writer in enumerate(dripping):
        writer.write(_HEAD if number % 2 else _BODY)

    async def drip() -> None:
        while True:
            for writer in dripping:
                if not writer.transport.is_closing():
                    writer.write(b"x")
            await asyncio.sleep(0.2)

    task = asyncio.create_task(drip())
    try:
        yield
    finally:
        task.cancel()
        for _, writer in opened:
            writer.transport.abort()


@asynccontextmanager
async def _visitors(port: int) -> AsyncIterator[None]:
    async def visit(first: int) -> None:
        line = await asyncio.open_connection("127.0.0.1", port)
        while True:
            for number in range(len(_PAGES)):
                page = _PAGES[(first + number) % len(_PAGES)]
                await _ask(*line, f"GET {page} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n".encode())

    tasks = [asyncio.create_task(visit(number)) for number in range(_VISITORS)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


async def _measure(port: int, data: bytes) -> None:
    requests = {"/healthz": _HEALTH, "/data": data}
    for name, request in requests.items():
        await _tell(port, "alone", name, request)
    async with _crowd(port):
        for name, request in requests.items():
            await _tell(port, f"beside {_IDLE} idle, {_KEPT_OPEN} kept open, {_DRIPPING} dripping", name, request)
    await _tell(port, "alone", "/data", data)
    async with _visitors(port):
        await _tell(port, f"beside {_VISITORS} clients on pages", "/data", data)


def main() -> None:
    """Measure and print."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    folder = Path(gettempdir()) / "aperiodic-benchmarks"
    folder.mkdir(exist_ok=True)
    home = make_installation(Inputs(folder, trades=0, pairs=1))
    data = data_request(new_key(home))
    with running(serve_ours, home) as url:
        asyncio.run(_measure(int(url.rsplit(":", 1)[1]), data))


if __name__ == "__main__":
    main()
