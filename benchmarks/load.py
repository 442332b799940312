"""Requests as fast as a server answers them."""

from __future__ import annotations

import asyncio
from typing import Final, cast

__all__ = ["visit"]

_CONNECTIONS: Final = 8


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
