"""What a server does with connections that are many, slow, or no use."""

from __future__ import annotations

import asyncio
import json
import resource
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from uvicorn.server import ServerState

from aperiodic.server.http.connections import (
    BODY_S,
    HEAD_S,
    IDLE_S,
    STALLED_S,
    Connections,
    Waiting,
    most_connections,
)
from aperiodic.server.http.process import protocol_settings
from aperiodic.server.http.protocol import HttpConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from litestar.types import Receive, Scope, Send

REMOTE = "203.0.113.7"
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"


class Clock:
    """Time that passes when a test says so, s."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Fake:
    """A connection that remembers what became of it."""

    deadline: float = 0.0
    waiting: Waiting = Waiting.IDLE
    closed: list[str] = field(default_factory=list)

    def is_overdue(self, now: float) -> bool:
        return now >= self.deadline

    def expire(self, now: float) -> None:
        assert self.is_overdue(now)
        self.closed.append("expired")

    def close_now(self) -> None:
        self.closed.append("closed")


def test_a_new_connection_takes_the_place_of_the_one_that_waited_longest() -> None:
    connections: Connections[Fake] = Connections(100, 2)
    first, second, third, other = (Fake() for _ in range(4))
    assert connections.enter(first, REMOTE)
    assert connections.enter(second, REMOTE)
    assert connections.enter(other, "203.0.113.8")
    connections.wait(first, Waiting.ANSWER, 60)
    assert connections.enter(third, REMOTE)
    assert (first.closed, second.closed, other.closed) == ([], ["closed"], [])


def test_where_all_are_at_work_a_new_one_is_refused_until_one_leaves() -> None:
    connections: Connections[Fake] = Connections(100, 1)
    busy, new = Fake(), Fake()
    connections.enter(busy, REMOTE)
    connections.wait(busy, Waiting.BODY, 60)
    assert not connections.enter(new, REMOTE)
    connections.leave(new)
    connections.leave(busy)
    assert connections.enter(Fake(), REMOTE)


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", ""])
def test_programs_of_this_host_are_not_bounded_by_their_address(peer: str) -> None:
    connections: Connections[Fake] = Connections(3, 1)
    held = [Fake() for _ in range(4)]
    assert [connections.enter(one, peer) for one in held] == [True] * 4
    assert [one.closed for one in held] == [["closed"], [], [], []]


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    connections: Connections[Fake] = Connections(100, 1)
    one = Fake()
    connections.enter(one, "2001:db8::1")
    connections.enter(Fake(), "2001:db8::2")
    assert one.closed == ["closed"]


def test_a_process_may_have_thousands_of_connections() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert 64 <= most_connections() <= 16_384
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= min(16_640, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@dataclass
class Server:
    """A server of a small application whose clock stands still."""

    port: int
    connections: Connections[HttpConnection]
    clock: Clock
    refused: list[tuple[int, str]]
    gone: asyncio.Event
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        before = len(self.connections.open)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        writer.write(sent)
        await until(lambda: len(self.connections.open) > before)
        return reader, writer

    async def until(self, waiting: Waiting) -> HttpConnection:
        """The newest connection once it waits for that."""
        connection = list(self.connections.open)[-1]
        await until(lambda: connection.waiting is waiting)
        return connection

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.connections.expire()


@asynccontextmanager
async def small_server() -> AsyncIterator[Server]:
    """Serve an application that answers what it is sent, or with much that nobody can take at once."""
    clock, gone = Clock(), asyncio.Event()
    refused: list[tuple[int, str]] = []
    connections: Connections[HttpConnection] = Connections(
        100, 1, lambda status, code: refused.append((status, code)), clock
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message: Any = await receive()
            if message["type"] == "http.disconnect":
                gone.set()
                return
            body, more = body + message["body"], message["more_body"]
        answer = bytes(64 << 20) if scope["path"] == "/much" else body
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for start in range(0, max(len(answer), 1), 1 << 20):
            piece = answer[start : start + (1 << 20)]
            await send({"type": "http.response.body", "body": piece, "more_body": start + (1 << 20) < len(answer)})
        gone.set()

    config, state = protocol_settings(app), ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpConnection(config, state, connections), "127.0.0.1", 0
    )
    made = Server(server.sockets[0].getsockname()[1], connections, clock, refused, gone)
    try:
        yield made
    finally:
        server.close()
        for connection in list(connections.open):
            connection.close_now()
        for writer in made.writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        await until(lambda: not connections.open)


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - what is watched knows no events
            await asyncio.sleep(0.001)


async def error_of(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Status and code of the one answer on a connection that ends behind it."""
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    answer = json.loads(body)
    assert set(answer) == {"error", "details", "code", "hint", "request_id"}
    return int(head.split()[1]), answer["code"]


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with small_server() as server:
        reader, _ = await server.connect()
        server.pass_time(IDLE_S - 1)
        assert len(server.connections.open) == 1
        server.pass_time(1)
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_a_connection_kept_open_begins_a_new_wait_with_each_answer() -> None:
    async with small_server() as server:
        reader, writer = await server.connect(HEAD + b"abcd")
        await asyncio.wait_for(reader.readuntil(b"abcd"), 10)
        server.pass_time(IDLE_S - 1)
        writer.write(HEAD + b"efgh")
        await asyncio.wait_for(reader.readuntil(b"efgh"), 10)
        await server.until(Waiting.IDLE)
        server.pass_time(IDLE_S - 1)
        assert len(server.connections.open) == 1


