"""Messages from one process to others of the same installation, on one machine.

The maker listens on a port of 127.0.0.1 and writes where, with a secret, into a file of the installation (readable by
its owner alone). Who connects says what it has, gets what was told since and is still kept, then whatever is told from
then on.
"""

from __future__ import annotations

import os
import queue
import secrets
import socket
import threading
from collections import deque
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING, Final, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

__all__ = ["LocalHub", "Wish", "follow_local"]

Wish = frozenset[tuple[str, ...]]
"""Names of what a reader wants beside what all are told."""

_QUEUED: Final = 4_096
"""Messages that wait for one reader; one that falls further behind is let go, and begins again from what is kept."""
_QUEUED_BYTES: Final = 256 << 20
"""Their bytes."""
_AGAIN_S: Final = 0.5
_POLL_S: Final = 0.5
_UP_TO_DATE: Final = 0
"""In the place of a number: a reader has all that is kept, and from now on gets what is told."""
_WISH_BYTES: Final = 64 << 10
_FAILURES: Final = (OSError, EOFError, AuthenticationError, msgspec.DecodeError, msgspec.ValidationError)


class _Address(msgspec.Struct):
    port: int
    secret: str


class _Had(msgspec.Struct, array_like=True):
    """What a reader has: of which maker, and up to which message."""

    maker: str = ""
    number: int = 0


class _Wish(msgspec.Struct, array_like=True):
    """What a reader says of itself."""

    wanted: Wish = frozenset()


class _Message(msgspec.Struct, array_like=True):
    maker: str
    number: int
    body: bytes


class _Waiting:
    """What waits for one reader."""

    def __init__(self) -> None:
        self._messages: queue.Queue[bytes | None] = queue.Queue(_QUEUED)
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, data: bytes) -> bool:
        """Return whether there was room."""
        with self._lock:
            if self._bytes + len(data) > _QUEUED_BYTES:
                return False
            self._bytes += len(data)
        try:
            self._messages.put_nowait(data)
        except queue.Full:
            return False
        return True

    def end(self) -> None:
        with suppress(queue.Full):
            self._messages.put_nowait(None)

    def get(self) -> bytes | None:
        """Return the next message; None for the end. Raises `queue.Empty` when there is none for a while."""
        data = self._messages.get(timeout=_POLL_S)
        with self._lock:
            self._bytes -= len(data or b"")
        return data


