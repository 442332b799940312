"""Live rows: `stream`, `follow`, and the `Stream` that both return."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import warnings
import weakref
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, Self, cast

from aperiodic.client.forks import refuse_after_fork
from aperiodic.client.request import Account
from aperiodic.client.stream_channels import parse_channels, parse_since, parse_stream_url, refuse_stray_key
from aperiodic.client.stream_driver import Ahead, Driver
from aperiodic.client.stream_frame import Rows
from aperiodic.client.stream_history import History
from aperiodic.client.stream_session import Conversation, Remark, Session
from aperiodic.client.stream_socket import require_websockets

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Sequence
    from datetime import datetime
    from types import AsyncGeneratorType, TracebackType

    import polars as pl

    from aperiodic.client.stream_messages import StreamChannel, StreamMessage, StreamSubscription
    from aperiodic.client.stream_session import Event
    from aperiodic.client.types import Day, Exchange, Interval, Metric, OnIncomplete, TimestampType

__all__ = ["Stream", "follow", "stream"]

_CLOSE_SECONDS: Final = 15.0


class Stream:
    """Rows without end, as `stream` and `follow` return it: iterate over it with `for` or `async for`.

    The connection opens with the first row that is asked for, and closes when the loop is left. Iterate once: each
    iteration opens a connection of its own, of which a plan allows a number. `with` and `async with` close it at
    their end, `close` does from any thread.

    Attributes:
        subscription: What the server streams and what it refused; None until it has answered.
        gaps: When rows were published that did not come, as pairs of UTC times: outages that the server did not make up
            for. Fetch them with the other functions.
    """

    def __init__(self, session: Session, history: History | None = None) -> None:
        self._session = session
        self._history = history
        self._closed = threading.Event()
        self._rows = Rows()
        self._running: dict[Conversation, tuple[asyncio.AbstractEventLoop, bool]] = {}
        self._ahead: Ahead[Event, tuple[StreamSubscription | None, int]] | None = None
        self._iterator: weakref.ref[Generator[StreamMessage]] | None = None
        self._own: Generator[StreamMessage] | None = None
        self._own_async: AsyncGeneratorType[StreamMessage, None] | None = None
        self._pid = os.getpid()
        self._async_iterators: weakref.WeakSet[AsyncGeneratorType[StreamMessage, None]] = weakref.WeakSet()

    @property
    def subscription(self) -> StreamSubscription | None:  # noqa: D102 (in the docstring of the class)
        return self._state()[0]

    @property
    def gaps(self) -> list[tuple[datetime, datetime]]:  # noqa: D102 (likewise)
        return self._session.gaps[: self._state()[1]]

    def __iter__(self) -> Iterator[StreamMessage]:
        iterator = self._messages()
        self._iterator = weakref.ref(iterator)
        return iterator

    def __aiter__(self) -> AsyncIterator[StreamMessage]:
        return self._begin_async()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close_async()

    def close(self) -> None:
        """Close the connection; a loop over the stream then ends. May be called from any thread, and more than once."""
        self._closed.set()
        if os.getpid() != self._pid:
            return  # the connection belongs to the process from which this one was forked
        for conversation, (loop, waits) in list(self._running.items()):
            stopping = conversation.stop()
            try:
                stopped = asyncio.run_coroutine_threadsafe(stopping, loop)
            except RuntimeError:  # the loop has just closed, and the connection with it
                stopping.close()
                continue
            if waits:
                with suppress(TimeoutError):
                    stopped.result(_CLOSE_SECONDS)
        if self._own is not None:
            with suppress(ValueError):  # another thread waits for its next row, which ends now
                self._own.close()

    async def close_async(self) -> None:
        """Close the connection, as `close` does; `await` it."""
        self._closed.set()
        here = asyncio.get_running_loop()
        for conversation, (loop, _) in list(self._running.items()):
            if loop is here:
                await conversation.stop()
        for iterator in list(self._async_iterators):
            with suppress(RuntimeError):  # another task waits for its next row, which ends now
                await iterator.aclose()
        await asyncio.to_thread(self.close)

    def frame(self, n: int | None = None, *, channel: str | None = None) -> pl.DataFrame:
        """Return rows as a frame: those that came so far, or the next ones.

        Args:
            n: Wait for so many more rows and return these. None returns what the stream has yielded so far, of which it
                keeps the last 100,000 rows.
            channel: Return rows of this channel only; needed where several datasets are streamed.

        Returns:
            A frame with one row for each symbol and time, the corrected one where there is one: `channel` (with several
            channels), `time` (start of the bar, UTC without zone), `symbol`, `interval`, the dataset's columns as
            `get_metrics` returns them, `complete`, `revision`, and what else the server sends. Ascending in time.

        Raises:
            InvalidInputError: `several_datasets`, `unknown_channel` or `bad_n`.
            AperiodicDataError: `unexpected_schema` when a value is of another type than the dataset declares, or
                `forked_process`. With `n`, also what iterating raises.
        """
        refuse_after_fork()
        if n is None:
            return self._rows.frame(channel, otherwise=self._only_channel())
        chosen = Rows.next(n)
        iterator = None if self._iterator is None else self._iterator()
        if iterator is None or inspect.getgeneratorstate(iterator) == inspect.GEN_CLOSED:
            iterator = self._own = self._messages()
            self._iterator = weakref.ref(iterator)
        while not chosen.full and (message := next(iterator, None)) is not None:
            if channel is None or message.channel == channel:
                chosen.add(message)
        return chosen.frame(channel, otherwise=self._only_channel())

    async def frame_async(self, n: int, *, channel: str | None = None) -> pl.DataFrame:
        """Return the next rows as a frame, as `frame` does; `await` it.

        Args:
            n: How many rows.
            channel: Take rows of this channel only.

        Returns:
            As `frame`.

        Raises:
            AperiodicDataError: As `frame`.
        """
        refuse_after_fork()
        chosen = Rows.next(n)
        iterator = next((known for known in self._async_iterators if known.ag_frame is not None), None)
        if iterator is None:
            iterator = self._own_async = self._begin_async()
        while not chosen.full and (message := await anext(iterator, None)) is not None:
            if channel is None or message.channel == channel:
                chosen.add(message)
        return chosen.frame(channel, otherwise=self._only_channel())

    def _only_channel(self) -> str | None:
        """The channel of the stream, if it has one."""
        channels = () if self.subscription is None else self.subscription.channels
        return channels[0] if len(channels) == 1 else None

    def _known(self) -> tuple[StreamSubscription | None, int]:
        return self._session.subscription, len(self._session.gaps)

    def _state(self) -> tuple[StreamSubscription | None, int]:
        """What is known: where rows were read ahead, as of the row that was yielded last."""
        ahead = self._ahead
        return self._known() if ahead is None or ahead.blocked else ahead.taken

    def _begin_async(self) -> AsyncGeneratorType[StreamMessage, None]:
        iterator = cast("AsyncGeneratorType[StreamMessage, None]", self._messages_async())
        self._async_iterators.add(iterator)
        return iterator

    async def _events(self, conversation: Conversation) -> AsyncGenerator[Event]:
        if self._history is not None:
            for event in await self._history.events(self._session):
                if self._closed.is_set():
                    return
                yield event
        async with aclosing(conversation.events()) as events:
            async for event in events:
                yield event

    def _messages(self) -> Generator[StreamMessage]:
        if self._closed.is_set():
            return
        with Driver() as driver:
            conversation = Conversation(self._session, self._closed)
            events = self._events(conversation)
            self._running[conversation] = (driver.loop, True)
            ahead = self._ahead = Ahead(driver, events, self._known)
            try:
                while (event := ahead.next()) is not None and not self._closed.is_set():
                    if isinstance(event, Remark):
                        warnings.warn(event.text, event.category, stacklevel=2)
                        continue
                    self._rows.add(event)
                    yield event
            finally:
                del self._running[conversation]
                self._ahead = None
                ahead.close(_close(events))

    async def _messages_async(self) -> AsyncGenerator[StreamMessage]:
        conversation = Conversation(self._session, self._closed)
        self._running[conversation] = (asyncio.get_running_loop(), False)
        try:
            async with aclosing(self._events(conversation)) as events:
                async for event in events:
                    if isinstance(event, Remark):
                        await asyncio.sleep(0)  # after an error was thrown in, the caller's frames are hidden till here
                        warnings.warn(event.text, event.category, stacklevel=2)
                        continue
                    self._rows.add(event)
                    yield event
        finally:
            del self._running[conversation]


async def _close(events: AsyncGenerator[Event]) -> None:
    await events.aclose()


def stream(
    api_key: str | None = None,
    dataset: Metric | str | None = None,
    exchange: Exchange | str | None = None,
    interval: Interval | str | None = None,
    symbols: Sequence[str] | None = None,
    *,
    channels: Sequence[str | StreamChannel] | None = None,
    timestamp: TimestampType | str | None = None,
    since: Day | int | None = None,
    snapshot: bool = True,
    reconnect: bool = True,
    stream_url: str | None = None,
) -> Stream:
    """Stream rows as they are published, the moment their bars close.

    A lost connection is opened anew (1, 2, 4 … 30 s between attempts) with a `StreamWarning`, also one that is silent for
    75 s; rows of meanwhile are asked for. What the server does not make up for is in `Stream.gaps`.

    Args:
        api_key: Your key, of a plan with live data; by default APERIODIC_API_KEY.
        dataset: Dataset of the channel, for example "ohlcv".
        exchange: Venue, for example "binance-futures".
        interval: Bar length, for example "1m".
        symbols: Instruments in the Atlas symbology; by default all that the plan allows.
        channels: More channels, each "dataset.exchange.interval" (with a clock "dataset.exchange.interval.true") or a
            `StreamChannel`; 200 in all.
        timestamp: Clock of the first channel, "exchange" or "true"; by default "exchange" from a minute on, "true" below.
        since: Begin with the rows of today from this time on: a datetime (without a zone: UTC), a day, ISO 8601 text, or
            µs since the epoch. By default with new ones.
        snapshot: Yield the newest row of each symbol first, marked `snapshot`, where the plan has that.
        reconnect: Open a lost connection anew. The first connection is tried once.
        stream_url: Address of the stream; by default APERIODIC_STREAM_URL, else beside the API that APERIODIC_API_URL
            names, else wss://stream.aperiodic.io/v1/stream.

    Returns:
        Rows to iterate over, each a `StreamMessage`.

    Raises:
        InvalidInputError: A value is missing or not valid, or the package websockets is not installed (`missing_package`,
            also an ImportError); nothing was sent. What follows is raised while iterating.
        APIError: The server refused the connection: 401 (key), 403 (no live data in the plan), 426 (too old), 429 (too many
            connections; tried again after a lost connection).
        StreamSubscriptionError: No channel is left. Where some are, a `StreamWarning` tells of the others.
        StreamClosedError: The server closed the stream for good (codes 1008 and 4000 to 4999), or at all without `reconnect`.
        AperiodicDataError: The stream could not be reached (`server_unreachable`, also a ConnectionError) or said nothing
            (`stream_silent`, also a TimeoutError). Base of all the above.
    """
    require_websockets()
    account = Account.parse(api_key, None)
    url = parse_stream_url(stream_url)
    refuse_stray_key(url, api_key)
    session = Session(
        url,
        account.api_key,
        parse_channels(dataset, exchange, interval, symbols, timestamp, channels),
        snapshot=snapshot,
        reconnect=reconnect,
        since=parse_since(since),
    )
    return Stream(session)


def follow(
    api_key: str | None = None,
    *,
    metric: Metric | str,
    interval: Interval | str,
    exchange: Exchange | str,
    symbol: str | Sequence[str],
    start: Day | int,
    timestamp: TimestampType | str | None = None,
    base_url: str | None = None,
    stream_url: str | None = None,
    reconnect: bool = True,
    show_progress: bool = False,
    max_concurrent: int = 10,
    on_incomplete: OnIncomplete = "warn",
) -> Stream:
    """Stream a dataset from a time in the past on: published rows, then those of today, then live ones, each once.

    Rows up to now are fetched as `get_metrics` does; the stream is asked for all rows since the last of these, and after an
    outage for those of meanwhile. What the server cannot tell is fetched too. A row that was corrected after it had been
    yielded comes once more, with `revision` > 0.

    Args:
        api_key: Your key, of a plan with live data; by default APERIODIC_API_KEY.
        metric: Dataset, for example "ohlcv".
        interval: Bar length.
        exchange: Venue.
        symbol: Instrument in the Atlas symbology, or several.
        start: First time: a datetime (without a zone: UTC), a day, ISO 8601 text, or µs since the epoch.
        timestamp: Clock, "exchange" or "true"; by default "exchange" from a minute on, "true" below.
        base_url: Address of the API; by default APERIODIC_API_URL, else that of the profile, else https://aperiodic.io/api/v1.
        stream_url: Address of the stream; by default APERIODIC_STREAM_URL, else beside the API.
        reconnect: Open a lost connection anew.
        show_progress: Draw a progress bar of the files that are fetched.
        max_concurrent: Downloads at the same time, 1 to 100.
        on_incomplete: What to do when part of the past does not exist: "warn" (IncompleteDataWarning), "raise"
            (IncompleteDataError) or "ignore". Today is never complete.

    Returns:
        Rows to iterate over, each a `StreamMessage`: those of the past ascending in time, with `time` in µs as in live ones.
        Where rows can be had nowhere, `Stream.gaps` says so.

    Raises:
        InvalidInputError: A value is missing or not valid, or the package websockets is not installed. What follows is
            raised while iterating.
        DownloadError: A file could not be fetched, or is not what the server said it was.
        IncompleteDataError: Part of the past is missing and on_incomplete is "raise".
        AperiodicDataError: As `stream`.
    """
    require_websockets()
    history = History.parse(
        api_key=api_key,
        metric=metric,
        interval=interval,
        exchange=exchange,
        symbol=symbol,
        start=start,
        timestamp=timestamp,
        base_url=base_url,
        show_progress=show_progress,
        max_concurrent=max_concurrent,
        on_incomplete=on_incomplete,
    )
    url = parse_stream_url(stream_url, base_url)
    refuse_stray_key(url, api_key, base_url)
    session = Session(
        url,
        history.api_key,
        [history.channel],
        snapshot=False,
        reconnect=reconnect,
        since=history.start_us,
    )
    session.past = history
    return Stream(session, history)
