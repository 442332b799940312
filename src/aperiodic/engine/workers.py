"""Running tasks: in this process, or in worker processes whose memory does not pile up."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import repeat
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Final, TypeVar

from aperiodic.engine.day import DayTask, compute_day
from aperiodic.engine.month import MonthTask, publish_month
from aperiodic.lake import LakeError, NewObject, ObjectKey, Store, StoredObject
from aperiodic.lake.errors import UNUSABLE
from aperiodic.lake.lake import parquet_bytes, put_object

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

__all__ = [
    "DAY_REASON",
    "Task",
    "Written",
    "end_with_parent",
    "run_day",
    "run_month",
    "run_tasks",
    "workers_environment",
]

Written = list[tuple[NewObject, StoredObject]]
Task = TypeVar("Task", DayTask, MonthTask)

DAY_REASON: Final = "ticks or engine changed"
"""Why bars of a day are written anew; the ledger keeps it, with notes about the ticks after it."""

_TASKS_OF_A_WORKER: Final = 64
"""After about so many a worker is replaced, so that no leak can pile up.

Not by the pool's `max_tasks_per_child`: with it, a pool waits for ever once its only worker has ended."""

_ENVIRONMENT: Final = {
    # The processes are the parallelism.
    "POLARS_MAX_THREADS": "1",
    # Give freed memory back after a second, in Polars' allocator, and at once in the C library's that NumPy uses. As they
    # are, they keep it, and tasks of different shapes cannot use what the others left; at once costs half as much time
    # in the system again.
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:1000,muzzy_decay_ms:0",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
}
"""Variables that workers read when they start."""


def run_day(store_url: str, task: DayTask) -> Written:
    """Compute the bars of a day and put them into the store."""
    store = _store(store_url)
    notes: list[str] = []
    bars = compute_day(store, task, notes)
    new = NewObject(
        key=ObjectKey.day_bars(task.family, task.exchange, task.symbol, task.day),
        rows=bars.height,
        source=task.source,
        fingerprint=task.fingerprint,
        reason="; ".join((DAY_REASON, *notes)),
    )
    return [(new, put_object(store, new.key, parquet_bytes(bars)))]


def run_month(store_url: str, task: MonthTask) -> Written:
    """Compute the files of a month and put them into the store."""
    return publish_month(_store(store_url), task)


def run_tasks(
    function: Callable[[str, Task], Written], store_url: str, tasks: Sequence[Task], workers: int | None
) -> Generator[Written | LakeError, None, None]:
    """Yield the results of tasks in the order of the tasks; of one whose input is missing or damaged, the error.

    Args:
        function: Runs a task; known by name to workers.
        store_url: Where tasks read and write.
        tasks: What to run.
        workers: Processes; None runs tasks in this one, each when its result is asked for.
    """
    if workers is None:
        yield from (_attempt(function, store_url, task) for task in tasks)
        return
    at_once = workers * _TASKS_OF_A_WORKER
    for begin in range(0, len(tasks), at_once):
        some = tasks[begin : begin + at_once]
        with (
            workers_environment(),
            ProcessPoolExecutor(
                min(workers, len(some)), mp_context=get_context("spawn"), initializer=end_with_parent
            ) as pool,
        ):
            with _interrupts_wait():
                results = pool.map(_attempt, repeat(function), repeat(store_url), some)
            yield from results


def _attempt(function: Callable[[str, Task], Written], store_url: str, task: Task) -> Written | LakeError:
    """Run a task; the tasks beside it do not need the inputs that this one cannot use."""
    try:
        return function(store_url, task)
    except LakeError as error:
        if error.code not in UNUSABLE:
            raise
        return error


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Hold back Ctrl-C while workers are started, which inherit that and keep it.

    It reaches every process of a terminal: this one ends the build, and workers have nothing to say to it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def workers_environment() -> Iterator[None]:
    """Set the variables of worker processes for those that are started within."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@cache
def _store(url: str) -> Store:
    return Store(url)


def end_with_parent() -> None:
    """Make this worker end when its parent is killed; it would wait for tasks for ever."""

    def wait() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
