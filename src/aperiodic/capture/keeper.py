"""Keeping one planned connection alive: dialling with waits, and a successor before the venue closes it."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, Protocol

from aperiodic.capture.connection import Connection, Stage
from aperiodic.capture.dialling import BackOff
from aperiodic.capture.errors import DialError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.capture.connection import Watcher
    from aperiodic.capture.dialling import DialBudget
    from aperiodic.capture.plan import Planned
    from aperiodic.capture.recorder import Recorder
    from aperiodic.capture.settings import CaptureSettings
    from aperiodic.venues.feed import Feed, Subscription

__all__ = ["House", "Keeper"]

_PROOF_S: Final = 30.0
_SUSPECT_S: Final = 1.0
"""Longest wait while a stream that ends connections is looked for: the budget of dials bounds it, seconds."""

_TICK_S: Final = 0.1
_COUNTRY: Final = 451
_BANNED: Final = 418
_BANNED_S: Final = 120.0
_LIMITED: Final = 429
_LIMITED_S: Final = 16.0


class House(Protocol):
    """What the keepers of one venue share.

    Attributes:
        feed: The venue.
        settings: How it is captured.
        recorder: Takes the lines.
        budget: Dials that are allowed.
        hand_over: Held while a successor is opened as planned, so that never two are at once; that a thin stream of
            it takes long to be proven keeps no other waiting.
    """

    feed: Feed
    settings: CaptureSettings
    recorder: Recorder
    budget: DialBudget
    hand_over: asyncio.Lock

    def urls(self, host: str) -> list[str]:
        """Return the addresses of a class of host."""

    def new_name(self) -> str:
        """Return a short id for a connection."""

    def say(self, words: str) -> None:
        """Take what a person should know."""


class Keeper:
    """Keeps one planned connection.

    Attributes:
        planned: What it is to carry.
        current: The connection that carries it; None while there is none.
        successor: The one that replaces it soon.
        dials: Attempts to connect.
        handed_over: How often a successor took over.
        set_aside: Streams that make the venue cut the connection; they are not asked for any more.
    """

    def __init__(self, house: House, planned: Planned, watcher: Callable[[Keeper], Watcher]) -> None:
        """Prepare.

        Args:
            house: What is shared.
            planned: What the connection is to carry.
            watcher: Makes the one that is told what happens.
        """
        self.planned = planned
        self.current: Connection | None = None
        self.successor: Connection | None = None
        self.dials = self.handed_over = 0
        self.set_aside: list[Subscription] = []
        self._house = house
        self._watcher = watcher(self)
        self._back_off = BackOff(house.settings.capture_most_wait_s)
        self._address = 0
        self._suspects: list[str] = []
        self._closing: Connection | None = None

    async def keep(self) -> None:
        """Keep the connection until this is cancelled."""
        task: asyncio.Task[None] | None = None
        try:
            while True:
                task = await self._open()
                while task is not None:
                    task = await self._until_replaced(task)
                self.current = None
        finally:
            for connection in (self.current, self.successor):
                if connection is not None:
                    await connection.close("capture ends")
            if task is not None:
                await asyncio.gather(task, return_exceptions=True)

    def will_close(self, connection: Connection) -> None:
        """Take that the venue has announced the end of a connection: it is replaced at once."""
        self._closing = connection

    async def add(self, streams: list[Subscription]) -> None:
        """Carry further streams."""
        known = {each.name for each in self.planned.streams}
        self.planned.streams += [each for each in streams if each.name not in known]
        if self.current is not None:
            await self.current.add(streams)

    async def _open(self) -> asyncio.Task[None]:
        """Dial until a connection is open."""
        while True:
            connection = self._new()
            task = await self._try(connection)
            if task is not None:
                self.current = connection
                return task

    async def _try(self, connection: Connection) -> asyncio.Task[None] | None:
        """Dial once; after a failure, wait."""
        while (wait := self._house.budget.take()) > 0:  # noqa: ASYNC110 - a clock ends it
            await asyncio.sleep(wait)
        self.dials += 1
        task = asyncio.create_task(connection.run(self._suspects))
        try:
            while not task.done() and connection.stage is Stage.DIALLING:
                await asyncio.wait({task}, timeout=_TICK_S)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        if not task.done():
            return task
        wait = await self._after_end(connection, task)
        await asyncio.sleep(wait)
        return None

    async def _after_end(self, connection: Connection, task: asyncio.Task[None]) -> float:
        """Return how long to wait after a connection has ended or could not be opened, seconds."""
        lived = time.monotonic() - connection.opened if connection.opened and connection.data else 0.0
        wait = self._back_off.failed(lived)
        try:
            await task
        except DialError as error:
            return self._refused(connection, error, wait)
        self._judge(connection)
        return min(wait, _SUSPECT_S) if self._suspects else wait

    def _refused(self, connection: Connection, error: DialError, wait: float) -> float:
        house = self._house
        house.say(f"{connection.url.partition('?')[0]} cannot be reached: {error.reason}")
        if error.status == _COUNTRY:
            house.say(f"{house.feed.exchange} refuses this country (HTTP 451). {house.feed.geo_hint}")
        if error.status == _BANNED:
            wait = max(wait, _BANNED_S)
        elif error.status == _LIMITED:
            wait = max(wait, _LIMITED_S if error.retry_after_s is None else 0.0)
        self._address += 1
        return max(wait, error.retry_after_s or 0.0)

    def _judge(self, connection: Connection) -> None:
        """Where the venue cut the connection right after a subscription, narrow down which instrument it was."""
        suspects = [] if self._house.feed.limits.names_per_message > 1 else connection.suspects
        confirmed = len(suspects) == 1 and suspects == self._suspects
        self._suspects = [] if confirmed else suspects
        if not confirmed:
            return
        (native,) = suspects
        aside = [each for each in self.planned.streams if each.native == native]
        self.set_aside += aside
        self.planned.streams = [each for each in self.planned.streams if each.native != native]
        self._house.say(
            f"{self._house.feed.exchange} cuts the connection when it is asked for {native}; "
            "it is set aside: check its name"
        )

    async def _until_replaced(self, task: asyncio.Task[None]) -> asyncio.Task[None] | None:
        """Watch the connection until it ends (returns None) or a successor has taken over (returns its task)."""
        settings = self._house.settings
        current = self.current
        if current is None:
            return None
        life = settings.capture_hand_over_s * (1 - 0.02 * random.random())  # noqa: S311 - so that not all end at once
        while not task.done():
            await asyncio.wait({task}, timeout=_TICK_S)
            if task.done():
                break
            if self._closing is current:
                return await self._replace(current, task)
            if current.opened and time.monotonic() - current.opened > life:
                return await self._replace(current, task, self._house.hand_over)
        await asyncio.sleep(await self._after_end(current, task))
        return None

    async def _replace(
        self, current: Connection, task: asyncio.Task[None], turn: asyncio.Lock | None = None
    ) -> asyncio.Task[None]:
        """Open a successor, let both record, then end the old one; carry on with the old one if that fails.

        Args:
            current: The old one.
            task: What reads it.
            turn: Held while the successor is opened; None where it cannot wait for others.
        """
        async with turn or nullcontext():
            following = None
            while following is None:
                successor = self.successor = self._new()
                following = await self._try(successor)
        await self._until_proven(current, successor, following)
        if not task.done() and not following.done():
            overlap = self._house.settings.capture_overlap_s
            await asyncio.wait({task, following}, timeout=overlap, return_when=asyncio.FIRST_COMPLETED)
        self.successor = self._closing = None
        if following.done() and not task.done():
            await asyncio.sleep(await self._after_end(successor, following))
            return task
        self.current = successor
        self.handed_over += 1
        await current.close("handed over")
        await asyncio.gather(task, return_exceptions=True)
        return following

    async def _until_proven(self, current: Connection, successor: Connection, task: asyncio.Task[None]) -> None:
        """Wait until the successor brings what the old one brings, but not for ever."""
        end = time.monotonic() + _PROOF_S
        while not task.done() and time.monotonic() < end and current.stage is not Stage.CLOSED:
            if successor.stage is Stage.LIVE or set(current.proven) <= set(successor.proven):
                return
            await asyncio.wait({task}, timeout=_TICK_S)

    def _new(self) -> Connection:
        house, planned = self._house, self.planned
        urls = house.urls(planned.host)
        channels = list({each.channel.name: each.channel for each in planned.streams}.values())
        url = urls[self._address % len(urls)] + house.feed.path(channels)
        return Connection(
            house.new_name(), house.feed, planned.host, url, planned.streams, house.recorder, self._watcher
        )
