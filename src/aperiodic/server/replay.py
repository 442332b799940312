"""`replay`: a server whose live stream tells a stretch of the past."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aperiodic.server.api.health import get_health, get_readiness
from aperiodic.server.app import create_app
from aperiodic.server.http.process import serve_here
from aperiodic.server.middleware.prometheus import get_metrics
from aperiodic.server.run import listen, url_of
from aperiodic.server.stream.connection import OVER
from aperiodic.server.stream.past import PastBars, PastFanout

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar import Litestar

    from aperiodic.lake import Lake
    from aperiodic.server.middleware.access_log import AccessLog
    from aperiodic.server.settings import ServerSettings

__all__ = ["Stretch", "replay"]

_HANDLERS: Final = (get_health, get_readiness, get_metrics)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is told again.

    Attributes:
        begin: The first bar closes after this time, µs.
        end: The last one closes by this time, µs.
        speed: How many times faster than they closed.
        symbols: Only these instruments; None for all.
    """

    begin: int
    end: int
    speed: float = 1.0
    symbols: frozenset[str] | None = None


def replay(settings: ServerSettings, stretch: Stretch, host: str, port: int, ready: Callable[[str], None]) -> bool:
    """Serve `/v1/stream` until the stretch is over or a signal comes; call it from the main thread.

    The first subscription starts it. At its end connections are closed with 4000. Files, and with them what lies after
    the time that is told, are not served.

    Args:
        settings: The installation.
        stretch: What is told again.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        ready: Called once with the server's URL when it answers.

    Returns:
        Whether it was told to its end.

    Raises:
        LakeError: The installation cannot be opened, bars cannot be read, or `address_unavailable`.
    """
    failures: list[BaseException] = []
    told_to_the_end = False

    def make(lake: Lake, access_log: AccessLog) -> Litestar:
        def over() -> None:
            nonlocal told_to_the_end
            told_to_the_end = True
            stream.close_all(OVER, "the replay is over")
            os.kill(os.getpid(), signal.SIGTERM)

        def failed(error: BaseException) -> None:
            failures.append(error)
            os.kill(os.getpid(), signal.SIGTERM)

        bars = PastBars(lake, stretch.symbols)
        fanout = PastFanout(lake, bars, stretch.begin, stretch.end, stretch.speed, over, failed)
        app = create_app(lake, settings, access_log, _HANDLERS, fanout)
        stream = app.state.stream
        return app

    with closing(listen(host, port)) as listening:
        serve_here(settings, listening, lambda: ready(url_of(listening, host)), make=make)
    if failures:
        raise failures[0]
    return told_to_the_end
