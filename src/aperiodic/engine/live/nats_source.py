"""Live rows from makers on other machines over NATS JetStream: each once, in the order in which they were made."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
from nats.errors import TimeoutError as NothingCame
from nats.js import api

from aperiodic.engine.live.nats_server import (
    FAILURES,
    Here,
    Names,
    connected,
    decode_told,
    encode,
    require_stream,
    words_of,
)
from aperiodic.market import DAY_US
from aperiodic.market.time import now_us, time_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from aperiodic.engine.live.nats_server import Told
    from aperiodic.engine.live.rows import LiveRow, LiveSeries, Seconds
    from aperiodic.lake.settings import HubSettings

__all__ = ["NatsSource"]

_AGAIN_S: Final = 0.5
_POLL_S: Final = 0.5
_AT_ONCE: Final = 64
_BEFORE_US: Final = 180_000_000
"""So much of the day before is read at the start: rows of its last bars are told after midnight."""
_FORGOTTEN_S: Final = 60.0
"""So long after its reader is gone NATS forgets how far it was."""
_PAST_S: Final = 10.0
_MOST_MAKERS: Final = 256
_MOST_SERIES: Final = 10_000


class _Had:
    """What has come of each maker: a message that comes again is known by its number, one that never came too."""

    def __init__(self) -> None:
        self._makers: OrderedDict[str, OrderedDict[str, int]] = OrderedDict()

    def take(self, subject: str, told: Told) -> bool | None:
        """Count a message; return whether others can be missing before it, None where it has come already."""
        is_new = told.maker not in self._makers
        numbers = self._makers.setdefault(told.maker, OrderedDict())
        self._makers.move_to_end(told.maker)
        before = numbers.get(subject, 0)
        if told.number <= before:
            return None
        numbers[subject] = told.number
        numbers.move_to_end(subject)
        while len(numbers) > _MOST_SERIES:
            numbers.popitem(last=False)
        while len(self._makers) > _MOST_MAKERS:
            self._makers.popitem(last=False)
        return is_new or told.number != before + 1


class NatsSource:
    """Rows that NATS hands out and keeps.

    Args:
        settings: Where the server is.

    Attributes:
        refused: Messages that cannot be read.
        repeated: Messages that came a second time.
    """

    is_remote = True

    def __init__(self, settings: HubSettings) -> None:
        self.refused = 0
        self.repeated = 0
        self._settings = settings
        self._names = Names(settings)
        self._server = secrets.token_hex(8)
        self._trouble: str | None = "not connected to NATS yet"
        self._failed = False
        self._had = _Had()
        self._last = 0
        self._created: datetime | None = None
        self._is_up_to_date = False

    @property
    def trouble(self) -> str | None:
        """Why no rows come at the moment; None where they do."""
        return self._trouble

    def is_made(self) -> bool:
        """Whether somebody can be expected to make rows."""
        return not self._failed

    def follow(
        self,
        receive: Callable[[list[LiveRow], bool], object],
        is_over: Callable[[], bool],
        wait: Callable[[float], object],
        seconds: Callable[[], Seconds],
        up_to_date: Callable[[], object],
    ) -> None:
        """Receive rows until `is_over`: those of the open day, then new ones; see `follow_hub`."""
        while not is_over():
            asyncio.run(self._follow(receive, is_over, seconds, up_to_date))
            wait(_AGAIN_S)

    def past(self, series: LiveSeries, since: int, most: int) -> list[LiveRow]:
        """Return the rows of a series told since a time, µs, as far as NATS keeps them: the last `most`, in order.

        Nothing where it does not answer: what is in files is there all the same.
        """
        try:
            return asyncio.run(self._past(series, since, most))
        except FAILURES:
            return []

    async def _follow(
        self,
        receive: Callable[[list[LiveRow], bool], object],
        is_over: Callable[[], bool],
        seconds: Callable[[], Seconds],
        up_to_date: Callable[[], object],
    ) -> None:
        try:
            async with connected(self._settings, "aperiodic serve") as connection:
                telling = asyncio.create_task(self._tell(connection.client, seconds))
                try:
                    consumer, pending = await connection.run(self._consumer(connection.jetstream))
                    self._trouble, self._failed = None, False
                    if not pending:
                        self._catch_up(up_to_date)
                    count = 0
                    while not is_over():
                        for message in await connection.run(_next(consumer)):
                            count += 1
                            if message.metadata.sequence.consumer != count:
                                return  # one was lost on the way; NATS still has it
                            await asyncio.to_thread(self._receive, message, receive)
                            if message.metadata.num_pending == 0:
                                self._catch_up(up_to_date)
                finally:
                    telling.cancel()
                    await asyncio.gather(telling, return_exceptions=True)
        except FAILURES as error:
            self._trouble, self._failed = words_of(error), True

    def _catch_up(self, up_to_date: Callable[[], object]) -> None:
        if not self._is_up_to_date:
            self._is_up_to_date = True
            up_to_date()

    async def _consumer(self, jetstream: JetStreamContext) -> tuple[JetStreamContext.PullSubscription, int]:
        """Return what hands out the rows that have not come yet, and how many messages of them there are."""
        info = await require_stream(jetstream, self._settings)
        if info.created != self._created or info.state.last_seq < self._last:
            self._last, self._created = 0, info.created  # it was made anew
        wanted = _config(self._names.everything)
        if self._last:
            wanted.deliver_policy, wanted.opt_start_seq = api.DeliverPolicy.BY_START_SEQUENCE, self._last + 1
        else:
            begin = now_us() // DAY_US * DAY_US - _BEFORE_US
            wanted.deliver_policy, wanted.opt_start_time = api.DeliverPolicy.BY_START_TIME, time_at(begin)
        consumer = await jetstream.pull_subscribe(self._names.everything, stream=self._names.stream, config=wanted)
        return consumer, (await consumer.consumer_info()).num_pending or 0

    def _receive(self, message: Msg, receive: Callable[[list[LiveRow], bool], object]) -> None:
        self._last = message.metadata.sequence.stream
        try:
            told = decode_told(message.data)
        except msgspec.MsgspecError:
            self.refused += 1
            return
        missed = self._had.take(message.subject, told)
        if missed is None:
            self.repeated += 1
        elif told.rows:
            # Of the past nothing can be missing that this process has told.
            receive(told.rows, missed and self._is_up_to_date)

    async def _tell(self, client: Client, seconds: Callable[[], Seconds]) -> None:
        """Say twice a second that this server is there, and what it wants."""
        with suppress(*FAILURES):
            while True:
                wanted = seconds()
                await client.publish(self._names.here, encode(Here(self._server, bool(wanted), wanted)))
                await asyncio.sleep(_POLL_S)

    async def _past(self, series: LiveSeries, since: int, most: int) -> list[LiveRow]:
        rows: deque[LiveRow] = deque(maxlen=most)
        subject = self._names.of(series)
        had = _Had()
        async with asyncio.timeout(_PAST_S), connected(self._settings, "aperiodic serve, past") as connection:
            wanted = _config(subject)
            wanted.deliver_policy = api.DeliverPolicy.BY_START_TIME
            wanted.opt_start_time = time_at(since)
            jetstream = connection.jetstream
            consumer = await jetstream.pull_subscribe(subject, stream=self._names.stream, config=wanted)
            pending = (await consumer.consumer_info()).num_pending or 0
            while pending > 0:
                for message in await connection.run(_next(consumer)):
                    pending -= 1
                    with suppress(msgspec.MsgspecError):
                        told = decode_told(message.data)
                        if had.take(subject, told) is not None:
                            rows.extend(told.rows)
        return list(rows)


def _config(subject: str) -> api.ConsumerConfig:
    return api.ConsumerConfig(
        ack_policy=api.AckPolicy.NONE,
        filter_subject=subject,
        inactive_threshold=_FORGOTTEN_S,
        mem_storage=True,
        num_replicas=1,
    )


async def _next(consumer: JetStreamContext.PullSubscription) -> list[Msg]:
    """Return the messages that are there, or the next one; none where none comes for a while."""
    try:
        # One first: it says how many wait behind it. A call for more than there are would wait for the rest of them.
        found = await consumer.fetch(1, timeout=_POLL_S)
        if more := min(found[0].metadata.num_pending, _AT_ONCE):
            found += await consumer.fetch(more, timeout=_POLL_S * 4)
    except NothingCame:
        return []
    return found
