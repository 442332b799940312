"""Hands live rows to servers on other machines over NATS JetStream."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections import OrderedDict, defaultdict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from aperiodic.engine.live.nats_server import (
    FAILURES,
    Names,
    Told,
    connected,
    decode_here,
    encode,
    require_stream,
    words_of,
)
from aperiodic.engine.live.rows import ALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from aperiodic.engine.live.nats_server import Connection
    from aperiodic.engine.live.rows import LiveRow, LiveSeries, Seconds
    from aperiodic.lake.settings import HubSettings

__all__ = ["NatsHub"]

_MESSAGE_BYTES: Final = 256 << 10
"""Rows of one message; a server takes 1 MB unless told otherwise."""
_ROW_BYTES: Final = 200
"""What a row needs beside its data."""
_QUEUED_BYTES: Final = 256 << 20
"""What waits while the server is away; the oldest is dropped then, and its readers know by the numbers."""
_AT_ONCE: Final = 64
_AGAIN_S: Final = 0.5
_ACKNOWLEDGED_S: Final = 5.0
_PRESENT_S: Final = 3.0
"""Servers say twice a second that they are there."""
_MOST_SERVERS: Final = 1_000
_CLOSE_S: Final = 3.0
_POLL_S: Final = 0.25


class _Message(msgspec.Struct):
    subject: str
    identity: str
    body: bytes


class NatsHub:
    """Hands rows to NATS, in a thread of its own, and again until it has taken them.

    Rows of a series go one message after the other, so that their order is kept; those of different series go together.

    Args:
        settings: Where the server is, and how much it keeps.

    Attributes:
        dropped: Messages dropped while the server was away.
    """

    def __init__(self, settings: HubSettings) -> None:
        self.dropped = 0
        self._settings = settings
        self._names = Names(settings)
        self._maker = secrets.token_hex(8)
        self._numbers: defaultdict[LiveSeries, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._waiting: deque[_Message] = deque()
        self._waiting_bytes = 0
        self._under_way = 0
        self._servers: OrderedDict[str, tuple[float, Seconds]] = OrderedDict()
        self._trouble: str | None = "not connected to NATS yet"
        self._over = threading.Event()
        self._news: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="nats-hub", daemon=True)
        self._thread.start()

    @property
    def readers(self) -> int:
        """How many servers read."""
        return len(self._present())

    @property
    def seconds(self) -> Seconds:
        """The bars below a minute that anybody reads."""
        return frozenset().union(*self._present())

    @property
    def trouble(self) -> str | None:
        """Why rows do not leave at the moment; None where they do."""
        return self._trouble

    @property
    def waiting(self) -> int:
        """Messages that NATS has not taken yet."""
        return len(self._waiting) + self._under_way

    def tell(self, rows: list[LiveRow]) -> None:
        """Hand rows to all readers; never waits for one."""
        with self._lock:
            for message in self._messages(rows):
                self._waiting.append(message)
                self._waiting_bytes += len(message.body)
            while self._waiting_bytes > _QUEUED_BYTES:
                self._waiting_bytes -= len(self._waiting.popleft().body)
                self.dropped += 1
        self._wake()

    def close(self) -> None:
        """Give NATS what it has not taken yet, if that does not take long, and end."""
        self._over.set()
        self._wake()
        self._thread.join(_CLOSE_S + _ACKNOWLEDGED_S)

    def _present(self) -> list[Seconds]:
        oldest = time.monotonic() - _PRESENT_S
        return [seconds for heard, seconds in self._servers.copy().values() if heard >= oldest]

    def _wake(self) -> None:
        if self._loop is not None and self._news is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._news.set)

    def _messages(self, rows: list[LiveRow]) -> Iterator[_Message]:
        of_series: defaultdict[LiveSeries, list[LiveRow]] = defaultdict(list)
        for row in rows:
            of_series[row.series].append(row)
        for series, some in of_series.items():
            for piece in _pieces(some):
                self._numbers[series] += 1
                number = self._numbers[series]
                subject = self._names.of(series)
                yield _Message(subject, f"{self._maker}-{subject}-{number}", encode(Told(self._maker, number, piece)))

    async def _run(self) -> None:
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        while not self._over.is_set():
            try:
                async with connected(self._settings, "aperiodic live") as connection:
                    await connection.run(require_stream(connection.jetstream, self._settings))
                    await connection.client.subscribe(self._names.here, cb=self._hear)
                    self._trouble = None
                    await self._publish(connection)
            except FAILURES as error:
                self._trouble = words_of(error)
            if not self._over.is_set():
                await asyncio.sleep(_AGAIN_S)

    async def _publish(self, connection: Connection) -> None:
        """Publish what waits until it is over, and then what is left."""
        end = float("inf")
        while time.monotonic() < end:
            some = self._take()
            if some:
                try:
                    await connection.run(_give(connection.jetstream, some))
                except BaseException:
                    self._put_back(some)
                    raise
                self._under_way = 0
                continue
            if self._over.is_set():
                return
            if connection.is_lost:
                raise ConnectionResetError
            if self._news is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), _POLL_S)
                self._news.clear()
            if self._over.is_set():
                end = min(end, time.monotonic() + _CLOSE_S)

    def _take(self) -> list[_Message]:
        with self._lock:
            some = [self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_ONCE))]
            self._waiting_bytes -= sum(len(message.body) for message in some)
            self._under_way = len(some)
        return some

    def _put_back(self, some: list[_Message]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(some))
            self._waiting_bytes += sum(len(message.body) for message in some)
            self._under_way = 0

    async def _hear(self, message: Msg) -> None:
        with suppress(msgspec.MsgspecError):
            here = decode_here(message.data)
            all_or_none = ALL_SECONDS if here.wants_seconds else frozenset()
            seconds = all_or_none if here.seconds is None else here.seconds
            self._servers[here.server] = (time.monotonic(), seconds)
            self._servers.move_to_end(here.server)
            while len(self._servers) > _MOST_SERVERS:
                self._servers.popitem(last=False)


async def _give(jetstream: JetStreamContext, some: list[_Message]) -> None:
    """Publish messages, those of a series one after the other, and return when all are taken."""
    of_series: defaultdict[str, list[_Message]] = defaultdict(list)
    for message in some:
        of_series[message.subject].append(message)

    async def one(messages: list[_Message]) -> None:
        for each in messages:
            headers = {"Nats-Msg-Id": each.identity}
            await jetstream.publish(each.subject, each.body, timeout=_ACKNOWLEDGED_S, headers=headers)

    async with asyncio.timeout(_ACKNOWLEDGED_S * 2):
        results = await asyncio.gather(*map(one, of_series.values()), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def _pieces(rows: list[LiveRow]) -> Iterator[list[LiveRow]]:
    piece: list[LiveRow] = []
    size = 0
    for row in rows:
        length = len(row.data) + _ROW_BYTES
        if piece and size + length > _MESSAGE_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += length
    yield piece
