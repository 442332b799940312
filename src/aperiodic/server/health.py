"""Whether the server runs, and whether it can answer."""

import msgspec
from litestar import get
from litestar.di import NamedDependency
from sqlalchemy import select

from aperiodic.lake.schema import objects
from aperiodic.server.service import Service

__all__ = ["Health", "get_health", "get_readiness"]


class Health(msgspec.Struct):
    """`ok`; anything else is an error answer."""

    status: str = "ok"


@get("/healthz", sync_to_thread=False)
def get_health() -> Health:
    """Answer as long as the process runs."""
    return Health()


@get("/readyz", sync_to_thread=True)
def get_readiness(service: NamedDependency[Service]) -> Health:
    """Answer when ledger and store do; 503 otherwise."""
    with service.lake.engine.connect() as connection:
        connection.execute(select(objects.c.id).limit(1)).first()
    service.lake.store.exists("readyz")
    return Health()
