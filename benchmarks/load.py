"""Requests to a server: as fast as it answers them, or at a fixed rate whatever it does."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Tally", "pace", "rush", "visit"]

_CONNECTIONS: Final = 8
_PACED_CONNECTIONS: Final = 64
_LAST_ANSWERS_S: Final = 30


@dataclass(slots=True)
class Tally:
    """What became of requests.

    Attributes:
        began: When the first was due, on the clock of `time.perf_counter`.
        due: When each answered request was due, seconds after `began`.
        latencies: Seconds from then until its answer was there whole.
        statuses: How often each status was answered; `lost` for requests without an answer.
    """

    began: float = field(default_factory=time.perf_counter)
    due: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def count(self, due: float, status: str) -> None:
        now = time.perf_counter()
        self.due.append(due - self.began)
        self.latencies.append(now - due)
        self.statuses[status] += 1


async def rush(url: str, requests: Iterator[bytes], seconds: float) -> Tally:
    """Send requests over a few connections, each as soon as the one before it is answered, for so many seconds."""
    end = time.perf_counter() + seconds
    async with _Lines(url, _CONNECTIONS) as lines:
        tally = lines.tally

        def again(line: _Line) -> None:
            now = time.perf_counter()
            if now < end:
                line.send(next(requests), now, again)

        for line in lines.all:
            again(line)
        while time.perf_counter() < end or lines.busy:
            await asyncio.sleep(0.05)
            lines.check()
    return tally


async def pace(
    url: str, requests: Iterator[bytes], rate: float, seconds: float, each_second: Callable[[float], None]
) -> Tally:
    """Send requests at a fixed rate, each when it is due, whether or not those before it are answered.

    The time of an answer counts from when its request was due. So when the server stalls, all requests that had to
    wait for it are seen to have waited; a load that is only sent when the server is free would not show that.

    Args:
        url: Scheme, host and port.
        requests: Whole GET requests, head and blank line.
        rate: Requests a second.
        seconds: How long.
        each_second: Called about once a second with the seconds gone by.
    """
    async with _Lines(url, _PACED_CONNECTIONS) as lines:
        idle = deque(lines.all)  # in turns, since the server closes a connection that stays silent for long
        waiting: deque[float] = deque()

        def hand_out() -> None:
            while idle and waiting:
                idle.popleft().send(next(requests), waiting.popleft(), freed)

        def freed(line: _Line) -> None:
            idle.append(line)
            hand_out()

        tally = lines.tally
        sent, total, told = 0, int(rate * seconds), -1
        while sent < total:
            now = time.perf_counter()
            gone = now - tally.began
            while sent < total and sent / rate <= gone:
                waiting.append(tally.began + sent / rate)
                sent += 1
            hand_out()
            lines.check()
            if int(gone) > told:
                told = int(gone)
                each_second(gone)
            await asyncio.sleep(max(0.0, tally.began + sent / rate - time.perf_counter()))
        give_up = time.perf_counter() + _LAST_ANSWERS_S
        while (lines.busy or waiting) and time.perf_counter() < give_up:
            await asyncio.sleep(0.01)
            lines.check()
        tally.statuses["lost"] += lines.busy + len(waiting)
    return tally


async def visit(url: str, request: bytes, requests: int) -> bytes:
    """Send requests over a few kept-open connections, each as soon as the one before it is answered.

    Args:
        url: Scheme, host and port.
        request: A whole GET request, head and blank line.
        requests: How often to send it.

    Returns:
        The body of the last answer.

    Raises:
        RuntimeError: An answer was not 200, or the server closed a connection.
    """
    host, port = url.removeprefix("http://").split(":")
    todo = _Visit(request, requests)
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(lambda: _Visitor(todo), host, int(port)) for _ in range(_CONNECTIONS)]
    try:
        await todo.done
    finally:
        for transport, _ in opened:
            transport.close()
    return todo.last


class _Visit:
    """Requests yet to be sent and answers yet to come, of all connections together."""

    def __init__(self, request: bytes, requests: int) -> None:
        self.request = request
        self.unsent = requests
        self.unanswered = requests
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.last = b""


class _Visitor(asyncio.Protocol):
    """One connection; far cheaper than an HTTP library, so that the server is what is measured."""

    def __init__(self, visit: _Visit) -> None:
        self._visit = visit
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        self._buffer = b""
        self._visit.last = body
        self._visit.unanswered -= 1
        if not head.startswith(b"HTTP/1.1 200"):
            self._finish(RuntimeError(f"the server answered {head.splitlines()[0].decode()}"))
        elif self._visit.unanswered == 0:
            self._finish(None)
        else:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(exc or RuntimeError("the server closed a connection"))

    def _next(self) -> None:
        if self._visit.unsent and self._transport is not None:
            self._visit.unsent -= 1
            self._transport.write(self._visit.request)

    def _finish(self, error: Exception | None) -> None:
        if self._visit.done.done():
            return
        if error is None:
            self._visit.done.set_result(None)
        else:
            self._visit.done.set_exception(error)


class _Lines:
    """Connections that stay open, and the tally of what they bring."""

    def __init__(self, url: str, number: int) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._address = (host, int(port))
        self._number = number
        self.tally = Tally()
        self.all: list[_Line] = []

    @property
    def busy(self) -> int:
        """Requests that wait for an answer."""
        return sum(line.busy for line in self.all)

    def check(self) -> None:
        """Raise ConnectionError when the server closed a connection, which it has no reason to."""
        if any(line.closed for line in self.all):
            raise ConnectionError("the server closed a connection")

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(self._number):
            _, line = await loop.create_connection(lambda: _Line(self.tally), *self._address)
            self.all.append(line)
        self.tally.began = time.perf_counter()
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in self.all:
            line.close()


class _Line(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, tally: Tally) -> None:
        self.busy = False
        self.closed = False
        self._tally = tally
        self._due = 0.0
        self._then: Callable[[_Line], None] | None = None
        self._pieces = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def send(self, request: bytes, due: float, then: Callable[[_Line], None]) -> None:
        """Send a request that was due then, and call `then` when it is answered."""
        self.busy, self._due, self._then = True, due, then
        if self._transport is not None:
            self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.closed = True

    def data_received(self, data: bytes) -> None:
        self._pieces += data
        head_end = self._pieces.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._pieces[:head_end])
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._pieces) < head_end + 4 + length:
            return
        self._pieces.clear()
        self.busy = False
        self._tally.count(self._due, head.split(b" ", 2)[1].decode())
        if self._then is not None:
            self._then(self)
