"""HTTP/1.1 as this server speaks it: uvicorn's protocol, with bounds and deadlines for everything a client does."""

from __future__ import annotations

import math
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import RequestError, bare_answer
from aperiodic.server.http.connections import BODY_S, CLOSE_S, HEAD_S, IDLE_S, STALLED_BYTES, STALLED_S, Waiting
from aperiodic.server.stream.service import STREAM_PATH

if TYPE_CHECKING:
    import asyncio

    from uvicorn.config import Config
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from aperiodic.server.http.connections import Connections
    from aperiodic.server.stream.service import StreamService

__all__ = ["HttpConnection"]

_MOST_HEAD_BYTES: Final = 131_072
_MOST_HEADERS: Final = 100
_RETRY_AFTER_S: Final = 5


class _RefusedError(Exception):
    """What a callback of the parser raises for a request that is not to be read on."""


class HttpConnection(HttpToolsProtocol):
    """One connection.

    Attributes:
        deadline: When what the client does has taken too long; `time.monotonic`.
        waiting: What the connection waits for.
    """

    deadline: float
    waiting: Waiting

    def __init__(
        self,
        config: Config,
        state: ServerState,
        connections: Connections[HttpConnection],
        stream: StreamService | None = None,
    ) -> None:
        super().__init__(config, state, {})
        self._stream = stream
        self._becomes_stream = False
        self._all = connections
        self._in_head = False
        self._body_is_whole = True
        self._head_bytes = 0
        self._refusal = ErrorCode.BAD_REQUEST
        self._closing = False
        self._unsent = 0
        self._read_by = math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Begin, if there is room."""
        super().connection_made(transport)
        peer = self.client[0] if self.client else ""
        if not self._all.enter(self, peer):
            self._refuse(ErrorCode.TOO_MANY_CONNECTIONS)

    def _hand_over(self, stream_service: StreamService, rest: bytes) -> None:
        """Let the connection speak WebSocket from here on; it counts as open until its end."""
        head = [b"GET %s HTTP/1.1" % self.url, *(b"%s: %s" % header for header in self.headers), b"", b""]
        self._closing = True
        self._all.wait(self, Waiting.ANSWER, math.inf)
        stream = stream_service.connect(self.client[0] if self.client else "", partial(self._all.leave, self))
        stream.take_over(self.transport, b"\r\n".join(head) + rest)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._all.leave(self)

    def eof_received(self) -> None:
        """Close as soon as the client has: a request that it does not want to read the answer of is given up."""

    def data_received(self, data: bytes) -> None:
        """Read on; what breaks a rule is refused, and nothing of the connection is read any more."""
        if self._closing:
            return
        if self.waiting is Waiting.IDLE:
            self._all.wait(self, Waiting.HEAD, HEAD_S)
        self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._becomes_stream and self._stream is not None:
                self._hand_over(self._stream, data[upgrade.args[0] :])
                return
            # Answered as the plain request that it is as well; what follows it is in no protocol spoken here.
            self.cycle.keep_alive = False
        except httptools.HttpParserError:
            self._refuse(self._refusal)
            return
        if self._in_head and self._head_bytes > _MOST_HEAD_BYTES:
            self._refuse(ErrorCode.HEADERS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._in_head = True
        self._body_is_whole = False
        self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers behind a body are dropped, for nobody has checked them."""
        if not self._in_head:
            return
        if len(self.headers) >= _MOST_HEADERS:
            self._refusal = ErrorCode.HEADERS_TOO_LARGE
            raise _RefusedError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Check the head and answer it."""
        self._in_head = False
        names = [name for name, _ in self.headers]
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > _MOST_HEAD_BYTES:
            self._refusal = ErrorCode.HEADERS_TOO_LARGE
            raise _RefusedError
        if b"host" not in names and self.parser.get_http_version() != "1.0":
            raise _RefusedError
        if b"transfer-encoding" in names and (b"content-length" in names or self.parser.get_http_version() == "1.0"):
            raise _RefusedError
        if self._stream is not None and self.url.partition(b"?")[0] == STREAM_PATH:
            upgrade = next((value for name, value in self.headers if name == b"upgrade"), b"")
            if upgrade.lower() != b"websocket" or self.parser.get_method() != b"GET":
                self._refusal = ErrorCode.UPGRADE_REQUIRED
                raise _RefusedError
            self._becomes_stream = True
            return
        self._all.wait(self, Waiting.BODY, BODY_S)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        if self._becomes_stream:
            return
        self._body_is_whole = True
        if self.cycle.response_complete:
            self._all.wait(self, Waiting.IDLE, IDLE_S)
        else:
            self._all.wait(self, Waiting.ANSWER, math.inf)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request; the deadlines of all connections are looked at together, without timers."""
        if self.transport.is_closing():
            self._closing = True
            self._all.wait(self, Waiting.CLOSE, STALLED_S if self.unsent else CLOSE_S)
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._in_head:
            self._all.wait(self, Waiting.HEAD, HEAD_S)
        elif not self._body_is_whole:
            self._all.wait(self, Waiting.BODY, BODY_S)
        else:
            self._all.wait(self, Waiting.IDLE, IDLE_S)

    def pause_writing(self) -> None:
        """Give the client its time for reading."""
        super().pause_writing()
        self._unsent = self.unsent
        self._read_by = self._all.now() + STALLED_S

    def resume_writing(self) -> None:
        """Go on, since the client has read."""
        super().resume_writing()
        self._read_by = math.inf

    @property
    def unsent(self) -> int:
        """Bytes of answers that the system has not taken yet."""
        return self.transport.get_write_buffer_size()

    def is_overdue(self, now: float) -> bool:
        """Tell whether the client has taken too long."""
        return now >= self.deadline or now >= self._read_by

    def expire(self, now: float) -> None:
        """End what has taken too long."""
        if now >= self._read_by:
            if self._unsent - self.unsent < STALLED_BYTES:
                self.close_now()
            else:
                self._unsent, self._read_by = self.unsent, now + STALLED_S
        elif self.waiting is Waiting.CLOSE and self._read_by < math.inf:
            self.deadline = now + CLOSE_S  # it still reads
        elif self.waiting is Waiting.BODY and self.flow.read_paused:
            self.deadline = now + BODY_S  # it may not send
        elif self.waiting in {Waiting.HEAD, Waiting.BODY}:
            self._refuse(ErrorCode.REQUEST_TIMEOUT)
        else:
            self.close_now()

    def finish(self) -> None:
        """Close when what is written has been sent."""
        self._closing = True
        self.transport.close()

    def close_now(self) -> None:
        """Close without a word."""
        self._closing = True
        self.transport.abort()

    def _refuse(self, refusal: ErrorCode) -> None:
        """Answer in place of the application, then close as soon as the client does."""
        self._closing = True
        self._all.count_refusal(refusal.status, refusal.code)
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        if cycle is not None and not cycle.response_complete:
            if self.waiting is Waiting.ANSWER:  # to a request that was whole: the refused one came behind it
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
        if cycle is not None and self.waiting is Waiting.BODY and cycle.response_started:
            self.close_now()  # its answer has been given already
            return
        problem = refusal.problem(bytes=_MOST_HEAD_BYTES, headers=_MOST_HEADERS)
        unavailable = refusal.status == HTTPStatus.SERVICE_UNAVAILABLE
        self.transport.write(
            bare_answer(RequestError([problem], {"retry-after": str(_RETRY_AFTER_S)} if unavailable else {}))
        )
        # What the client still sends is thrown away, for closing with unread bytes would take the answer from it.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._all.wait(self, Waiting.CLOSE, CLOSE_S)
