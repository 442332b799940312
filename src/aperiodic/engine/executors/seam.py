"""What every executor can do, and how jobs stream through one: few are under way, however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import TracebackType

    from aperiodic.engine.executors.tasks import Job, Result

__all__ = ["Executor", "stream"]

_MOST_BYTES: Final = 16 << 30
"""So many bytes of inputs the jobs under way have at most; one job may have more."""


class Executor(Protocol):
    """Runs jobs. One that is left by an exception drops what has not begun and waits for the rest."""

    def __enter__(self) -> Self:
        """Begin to use it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let its processes go."""

    def has_room(self) -> bool:
        """Whether another job may begin before a result was taken."""

    def begin(self, job: Job) -> None:
        """Have a job run; call it only where there is room."""

    def take(self) -> tuple[Job, Result]:
        """Wait until a job is done, whichever is first, and return what came of it; call it only after `begin`.

        Raises:
            LakeError: What the job failed with, other than an input that is missing or damaged.
        """


def stream(
    executor: Executor, jobs: Iterator[Job | None], most_bytes: int = _MOST_BYTES
) -> Generator[tuple[Job, Result], None, None]:
    """Yield what comes of jobs as they are done; the next jobs are asked for only when there is room for them.

    Args:
        executor: Where they run.
        jobs: The jobs; None says that there is none before another result was taken.
        most_bytes: Bytes of inputs of all jobs under way; a single job may have more.

    Raises:
        ValueError: `jobs` waits for a result while no job is under way.
        LakeError: See `Executor.take`.
    """
    under_way, size = 0, 0
    waiting: Job | None = None
    more = True
    while True:
        while more and executor.has_room():
            if waiting is None:
                try:
                    waiting = next(jobs)
                except StopIteration:
                    more = False
                    break
            if waiting is None or (under_way and size + waiting.bytes > most_bytes):
                break
            executor.begin(waiting)
            under_way, size, waiting = under_way + 1, size + waiting.bytes, None
        if not under_way:
            if more:
                raise ValueError("The jobs wait for a result, but none is under way.")
            return
        job, result = executor.take()
        under_way, size = under_way - 1, size - job.bytes
        yield job, result
