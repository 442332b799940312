"""Whether the server runs, and whether it can answer."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_503_SERVICE_UNAVAILABLE
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from aperiodic.lake import Lake, LakeError
from aperiodic.lake.schema import objects
from aperiodic.market import AperiodicDataError
from aperiodic.server.errors import RequestError
from aperiodic.server.middleware.access_log import AccessLog

__all__ = ["Health", "Readiness", "get_health", "get_readiness"]

_PATIENCE_S: Final = 4.0
_RETRY_AFTER: Final = {"Retry-After": "5"}


class Health(msgspec.Struct):
    """That all is well; anything else is an error answer.

    Attributes:
        status: `ok`.
    """

    status: str = "ok"


class Readiness:
    """Asks the parts of an installation whether they answer, in bounded time."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._questions = {"ledger": _ledger_answers, "store": _store_answers}
        # Threads of its own: questions that hang must not use up those that answer requests.
        self._threads = ThreadPoolExecutor(len(self._questions))
        self._asked: dict[str, asyncio.Future[bool]] = {}

    async def parts_down(self) -> list[str]:
        """Return the parts that fail or do not answer within 4 s; one that still hangs is not asked again."""
        loop = asyncio.get_running_loop()
        for name, question in self._questions.items():
            if name not in self._asked or self._asked[name].done():
                self._asked[name] = loop.run_in_executor(self._threads, question, self._lake)
        asked = dict(self._asked)
        await asyncio.wait(asked.values(), timeout=_PATIENCE_S)
        return [name for name, answer in asked.items() if not (answer.done() and answer.result())]


@get("/healthz", sync_to_thread=False)
def get_health() -> Health:
    """Answer as long as the process runs."""
    return Health()


@get("/readyz")
async def get_readiness(access_log: NamedDependency[AccessLog], readiness: NamedDependency[Readiness]) -> Health:
    """Answer when ledger and store do and the server is not about to stop; 503 otherwise."""
    if access_log.stopping:
        raise _not_ready([("shutting_down", "The server is shutting down.", "Ask another one, or this one later.")])
    down = await readiness.parts_down()
    if down:
        hint = "Try again in a few seconds; if it lasts, the operator has to look at it."
        raise _not_ready([(f"{part}_unavailable", f"The {part} does not answer.", hint) for part in down])
    return Health()


def _ledger_answers(lake: Lake) -> bool:
    try:
        with lake.engine.connect() as connection:
            connection.execute(select(objects.c.id).limit(1)).first()
    except (SQLAlchemyError, OSError):
        return False
    return True


def _store_answers(lake: Lake) -> bool:
    try:
        lake.store.exists("readyz")
    except LakeError:
        return False
    return True


def _not_ready(problems: list[tuple[str, str, str]]) -> RequestError:
    told = [AperiodicDataError(message, code=code, hint=hint) for code, message, hint in problems]
    return RequestError(HTTP_503_SERVICE_UNAVAILABLE, told, _RETRY_AFTER)
