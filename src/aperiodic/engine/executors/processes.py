"""Tasks in worker processes of this machine, whose memory does not pile up."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import TYPE_CHECKING, Final, Self

from aperiodic.engine.executors.tasks import attempt, run_task
from aperiodic.lake import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from types import TracebackType

    from aperiodic.engine.executors.tasks import Function, Job, Result

__all__ = ["ENVIRONMENT", "TASKS_OF_A_WORKER", "Processes", "end_with_parent", "workers_environment"]

TASKS_OF_A_WORKER: Final = 256
"""After about so many a worker is replaced, so that no leak can pile up.

Not by the pool's `max_tasks_per_child`: with it, a pool waits for ever once its only worker has ended."""

ENVIRONMENT: Final = {
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

_AHEAD: Final = 2
"""Jobs a worker has, one of which it runs."""


class Processes:
    """Runs jobs in processes, which begin with the first job.

    Args:
        store_url: Where tasks read and write.
        workers: How many processes.
        function: Runs a task; known by name to workers.
    """

    def __init__(self, store_url: str, workers: int, function: Function = run_task) -> None:
        self._store_url = store_url
        self._workers = workers
        self._function = function
        self._pool: ProcessPoolExecutor | None = None
        self._begun = 0
        self._under_way: dict[Future[Result], Job] = {}
        self._done: list[Future[Result]] = []

    def __enter__(self) -> Self:
        """Begin to use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the jobs that run, and let the processes end."""
        self._end()
        self._under_way.clear()
        self._done.clear()

    def has_room(self) -> bool:
        """Whether a worker can have a job; while workers that have done their share finish, none can."""
        if self._is_worn():
            return not self._under_way
        return len(self._under_way) < self._workers * _AHEAD

    def begin(self, job: Job) -> None:
        """Hand a job to the workers."""
        if self._is_worn():
            self._end()
        if self._pool is None:
            spawn = get_context("spawn")
            self._pool = ProcessPoolExecutor(self._workers, mp_context=spawn, initializer=end_with_parent)
            self._begun = 0
        with workers_environment(), _interrupts_wait(), _workers_live():
            future = self._pool.submit(attempt, self._function, self._store_url, job.task)
        self._begun += 1
        self._under_way[future] = job

    def take(self) -> tuple[Job, Result]:
        """Wait for the first job that is done.

        Raises:
            LakeError: `worker_lost` when a worker process was killed; others as the task raised it.
        """
        if not self._done:
            self._done.extend(wait(self._under_way, return_when=FIRST_COMPLETED).done)
        future = self._done.pop()
        job = self._under_way.pop(future)
        with _workers_live():
            return job, future.result()

    def _is_worn(self) -> bool:
        return self._begun >= self._workers * TASKS_OF_A_WORKER

    def _end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


@contextmanager
def _workers_live() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise LakeError(
            "A worker process ended before its task was done; the system may have killed it for its memory.",
            code="worker_lost",
            hint="What was built stays. Run the command again, with fewer --workers if memory was short.",
        ) from error


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
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def end_with_parent() -> None:
    """Make this worker end when its parent is killed; it would wait for tasks for ever."""

    def wait_for_parent() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait_for_parent, daemon=True).start()
