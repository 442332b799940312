"""`serve`: from a host and a port to a running server, in one process or several."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

from aperiodic.lake import LakeError
from aperiodic.server.http.process import BACKLOG, serve_here
from aperiodic.server.http.workers import serve_with_workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.server.settings import ServerSettings

__all__ = ["listen", "reserve_port", "serve", "url_of"]


def serve(
    settings: ServerSettings, host: str, port: int, ready: Callable[[str], None] | None = None, workers: int = 1
) -> None:
    """Serve an installation until SIGINT or SIGTERM; call it from the main thread.

    At the first signal `/readyz` begins to answer 503 and requests under way get 25 s to finish, as long as bytes
    move within any 3 s; a second signal ends that at once. The log goes to standard error as `settings.log_format`
    says; nothing else is printed.

    Args:
        settings: The installation.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        ready: Called once with the server's URL when it answers.
        workers: Processes that answer; with more than one they are children of this one, which restarts those that
            die.

    Raises:
        LakeError: The installation cannot be opened, `address_unavailable`, or `worker_failed`.
    """
    with closing(listen(host, port)) as listening:

        def tell() -> None:
            if ready is not None:
                ready(url_of(listening, host))

        if workers == 1:
            serve_here(settings, listening, tell)
        else:
            serve_with_workers(settings, listening, tell, workers)


def reserve_port(host: str, port: int) -> int:
    """Return a port that can be listened on: the one that is asked for, or a free one for 0.

    Raises:
        LakeError: `address_unavailable`.
    """
    with closing(listen(host, port)) as listening:
        bound: int = listening.getsockname()[1]
        return bound


def url_of(listening: socket.socket, host: str) -> str:
    """Return the address of a server that listens."""
    bound = listening.getsockname()[1]
    return f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        LakeError: `address_unavailable`.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Without the protocol asyncio does not turn Nagle's algorithm off, and each answer waits 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise LakeError(
            f"Cannot listen on {host}, port {port}: {error.strerror}.",
            code="address_unavailable",
            hint="Choose another port or address, or stop the program that uses it.",
        ) from error
    return listening
