"""Building: plan, have the tasks run, and commit their results; workers never touch the ledger."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from aperiodic.engine.day import DayTask
from aperiodic.engine.month import MonthTask
from aperiodic.engine.parts import compact_ticks
from aperiodic.engine.plan import Selection, plan_days, plan_months
from aperiodic.engine.workers import DAY_REASON, Task, Written, run_day, run_month, run_tasks
from aperiodic.lake import Lake, LakeError, ObjectKey, ObjectKind, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from datetime import date

__all__ = ["BuildReport", "build"]

Named = TypeVar("Named", DayTask, MonthTask, ObjectKey)


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    Attributes:
        days: Days of an instrument that were computed, in whole or in part.
        months: Months of an instrument that were published, in whole or in part.
        files: Published files written, whether or not their content changed.
        notes: What the bars that were computed should be read with, a line for a day of an instrument.
    """

    days: int
    months: int
    files: int
    notes: tuple[str, ...] = ()


def build(
    lake: Lake,
    selection: Selection | None = None,
    *,
    workers: int | None = None,
    again: bool = False,
    broken: Collection[str] = (),
    compact_before: date | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> BuildReport:
    """Compute what is out of date and nothing else, and publish the months it belongs to.

    What the store does not hold as it was written is out of date too. A day is not computed from ticks that are
    missing or damaged, and its month is not published; the others are.

    Args:
        lake: The installation.
        selection: Instruments and days; None for all.
        workers: Processes to compute in; None computes in this one. The result is the same whatever their number.
        again: Whether to compute what is up to date too.
        broken: Paths of bars that are known to be damaged, so that they are computed too.
        compact_before: Take in the parts only of days before this one; None: of all.
        progress: Called with the step ("tasks of days", "tasks of months"; a day of an instrument is several), the tasks done and the tasks in all.

    Raises:
        LakeError: `object_missing` or `object_damaged` when ticks cannot be used, after everything else was built;
            others when the store or the ledger fails or another writer runs. What was committed stays.
    """
    selection = selection or Selection()
    compact_ticks(lake, **selection.filters, before=compact_before)
    instruments = lake.instruments(**selection.filters)
    if not instruments:
        return BuildReport(0, 0, 0)
    run = _Build(lake, selection, instruments, workers, progress or (lambda _step, _done, _total: None))
    with lake.writing(*(Scope(exchange, symbol, "bars") for exchange, symbol in instruments)):
        unusable = run.build(broken, again=again)
        retry, damaged = _second_try(lake, unusable)
        if retry:
            unusable = run.build(damaged)
    if unusable:
        raise _cannot_use(unusable)
    return BuildReport(len(run.days), len(run.months), run.files, tuple(run.notes))


class _Build:
    """Runs the two steps, and counts what they do."""

    def __init__(
        self,
        lake: Lake,
        selection: Selection,
        instruments: Collection[tuple[str, str]],
        workers: int | None,
        report: Callable[[str, int, int], None],
    ) -> None:
        self.days: set[tuple[str, ...]] = set()
        self.months: set[tuple[str, ...]] = set()
        self.files = 0
        self.notes: list[str] = []
        self._lake = lake
        self._selection = selection
        self._instruments = instruments
        self._workers = workers
        self._report = report

    def build(self, broken: Collection[str], *, again: bool = False) -> list[LakeError]:
        """Build what is out of date; return why tasks could not be done."""
        unusable: list[LakeError] = []
        held_up = set()
        days = plan_days(self._lake, self._selection, again=again, broken=broken)
        _retire(self._lake, self._own(days.stale))
        for day, written in self._run("tasks of days", run_day, self._own(days.tasks)):
            if isinstance(written, LakeError):
                unusable.append(written)
                held_up.add((day.exchange, day.symbol, day.family, f"{day.day:%Y-%m}"))
                continue
            _commit(self._lake, written)
            self.days.add((day.exchange, str(day.symbol), str(day.day)))
            for new, _ in written:
                if note := new.reason.removeprefix(DAY_REASON).removeprefix("; "):
                    self.notes.append(f"{day.exchange} {day.symbol} {day.day}: {note}.")
        months = plan_months(self._lake, self._selection, again=again, broken=broken)
        _retire(self._lake, self._own(months.stale))
        tasks = [
            month
            for month in self._own(months.tasks)
            if (month.exchange, month.symbol, month.family, f"{month.month:%Y-%m}") not in held_up
        ]
        for month, written in self._run("tasks of months", run_month, tasks):
            if isinstance(written, LakeError):
                unusable.append(written)
                continue
            _commit(self._lake, written, replaces=_published(self._lake, month))
            self.months.add((month.exchange, str(month.symbol), str(month.month)))
            self.files += len(written)
        return unusable

    def _own(self, some: Iterable[Named]) -> list[Named]:
        """Leave out the instruments that came to be after the leases were taken."""
        return [each for each in some if (each.exchange, str(each.symbol)) in self._instruments]

    def _run(
        self, step: str, function: Callable[[str, Task], Written], tasks: list[Task]
    ) -> Iterator[tuple[Task, Written | LakeError]]:
        self._report(step, 0, len(tasks))
        with closing(run_tasks(function, self._lake.store.url, tasks, self._workers)) as results:
            for done, (task, result) in enumerate(zip(tasks, results, strict=True), 1):
                yield task, result
                self._report(step, done, len(tasks))


def _second_try(lake: Lake, unusable: Sequence[LakeError]) -> tuple[bool, list[str]]:
    """Tell whether building once more would do better, and which bars have to be computed anew for that."""
    records = {error.path: lake.find_path(error.path or "") for error in unusable}
    damaged = [record.path for record in records.values() if record and record.key.kind is ObjectKind.DAY_BARS]
    replaced_meanwhile = None in records.values()
    return replaced_meanwhile or bool(damaged), damaged


def _cannot_use(unusable: Sequence[LakeError]) -> LakeError:
    first = unusable[0]
    others = len({error.path for error in unusable}) - 1
    more = f" So are {others} more." if others else ""
    return LakeError(
        f"{first.message}{more} Nothing was made of them; everything else was built.",
        code=first.code,
        hint=first.hint,
        path=first.path,
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
