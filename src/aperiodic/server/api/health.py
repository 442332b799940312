"""Whether the server runs, and whether it can answer."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec
from litestar.di import NamedDependency
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from aperiodic.engine.days_told import read_told, words_of
from aperiodic.lake import Lake, LakeError
from aperiodic.lake.schema import objects
from aperiodic.server.endpoints import Answer, Endpoint, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import RequestError
from aperiodic.server.middleware.access_log import AccessLog
from aperiodic.server.stream.fanout import Fanout

__all__ = ["Health", "Readiness", "Ready", "get_health", "get_readiness"]

_PATIENCE_S: Final = 4.0
_RETRY_AFTER: Final = {"Retry-After": "5"}
_UNAVAILABLE: Final = {"ledger": ErrorCode.LEDGER_UNAVAILABLE, "store": ErrorCode.STORE_UNAVAILABLE}


class Health(msgspec.Struct):
    """That all is well; anything else is an error answer.

    Attributes:
        status: `ok`.
    """

    status: str = "ok"


class Ready(msgspec.Struct):
    """That requests can be answered; anything else is an error answer.

    Attributes:
        status: `ok`.
        troubles: What is away that most requests do without; there only where something is.
    """

    status: str = "ok"
    troubles: list[str] | msgspec.UnsetType = msgspec.UNSET


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

    async def troubles(self) -> list[str]:
        """Return in words what `live` and `build --follow` of this home cannot read, without naming it."""
        told = await asyncio.to_thread(read_told, self._lake.home)
        return [f"{words_of(each)}." for each in told if each.count]


@serve(
    Endpoint(
        route="/healthz",
        name="get_health",
        tag="service",
        summary="Whether the process runs",
        description="Answers as long as the process lives.",
        answers=(Answer("It does.", Health()),),
        security=None,
    ),
    sync_to_thread=False,
)
def get_health() -> Health:
    """Answer as long as the process runs."""
    return Health()


@serve(
    Endpoint(
        route="/readyz",
        name="get_readiness",
        tag="service",
        summary="Whether it can answer",
        description="Asks ledger and store, each for at most 4 s, and names those that do not answer in `details`. "
        "Not ready either once the server has been told to stop. `troubles` says where live rows of other machines do not "
        "come, and that instruments have no bars of days that are not over; all else is answered then.",
        answers=(Answer("It can.", Ready()),),
        refusals=(ErrorCode.SHUTTING_DOWN, ErrorCode.LEDGER_UNAVAILABLE, ErrorCode.STORE_UNAVAILABLE),
        security=None,
    ),
)
async def get_readiness(
    access_log: NamedDependency[AccessLog],
    readiness: NamedDependency[Readiness],
    live_rows: NamedDependency[Fanout],
) -> Ready:
    """Answer when ledger and store do and the server is not about to stop; 503 otherwise."""
    if access_log.stopping:
        raise RequestError([ErrorCode.SHUTTING_DOWN.problem()], _RETRY_AFTER)
    down = await readiness.parts_down()
    if down:
        raise RequestError([_UNAVAILABLE[part].problem() for part in down], _RETRY_AFTER)
    troubles = [] if live_rows.trouble is None else [f"No live rows come: {live_rows.trouble}."]
    troubles += await readiness.troubles()
    return Ready(troubles=troubles) if troubles else Ready()


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
