"""Running a coroutine to its end from ordinary code, also where an event loop is already running."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["run_blocking"]

_POLL_SECONDS: Final = 0.1

T = TypeVar("T")


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the coroutine's result, blocking the calling thread until then.

    Inside a running event loop (a notebook) it runs on a loop of its own in a thread of its own. Ctrl-C cancels it
    either way.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    return _run_in_thread(coroutine)


def _run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    caller = asyncio.current_task()
    cancellations = 0 if caller is None else caller.cancelling()
    loop = asyncio.new_event_loop()
    task = loop.create_task(coroutine)
    ended = threading.Event()
    thread = threading.Thread(target=_drive, args=(loop, task, ended), name="aperiodic")
    thread.start()
    try:
        # An event, because Ctrl-C during Thread.join makes Python 3.11 take the thread for ended. With a timeout,
        # because Windows delivers Ctrl-C only between waits.
        while not ended.wait(_POLL_SECONDS):
            _raise_if_cancelled(caller, cancellations)
    except BaseException:
        with suppress(RuntimeError):  # the loop has just closed: there is nothing left to cancel
            loop.call_soon_threadsafe(task.cancel)
        ended.wait()
        raise
    thread.join()
    return task.result()


def _raise_if_cancelled(caller: asyncio.Task[Any] | None, cancellations: int) -> None:
    # Under asyncio.run, Ctrl-C only marks the caller's task, which cannot react while it is blocked.
    if caller is not None and caller.cancelling() > cancellations:
        raise asyncio.CancelledError


def _drive(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], ended: threading.Event) -> None:
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_settle(task))
    finally:
        ended.set()


async def _settle(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])
