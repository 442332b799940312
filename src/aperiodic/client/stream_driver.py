"""Reading an asynchronous stream from ordinary code: its event loop runs in a thread of its own, a little ahead."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine
    from concurrent.futures import Future
    from types import TracebackType

__all__ = ["Ahead", "Driver"]

_POLL_SECONDS: Final = 0.5

_AHEAD: Final = 256

T = TypeVar("T")
S = TypeVar("S")


class Driver:
    """A thread with an event loop; signs of life are answered there also while the caller works on a row.

    The thread is a daemon: a stream that was left open does not keep a program from ending.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._turn = asyncio.Lock()
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._drive, name="aperiodic-stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.gone:
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    @property
    def gone(self) -> bool:
        """Whether the thread cannot answer: the interpreter ends, or this process was forked from that of the thread."""
        return sys.is_finalizing() or os.getpid() != self._pid

    def check(self) -> None:
        """Refuse to go on where the thread cannot answer.

        Raises:
            AperiodicDataError: `forked_process`.
        """
        if self.gone:
            raise AperiodicDataError(
                "The stream was opened in the process from which this one was forked.",
                code="forked_process",
                hint="Open a stream in each process that reads one.",
            )

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Let a coroutine run. One runs at a time, and ends before the next begins."""
        return asyncio.run_coroutine_threadsafe(self._in_turn(coroutine), self.loop)

    async def _in_turn(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            async with self._turn:
                return await coroutine
        finally:
            coroutine.close()  # if it never began

    def _drive(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        finally:
            self.loop.close()


class Ahead(Generic[T, S]):
    """Reads events ahead of the caller, who does not wait for the thread at each; what fits not waits at the server.

    Args:
        driver: Whose thread reads.
        events: Where they come from; whoever made them closes them.
        state: Returns what is known after an event, which is kept beside it.

    Attributes:
        taken: What was known after the event that the caller took last.
        blocked: Whether the caller waits for the next one, and so has taken all there are.
    """

    def __init__(self, driver: Driver, events: AsyncGenerator[T], state: Callable[[], S]) -> None:
        self.taken = state()
        self.blocked = False
        self._driver = driver
        self._events = events
        self._state = state
        self._ready: deque[tuple[T, S]] = deque()
        self._told = threading.Event()
        self._room = asyncio.Event()
        self._reading = driver.start(self._read())
        self._reading.add_done_callback(lambda _: self._told.set())

    def next(self) -> T | None:
        """Return the next event, None at the end.

        Raises:
            AperiodicDataError: `forked_process`.
            Exception: What the events raise, after the last of them.
        """
        self._driver.check()
        try:
            while not self._ready:
                if self._reading.done() and not self._ready:
                    self._reading.result()
                    return None
                self.blocked = True
                # With a timeout, because Windows delivers Ctrl-C only between waits.
                self._told.wait(_POLL_SECONDS)
                self._told.clear()
        finally:
            self.blocked = False
        event, self.taken = self._ready.popleft()
        if len(self._ready) == _AHEAD // 2:
            self._driver.loop.call_soon_threadsafe(self._room.set)
        return event

    def close(self, last: Coroutine[Any, Any, object]) -> None:
        """Stop reading, then wait for a last coroutine."""
        if self._driver.gone:
            last.close()
            return
        self._reading.cancel()
        self._driver.start(last).result()

    async def _read(self) -> None:
        async for event in self._events:
            self._ready.append((event, self._state()))
            self._told.set()
            while len(self._ready) >= _AHEAD:
                self._room.clear()
                if len(self._ready) >= _AHEAD:
                    await self._room.wait()
