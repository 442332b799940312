"""One process that answers requests: the application, its connections, and an end that lets downloads finish."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import time
from contextlib import closing, suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from aperiodic.lake import Lake
from aperiodic.lake.ledger import SERVING_S
from aperiodic.server.app import create_app
from aperiodic.server.http.connections import Connections, most_connections
from aperiodic.server.http.protocol import HttpConnection
from aperiodic.server.middleware.access_log import AccessLog
from aperiodic.server.middleware.logs import configure_logs

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from litestar import Litestar
    from litestar.types import ASGIApp

    from aperiodic.server.settings import ServerSettings
    from aperiodic.server.stream.service import StreamService

__all__ = ["BACKLOG", "protocol_settings", "serve_here"]

BACKLOG: Final = 2048
"""Connections that wait to be taken."""

_FINISH_S: Final = 25.0
_STALLED_S: Final = 3.0
_POLL_S: Final = 0.02
_TICK_S: Final = 0.5


def serve_here(
    settings: ServerSettings,
    listening: socket.socket,
    ready: Callable[[], None],
    *,
    interrupts: bool = True,
    make: Callable[[Lake, AccessLog], Litestar] | None = None,
) -> None:
    """Serve in this process until a signal, as `serve` does.

    Args:
        settings: The installation.
        listening: The socket to take connections from; other processes may do the same.
        ready: Called once when requests are answered.
        interrupts: Whether SIGINT stops it as SIGTERM does.
        make: Makes another application than the usual one.
    """
    numbers = (signal.SIGINT, signal.SIGTERM) if interrupts else (signal.SIGTERM,)
    with closing(Lake.open(settings, busy_s=SERVING_S)) as lake:
        access_log = AccessLog()
        app = make(lake, access_log) if make is not None else create_app(lake, settings, access_log)
        configure_logs(settings.log_format)
        per_address = settings.connections_per_address if settings.trusted_proxies == 0 else None
        connections: Connections[HttpConnection] = Connections(
            most_connections(), per_address, access_log.monitoring.count_refusal
        )
        config = protocol_settings(app)
        # What is loaded stays: to look through it for garbage now and then would take tenths of a second.
        gc.collect()
        gc.freeze()

        async def live() -> None:
            stream: StreamService = app.state.stream
            async with app.lifespan():
                stream.start()
                await _serve(config, connections, stream, access_log, listening, ready, numbers)

        asyncio.run(live())


def protocol_settings(app: ASGIApp) -> Config:
    """Return what uvicorn's protocol is told of the application."""
    # Everything that its logs say is said by the access log as well.
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    config = Config(
        app, interface="asgi3", ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False
    )
    config.load()
    return config


async def _serve(
    config: Config,
    connections: Connections[HttpConnection],
    stream: StreamService,
    access_log: AccessLog,
    listening: socket.socket,
    ready: Callable[[], None],
    signals: Sequence[signal.Signals],
) -> None:
    state = ServerState()
    loop = asyncio.get_running_loop()
    stopping, at_once = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (at_once if stopping.is_set() else stopping).set()

    for number in signals:
        loop.add_signal_handler(number, stop)
    ticking = asyncio.create_task(_tick(state, connections))
    server = await loop.create_server(
        lambda: HttpConnection(config, state, connections, stream), sock=listening, backlog=BACKLOG
    )
    ready()
    await stopping.wait()
    access_log.stopping = True
    stream.stop()
    await _let_finish(access_log, connections, at_once)
    server.close()
    for connection in list(connections.open):
        connection.close_now()
    ticking.cancel()
    with suppress(asyncio.CancelledError):
        await ticking


async def _tick(state: ServerState, connections: Connections[HttpConnection]) -> None:
    """Keep the header `Date` right, and end what takes too long."""
    while True:
        state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        connections.expire()
        await asyncio.sleep(_TICK_S)


async def _let_finish(access_log: AccessLog, connections: Connections[HttpConnection], at_once: asyncio.Event) -> None:
    """Wait for the requests under way, unless they take too long, nothing moves, or the operator insists."""
    deadline = time.monotonic() + _FINISH_S
    moved_at, unsent_before = access_log.moved_at, -1
    while not at_once.is_set():
        now = time.monotonic()
        unsent = sum(connection.unsent for connection in connections.open)
        if not access_log.under_way and not unsent:
            return
        if unsent != unsent_before:
            moved_at, unsent_before = now, unsent
        if now > deadline or now - max(moved_at, access_log.moved_at) > _STALLED_S:
            return
        await asyncio.sleep(_POLL_S)
