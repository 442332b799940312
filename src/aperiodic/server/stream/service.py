"""All live connections of one process: who is let in, how many there are, and when they end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from litestar import Request
from sqlalchemy.exc import SQLAlchemyError

from aperiodic.server.auth.plan_checks import require_live
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import RequestError, bare_answer, refuse
from aperiodic.server.stream.connection import DRAIN, LAPSED, StreamConnection
from aperiodic.server.stream.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar import Litestar

    from aperiodic.lake import Lake
    from aperiodic.server.middleware.prometheus import Monitoring
    from aperiodic.server.service import Caller, Service
    from aperiodic.server.stream.fanout import Fanout

__all__ = ["STREAM_PATH", "StreamService"]

STREAM_PATH: Final = b"/v1/stream"

_TICK_S: Final = 1.0
_CHECKED_EVERY_S: Final = 30.0
_OBSOLETE: Final = (b"aperiodic-python/0.", b"aperiodic-python/1.", b"aperiodic-python/2.")


class StreamService:
    """The live connections of one process.

    Attributes:
        lake: The installation.
        fanout: The rows.
        monitoring: Counters.
    """

    def __init__(self, service: Service, app: Litestar, fanout: Fanout, monitoring: Monitoring) -> None:
        self.lake: Lake = service.lake
        self.monitoring = monitoring
        self.fanout = fanout
        self._service = service
        self._app = app
        self._open: set[StreamConnection] = set()
        self._places = Places(self.lake.home)
        self._placed: dict[StreamConnection, tuple[str, int]] = {}
        self._keys: dict[StreamConnection, list[tuple[str, str]]] = {}
        self._ticking: asyncio.Task[None] | None = None
        monitoring.watch_live(
            lambda: len(self._open),
            lambda: sum(connection.queued for connection in list(self._open)),
            lambda: max((connection.queued for connection in list(self._open)), default=0),
        )

    def start(self) -> None:
        """Begin; call it in the event loop."""
        self.fanout.start()
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    def stop(self) -> None:
        """Say goodbye to all: they may connect again elsewhere."""
        self.fanout.stop()
        self.close_all(DRAIN, "the server is shutting down")
        if self._ticking is not None:
            self._ticking.cancel()

    def close_all(self, code: int, reason: str) -> None:
        """Close all connections."""
        for connection in list(self._open):
            connection.close(code, reason)

    def connect(self, peer: str, ended: Callable[[], object]) -> StreamConnection:
        """Return a connection for a client that asks to speak WebSocket.

        Args:
            peer: Address of the client.
            ended: Called when it has ended.
        """
        connection = StreamConnection(self, peer, ended)
        self._open.add(connection)
        return connection

    def leave(self, connection: StreamConnection) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self._keys.pop(connection, None)
        place = self._placed.pop(connection, None)
        if place is not None:
            self._places.give_back(*place)

    async def admit(self, headers: list[tuple[str, str]], peer: str, connection: StreamConnection) -> Caller | bytes:
        """Return who asks, or the answer that refuses it.

        Refused are: an obsolete client (426), a key that is missing or wrong (401), a plan without live data (403), and
        more connections than the plan has (429).
        """
        try:
            caller = await asyncio.to_thread(self._authorise, headers, peer)
            self._place(connection, caller)
        except RequestError as error:
            return bare_answer(error)
        except SQLAlchemyError:
            return bare_answer(refuse(ErrorCode.LEDGER_UNAVAILABLE))
        self._keys[connection] = headers
        return caller

    def _authorise(self, headers: list[tuple[str, str]], peer: str) -> Caller:
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        agent = next((value for name, value in raw if name == b"user-agent"), b"")
        if agent.startswith(_OBSOLETE):
            raise refuse(ErrorCode.CLIENT_OBSOLETE)
        scope: Any = {
            "type": "http",
            "method": "GET",
            "path": STREAM_PATH.decode(),
            "headers": raw,
            "client": (peer, 0),
            "state": {},
            "app": self._app,
            "litestar_app": self._app,
        }
        with self._service.reading() as ledger:
            caller = self._service.authorise(ledger, Request(scope))
        require_live(caller)
        if "bars" not in caller.scopes:
            raise refuse(ErrorCode.SCOPE_MISSING, scope="bars", scopes=" and ".join(caller.scopes) or "nothing")
        return caller

    def _place(self, connection: StreamConnection, caller: Caller) -> None:
        if connection not in self._open:
            return  # it has ended meanwhile
        number = self._places.take(caller.public_id, caller.plan.live)
        if number is None:
            raise refuse(ErrorCode.TOO_MANY_STREAMS, {"Retry-After": "5"}, plan=caller.plan.name, most=caller.plan.live)
        self._placed[connection] = caller.public_id, number

    async def _tick(self) -> None:
        checked = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            for connection in list(self._open):
                connection.tick(now)
            if now - checked >= _CHECKED_EVERY_S:
                checked = now
                await self._check_keys()

    async def _check_keys(self) -> None:
        """End connections whose key or plan gives no right to live data any more."""
        for connection, headers in list(self._keys.items()):
            try:
                await asyncio.to_thread(self._authorise, headers, "")
            except RequestError:
                connection.close(LAPSED, "the key or its plan no longer includes live data")
            except SQLAlchemyError:
                return
