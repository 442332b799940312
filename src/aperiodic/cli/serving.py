"""`aperiodic serve`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from aperiodic.cli.console import errors
from aperiodic.cli.installation import Begin, prepare, read_settings
from aperiodic.server import serve as run_server
from aperiodic.server.settings import ServerSettings

__all__ = ["serve"]


def serve(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))] = None,
    workers: Annotated[int, Parameter(validator=Number(gte=1, lte=64))] = 1,
) -> None:
    """Serve the REST API and the files behind its links until Ctrl-C.

    Args:
        host: Address to listen on. 0.0.0.0 listens on all; put a reverse proxy with TLS in front then.
        port: Port to listen on; by default APERIODIC_PORT, else 8000. 0 takes a free one.
        workers: Processes that answer requests, at most one a core. Each counts rate limits for itself.
    """
    settings = read_settings(ServerSettings)
    prepare(settings, Begin.IN_A_FOLDER)
    run_server(
        settings,
        host,
        settings.port if port is None else port,
        ready=lambda url: errors.print(f"Serving {url}/api/v1 (Ctrl-C stops)", highlight=False),
        workers=workers,
    )
