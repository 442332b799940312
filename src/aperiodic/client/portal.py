"""An event loop in a thread of its own, for blocking calls that share connections."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future

__all__ = ["Portal"]

_POLL_SECONDS: Final = 0.1

T = TypeVar("T")


class Portal:
    """Runs coroutines of several threads on one loop; the loop begins with the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0

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
        return self._loop is not None and self._process == os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is the thread of the loop, which cannot wait for itself."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """End the loop; the next coroutine begins a new one."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None and self._process == os.getpid():
            loop.call_soon_threadsafe(loop.stop)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            # The thread of a parent does not live on in its forked child.
            if self._loop is None or self._process != os.getpid():
                self._loop, self._process = asyncio.new_event_loop(), os.getpid()
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
