"""Tasks in this process while there are few, and in processes when there are more.

A process takes longer to start than the tasks of a small day take.
"""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from aperiodic.engine.executors.in_process import InProcess
from aperiodic.engine.executors.processes import Processes, workers_environment
from aperiodic.engine.executors.tasks import run_task

if TYPE_CHECKING:
    from types import TracebackType

    from aperiodic.engine.executors.tasks import Function, Job, Result

__all__ = ["FEW_BYTES", "FEW_JOBS", "AsNeeded"]

FEW_JOBS: Final = 16
FEW_BYTES: Final = 12 << 20
"""A build of at most so many jobs, with so many bytes of inputs together, runs in this process."""


class AsNeeded:
    """Keeps the first jobs until there are no more or too many, and then runs them here or in processes.

    Processes are started once for a build: when it turns out to be larger, all that has not run yet goes to them.

    Args:
        store_url: Where tasks read and write.
        workers: How many processes.
        function: Runs a task; known by name to workers.
    """

    def __init__(self, store_url: str, workers: int, function: Function = run_task) -> None:
        self._here = InProcess(store_url, function)
        self._processes = Processes(store_url, workers, function)
        self._environment = ExitStack()
        self._kept: deque[Job] = deque()
        self._jobs = 0
        self._bytes = 0

    def __enter__(self) -> Self:
        """Begin to use it."""
        # Polars, where it is first loaded from here on, has one thread: more cost small tasks more than they bring.
        self._environment.enter_context(workers_environment())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what has not begun, and let the processes end."""
        self._kept.clear()
        self._environment.close()
        self._processes.__exit__(kind, error, trace)

    def has_room(self) -> bool:
        """Whether few jobs were begun so far, or a process can have one."""
        return self._are_few() or self._processes.has_room()

    def begin(self, job: Job) -> None:
        """Keep a job, or hand it and all that are kept to processes."""
        self._jobs += 1
        self._bytes += job.bytes
        self._kept.append(job)
        if not self._are_few():
            while self._kept:
                self._processes.begin(self._kept.popleft())

    def take(self) -> tuple[Job, Result]:
        """Run the first job that is kept, or wait for one that is done in a process.

        Raises:
            LakeError: See `Processes.take`.
        """
        if not self._kept:
            return self._processes.take()
        self._here.begin(self._kept.popleft())
        with (
            workers_environment()
        ):  # threads, which Polars begins when it first computes, cost small tasks more than they bring
            return self._here.take()

    def _are_few(self) -> bool:
        return self._jobs <= FEW_JOBS and self._bytes <= FEW_BYTES
