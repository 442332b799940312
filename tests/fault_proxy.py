"""A server between a client and a real one that spoils answers, and counts the bytes that it hands on."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping
    from types import TracebackType

FAULTS = ("reset", "cut", "slow", "garbage", "too_many", "down", "broken", "expired", "wrong_hash", "not_json")
_HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"})


class FaultProxy:
    """Hands requests on to a server; `choose` names the fault of each answer, or None.

    Attributes:
        url: Its own address, which stands in for that of the server in what the server says.
        done: How often each fault was done.
        bytes_of_files: Bytes of files that were written to clients.
    """

    def __init__(
        self, target: str, choose: Callable[[str], str | None], *, bytes_a_second: int = 0, slow_s: float = 1.5
    ) -> None:
        self.target = target
        self.choose = choose
        self.slow_s = slow_s
        self.bytes_a_second = bytes_a_second
        self.done: dict[str, int] = {}
        self.bytes_of_files = 0
        self.lock = threading.Lock()
        self._http = _QuietServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def count(self, fault: str) -> None:
        with self.lock:
            self.done[fault] = self.done.get(fault, 0) + 1


def some_of(chance: random.Random, share: float) -> Callable[[str], str | None]:
    """Choose a fault for that share of all answers."""
    lock = threading.Lock()

    def choose(_path: str) -> str | None:
        with lock:
            return chance.choice(FAULTS) if chance.random() < share else None

    return choose


class _Handler(BaseHTTPRequestHandler):
    """Answers for the proxy that a subclass names."""

    protocol_version = "HTTP/1.1"
    proxy: FaultProxy

    def do_GET(self) -> None:
        proxy = self.proxy
        status, headers, body = _fetch(proxy, self.path, dict(self.headers))
        is_file = "/api/v1/" not in self.path
        if not is_file:
            body = body.replace(proxy.target.encode(), proxy.url.encode())
        fault = proxy.choose(self.path)
        if fault is not None:
            proxy.count(fault)
        if fault == "reset":
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if fault in _STATUSES:
            status, body, headers = _STATUSES[fault], b"{}", {"Retry-After": "0"}
        body = _spoiled(body, fault, is_file=is_file)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._write(body[: len(body) // 2] if fault in {"cut", "slow"} else body, is_file=is_file)
        if fault == "slow":
            time.sleep(proxy.slow_s)
        self.close_connection = self.close_connection or fault in {"cut", "slow"}

    def _write(self, body: bytes, *, is_file: bool) -> None:
        proxy = self.proxy
        step = 64 * 1024 if proxy.bytes_a_second else max(len(body), 1)
        for begin in range(0, len(body), step):
            piece = body[begin : begin + step]
            try:
                self.wfile.write(piece)
            except OSError:
                self.close_connection = True
                return
            if is_file:
                with proxy.lock:
                    proxy.bytes_of_files += len(piece)
            if proxy.bytes_a_second:
                time.sleep(len(piece) / proxy.bytes_a_second)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (named so by the base class)
        pass


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


def _spoiled(body: bytes, fault: str | None, *, is_file: bool) -> bytes:
    if fault == "not_json":
        return b"<html>" + bytes(len(body))
    if fault == "garbage":
        return bytes(byte ^ 0x55 for byte in body[:4000]) + body[4000:]
    return _with_wrong_hash(body) if fault == "wrong_hash" and not is_file else body


_STATUSES = {"too_many": 429, "down": 503, "broken": 502, "expired": 403}


def _with_wrong_hash(body: bytes) -> bytes:
    try:
        said = json.loads(body)
        said["files"][0]["sha256"] = "0" * 64
    except (ValueError, KeyError, IndexError, TypeError):
        return body
    return json.dumps(said).encode()


def _fetch(proxy: FaultProxy, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(proxy.target)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        wanted = {name: value for name, value in headers.items() if name.lower() not in _HOP | {"host"}}
        connection.request("GET", path, headers={**wanted, "Host": parts.netloc, "Accept-Encoding": "identity"})
        answer = connection.getresponse()
        return (
            answer.status,
            {name: value for name, value in answer.getheaders() if name.lower() not in _HOP},
            answer.read(),
        )
    finally:
        connection.close()
