"""Building: plan, have the tasks run, and commit their results; workers never touch the ledger."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aperiodic.engine.plan import Selection, plan_days, plan_months
from aperiodic.engine.workers import Written, run_day, run_month, run_tasks
from aperiodic.lake import Lake, ObjectKey, ObjectKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aperiodic.engine.month import MonthTask

__all__ = ["BuildReport", "build"]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    Attributes:
        days: Days of an instrument that were computed, in whole or in part.
        months: Months of an instrument that were published, in whole or in part.
        files: Published files written, whether or not their content changed.
    """

    days: int
    months: int
    files: int


def build(
    lake: Lake,
    selection: Selection | None = None,
    *,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> BuildReport:
    """Compute what is out of date and nothing else, and publish the months it belongs to.

    Args:
        lake: The installation.
        selection: Instruments and days; None for all.
        workers: Processes to compute in; None computes in this one. The result is the same whatever their number.
        progress: Called with the step ("days", "months"), the tasks done and the tasks in all.

    Raises:
        LakeError: When the store or the ledger fails or another writer runs; what was committed stays.
    """
    selection = selection or Selection()
    report = progress or (lambda _step, _done, _total: None)
    files = 0
    with lake.writing():
        days = plan_days(lake, selection)
        _retire(lake, days.stale)
        report("days", 0, len(days.tasks))
        with closing(run_tasks(run_day, lake.store.url, days.tasks, workers)) as results:
            for done, written in enumerate(results, 1):
                _commit(lake, written)
                report("days", done, len(days.tasks))
        months = plan_months(lake, selection)
        _retire(lake, months.stale)
        report("months", 0, len(months.tasks))
        with closing(run_tasks(run_month, lake.store.url, months.tasks, workers)) as results:
            for done, (task, written) in enumerate(zip(months.tasks, results, strict=True), 1):
                _commit(lake, written, replaces=_published(lake, task))
                files += len(written)
                report("months", done, len(months.tasks))
    return BuildReport(
        days=len({(task.exchange, task.symbol, task.day) for task in days.tasks}),
        months=len({(task.exchange, task.symbol, task.month) for task in months.tasks}),
        files=files,
    )


def _commit(lake: Lake, written: Written, replaces: Sequence[ObjectKey] = ()) -> None:
    batch = lake.batch()
    for new, stored in written:
        batch.adopt(new, stored)
    for key in set(replaces) - {new.key for new, _ in written}:
        batch.retire(key)
    batch.commit()


def _retire(lake: Lake, keys: Sequence[ObjectKey]) -> None:
    if keys:
        _commit(lake, [], replaces=keys)


def _published(lake: Lake, task: MonthTask) -> list[ObjectKey]:
    records = lake.current(
        ObjectKind.BARS,
        exchange=task.exchange,
        symbol=str(task.symbol),
        period=f"{task.month:%Y-%m}",
        dataset=list(task.datasets),
    )
    return [record.key for record in records]
