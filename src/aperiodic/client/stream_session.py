"""The talk of a stream with the server: subscribe, read rows, connect anew; what is told is yielded in order."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol

from aperiodic.client.errors import APIError
from aperiodic.client.retry import RETRYABLE_STATUSES, RetryableError
from aperiodic.client.stream_marks import Marks
from aperiodic.client.stream_messages import (
    ChannelRejection,
    StreamClosedError,
    StreamMessage,
    StreamSubscription,
    StreamSubscriptionError,
    StreamWarning,
)
from aperiodic.client.stream_socket import OPEN_SECONDS, StreamSilentError, open_socket
from aperiodic.market import AperiodicDataError, IncompleteDataError
from aperiodic.market.retry_after import retry_after_s
from aperiodic.market.time import now_us, time_at

if TYPE_CHECKING:
    import threading
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from aperiodic.client.stream_socket import Socket

__all__ = ["Conversation", "Event", "Remark", "Session"]

IDLE_SECONDS: Final = 75.0
FIRST_DELAY_SECONDS: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 30.0
LONGEST_RETRY_AFTER_SECONDS: Final = 300.0
HEALTHY_SECONDS: Final = 60.0
_ROWS_BEFORE_ANSWER: Final = 100_000

_FINAL_CODES: Final = frozenset({1008, *range(4000, 5000)})
_INVALID_MESSAGE: Final = "invalid_message"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to warn of.

    Attributes:
        text: What, in words.
        category: The kind of warning.
    """

    text: str
    category: type[Warning] = StreamWarning


Event = StreamMessage | Remark


@dataclass(frozen=True, slots=True)
class MadeUp:
    """What was fetched in place of what a stream did not tell.

    Attributes:
        events: The rows, in order of time for each symbol; those that came before are not among them.
        until: Where they end, µs since the epoch; None where nothing is missing up to now.
    """

    events: Iterable[Event]
    until: int | None


class Past(Protocol):
    """Where rows can be had that a stream does not tell."""

    async def make_up(self, session: Session, since: int) -> MadeUp:
        """Fetch the rows since a time, µs since the epoch.

        Raises:
            AperiodicDataError: They cannot be fetched, or too little of them is there.
        """


class _NotUnderstoodError(Exception):
    """The server cannot read the subscription.

    Attributes:
        error: What the caller gets, if it cannot be written otherwise.
    """

    def __init__(self, error: StreamSubscriptionError) -> None:
        super().__init__(str(error))
        self.error = error