@pytest.mark.parametrize(
    ("dripped", "more"), [(b"G", b"E"), (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"x"), (b"\r\n", b"\r\n")]
)
async def test_a_head_that_drips_ends_in_408(dripped: bytes, more: bytes) -> None:
    async with small_server() as server:
        reader, writer = await server.connect(dripped)
        await server.until(Waiting.HEAD)
        server.pass_time(HEAD_S - 1)
        writer.write(more)
        await asyncio.sleep(0.01)
        server.pass_time(1)
        assert await error_of(reader) == (408, "request_timeout")
        assert server.refused == [(408, "request_timeout")]


@pytest.mark.parametrize("head", [HEAD, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n"])
async def test_a_body_that_drips_ends_in_408_and_the_application_is_told(head: bytes) -> None:
    async with small_server() as server:
        reader, writer = await server.connect(head + b"a")
        await server.until(Waiting.BODY)
        server.pass_time(BODY_S - 1)
        writer.write(b"b")
        await asyncio.sleep(0.01)
        server.pass_time(1)
        assert await error_of(reader) == (408, "request_timeout")
        await asyncio.wait_for(server.gone.wait(), 10)


async def test_a_reader_that_stalls_is_cut_off_and_one_that_reads_slowly_is_not() -> None:
    async with small_server() as server:
        reader, _ = await server.connect(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        connection = await server.until(Waiting.ANSWER)
        await until(lambda: connection.flow.write_paused)
        server.pass_time(STALLED_S - 1)
        received = 0
        while received < 16 << 20:
            received += len(await asyncio.wait_for(reader.read(1 << 20), 10))
        server.pass_time(STALLED_S - 1)
        assert connection in server.connections.open
        server.pass_time(STALLED_S)
        await asyncio.wait_for(server.gone.wait(), 10)
        assert connection not in server.connections.open


async def test_an_answer_whose_client_is_gone_ends_at_once() -> None:
    async with small_server() as server:
        reader, writer = await server.connect(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(reader.read(1024), 10)
        writer.transport.abort()
        await asyncio.wait_for(server.gone.wait(), 10)


@pytest.mark.parametrize(
    "broken",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_safe_request_is_400(broken: bytes) -> None:
    async with small_server() as server:
        reader, _ = await server.connect(broken)
        assert await error_of(reader) == (400, "bad_request")


async def test_a_request_behind_another_is_refused_after_the_answer_to_that_one() -> None:
    async with small_server() as server:
        reader, _ = await server.connect(HEAD + b"abcd" + b"no request\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.count(b"HTTP/1.1") == 1


async def test_trailers_are_no_headers_and_an_upgrade_is_not_followed() -> None:
    async with small_server() as server:
        reader, writer = await server.connect(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\nX-API-KEY: key\r\n\r\n"
        )
        await asyncio.wait_for(reader.readuntil(b"abcd"), 10)
        connection = await server.until(Waiting.IDLE)
        assert [name for name, _ in connection.scope["headers"]] == [b"host", b"transfer-encoding"]
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nmore")
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200")
