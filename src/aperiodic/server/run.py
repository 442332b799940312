"""Running the application on granian, in this process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from aperiodic.lake import Lake, LakeError
from aperiodic.lake.ledger import SERVING_S
from aperiodic.server.app import create_app
from aperiodic.server.middleware.access_log import AccessLog
from aperiodic.server.middleware.logs import configure_logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar import Litestar

    from aperiodic.lake import Settings

__all__ = ["serve"]

_GRACE_S: Final = 5
_FINISH_S: Final = 25.0
_STALLED_S: Final = 3.0
_THREADS_END_S: Final = 1.0
_POLL_S: Final = 0.02


def serve(settings: Settings, host: str, port: int, ready: Callable[[str], None] | None = None) -> None:
    """Serve an installation until SIGINT or SIGTERM; call it from the main thread.

    At the first signal `/readyz` begins to answer 503 and requests under way get 25 s to finish, as long as bytes
    move within any 3 s; a second signal ends that at once. The log goes to standard error as `settings.log_format`
    says; nothing else is printed.

    Args:
        settings: The installation.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        ready: Called once with the server's URL when it answers.

    Raises:
        LakeError: The installation cannot be opened, or `address_unavailable`.
    """
    with closing(Lake.open(settings, busy_s=SERVING_S)) as lake:
        access_log = AccessLog()
        app = create_app(lake, settings, access_log)
        address, bound = _free_address(host, port)
        url = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
        configure_logs(settings.log_format)
        threads = _threads()
        asyncio.run(_live(app, access_log, address, bound, lambda: None if ready is None else ready(url)))
        _wait_for_threads(threads)


def _threads() -> int | None:
    """Return the number of the process's threads, native ones included, where the system tells."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - only counted
    except OSError:
        return None


def _wait_for_threads(before: int | None) -> None:
    """Let granian's native threads end: one that still runs while the interpreter shuts down aborts the process."""
    deadline = time.monotonic() + _THREADS_END_S
    while time.monotonic() < deadline and (before is None or (_threads() or 0) > before):
        time.sleep(_POLL_S)


def _free_address(host: str, port: int) -> tuple[str, int]:
    """Return the numeric address and the port after making sure that nobody listens there.

    granian shares its port (SO_REUSEPORT), so a second server on the same port would silently take half the requests.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            name = probe.getsockname()
            return str(name[0]), int(name[1])
    except OSError as error:
        raise LakeError(
            f"Cannot listen on {host}, port {port}: {error.strerror}.",
            code="address_unavailable",
            hint="Choose another port or address, or stop the program that uses it.",
        ) from error


async def _live(app: Litestar, access_log: AccessLog, address: str, port: int, ready: Callable[[], None]) -> None:
    """Serve between the application's start-up and shut-down hooks, which granian does not call in this mode."""
    async with app.lifespan():
        await _serve(app, access_log, address, port, ready)


async def _serve(app: Litestar, access_log: AccessLog, address: str, port: int, ready: Callable[[], None]) -> None:
    server = Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    stopping, at_once = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        (at_once if stopping.is_set() else stopping).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    serving = asyncio.create_task(server.serve())
    watching = asyncio.create_task(_announce_and_wait(address, port, ready, stopping))
    await asyncio.wait({serving, watching}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        await _let_finish(access_log, at_once)
    server.stop()  # type: ignore[no-untyped-call] # granian does not annotate it
    done, _ = await asyncio.wait({serving}, timeout=_GRACE_S)
    for task in done:
        task.result()
    if watching.done():
        watching.result()


async def _announce_and_wait(address: str, port: int, ready: Callable[[], None], stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        try:
            _, writer = await asyncio.open_connection(address, port)
        except OSError:
            await asyncio.sleep(_POLL_S)
        else:
            writer.close()
            ready()
            await stopping.wait()


async def _let_finish(access_log: AccessLog, at_once: asyncio.Event) -> None:
    """Wait for the requests under way, unless they take too long, nothing moves, or the operator insists."""
    access_log.stopping = True
    deadline = time.monotonic() + _FINISH_S
    while access_log.under_way and not at_once.is_set():
        now = time.monotonic()
        if now > deadline or now - access_log.moved_at > _STALLED_S:
            return
        await asyncio.sleep(_POLL_S)
