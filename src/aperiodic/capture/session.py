"""Capturing one venue: connections, books, polls, clock and files under one roof."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from aperiodic.capture.books import Books
from aperiodic.capture.clock import Clock
from aperiodic.capture.dialling import DialBudget
from aperiodic.capture.errors import CaptureError
from aperiodic.capture.keeper import Keeper
from aperiodic.capture.monitor import keep_telling, status_path, tell
from aperiodic.capture.plan import Planned, plan_connections
from aperiodic.capture.polls import keep_polling
from aperiodic.capture.recorder import Recorder, until_flush_s
from aperiodic.capture.rest import RestClient, Weight
from aperiodic.capture.segments import SegmentWriter, in_words
from aperiodic.capture.settings import addresses, check_addresses
from aperiodic.lake.recordings import claim, recover
from aperiodic.market import Stream
from aperiodic.market.instrument import ListingStatus
from aperiodic.venues import RejectedFrameError, venue_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aperiodic.capture.connection import Connection
    from aperiodic.capture.settings import CaptureSettings
    from aperiodic.market.instrument import Instrument
    from aperiodic.venues.feed import Channel, Feed, Subscription

__all__ = ["Session"]

_DAY_S: Final = 86_400.0
_MOST_SAID: Final = 100
_SAID_AGAIN_S: Final = 60.0
_TRADING: Final = ListingStatus.TRADING
_ENDED: Final = frozenset({ListingStatus.SETTLING, ListingStatus.DELISTED})
_TRIES: Final = 2
_TRIES_FOR_ALL: Final = 5


class Session:
    """One shard of one venue.

    Attributes:
        feed: The venue.
        settings: How it is captured.
        recorder: Takes the lines.
        writer: Writes them.
        rest: Asks the REST host.
        books: The numbers of the books.
        clock: The venue's clock.
        keepers: The connections.
        said: What a person should know, the latest last, each with its time, s since the epoch.
        budget: Dials that are allowed.
        hand_over: Held while a connection is replaced as planned.
        natives: The venue's names of the instruments.
        unlisted: Names that were asked for and that the venue does not list.
        listed: Whether the venue has told what it lists.
    """

    def __init__(
        self,
        feed: Feed,
        settings: CaptureSettings,
        channels: Sequence[Channel],
        natives: Sequence[str] | None,
        *,
        shard: str = "s0",
        say: Callable[[str], object] = lambda _words: None,
        follow: Callable[[Subscription, bytes], object] | None = None,
    ) -> None:
        """Prepare; `run` does the rest.

        Args:
            feed: The venue.
            settings: How it is captured.
            channels: What is subscribed to.
            natives: The venue's names of the instruments; None for all that it lists.
            shard: Name of this part of the venue.
            say: Takes what a person should know.
            follow: Takes the data frames of all streams besides, for checks.
        """
        self.feed, self.settings, self.channels = feed, settings, tuple(channels)
        self.natives: list[str] = list(natives or ())
        self.unlisted: list[str] = []
        self.listed = False
        self.shard = shard
        self.said: deque[tuple[float, str]] = deque(maxlen=_MOST_SAID)
        self.keepers: list[Keeper] = []
        self.follow = follow
        self.started = time.time()
        self._all = natives is None
        self._say = say
        self._said_at: dict[str, tuple[float, int]] = {}
        self._names = 0
        self._tried: set[tuple[str, str]] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._keeping: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        check_addresses(feed)
        loop = asyncio.get_running_loop()
        self.writer = SegmentWriter(
            settings.home,
            feed.exchange,
            shard,
            segment_bytes=settings.capture_segment_bytes,
            queue_bytes=settings.capture_queue_bytes,
            floor_bytes=settings.capture_disk_floor_bytes,
            failed=lambda: loop.call_soon_threadsafe(self._stop.set),
            say=lambda words: loop.call_soon_threadsafe(partial(self.say, words, always=True)),
        )
        self.recorder = Recorder(self.writer, feed.read)
        self.recorder.lost = self._lost
        weight = Weight(feed.limits, settings.capture_weight_share)
        self.rest = RestClient(feed, addresses(feed, "rest"), self.recorder, weight, self.say)
        self.books = Books(feed, self.rest)
        self.clock = Clock(feed, self.rest, self.recorder, self.say)
        self.budget = DialBudget(settings.home, feed.exchange, feed.limits)
        self.hand_over = asyncio.Lock()

    def stop(self) -> None:
        """Ask for the end: what was received is written and sealed."""
        self._stop.set()

    async def run(self) -> None:
        """Capture until `stop`.

        Raises:
            CaptureError: It cannot begin, or the disk is full.
            OSError: The system refused to write.
        """
        with self._alone():
            await self._run()

    async def _run(self) -> None:
        self.writer.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                running = [tasks.create_task(self._work()), tasks.create_task(self._flush())]
                running += [tasks.create_task(keep_telling(self)), tasks.create_task(self._recover())]
                await self._stop.wait()
                for task in running:
                    task.cancel()
                for task in list(self._keeping):
                    task.cancel()
        except BaseExceptionGroup as group:
            raise in_words(_first(group), self.settings.home) from None
        finally:
            await self.books.close()
            await self.rest.close()
            self.recorder.flush()
            await asyncio.to_thread(self.writer.finish)
            if self.writer.is_full:
                with suppress(OSError):
                    await asyncio.to_thread(self.writer.finish_full, *self.recorder.owed())
            with suppress(OSError):
                tell(self)
        if self.writer.error is not None:
            raise self.writer.error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Make sure that no other process here captures the same shard."""
        path = status_path(self.settings.home, self.feed.exchange, self.shard).with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file, claim(file) as is_mine:
            if not is_mine:
                raise CaptureError(
                    f"{self.feed.exchange} is captured here already, by a process that also calls itself {self.shard}.",
                    code="captured_already",
                    hint="Stop it first, or give this one another name: --shard a",
                )
            yield

    def urls(self, host: str) -> list[str]:
        """Return the addresses of a class of host."""
        return addresses(self.feed, host)

    def new_name(self) -> str:
        """Return a short id for a connection."""
        self._names += 1
        return f"c{self._names}"

    def say(self, words: str, *, always: bool = False) -> None:
        """Take what a person should know; what is said again within a minute is only counted, unless `always`."""
        now = time.monotonic()
        before = self._said_at.get(words)
        if before is not None and not always and now - before[0] < _SAID_AGAIN_S:
            self._said_at[words] = before[0], before[1] + 1
            return
        if before is None and len(self._said_at) >= _MOST_SAID:
            del self._said_at[next(iter(self._said_at))]
        self._said_at[words] = now, 0
        told = (
            words if before is None or not before[1] else f"{words} ({before[1]:,} times more since it was said last)"
        )
        self.said.append((time.time(), told))
        self._say(told)

    def watcher(self, keeper: Keeper) -> _Watcher:
        """Return the one that is told what a keeper's connections come upon."""
        return _Watcher(self, keeper)

    def keep(self, planned: Planned) -> None:
        """Keep one more connection."""
        if self._tasks is None or self._stop.is_set():
            return
        keeper = Keeper(self, planned, self.watcher)
        self.keepers.append(keeper)
        self._keeping.add(self._tasks.create_task(keeper.keep()))

    def try_otherwise(self, connection: Connection, channel: Channel, streams: Sequence[Subscription]) -> None:
        """Ask for a silent channel in its next other form: on another class of host, or by another name."""
        forms = [
            (host, template)
            for template in (channel.template, *channel.instead)
            for host in (channel.host, *channel.other_hosts)
        ]
        for host, template in forms[1:]:
            wanted = (self.feed.subscription(channel, each.native, template) for each in streams)
            others = [each for each in wanted if (host, each.name) not in self._tried]
            if not others:
                continue
            self._tried.update((host, each.name) for each in others)
            self.say(f"asking for {channel.name} otherwise: {others[0].name} on {host}")
            keeper = next((each for each in self.keepers if each.current is connection), None)
            if host == connection.host and keeper is not None and self._tasks is not None:
                self._tasks.create_task(keeper.add(others))
            else:
                self.keep(Planned(host, f"instead-{channel.name}", others))
            return

    async def _work(self) -> None:
        """Learn what is listed, then connect, ask and measure."""
        await self._learn()
        channels = self.channels
        for planned in plan_connections(self.feed, channels, self.natives):
            self.keep(planned)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.clock.keep_measuring())
            tasks.create_task(self.clock.keep_looking())
            tasks.create_task(self._keep_learning())
            wanted = {stream for channel in channels if channel.host == "rest" for stream in channel.streams}
            if Stream.OPEN_INTEREST in wanted:
                tasks.create_task(keep_polling(self.rest, self.feed.polls(self.natives)))

    async def _learn(self) -> None:
        """Ask what the venue lists: what is asked for but not listed is left out, and said."""
        listed: list[Instrument] = []
        for attempt in range(_TRIES_FOR_ALL if self._all else _TRIES):
            await asyncio.sleep(attempt)
            answer = await self.rest.ask(self.feed.instruments())
            if answer.is_good and (listed := self._read_listed(answer.body)):
                break
        if not listed:
            if self._all:
                raise CaptureError(
                    f"{self.feed.exchange} does not tell which instruments it lists.",
                    code="no_instruments",
                    hint="Name the symbols, or try again later: aperiodic doctor tells whether the host can be reached.",
                )
            self.say(f"{self.feed.exchange} does not tell which instruments it lists; going by the names given")
            return
        self.listed = True
        if self._all:
            self.natives = self._trading(listed)
            return
        known = {each.native for each in listed if each.status not in _ENDED}
        self.unlisted = [native for native in self.natives if native not in known]
        self.natives = [native for native in self.natives if native in known]
        for native in self.unlisted:
            self.say(f"{self.feed.exchange} does not list {native}; it is left out")
        if not self.natives:
            raise CaptureError(
                f"{self.feed.exchange} lists none of the symbols.",
                code="not_listed",
                hint=f"See what it lists: aperiodic instruments --exchange {self.feed.exchange} --refresh",
            )

    @staticmethod
    def _trading(listed: list[Instrument]) -> list[str]:
        return [each.native for each in listed if each.symbol.kind != "future" and each.status is _TRADING]

    def _read_listed(self, body: bytes) -> list[Instrument]:
        try:
            return venue_of(self.feed.exchange).listed(body) or []
        except RejectedFrameError as error:
            self.say(f"the list of instruments cannot be read: {error.reason}")
            return []

    async def _keep_learning(self) -> None:
        while True:
            await asyncio.sleep(_DAY_S)
            answer = await self.rest.ask(self.feed.instruments())
            if not self._all or not answer.is_good:
                continue
            new = [each for each in self._trading(self._read_listed(answer.body)) if each not in self.natives]
            self.natives += new
            for native in new:
                self.say(f"{self.feed.exchange} lists {native} since today; it is captured from now on")
            for planned in plan_connections(self.feed, self.channels, new):
                self.keep(planned)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(until_flush_s(time.time() * 1_000))
            self.recorder.flush()

    async def _recover(self) -> None:
        """Seal what earlier captures left; that takes its time, and nothing waits for it."""
        for recording, sidecar in await asyncio.to_thread(recover, self.settings.home, self.feed.exchange):
            self.say(f"sealed what an earlier capture left: {recording.path.name}, {sidecar.frames:,} frames")

    def _lost(self, streams: set[str]) -> None:
        """Fetch the books anew of which frames were lost here: the venue's numbers have no hole, the recording has."""
        connections = (each for keeper in self.keepers for each in (keeper.current, keeper.successor))
        states = (
            each.streams[name] for each in connections if each is not None for name in streams & set(each.streams)
        )
        for native in {each.subscription.native for each in states if Stream.BOOK in each.subscription.channel.streams}:
            self.books.begin_again(native)


def _first(error: BaseException) -> BaseException:
    """Return the first error of a group that holds groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class _Watcher:
    """Hands on what a connection comes upon."""

    def __init__(self, session: Session, keeper: Keeper) -> None:
        self._session, self._keeper = session, keeper

    def watch(self, stream: Subscription) -> Callable[[bytes, int], object] | None:
        books, follow = self._session.books, self._session.follow
        watch = books.watch(stream.native) if Stream.BOOK in stream.channel.streams else None
        if follow is None:
            return watch
        followed = follow

        def both(message: bytes, local: int) -> None:
            followed(stream, message)
            if watch is not None:
                watch(message, local)

        return both

    def will_close(self, connection: Connection) -> None:
        self._keeper.will_close(connection)

    def silent_channel(self, connection: Connection, channel: Channel, streams: Sequence[Subscription]) -> None:
        self._session.try_otherwise(connection, channel, streams)

    def say(self, words: str) -> None:
        self._session.say(words)
