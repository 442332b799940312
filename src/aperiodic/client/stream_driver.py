"""Reading an asynchronous stream from ordinary code: its event loop runs in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType

__all__ = ["Driver", "refuse_other_process"]

_POLL_SECONDS: Final = 0.5

T = TypeVar("T")


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

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the coroutine's result; Ctrl-C cancels it. One runs at a time, and ends before the next begins.

        Raises:
            AperiodicDataError: `forked_process`.
        """
        if self.gone:
            coroutine.close()
            refuse_other_process(self._pid)
        future = asyncio.run_coroutine_threadsafe(self._in_turn(coroutine), self.loop)
        try:
            while not future.done():
                try:
                    # With a timeout, because Windows delivers Ctrl-C only between waits.
                    return future.result(_POLL_SECONDS)
                except TimeoutError:
                    if future.done():
                        raise
            return future.result()
        except BaseException:
            future.cancel()
            raise

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


def refuse_other_process(pid: int) -> None:
    """Refuse to read a connection that belongs to the process from which this one was forked.

    Raises:
        AperiodicDataError: `forked_process`.
    """
    if os.getpid() != pid:
        raise AperiodicDataError(
            "The stream was opened in the process from which this one was forked.",
            code="forked_process",
            hint="Open a stream in each process that reads one.",
        )