class Session:
    """What a stream knows, over all its connections.

    Attributes:
        subscription: The server's newest answer; None before the first.
        gaps: When rows were published that did not come, as pairs of UTC times.
        marks: How far the stream has come.
        since: From when on rows are asked for at first, µs since the epoch; None for new ones only.
        history: Name of the channel under which older rows were delivered already; None without such.
        new_only: Whether rows may come a second time, which are left out.
        past: Where rows can be had that the server does not tell; None for nowhere.
    """

    def __init__(
        self, url: str, api_key: str, channels: Sequence[Any], *, snapshot: bool, reconnect: bool, since: int | None
    ) -> None:
        self.subscription: StreamSubscription | None = None
        self.gaps: list[tuple[datetime, datetime]] = []
        self.marks = Marks()
        self.url = url
        self.api_key = api_key
        self.channels = channels
        self.snapshot = snapshot
        self.reconnect = reconnect
        self.since = since
        self.history: str | None = None
        self.past: Past | None = None
        self.new_only = since is not None
        self.drops = 0
        self._ids = count(1)

    def question(self, since: int | None) -> tuple[str, str]:
        """Return the id and the text of a new subscription."""
        name = f"s{next(self._ids)}"
        question = {"op": "subscribe", "id": name, "channels": self.channels}
        return name, json.dumps(question if since is None else {**question, "since": since})

    def answered(self, frame: dict[str, Any]) -> list[Remark]:
        """Take the answer to a subscription.

        Raises:
            StreamSubscriptionError: Every channel was refused.
        """
        rejected = _rejections(frame.get("rejected"))
        channels = tuple(str(channel) for channel in _list(frame.get("channels")))
        replayed = frame.get("replayed")
        self.subscription = StreamSubscription(channels, rejected, replayed=replayed is True)
        self.new_only = self.new_only or isinstance(replayed, bool)
        if not channels:
            raise StreamSubscriptionError(f"The server refused every channel. {_listing(rejected)}".strip(), rejected)
        if self.history is not None and len(channels) == 1:
            self.marks.rename(self.history, channels[0])
        self.marks.begin(channels, now_us())
        if not rejected:
            return []
        return [Remark(f"The server refused some of the channels, which will not stream. {_listing(rejected)}")]

    def read(self, raw: str | bytes) -> tuple[dict[str, Any], StreamMessage | Remark | None]:
        """Read a frame: its content, and the row in it, or what to warn of."""
        try:
            frame = json.loads(raw, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            frame = None
        if not isinstance(frame, dict):
            return {}, Remark(f"A frame was left out that is no JSON object: {str(raw)[:200]!r}")
        if frame.get("op") is None and "channel" in frame:
            return {}, self._row(frame)
        return frame, None

    def told(self, frame: dict[str, Any]) -> Remark | None:
        """Take a frame that is neither a row nor an answer; heartbeats and what is not known here say nothing.

        Raises:
            StreamSubscriptionError: The last channel was taken away.
        """
        if frame.get("op") == "error":
            return Remark(f"The server reports an error ({frame.get('code')}): {frame.get('message')}")
        return self._removed(frame) if frame.get("op") == "unsubscribed" else None

    def _row(self, frame: dict[str, Any]) -> StreamMessage | Remark | None:
        channel, data = frame["channel"], frame.get("data")
        if not isinstance(channel, str) or not isinstance(data, dict):
            return Remark(f"A frame of {str(channel)[:200]!r} was left out: its data is no row.")
        message = StreamMessage(channel, data, bool(frame.get("snapshot", False)))
        return None if message.snapshot and not self.snapshot else message

    def _removed(self, frame: dict[str, Any]) -> Remark:
        rejected = _rejections(frame.get("rejected"))
        gone = {str(channel) for channel in _list(frame.get("channels"))} | {item.channel for item in rejected}
        before = self.subscription or StreamSubscription(())
        left = tuple(channel for channel in before.channels if channel not in gone)
        self.subscription = StreamSubscription(left, before.rejected + rejected, before.replayed)
        reasons = _listing(rejected) or f"{', '.join(sorted(gone))}."
        if not left:
            raise StreamSubscriptionError(f"The server took away every channel. {reasons}", rejected)
        return Remark(f"The server took away channels. {reasons}")


class Conversation:
    """One iteration of a stream: its connections, one after the other.

    Args:
        session: What it knows.
        closed: Set when the stream is to end; `stop` makes that happen at once.
    """

    def __init__(self, session: Session, closed: threading.Event) -> None:
        self._session = session
        self._closed = closed
        self._stopped = asyncio.Event()
        self._socket: Socket | None = None
        self._subscribed_at: float | None = None
        self._subscribed = False
        self._lost: datetime | None = None
        self._retry_after: str | None = None

    async def stop(self) -> None:
        """Close the connection; the iteration ends."""
        self._stopped.set()
        if self._socket is not None:
            await self._socket.close()

    async def events(self) -> AsyncGenerator[Event]:
        """Yield rows and remarks until the stream is closed.

        Raises:
            APIError: The server refused the connection.
            StreamClosedError: The server closed it for good.
            StreamSubscriptionError: No channel is left.
            AperiodicDataError: `server_unreachable` or `stream_silent`, where that is final: on the first connection, or
                without `reconnect`.
        """
        session, attempt = self._session, 0
        while not self._closed.is_set():
            self._subscribed_at, delivered = None, False
            try:
                async with aclosing(self._connection()) as events:
                    async for event in events:
                        delivered = delivered or isinstance(event, StreamMessage)
                        yield event
            except Exception as error:
                if self._closed.is_set():
                    return
                if not (session.reconnect and self._subscribed and _passes(error)):
                    raise
                failure = error
            else:
                return  # a connection ends without an error only when the stream is closed
            attempt = 0 if delivered or self._was_healthy() else attempt
            if self._lost is None:
                self._lost = datetime.now(UTC)
                session.drops += 1
                yield Remark(
                    f"The connection was lost at {self._lost:%Y-%m-%d %H:%M:%S} UTC (number {session.drops}: {failure}) "
                    "and is opened anew. Where rows of meanwhile do not come, Stream.gaps says so; fetch them from the API."
                )
            await self._wait(_delay(attempt, self._retry_after))
            attempt += 1

    async def _connection(self) -> AsyncGenerator[Event]:
        """Yield what one connection brings; it ends by itself only when the stream is closed."""
        socket = self._socket = await self._open()
        try:
            if self._closed.is_set():
                return
            since, events = await self._subscribe(socket)
            if self._closed.is_set():
                return
            for remark in events:
                if isinstance(remark, Remark):
                    yield remark
            async with aclosing(self._bridge(since)) as bridge:
                async for event in bridge:
                    yield event
            for event in events:
                if isinstance(event, StreamMessage) and self._is_new(event):
                    yield event
            while not self._closed.is_set():  # also where frames that came before are still to be read
                received = await self._receive(socket, IDLE_SECONDS)
                if received is not None and self._is_new(received):
                    yield received
        finally:
            self._socket = None
            await socket.close()

    async def _open(self) -> Socket:
        self._retry_after = None
        try:
            return await open_socket(self._session.url, self._session.api_key)
        except RetryableError as refused:
            self._retry_after = refused.retry_after
            raise refused.error from None

    async def _subscribe(self, socket: Socket) -> tuple[int | None, list[Event]]:
        """Subscribe; return since when rows were asked for, and what there is to tell: rows may come before the answer."""
        session = self._session
        since = session.marks.since() if self._subscribed else session.since
        events: list[Event] = []
        try:
            await self._ask(socket, since, events)
        except _NotUnderstoodError as refused:
            if since is None or not self._subscribed:
                raise refused.error from None
            await self._ask(socket, None, events)  # a server that knows nothing of `since` streams nevertheless
        self._subscribed, self._subscribed_at = True, time.monotonic()
        return since, events

    async def _ask(self, socket: Socket, since: int | None, events: list[Event]) -> None:
        name, question = self._session.question(since)
        until = time.monotonic() + OPEN_SECONDS
        await socket.send(question)
        while len(events) < _ROWS_BEFORE_ANSWER:
            try:
                raw = await socket.receive(max(until - time.monotonic(), 0.0))
            except TimeoutError:
                break
            frame, event = self._session.read(raw)
            if frame.get("id") == name and frame.get("op") == "subscribed":
                events += self._session.answered(frame)
                return
            if frame.get("id") == name and frame.get("op") == "error":
                code = frame.get("code")
                error = StreamSubscriptionError(f"The server refused the subscription ({code}): {frame.get('message')}")
                raise _NotUnderstoodError(error) if code == _INVALID_MESSAGE else error
            event = self._session.told(frame) if event is None else event
            if event is not None:
                events.append(event)
        raise StreamSilentError(
            f"The stream did not answer the subscription within {OPEN_SECONDS:g} s.", code="stream_silent"
        )

    async def _receive(self, socket: Socket, seconds: float) -> Event | None:
        try:
            raw = await socket.receive(seconds)
        except TimeoutError:
            raise StreamSilentError(
                f"The stream sent nothing for {seconds:g} s, not even a sign of life.", code="stream_silent"
            ) from None
        frame, event = self._session.read(raw)
        return self._session.told(frame) if event is None else event

    def _is_new(self, event: Event) -> bool:
        return isinstance(event, Remark) or self._session.marks.take(event, new_only=self._session.new_only)

    async def _bridge(self, since: int | None) -> AsyncGenerator[Event]:
        """Fetch what the server did not make up for: the outage before this connection, or what was asked for from before it.

        What cannot be fetched is noted as a gap.
        """
        session, now = self._session, datetime.now(UTC)
        lost, self._lost = self._lost, None
        asked = None if since is None else time_at(since)
        begin = asked if lost is None else lost
        if (session.subscription is not None and session.subscription.replayed) or begin is None or begin >= now:
            return
        failure = ""
        if session.past is not None and since is not None:
            try:
                made_up = await session.past.make_up(session, since)
            except IncompleteDataError:
                raise
            except AperiodicDataError as error:
                failure = f", and they cannot be fetched: {error}"
            else:
                for event in made_up.events:
                    if self._closed.is_set():
                        return
                    yield event
                if made_up.until is None:
                    return
                begin = max(begin, min(time_at(made_up.until), now))
        session.gaps.append((begin, now))
        if lost is None or failure:
            told = f"The server does not send the rows since {begin:%Y-%m-%d %H:%M:%S} UTC{failure}"
            yield Remark(f"{told.rstrip('.')}: Stream.gaps has a gap.")

    def _was_healthy(self) -> bool:
        """Whether the last connection streamed for long."""
        return self._subscribed_at is not None and time.monotonic() - self._subscribed_at >= HEALTHY_SECONDS

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()


def _passes(error: Exception) -> bool:
    """Whether another connection may do what this one did not."""
    if isinstance(error, StreamClosedError):
        return error.code not in _FINAL_CODES
    if isinstance(error, APIError):  # 429 may count the connection that has just broken
        return error.status_code in RETRYABLE_STATUSES
    return isinstance(error, OSError)


def _delay(attempt: int, retry_after: str | None = None) -> float:
    """Seconds to wait before a connection: as long as the server asks for at least; the first has number 0."""
    jitter = random.uniform(0.0, FIRST_DELAY_SECONDS)  # noqa: S311 (not a secret)
    own = min(FIRST_DELAY_SECONDS * 2.0 ** min(attempt, 10) + jitter, LONGEST_DELAY_SECONDS)
    asked = None if retry_after is None else retry_after_s(retry_after)
    return own if asked is None else max(own, min(asked + jitter, LONGEST_RETRY_AFTER_SECONDS))


def _rejections(items: object) -> tuple[ChannelRejection, ...]:
    return tuple(
        ChannelRejection(*(str(item.get(name, "")) for name in ("channel", "code", "message")))
        for item in _list(items)
        if isinstance(item, dict)
    )


def _listing(rejected: Sequence[ChannelRejection]) -> str:
    return "; ".join(str(item) for item in rejected)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
