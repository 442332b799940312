"""A stream server that follows a script: one function for each connection, the last one for all that come after."""

from __future__ import annotations

import json
import queue
import socket
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

CHANNEL = "ohlcv.binance-futures.1m"
BTC = "perpetual-BTC-USDT:USDT"
ETH = "perpetual-ETH-USDT:USDT"
MINUTE = 60_000_000
START = 1_795_000_020_000_000
"""2026-11-18 11:07:00 UTC in µs."""
PATIENCE = 20


def row(minute: int = 0, symbol: str = BTC, **fields: object) -> dict[str, Any]:
    """Bar of a minute; its prices tell which."""
    prices = dict.fromkeys(("open", "high", "low", "close"), float(minute))
    time = START + minute * MINUTE
    data = {"symbol": symbol, "interval": "1m", "time": time, **prices, "volume": 1, "volume_notional": None}
    return {"channel": CHANNEL, "data": {**data, "complete": True, "revision": 0, **fields}}


class Talk:
    """The server's side of one connection."""

    def __init__(self, server: StreamServer, connection: ServerConnection) -> None:
        self._server = server
        self._connection = connection

    def heard(self) -> dict[str, Any]:
        """The next frame of the client."""
        frame: dict[str, Any] = json.loads(self._connection.recv(PATIENCE))
        self._server.heard.append(frame)
        return frame

    def subscribed(self, *rejected: dict[str, str], channels: Sequence[str] = (CHANNEL,), **more: object) -> None:
        """Wait for a subscription and answer it."""
        self.answer(self.heard(), *rejected, channels=channels, **more)

    def answer(
        self, asked: dict[str, Any], *rejected: dict[str, str], channels: Sequence[str] = (CHANNEL,), **more: object
    ) -> None:
        self.send({"op": "subscribed", "id": asked["id"], "channels": channels, "rejected": rejected, **more})

    def send(self, *frames: object) -> None:
        for frame in frames:
            self._connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def rows(self, *minutes: int, **fields: object) -> None:
        self.send(*(row(minute, **fields) for minute in minutes))  # type: ignore[arg-type]

    def close(self, code: int, reason: str = "") -> None:
        self._connection.close(code, reason)

    def drop(self) -> None:
        """Break the connection without a word."""
        self._connection.socket.shutdown(socket.SHUT_RDWR)


class StreamServer:
    """Serves on a port of its own.

    Attributes:
        heard: What clients sent.
        headers: Of each handshake.
        codes: Close codes that clients sent, None where there was none.
        refusals: Answers to the next handshakes; None lets one in.
    """

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.headers: list[Headers] = []
        self.codes: queue.Queue[int | None] = queue.Queue()
        self.refusals: list[Response | None] = []
        self._scripts: list[Callable[[Talk], None]] = []
        self._lock = threading.Lock()
        self._server: Server = serve(self._handle, "127.0.0.1", 0, process_request=self._admit)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()

    @property
    def url(self) -> str:
        port: int = self._server.socket.getsockname()[1]
        return f"ws://127.0.0.1:{port}/v1/stream"

    def on(self, *scripts: Callable[[Talk], None]) -> None:
        self._scripts = list(scripts)

    def refuse(self, status: int, body: object = None, headers: dict[str, str] | None = None) -> None:
        """Refuse the next handshake."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = Headers({"Content-Length": str(len(content)), **(headers or {})})
        self.refusals.append(Response(status, HTTPStatus(status).phrase, fields, content))

    def code(self) -> int | None:
        """With which code the next client closed."""
        return self.codes.get(timeout=PATIENCE)

    def _admit(self, _connection: ServerConnection, request: Request) -> Response | None:
        with self._lock:
            self.headers.append(request.headers)
            return self.refusals.pop(0) if self.refusals else None

    def _handle(self, connection: ServerConnection) -> None:
        with self._lock:
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        try:
            script(Talk(self, connection))
            while True:
                connection.recv(PATIENCE)
        except ConnectionClosed as closed:
            self.codes.put(None if closed.rcvd is None else closed.rcvd.code)
