"""What a task is and how one is run, wherever: it reads the store, writes to it, and never touches the ledger.

What it is computed with is imported by who runs one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from aperiodic.lake import LakeError, NewObject, ObjectKey, Store, StoredObject
from aperiodic.lake.errors import UNUSABLE
from aperiodic.lake.writing import parquet_bytes, put_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.engine.day import DayTask
    from aperiodic.engine.month import MonthTask

__all__ = ["DAY_REASON", "Function", "Job", "Result", "Task", "Written", "attempt", "run_task"]

Task: TypeAlias = "DayTask | MonthTask"
Written: TypeAlias = list[tuple[NewObject, StoredObject]]
Result: TypeAlias = Written | LakeError

if TYPE_CHECKING:
    Function: TypeAlias = Callable[[str, Task], Written]

DAY_REASON: Final = "ticks or engine changed"
"""Why bars of a day are written anew; the ledger keeps it, with notes about the ticks after it."""

_ROWS_OF_A_GROUP: Final = 32_768
"""Of bars of a day: those of 15 seconds and longer are in one group, and can be read without the seconds."""


@dataclass(frozen=True, slots=True)
class Job:
    """A task that was planned.

    Attributes:
        task: What to do.
        bytes: Size of its inputs in the store.
        number: Counts the jobs of a build in the order in which they were planned.
    """

    task: Task
    bytes: int
    number: int


def run_task(store_url: str, task: Task) -> Written:
    """Compute the bars of a day or the files of a month and put them into the store.

    Raises:
        LakeError: The store failed, or holds an input not as it was written.
    """
    from aperiodic.engine.day import DayTask  # noqa: PLC0415 - see the top of this module
    from aperiodic.engine.month import publish_month  # noqa: PLC0415

    store = _store(store_url)
    return _run_day(store, task) if isinstance(task, DayTask) else publish_month(store, task)


def attempt(function: Function, store_url: str, task: Task) -> Result:
    """Run a task; return the error when an input is missing or damaged, for the tasks beside it do not need that one.

    Args:
        function: `run_task`, or what takes its place in a test.
        store_url: Where tasks read and write.
        task: What to do.
    """
    try:
        return function(store_url, task)
    except LakeError as error:
        if error.code not in UNUSABLE:
            raise
        return error


def _run_day(store: Store, task: DayTask) -> Written:
    from aperiodic.engine.day import compute_day  # noqa: PLC0415

    notes: list[str] = []
    bars = compute_day(store, task, notes)
    new = NewObject(
        key=ObjectKey.day_bars(task.family, task.exchange, task.symbol, task.day),
        rows=bars.height,
        source=task.source,
        fingerprint=task.fingerprint,
        reason="; ".join((DAY_REASON, *notes)),
    )
    data = parquet_bytes(bars, rows_of_a_group=_ROWS_OF_A_GROUP)
    return [(new, put_object(store, new.key, data))]


@cache
def _store(url: str) -> Store:
    return Store(url)
