"""The open connections of one process: how many there may be, and how long each may wait for its client.

| what a client takes time for | deadline |
|---|---|
| nothing: the connection is idle, new or kept open | `IDLE_S` |
| the head of a request, from its first byte | `HEAD_S` |
| the body of a request, from the end of its head | `BODY_S` |
| reading an answer: less than `STALLED_BYTES` taken | `STALLED_S` |
| closing the connection after the last answer | `CLOSE_S` |
"""

from __future__ import annotations

import enum
import time
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from aperiodic.server.middleware.rate_limits import source_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "BODY_S",
    "CLOSE_S",
    "HEAD_S",
    "IDLE_S",
    "STALLED_BYTES",
    "STALLED_S",
    "Connections",
    "Open",
    "Waiting",
    "most_connections",
]

IDLE_S: Final = 75.0
"""How long a connection may stay open without a request, seconds."""

HEAD_S: Final = 10.0
"""How long the head of a request may take, seconds."""

BODY_S: Final = 10.0
"""How long the body of a request may take, seconds; no endpoint takes more than 4 KB."""

STALLED_S: Final = 30.0
"""Within how many seconds a client has to take `STALLED_BYTES` of an answer."""

STALLED_BYTES: Final = 16_384
"""How much of an answer a client has to take in `STALLED_S`, bytes."""

CLOSE_S: Final = 3.0
"""How long a client may take to close its side, seconds."""

_MOST: Final = 16_384
_RESERVED: Final = 256
"""File descriptors that are left for the ledger, the store and the rest."""


Kind = TypeVar("Kind", bound="Open")


class Waiting(enum.Enum):
    """What a connection waits for."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    ANSWER = "answer"
    CLOSE = "close"


class Open(Protocol):
    """What is known of a connection here.

    Attributes:
        deadline: When what it waits for has taken too long, on the clock of `time.monotonic`.
        waiting: What it waits for.
    """

    deadline: float
    waiting: Waiting

    def is_overdue(self, now: float) -> bool:
        """Tell whether its client has taken too long."""

    def expire(self, now: float) -> None:
        """End what has taken too long."""

    def close_now(self) -> None:
        """Close without a word."""


class Connections(Generic[Kind]):
    """The open connections of one process.

    A new one beyond a bound takes the place of the one that has waited longest for a request; when all are at work, it
    is refused.

    Attributes:
        open: All of them, with the address that each counts for.
        now: Seconds that only grow.
    """

    def __init__(
        self,
        most: int,
        most_per_address: int | None = None,
        refused: Callable[[int, str], None] = lambda _status, _code: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin without connections.

        Args:
            most: How many there may be.
            most_per_address: How many a client's address may have; programs of this host are not bounded. None for no
                bound, as behind a reverse proxy, whose address all clients have.
            refused: Told the status and the code of every refusal that no application sees.
            clock: Seconds that only grow.
        """
        self.open: dict[Kind, str] = {}
        self._most = most
        self._most_per_address = most_per_address
        self._refused = refused
        self.now = clock
        self._idle: dict[Kind, None] = {}
        self._of_address: dict[str, dict[Kind, None]] = {}

    def enter(self, connection: Kind, peer: str) -> bool:
        """Enter a new connection, and return whether there is room for it.

        Args:
            connection: The connection; it is idle.
            peer: Address of the client.
        """
        address = source_address(peer, [], 0)
        its = self._of_address.setdefault(address, {})
        bound = None if _is_local(peer) else self._most_per_address
        there_is_room = (bound is None or len(its) < bound or _close_first(its)) and (
            len(self.open) < self._most or _close_first(self._idle)
        )
        self.open[connection] = address
        its[connection] = None
        self.wait(connection, Waiting.IDLE, IDLE_S)
        return there_is_room

    def count_refusal(self, status: int, code: str) -> None:
        """Count a refusal that no application sees."""
        self._refused(status, code)

    def leave(self, connection: Kind) -> None:
        """Forget a connection that is closed."""
        address = self.open.pop(connection, None)
        self._idle.pop(connection, None)
        if address is not None:
            its = self._of_address[address]
            its.pop(connection, None)
            if not its:
                del self._of_address[address]

    def wait(self, connection: Kind, waiting: Waiting, seconds: float) -> None:
        """Note what a connection waits for, and for how long it may.

        A head that is not whole counts as no request: a client that drips it must not keep others out.
        """
        connection.waiting = waiting
        connection.deadline = self.now() + seconds
        if waiting is Waiting.IDLE:
            self._idle.pop(connection, None)
            self._idle[connection] = None
        elif waiting is not Waiting.HEAD:
            self._idle.pop(connection, None)

    def expire(self) -> None:
        """End everything that has taken too long."""
        now = self.now()
        for connection in [connection for connection in self.open if connection.is_overdue(now)]:
            connection.expire(now)


def most_connections() -> int:
    """Return how many connections this process may have, after allowing it as many open files as the system lets it."""
    try:
        import resource  # noqa: PLC0415 - not on Windows, where nothing bounds the number
    except ImportError:
        return _MOST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST + _RESERVED
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):  # the system may allow less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST if soft == resource.RLIM_INFINITY else max(min(_MOST, soft - _RESERVED), 64)


def _close_first(connections: Iterable[Open]) -> bool:
    """Close the first connection that waits for a request, and return whether there is one."""
    for connection in connections:
        if connection.waiting in {Waiting.IDLE, Waiting.HEAD}:
            connection.close_now()
            return True
    return False


def _is_local(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return True  # a Unix socket