class LocalHub:
    """Hands messages to whoever has connected.

    Args:
        path: File that tells where it listens.
        kept_bytes: Bytes of messages that are kept for readers that come later.
        kept_us: How long they are kept, µs.
    """

    def __init__(self, path: Path, *, kept_bytes: int = 0, kept_us: int = 0) -> None:
        self._path = path
        self._maker = secrets.token_hex(8)
        self._secret = secrets.token_hex(32)
        self._listener = Listener(("127.0.0.1", 0), backlog=16, authkey=self._secret.encode())
        self._lock = threading.Lock()
        self._number = 0
        self._most_bytes, self._most_us = kept_bytes, kept_us
        self._kept: deque[tuple[int, int, bytes]] = deque()
        self._kept_bytes = 0
        self._readers: set[_Waiting] = set()
        self._wishes: dict[_Waiting, Wish] = {}
        threading.Thread(target=self._accept, name="local-hub", daemon=True).start()
        self._write_address()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def readers(self) -> int:
        """How many read."""
        return len(self._readers)

    @property
    def wanted(self) -> Wish:
        """What any reader says that it wants; see `follow_local`."""
        with self._lock:
            return frozenset().union(*self._wishes.values())

    def tell(self, body: bytes, now: int) -> None:
        """Hand a message to all readers; never waits for one.

        Args:
            body: The message.
            now: The time, µs.
        """
        with self._lock:
            self._number += 1
            data = msgspec.msgpack.encode(_Message(self._maker, self._number, body))
            if self._most_bytes:
                self._keep(data, now)
            for reader in list(self._readers):
                if not reader.put(data):
                    self._readers.discard(reader)

    def _keep(self, data: bytes, now: int) -> None:
        self._kept.append((self._number, now, data))
        self._kept_bytes += len(data)
        while len(self._kept) > 1 and (self._kept_bytes > self._most_bytes or self._kept[0][1] < now - self._most_us):
            self._kept_bytes -= len(self._kept.popleft()[2])

    def close(self) -> None:
        """Let all readers go."""
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._listener.close()
        with self._lock:
            for reader in self._readers:
                reader.end()
            self._readers.clear()

    def _write_address(self) -> None:
        address = _Address(self._listener.address[1], self._secret)
        draft = self._path.with_name(f".{self._path.name}.{self._maker}")
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as handle:
            handle.write(msgspec.json.encode(address))
        draft.replace(self._path)

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except AuthenticationError:
                continue
            except (OSError, EOFError):
                if not self._path.exists():
                    return
                continue
            threading.Thread(target=self._serve, args=(connection,), name="local-reader", daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        waiting = _Waiting()
        with connection:
            try:
                _send_at_once(connection)
                had = msgspec.msgpack.decode(connection.recv_bytes(1_024), type=_Had)
                with self._lock:
                    since = had.number if had.maker == self._maker else 0
                    missed = [data for number, _, data in self._kept if number > since]
                    self._readers.add(waiting)
                for data in missed:
                    connection.send_bytes(data)
                connection.send_bytes(msgspec.msgpack.encode(_Message(self._maker, _UP_TO_DATE, b"")))
                while (message := self._next(waiting, connection)) is not None:
                    connection.send_bytes(message)
            except _FAILURES:
                pass
            finally:
                with self._lock:
                    self._readers.discard(waiting)
                    self._wishes.pop(waiting, None)

    def _next(self, waiting: _Waiting, connection: Connection) -> bytes | None:
        """Return what comes next; None when the reader was let go. Take in what it wants meanwhile."""
        while True:
            if connection.poll():
                wish = msgspec.msgpack.decode(connection.recv_bytes(_WISH_BYTES), type=_Wish)
                with self._lock:
                    self._wishes[waiting] = wish.wanted
            try:
                return waiting.get()
            except queue.Empty:
                if waiting not in self._readers:
                    return None


def follow_local(
    path: Path,
    receive: Callable[[bytes, bool], object],
    is_over: Callable[[], bool],
    wait: Callable[[float], object],
    wanted: Callable[[], Wish] = frozenset,
    up_to_date: Callable[[], object] = lambda: None,
) -> None:
    """Receive messages until `is_over`; where nobody tells any, wait for somebody.

    Args:
        path: File that tells where the maker listens.
        receive: Takes a message, and whether others can be missing before it: its maker is another, or has forgotten some.
        is_over: Asked at least twice a second.
        wait: Waits for so many seconds.
        wanted: What the maker is told as `LocalHub.wanted`, asked at least twice a second.
        up_to_date: Called when all that a maker had kept was received.
    """
    had = _Had()
    while not is_over():
        try:
            address = msgspec.json.decode(path.read_bytes(), type=_Address)
            with Client(("127.0.0.1", address.port), authkey=address.secret.encode()) as connection:
                _send_at_once(connection)
                connection.send_bytes(msgspec.msgpack.encode(had))
                wish: Wish = frozenset()
                while not is_over():
                    if wish != (wish_now := wanted()):
                        wish = wish_now
                        connection.send_bytes(msgspec.msgpack.encode(_Wish(wish)))
                    if not connection.poll(_POLL_S):
                        continue
                    message = msgspec.msgpack.decode(connection.recv_bytes(), type=_Message)
                    if message.number == _UP_TO_DATE:
                        up_to_date()
                        continue
                    missed = message.maker != had.maker or message.number != had.number + 1
                    had = _Had(message.maker, message.number)
                    receive(message.body, missed)
        except _FAILURES:
            wait(_AGAIN_S)


def _send_at_once(connection: Connection) -> None:
    """Let no message wait for the receipt of the one before."""
    with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
