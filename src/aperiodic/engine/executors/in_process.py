"""Tasks in this process, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from aperiodic.engine.executors.tasks import attempt, run_task

if TYPE_CHECKING:
    from types import TracebackType

    from aperiodic.engine.executors.tasks import Function, Job, Result

__all__ = ["InProcess"]


class InProcess:
    """Runs a job when its result is asked for.

    Args:
        store_url: Where tasks read and write.
        function: Runs a task.
    """

    def __init__(self, store_url: str, function: Function = run_task) -> None:
        self._store_url = store_url
        self._function = function
        self._job: Job | None = None

    def __enter__(self) -> Self:
        """Begin to use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to let go."""

    def has_room(self) -> bool:
        """Whether no job waits."""
        return self._job is None

    def begin(self, job: Job) -> None:
        """Keep a job until its result is asked for."""
        self._job = job

    def take(self) -> tuple[Job, Result]:
        """Run the job."""
        if self._job is None:
            raise ValueError("No job has begun.")
        job, self._job = self._job, None
        return job, attempt(self._function, self._store_url, job.task)
