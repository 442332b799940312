"""One exchange: who listens, and how its market is told."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from aperiodic.mock.disturbance import Disturbance
from aperiodic.mock.market import Market
from aperiodic.mock.snapshots import Snapshots, Told
from aperiodic.mock.trouble import Trouble, named_natively
from aperiodic.mock.weights import Weights
from aperiodic.mock.wire import wire_of
from aperiodic.venues.registry import feed_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from aperiodic.market import Exchange
    from aperiodic.mock.disturbance import Delivery
    from aperiodic.mock.faults import Fault
    from aperiodic.mock.messages import Message, Source
    from aperiodic.mock.session import Session
    from aperiodic.mock.settings import MockSettings
    from aperiodic.mock.truth import Truth

__all__ = ["VenueServer"]

_BATCH: Final = 500
_LONGEST_WAIT_S: Final = 0.02
_WATCH_S: Final = 0.05


class VenueServer:
    """The server side of one exchange.

    Attributes:
        exchange: Its name.
        feed: What is known of its live side.
        settings: How the mock behaves.
        wire: How it writes.
        market: What it knows.
        sessions: Open connections, by their names in the truth log.
        weights: REST weight used.
        trouble: What goes wrong.
        truth: Log of what was sent.
        began: Set when the first message was told.
        finished: Set when there is nothing more to tell.
        failure: What ended a task of the server that should not have ended; None while all is well.
    """

    def __init__(self, exchange: Exchange, sources: Sequence[Source], settings: MockSettings, truth: Truth) -> None:
        self.exchange = exchange
        self.feed = feed_of(exchange)
        self.settings = settings
        self.wire = wire_of(exchange)
        self.truth = truth
        self.market = Market()
        self.sessions: dict[str, Session] = {}
        self.trouble = Trouble(self)
        self.weights = Weights(self.feed.limits.weight, self.feed.limits.weight_s, self.now_us)
        self._snapshots = Snapshots(self.market, settings, self._is_finished)
        self.began = asyncio.Event()
        self.finished = asyncio.Event()
        self.failure: BaseException | None = None
        self._sources = sources
        self._faults = sorted((fault for fault in settings.faults if fault.exchange == exchange), key=attrgetter("at"))
        self._disturbance = Disturbance(self.wire)
        self._paused_us = 0
        self._dials: deque[float] = deque()
        self._listeners: dict[str, list[Session]] = {}
        self._wanted: set[str] = set()
        self._wanted_at = 0.0
        self._listened = asyncio.Event()
        self._dirty: set[Session] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def prepare(self) -> None:
        """Let the sources do what takes time."""
        for source in self._sources:
            source.prepare()
        self.market.learn(self._sources)

    def start(self) -> None:
        """Begin to tell, or to wait for somebody who listens."""
        self._spawn(self._tell())
        self._spawn(self._watch())

    async def stop(self) -> None:
        """Tell nothing more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def now_us(self) -> int:
        """Return the venue's time, µs."""
        skew = self.trouble.state("clock_skew")
        return time.time_ns() // 1_000 + (skew.ms * 1_000 if skew else 0)

    async def book(self, native: str) -> Told | None:
        """Return what answers a request for a snapshot; None when the book is not known in time."""
        old = self.trouble.old_book(native)
        return await self._snapshots.ask(native) if old is None else Told(old, is_old=True)

    def lowered(self, native: str) -> int:
        """Return by how much the numbers of a book are lower than those of the source."""
        return self._disturbance.lowered(native)

    def dialled(self) -> bool:
        """Count a new connection; return whether there were too many."""
        limits, now = self.feed.limits, time.monotonic()
        while self._dials and self._dials[0] <= now - limits.dials_s:
            self._dials.popleft()
        self._dials.append(now)
        if not self.settings.dial_limits:
            return False
        most = limits.connections
        return len(self._dials) > limits.dials or (most is not None and len(self.sessions) >= most)

    def subscribe(self, session: Session, stream: str) -> None:
        """Let a session listen."""
        listeners = self._listeners.setdefault(stream, [])
        if session not in listeners:
            listeners.append(session)
        self._wanted.add(stream)
        if stream in self.market.streams:
            self._wanted_at = time.monotonic()
            self._listened.set()

    def unsubscribe(self, session: Session, stream: str) -> None:
        """Let a session no longer listen; what nobody wants any more is not missed."""
        listeners = self._listeners.get(stream, [])
        if session in listeners:
            listeners.remove(session)
            if not listeners:
                self._wanted.discard(stream)

    def forget(self, session: Session) -> None:
        """Take a session out that is gone."""
        self.sessions.pop(session.name, None)
        self._dirty.discard(session)
        for listeners in self._listeners.values():
            if session in listeners:
                listeners.remove(session)

    def disturb(self, fault: Fault) -> None:
        """Let a fault begin now."""
        self.truth.event("fault", self.exchange, fault=fault)
        fault = named_natively(fault)
        if self._disturbance.takes(fault):
            books = self.market.books.items()
            self._disturbance.begin(fault, {name: book.number for name, book in books if book.number is not None})
        else:
            self.trouble.begin(fault)

    async def _tell(self) -> None:
        await self._wait_for_listeners()
        now = time.time_ns() // 1_000
        told = heapq.merge(*(source.begin(now) for source in self._sources), key=attrgetter("due"))
        self.began.set()
        self.truth.event("begin", self.exchange)
        self._spawn(self._disturb_all())
        try:
            await self._tell_all(told)
        finally:
            self.truth.event("end", self.exchange)
            self.truth.flush()
            self.finished.set()

    async def _wait_for_listeners(self) -> None:
        if self.settings.at_once or not any(source.waits for source in self._sources):
            return
        await self._listened.wait()
        left = self.settings.settle_s
        while left > 0:
            await asyncio.sleep(left)
            left = self._wanted_at + self.settings.settle_s - time.monotonic()

    async def _tell_all(self, told: Iterable[Message]) -> None:
        now, batch = time.time_ns() // 1_000, 0
        for message in told:
            due = message.due + self._paused_us
            if due > now or batch >= _BATCH:
                self._flush()
                # Even one that is behind lets the others have their turn.
                await asyncio.sleep(0)
                self._release()
                now, batch = time.time_ns() // 1_000, 0
                while due > now:
                    await asyncio.sleep(min((due - now) / 1e6, _LONGEST_WAIT_S))
                    self._release()
                    now = time.time_ns() // 1_000
            batch += 1
            self._publish(message)
            if self._snapshots.is_due(message) and self._is_heard(message.native):
                await self._wait_at_snapshot(message.native)
        self._flush()
        while self._disturbance.holds:
            await asyncio.sleep(_LONGEST_WAIT_S)
            self._release()

    def _is_finished(self) -> bool:
        return self.finished.is_set()

    def _is_heard(self, native: str) -> bool:
        """Whether somebody listens to the book of an instrument."""
        return any(
            listeners and self.wire.counts_book(stream) and listeners[0].is_of(stream, native)
            for stream, listeners in self._listeners.items()
        )

    async def _wait_at_snapshot(self, native: str) -> None:
        self._flush()
        began = time.monotonic()
        await self._snapshots.hand_over(native)
        self._paused_us += int((time.monotonic() - began) * 1e6)

    def _publish(self, message: Message) -> None:
        self.market.change(message)
        if not message.stream:
            return
        if self._disturbance.idle:
            self._deliver(message)
        else:
            for delivery in self._disturbance.pass_on(message):
                self._disturbed(delivery)

    def _disturbed(self, delivery: Delivery) -> None:
        message = delivery.message
        if not delivery.lost:
            self._deliver(message, delivery.note)
            return
        if message.stream in self._wanted:
            self.truth.message("withheld", self.exchange, message, more=delivery.lost)
        if delivery.junk:
            for session in list(self._listeners.get(message.stream, ())):
                session.junk(delivery.junk, delivery.lost)

    def _deliver(self, message: Message, note: str = "") -> None:
        self.market.told(message)
        listeners = self._listeners.get(message.stream)
        if not listeners:
            if message.stream in self._wanted:
                self.truth.message("missed", self.exchange, message, more="not_subscribed")
            return
        for session in listeners:
            if not session.hears(message):
                self.truth.message("missed", self.exchange, message, session.name, "wrong_class")
            elif session.deliver(message):
                self._dirty.add(session)
                self.truth.message("sent", self.exchange, message, session.name, note)
            else:
                self.truth.message("missed", self.exchange, message, session.name, "not_open")

    def _release(self) -> None:
        """Send what was held back long enough."""
        if self._disturbance.holds:
            for delivery in self._disturbance.overdue():
                self._disturbed(delivery)
            self._flush()

    def _flush(self) -> None:
        for session in list(self._dirty):
            session.flush()
        self._dirty.clear()

    async def _watch(self) -> None:
        """Keep the times of the venue: pings, idle connections, the end of a connection's life."""
        while True:
            await asyncio.sleep(_WATCH_S)
            now = time.monotonic()
            for session in list(self.sessions.values()):
                session.watch(now)
            self.truth.flush()

    async def _disturb_all(self) -> None:
        await self._listened.wait()
        began = time.monotonic()
        for fault in self._faults:
            await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
            self.disturb(fault)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and self.failure is None:
            self.failure = task.exception()
