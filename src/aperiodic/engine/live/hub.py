"""Live rows from the process that makes them to those that serve them, on one machine.

The maker listens on a port of 127.0.0.1 and writes where, with a secret, into `<home>/live.json` (readable by its owner
alone). Who connects says what it has, gets what was told since, then whatever is told from then on.
"""

from __future__ import annotations

import os
import queue
import secrets
import threading
from collections import deque
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING, Final, Self

import msgspec

from aperiodic.engine.live.rows import LiveRow  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

__all__ = ["LiveHub", "follow_hub"]

_FILE: Final = "live.json"
_QUEUED: Final = 4_096
"""Batches that wait for one reader; one that falls further behind is let go, and begins again from what is kept."""
_KEPT_BYTES: Final = 64 << 20
_KEPT_US: Final = 180_000_000
_AGAIN_S: Final = 0.5
_POLL_S: Final = 0.5
_FAILURES: Final = (OSError, EOFError, AuthenticationError, msgspec.DecodeError, msgspec.ValidationError)


class _Address(msgspec.Struct):
    port: int
    secret: str


class _Had(msgspec.Struct, array_like=True):
    """What a reader has: of which maker, and up to which batch."""

    maker: str = ""
    number: int = 0


class _Wish(msgspec.Struct, array_like=True):
    """What a reader wants besides bars of a minute and longer."""

    seconds: bool = False


class _Batch(msgspec.Struct, array_like=True):
    maker: str
    number: int
    rows: list[LiveRow]


class LiveHub:
    """Hands rows to whoever has connected.

    Args:
        home: Folder of the installation.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / _FILE
        self._maker = secrets.token_hex(8)
        self._secret = secrets.token_hex(32)
        self._listener = Listener(("127.0.0.1", 0), backlog=16, authkey=self._secret.encode())
        self._lock = threading.Lock()
        self._number = 0
        self._kept: deque[tuple[int, int, bytes]] = deque()
        self._kept_bytes = 0
        self._readers: set[queue.Queue[bytes | None]] = set()
        self._seconds: set[queue.Queue[bytes | None]] = set()
        threading.Thread(target=self._accept, name="live-hub", daemon=True).start()
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
    def wants_seconds(self) -> bool:
        """Whether anybody reads bars below a minute."""
        return bool(self._seconds)

    def tell(self, rows: list[LiveRow]) -> None:
        """Hand rows to all readers; never waits for one."""
        with self._lock:
            self._number += 1
            data = msgspec.msgpack.encode(_Batch(self._maker, self._number, rows))
            now = rows[-1].told_at
            self._kept.append((self._number, now, data))
            self._kept_bytes += len(data)
            while len(self._kept) > 1 and (self._kept_bytes > _KEPT_BYTES or self._kept[0][1] < now - _KEPT_US):
                self._kept_bytes -= len(self._kept.popleft()[2])
            for reader in list(self._readers):
                try:
                    reader.put_nowait(data)
                except queue.Full:
                    self._readers.discard(reader)

    def close(self) -> None:
        """Let all readers go."""
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._listener.close()
        with self._lock:
            for reader in self._readers:
                with suppress(queue.Full):
                    reader.put_nowait(None)
            self._readers.clear()

    def _write_address(self) -> None:
        address = _Address(self._listener.address[1], self._secret)
        draft = self._path.with_name(f".{_FILE}.{self._maker}")
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
            threading.Thread(target=self._serve, args=(connection,), name="live-reader", daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        waiting: queue.Queue[bytes | None] = queue.Queue(_QUEUED)
        with connection:
            try:
                had = msgspec.msgpack.decode(connection.recv_bytes(1_024), type=_Had)
                with self._lock:
                    since = had.number if had.maker == self._maker else 0
                    missed = [data for number, _, data in self._kept if number > since]
                    self._readers.add(waiting)
                for data in missed:
                    connection.send_bytes(data)
                while (batch := self._next(waiting, connection)) is not None:
                    connection.send_bytes(batch)
            except _FAILURES:
                pass
            finally:
                with self._lock:
                    self._readers.discard(waiting)
                    self._seconds.discard(waiting)

    def _next(self, waiting: queue.Queue[bytes | None], connection: Connection) -> bytes | None:
        """Return what comes next; None when the reader was let go. Take in what it wants meanwhile."""
        while True:
            if connection.poll():
                wish = msgspec.msgpack.decode(connection.recv_bytes(1_024), type=_Wish)
                (self._seconds.add if wish.seconds else self._seconds.discard)(waiting)
            try:
                return waiting.get(timeout=_POLL_S)
            except queue.Empty:
                if waiting not in self._readers:
                    return None


def follow_hub(
    home: Path,
    receive: Callable[[list[LiveRow], bool], object],
    is_over: Callable[[], bool],
    wait: Callable[[float], object],
    wants_seconds: Callable[[], bool] = lambda: True,
) -> None:
    """Receive rows until `is_over`; where nobody makes any, wait for somebody.

    Args:
        home: Folder of the installation.
        receive: Takes rows, and whether rows can be missing before them: their maker is another, or has forgotten some.
        is_over: Asked at least twice a second.
        wait: Waits for so many seconds.
        wants_seconds: Whether bars below a minute are wanted, asked at least twice a second.
    """
    had = _Had()
    while not is_over():
        try:
            address = msgspec.json.decode((home / _FILE).read_bytes(), type=_Address)
            with Client(("127.0.0.1", address.port), authkey=address.secret.encode()) as connection:
                connection.send_bytes(msgspec.msgpack.encode(had))
                wish = False
                while not is_over():
                    if wish != wants_seconds():
                        wish = not wish
                        connection.send_bytes(msgspec.msgpack.encode(_Wish(wish)))
                    if not connection.poll(_POLL_S):
                        continue
                    batch = msgspec.msgpack.decode(connection.recv_bytes(), type=_Batch)
                    missed = batch.maker != had.maker or batch.number != had.number + 1
                    had = _Had(batch.maker, batch.number)
                    receive(batch.rows, missed)
        except _FAILURES:
            wait(_AGAIN_S)
