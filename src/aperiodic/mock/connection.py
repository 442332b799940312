"""One connection: HTTP requests, and WebSocket frames once it was upgraded.

Written by hand because a mock must do what libraries prevent: close without a word, send what is not UTF-8, stop
reading, answer late. Frames are collected and leave in one write (`flush`), which is what makes it fast.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import struct
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import httptools

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Answer", "Caller", "Connection", "Handler", "Query"]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _BINARY, _CLOSE, _PING, _PONG, _CONTINUED = 0x1, 0x2, 0x8, 0x9, 0xA, 0x0
_SHORT, _MEDIUM = 125, 126
_MEDIUM_BYTES: Final = 0xFFFF
_MOST_MESSAGE: Final = 1 << 20
_MOST_BODY: Final = 1 << 20
_MOST_HEAD: Final = 1 << 16
_MOST_PENDING: Final = 100
_ZIPPED_FROM: Final = 1_024
_LINGER_S: Final = 5.0
_TOO_BIG, _PROTOCOL_ERROR, _NO_CODE = 1009, 1002, 1005

_REASONS: Final = {
    101: "Switching Protocols", 200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
    418: "I'm a teapot", 426: "Upgrade Required", 429: "Too Many Requests",
    451: "Unavailable For Legal Reasons", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """An HTTP request.

    Attributes:
        method: `GET` or `POST`.
        target: Path and query.
        headers: By name in small letters.
        body: What was posted.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: Its number.
        body: What it says.
        headers: Further headers.
        type: Its content type.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    type: str = "application/json"


class Caller(Protocol):
    """Who has to do with an upgraded connection."""

    def opened(self) -> None:
        """The WebSocket is open."""

    def text(self, message: bytes) -> None:
        """The client sent a message."""

    def pinged(self) -> None:
        """The client sent a ping; it was answered."""

    def ponged(self, payload: bytes) -> None:
        """The client sent a pong."""

    def closed(self, code: int | None, by: str) -> None:
        """The connection is gone; `code` is None where no close frame was sent."""


class Handler(Protocol):
    """Who decides what a connection is for."""

    async def answer(self, query: Query) -> Answer:
        """Answer a request."""

    def upgrade(self, query: Query, connection: Connection) -> Caller | Answer:
        """Take a WebSocket, or refuse it."""


