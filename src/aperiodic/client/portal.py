"""An event loop in a thread of its own, for blocking calls that share connections."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aperiodic.client.forks import begin_anew_in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

__all__ = ["Portal"]

_POLL_SECONDS: Final = 0.1

T = TypeVar("T")


class Portal:
    """Runs coroutines of several threads on one loop; the loop begins with the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._beginning = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        begin_anew_in_child(self)

    def begin_anew(self) -> object:
        """Forget the loop of the parent, whose thread does not live on, and locks that may have been held."""
        of_parent = self._loop, self._thread
        self._lock, self._beginning = threading.Lock(), threading.Lock()
        self._loop = self._thread = None
        return of_parent

    def begin_with(self, first: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have a loop run in which this was the first work and has ended; who comes meanwhile waits for that."""
        with self._beginning:
            if not self.is_running:
                self.run(first())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the coroutine's result, blocking the calling thread; Ctrl-C cancels it."""
        future = self.submit(coroutine)
        try:
            while True:
                try:
                    # With a timeout, because Windows delivers Ctrl-C only between waits.
                    return future.result(_POLL_SECONDS)
                except TimeoutError:
                    if future.done():
                        raise  # the coroutine's own
        except BaseException:
            future.cancel()
            raise

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin a coroutine."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._started())

    @property
    def is_running(self) -> bool:
        """Whether there is a loop in this process."""
        return self._loop is not None

    @property
    def is_here(self) -> bool:
        """Whether this is the thread of the loop, which cannot wait for itself."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """End the loop; the next coroutine begins a new one."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(self._loop,), name="aperiodic", daemon=True)
                self._thread.start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
