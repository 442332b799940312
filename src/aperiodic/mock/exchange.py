"""The mock exchange: one port, and below it a path for each venue.

`ws://127.0.0.1:PORT/binance-futures/public/stream` stands for `wss://fstream.binance.com/public/stream`, and so on:
what follows the exchange's name is the venue's own path.
"""

from __future__ import annotations

import asyncio
import os
from itertools import count
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit
from weakref import WeakSet

from aperiodic.market import Exchange, InvalidInputError
from aperiodic.mock.connection import Answer, Connection, Query
from aperiodic.mock.settings import MockSettings
from aperiodic.mock.truth import Truth
from aperiodic.mock.venue import VenueServer
from aperiodic.mock.venues import rest_of, session_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from aperiodic.mock.connection import Caller
    from aperiodic.mock.faults import Fault
    from aperiodic.mock.messages import Source
    from aperiodic.mock.rest import Rest

__all__ = ["MockExchange"]

_FAREWELL_S: Final = 0.5
"""At the end clients have so long to take what was sent."""

_GOING_AWAY: Final = 1001
_NOT_FOUND: Final = Answer(404, b'{"msg":"There is no such exchange here"}')


class MockExchange:
    """The server side of some exchanges on this machine.

    It runs while an `async with` of it is open; `environment()` are the variables with which a program finds it.

    Attributes:
        truth: Log of what was really sent.
        venues: The exchanges, by name.
    """

    def __init__(self, sources: Sequence[Source], settings: MockSettings | None = None) -> None:
        """Prepare a server; `async with` starts it.

        Args:
            sources: What is told; several of one exchange are told together.
            settings: How it behaves.

        Raises:
            InvalidInputError: `no_sources`.
        """
        if not sources:
            raise InvalidInputError(
                "A mock exchange needs something to tell.", code="no_sources", hint="Give recordings or a simulation."
            )
        self._settings = settings or MockSettings()
        self._sources = list(sources)
        self._server: asyncio.Server | None = None
        self._names = count(1)
        self._connections: WeakSet[Connection] = WeakSet()
        self._rest: dict[str, Rest] = {}
        self.truth = Truth(self._settings.truth, remember=self._settings.remember)
        self.venues: dict[Exchange, VenueServer] = {}

    async def __aenter__(self) -> Self:
        for exchange in dict.fromkeys(source.exchange for source in self._sources):
            of_it = [source for source in self._sources if source.exchange == exchange]
            venue = VenueServer(exchange, of_it, self._settings, self.truth)
            await asyncio.to_thread(venue.prepare)
            self.venues[exchange] = venue
            self._rest[exchange] = rest_of(venue)
        self._server = await self._listen()
        for venue in self.venues.values():
            venue.start()
        return self

    async def _listen(self) -> asyncio.Server:
        host, port = self._settings.host, self._settings.port
        try:
            return await asyncio.get_running_loop().create_server(self._connect, host, port)
        except OSError as error:
            self.truth.close()
            # asyncio puts the address into the words once more.
            reason = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error
            raise InvalidInputError(
                f"Cannot listen on {host}, port {port}: {reason}.",
                code="cannot_listen",
                hint="Choose another port with --port; 0 takes a free one.",
            ) from None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for venue in self.venues.values():
            await venue.stop()
        await self._end_connections()
        self.truth.close()
        for venue in self.venues.values():
            if error is None and venue.failure is not None:
                raise venue.failure

    async def _end_connections(self) -> None:
        connections = list(self._connections)
        for connection in connections:
            if connection.open:
                connection.close(_GOING_AWAY, "The mock exchange ends")
            else:
                connection.cut(hard=False)
        gone = [asyncio.create_task(connection.gone.wait()) for connection in connections]
        if gone:
            _, pending = await asyncio.wait(gone, timeout=_FAREWELL_S)
            for task in pending:
                task.cancel()
        for connection in connections:
            connection.cut(hard=True)
        # They learn in the next turn of the loop that they are gone.
        await asyncio.sleep(0)

    def _connect(self) -> Connection:
        connection = Connection(self)
        self._connections.add(connection)
        return connection

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return 0 if self._server is None else int(self._server.sockets[0].getsockname()[1])

    def environment(self) -> dict[str, str]:
        """Return the settings that lead a capture here instead of to the exchanges."""
        host = f"{self._settings.host}:{self.port}"
        settings = {}
        for exchange, venue in self.venues.items():
            name = exchange.upper().replace("-", "_")
            for endpoint in reversed(venue.feed.endpoints):
                path = f"{host}/{exchange}{urlsplit(endpoint.url).path}"
                if endpoint.host == "rest":
                    settings[f"APERIODIC_REST_{name}"] = f"http://{path}"
                else:
                    settings[f"APERIODIC_WS_{name}_{endpoint.host.upper()}"] = f"ws://{path}"
        return settings

    def disturb(self, fault: Fault) -> None:
        """Let a fault begin now."""
        self.venues[Exchange(fault.exchange)].disturb(fault)

    async def finished(self) -> None:
        """Wait until there is nothing more to tell."""
        await asyncio.gather(*(venue.finished.wait() for venue in self.venues.values()))

    async def answer(self, query: Query) -> Answer:
        """Answer a REST request."""
        exchange, inner = _split(query)
        rest = self._rest.get(exchange)
        return _NOT_FOUND if rest is None else await rest.answer(inner)

    def upgrade(self, query: Query, connection: Connection) -> Caller | Answer:
        """Take a WebSocket, or refuse it."""
        exchange, inner = _split(query)
        venue = self.venues.get(Exchange(exchange)) if exchange in self._rest else None
        if venue is None:
            return _NOT_FOUND
        refused = venue.trouble.refusal()
        if refused is None and venue.dialled():
            refused = Answer(429, b"Too many connections", type="text/plain")
        kind = session_of(venue.exchange)
        if refused is None and not kind.serves(urlsplit(inner.target).path):
            refused = Answer(404, b"Not Found", type="text/plain")
        if refused is not None:
            self.truth.event("refused", venue.exchange, url=inner.target, status=refused.status)
            return refused
        return kind(venue, connection, inner, f"c{next(self._names)}")


def _split(query: Query) -> tuple[str, Query]:
    """Return the exchange of a request, and the request as the exchange would see it."""
    exchange, slash, rest = query.target.removeprefix("/").partition("/")
    return exchange, Query(query.method, slash + rest, query.headers, query.body)