class Connection(asyncio.Protocol):
    """One connection of a client.

    Attributes:
        frozen: Nothing is read or written any more, as on a link that broke without a word.
        gone: Set when the connection is closed on both sides.
    """

    def __init__(self, handler: Handler) -> None:
        self.frozen = False
        self.gone = asyncio.Event()
        self._handler = handler
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._caller: Caller | None = None
        self._out: list[bytes] = []
        self._in = bytearray()
        self._fragments = bytearray()
        self._close: tuple[int | None, str] | None = None
        self._pending: deque[Query] = deque()
        self._answering: asyncio.Task[None] | None = None
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body = b""
        self._head = 0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (what asyncio gives for TCP)
        transport.set_write_buffer_limits(high=1 << 30)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        del exc
        self._transport = None
        if self._answering is not None:
            self._answering.cancel()
        self._close = self._close or (None, "client")
        self._leave()
        self.gone.set()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self.frozen or self._close is not None:
            return
        if self._caller is not None:
            self._in += data
            self._read_frames()
            return
        self._head += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.cut(hard=False)
        if self._head > _MOST_HEAD + _MOST_BODY:
            self.cut(hard=True)

    # What the HTTP parser calls.

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer a request, after those that came before."""
        query = self._query()
        self._target, self._headers, self._body, self._head = b"", {}, b"", 0
        if self._parser.should_upgrade() and query.headers.get("upgrade", "").lower() == "websocket":
            self._pending.append(query)
            return
        if len(self._pending) >= _MOST_PENDING:
            self.cut(hard=True)
            return
        self._pending.append(query)
        if self._answering is None or self._answering.done():
            self._answering = asyncio.get_running_loop().create_task(self._answer_all())
            self._answering.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.cut(hard=True)
            task.result()

    def _query(self) -> Query:
        method = self._parser.get_method().decode("ascii")
        return Query(method, self._target.decode("latin-1"), self._headers, self._body)

    async def _answer_all(self) -> None:
        while self._pending:
            query = self._pending.popleft()
            answer = await self._handler.answer(query)
            self._write_answer(answer, zipped="gzip" in query.headers.get("accept-encoding", ""))
            if query.headers.get("connection", "").lower() == "close":
                self.cut(hard=False)

    def _write_answer(self, answer: Answer, *, zipped: bool = False) -> None:
        body, headers = answer.body, {"content-type": answer.type, **answer.headers}
        if zipped and len(body) >= _ZIPPED_FROM:
            body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
        headers["content-length"] = str(len(body))
        self._write_head(answer.status, headers)
        self._write(body)

    def _write_head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._write(f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n{lines}\r\n".encode("latin-1"))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self.frozen:
            self._transport.write(data)

    # WebSocket.

    def _upgrade(self, rest: bytes) -> None:
        query = self._pending.pop()
        key = query.headers.get("sec-websocket-key", "")
        refused = Answer(400, b"Missing key") if not key else None
        caller = refused or self._handler.upgrade(query, self)
        if isinstance(caller, Answer):
            self._write_answer(caller)
            self.cut(hard=False)
            return
        accept = base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()
        headers = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-accept": accept}
        self._write_head(101, headers)
        self._caller = caller
        caller.opened()
        self.flush()
        self._in += rest
        self._read_frames()

    @property
    def unsent(self) -> int:
        """Bytes that the client has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def open(self) -> bool:
        """Whether frames can be sent."""
        return self._caller is not None and self._close is None and not self.frozen

    def send(self, payload: bytes) -> None:
        """Send a text frame with the next `flush`; it need not be UTF-8."""
        self._out += (header(len(payload)), payload)

    def flush(self) -> None:
        """Send what was collected."""
        if self._out:
            self._write(b"".join(self._out))
            self._out.clear()

    def ping(self, payload: bytes) -> None:
        """Send a ping."""
        self._out += (header(len(payload), _PING), payload)
        self.flush()

    def close(self, code: int, reason: str = "") -> None:
        """Say good-bye and close; what was collected before is sent."""
        if self._close is not None:
            return
        self._close = (code, "venue")
        payload = struct.pack("!H", code) + reason.encode()
        self._out += (header(len(payload), _CLOSE), payload)
        self.flush()
        self._end()
        self._leave()

    def cut(self, *, hard: bool) -> None:
        """Close without a word: what was sent still arrives, unless `hard`."""
        if self._close is None:
            self._close = (None, "venue")
        if self._transport is None:
            return
        if hard or self.frozen:
            self._transport.abort()
        else:
            self.flush()
            self._end()
        self._leave()

    def _leave(self) -> None:
        caller, self._caller = self._caller, None
        if caller is not None and self._close is not None:
            caller.closed(*self._close)

    def _end(self) -> None:
        # Closing outright would throw away what the client has not read, where it wrote something meanwhile.
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(_LINGER_S, self._transport.abort)

    def _read_frames(self) -> None:
        with suppress(_IncompleteError):
            while self._caller is not None and self._close is None and not self.frozen:
                self._frame(*self._next_frame())

    def _next_frame(self) -> tuple[int, bool, bytes]:
        data = self._in
        if len(data) < 2:  # noqa: PLR2004 (the shortest frame)
            raise _IncompleteError
        final, kind, size, begin = bool(data[0] & 0x80), data[0] & 0x0F, data[1] & 0x7F, 2
        if size > _SHORT:
            wide = 2 if size == _MEDIUM else 8
            begin += wide
            if len(data) < begin:
                raise _IncompleteError
            size = int.from_bytes(data[2:begin], "big")
        if size > _MOST_MESSAGE or not data[1] & 0x80:
            self.close(_TOO_BIG if data[1] & 0x80 else _PROTOCOL_ERROR)
            raise _IncompleteError
        end = begin + 4 + size
        if len(data) < end:
            raise _IncompleteError
        mask = bytes(data[begin : begin + 4]) * (size // 4 + 1)
        payload = (int.from_bytes(data[begin + 4 : end], "big") ^ int.from_bytes(mask[:size], "big")).to_bytes(
            size, "big"
        )
        del data[:end]
        return kind, final, payload

    def _frame(self, kind: int, final: bool, payload: bytes) -> None:
        caller = self._caller
        if caller is None:
            return
        if kind == _CLOSE:
            self._close = (int.from_bytes(payload[:2], "big") if payload else _NO_CODE, "client")
            self._out += (header(len(payload), _CLOSE), payload)
            self.flush()
            self._end()
            self._leave()
        elif kind == _PING:
            self._out += (header(len(payload), _PONG), payload)
            self.flush()
            caller.pinged()
        elif kind == _PONG:
            caller.ponged(payload)
        elif kind in {_TEXT, _BINARY, _CONTINUED}:
            self._fragments += payload
            if len(self._fragments) > _MOST_MESSAGE:
                self.close(_TOO_BIG)
            elif final:
                message = bytes(self._fragments)
                self._fragments.clear()
                caller.text(message)
                self.flush()
        else:
            self.close(_PROTOCOL_ERROR)


class _IncompleteError(Exception):
    """More bytes are needed."""


def header(size: int, kind: int = _TEXT) -> bytes:
    """Return the header of a whole frame from server to client."""
    if size <= _SHORT:
        return bytes((0x80 | kind, size))
    if size <= _MEDIUM_BYTES:
        return struct.pack("!BBH", 0x80 | kind, 126, size)
    return struct.pack("!BBQ", 0x80 | kind, 127, size)
