"""How live rows lie in NATS: names, the bounded stream that keeps them, and connections to the server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.js import api
from nats.js.errors import NotFoundError

from aperiodic.engine.live.rows import LiveRow, Seconds  # noqa: TC001 (msgspec reads them)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from nats.js import JetStreamContext

    from aperiodic.engine.live.rows import LiveSeries
    from aperiodic.lake.settings import HubSettings

__all__ = [
    "FAILURES",
    "Connection",
    "Here",
    "Names",
    "Told",
    "connected",
    "decode_here",
    "decode_told",
    "encode",
    "look",
    "require_stream",
    "words_of",
]

T = TypeVar("T")

FAILURES: Final = (nats.errors.Error, OSError, TimeoutError, asyncio.InvalidStateError)
"""What a server that is away, or begins again, makes of a call."""

_AWAY: Final = (
    nats.errors.NoServersError,
    nats.errors.ConnectionClosedError,
    nats.errors.StaleConnectionError,
    OSError,
    TimeoutError,
)
_CONNECT_S: Final = 3
_ANSWERS_S: Final = 5
_PING_S: Final = 5
_MOST_PENDING: Final = 8 << 20
"""Bytes that wait to be sent."""
_DUPLICATES_S: Final = 120


class Told(msgspec.Struct, array_like=True):
    """Rows of one series, as a message.

    Attributes:
        maker: Process that made them.
        number: Counts the messages of a maker about a series, from 1.
        rows: In the order in which they were made.
    """

    maker: str
    number: int
    rows: list[LiveRow]


class Here(msgspec.Struct, array_like=True):
    """What a server says of itself.

    Attributes:
        server: Name of its process.
        wants_seconds: Whether it wants bars below a minute.
        seconds: Which; None where its version cannot tell, and wants all or none.
    """

    server: str
    wants_seconds: bool
    seconds: Seconds | None = None


encode: Final = msgspec.msgpack.Encoder().encode
decode_told: Final = msgspec.msgpack.Decoder(Told).decode
decode_here: Final = msgspec.msgpack.Decoder(Here).decode


class Names:
    """What an installation's rows are called in NATS.

    Args:
        settings: Name and bounds.

    Attributes:
        stream: The stream of JetStream that keeps the rows.
        everything: Subject of all rows.
        here: Subject on which servers say that they are there.
    """

    def __init__(self, settings: HubSettings) -> None:
        self.stream = f"{settings.live_hub_name}-rows"
        self._rows = f"{settings.live_hub_name}.rows"
        self.everything = f"{self._rows}.>"
        self.here = f"{settings.live_hub_name}.here"

    def of(self, series: LiveSeries) -> str:
        """Return the subject of the rows of a series."""
        return ".".join((self._rows, *series))


class Connection:
    """A connection to the server, which is not mended: whoever is cut off connects again and looks what it has missed.

    Attributes:
        client: For messages that nobody keeps.
        jetstream: For those that the stream keeps.
    """

    def __init__(self) -> None:
        self.client = Client()
        self.jetstream = self.client.jetstream(timeout=_ANSWERS_S)
        self._lost = asyncio.Event()

    @property
    def is_lost(self) -> bool:
        """Whether it has ended."""
        return self._lost.is_set() or self.client.is_closed

    async def open(self, settings: HubSettings, name: str) -> None:
        """Connect."""
        address = "" if settings.live_hub is None else settings.live_hub.get_secret_value()
        async with asyncio.timeout(_CONNECT_S):
            await self.client.connect(
                address.split(","),
                name=name,
                allow_reconnect=False,
                max_reconnect_attempts=1,  # 0 would be: for ever
                reconnect_time_wait=0,
                connect_timeout=_CONNECT_S,
                ping_interval=_PING_S,
                max_outstanding_pings=2,
                pending_size=_MOST_PENDING,
                error_cb=_ignore,
                disconnected_cb=self._lose,
                closed_cb=self._lose,
            )

    async def run(self, work: Coroutine[None, None, T]) -> T:
        """Return what comes of something that the server has to answer.

        Raises:
            ConnectionResetError: The connection ended before.
        """
        task, lost = asyncio.ensure_future(work), asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({task, lost}, return_when=asyncio.FIRST_COMPLETED)
            if task.done() and not task.cancelled():
                return task.result()
            raise ConnectionResetError
        finally:
            task.cancel()
            lost.cancel()
            await asyncio.gather(task, lost, return_exceptions=True)

    async def _lose(self) -> None:
        self._lost.set()


@asynccontextmanager
async def connected(settings: HubSettings, name: str) -> AsyncIterator[Connection]:
    """Connect to the server, once.

    Args:
        settings: Where it is.
        name: What the connection is called in the server's reports.

    Raises:
        nats.errors.Error: It does not answer, or refuses.
        OSError: Likewise.
        TimeoutError: Likewise.
    """
    connection = Connection()
    try:
        await connection.open(settings, name)
        yield connection
    finally:
        with suppress(*FAILURES):
            await connection.client.close()


async def require_stream(jetstream: JetStreamContext, settings: HubSettings) -> api.StreamInfo:
    """Return what there is of the stream; make it if it is not there, and bound it as the settings say.

    What else an operator has set, such as replicas, stays.
    """
    names = Names(settings)
    age, size = settings.live_hub_hours * 3_600.0, settings.live_hub_bytes
    try:
        info = await jetstream.stream_info(names.stream)
    except NotFoundError:
        wanted = api.StreamConfig(
            name=names.stream,
            subjects=[names.everything],
            storage=api.StorageType.FILE,
            discard=api.DiscardPolicy.OLD,
            max_age=age,
            max_bytes=size,
            duplicate_window=_DUPLICATES_S,
        )
        return await jetstream.add_stream(wanted)
    if (info.config.max_age, info.config.max_bytes) != (age, size):
        return await jetstream.update_stream(info.config.evolve(max_age=age, max_bytes=size))
    return info


def look(settings: HubSettings) -> tuple[str, bool]:
    """Return what the server keeps, in words, or why it does not answer; and whether it is well."""

    async def ask() -> str:
        async with connected(settings, "aperiodic doctor") as connection:
            try:
                info = await connection.run(connection.jetstream.stream_info(Names(settings).stream))
            except NotFoundError:
                return "NATS answers; no rows have been told yet"
            state = info.state
            return f"NATS answers, {state.messages:,} messages kept, {state.bytes / (1 << 20):,.1f} MiB"

    try:
        return asyncio.run(ask()), True
    except FAILURES as error:
        return words_of(error), False


def words_of(error: BaseException) -> str:
    """Return why NATS does not do what it is asked, without addresses, which may hold passwords."""
    if "authorization" in str(error).lower():
        return "NATS refuses the user or the password"
    description = getattr(error, "description", None)
    if isinstance(description, str) and description:
        return f"NATS says: {description}"
    if isinstance(error, nats.errors.NoRespondersError):
        return "NATS runs without JetStream"
    if isinstance(error, _AWAY):
        return "NATS does not answer"
    return f"NATS does not do what it is asked ({type(error).__name__})"


async def _ignore(_error: Exception) -> None:
    """Let the calls that fail tell."""
