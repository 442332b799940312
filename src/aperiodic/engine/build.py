"""Building: plan, have the tasks run, and commit their results; workers never touch the ledger.

The three go on at once: an instrument is planned when there is room for its jobs, results are committed as they come, and
the months of an instrument follow its days.
"""

from __future__ import annotations

from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Final

from aperiodic.engine.executors.in_process import InProcess
from aperiodic.engine.executors.processes import Processes
from aperiodic.engine.executors.seam import stream
from aperiodic.engine.executors.tasks import DAY_REASON, Job
from aperiodic.engine.plan import Selection, plan_days, plan_months
from aperiodic.engine.plan_reading import DaysReader
from aperiodic.lake import Lake, LakeError, ObjectKind, Scope
from aperiodic.market import Exchange, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import date

    from aperiodic.catalog import Family
    from aperiodic.engine.day import DayTask
    from aperiodic.engine.executors.seam import Executor
    from aperiodic.engine.executors.tasks import Result, Written
    from aperiodic.engine.month import MonthTask
    from aperiodic.lake import ObjectKey

__all__ = ["BuildReport", "build"]

_INSTRUMENTS: Final = "instruments"
_DAYS: Final = "tasks of days"
_MONTHS: Final = "tasks of months"

_TRIES: Final = 5
"""How often an instrument is planned where its ticks give way to others while it is built."""
_GAVE_WAY: Final = "busy"


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
    executor: Executor | None = None,
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
        executor: Where to compute instead; see `executors`.
        again: Whether to compute what is up to date too.
        broken: Paths of bars that are known to be damaged, so that they are computed too.
        compact_before: Take in the parts only of days before this one; None: of all.
        progress: Called with the step ("instruments" where there are several, "tasks of days", "tasks of months"; a day of an
            instrument is several), how many are done, and how many are planned so far.

    Raises:
        LakeError: `object_missing` or `object_damaged` when ticks cannot be used, or `busy` where they gave way to others
            again and again, after everything else was built; others when the store or the ledger fails or another
            writer runs. What was committed stays.
    """
    selection = selection or Selection()
    _compact(lake, selection, compact_before)
    instruments = sorted(lake.instruments(**selection.filters))
    if not instruments:
        return BuildReport(0, 0, 0)
    executor = executor or (InProcess(lake.store.url) if workers is None else Processes(lake.store.url, workers))
    run = _Build(lake, selection, progress or (lambda _step, _done, _total: None), broken, again=again)
    leases = lake.writing(*(Scope(exchange, symbol, "bars") for exchange, symbol in instruments))
    with executor, leases, closing(stream(executor, run.jobs(instruments))) as results:
        for job, result in results:
            run.take_in(job, result)
    if run.unusable:
        raise _cannot_use(run.unusable)
    return BuildReport(run.days, run.months, run.files, tuple(note for _, note in sorted(run.notes)))


def _compact(lake: Lake, selection: Selection, before: date | None) -> None:
    """Take in the parts of days, where there are any."""
    if lake.current(ObjectKind.TICK_PARTS, **selection.filters):
        from aperiodic.engine.parts import compact_ticks  # noqa: PLC0415 - most builds find none

        compact_ticks(lake, **selection.filters, before=before)


@dataclass(slots=True)
class _Instrument:
    """An instrument at work: its days, then its months, and once more where that would do better.

    Attributes:
        exchange: Venue.
        symbol: Instrument.
        anew: Paths of bars to be made anew whatever the ledger says.
        again: Whether to compute what is up to date too.
        on_months: Whether its days are done.
        tries: How often it was planned.
        left: Jobs that are planned and of which nothing has come yet.
        days: Days that were computed.
        months: Months that were published.
        held_up: Family and month of days that could not be computed.
        unusable: Why tasks could not be done.
    """

    exchange: Exchange
    symbol: Symbol
    anew: Collection[str]
    again: bool
    on_months: bool = False
    tries: int = 1
    left: int = 0
    days: set[date] = field(default_factory=set)
    months: set[date] = field(default_factory=set)
    held_up: set[tuple[Family, date]] = field(default_factory=set)
    unusable: list[LakeError] = field(default_factory=list)


class _Build:
    """Plans an instrument when there is room for its jobs, and commits what comes of them.

    It holds what is planned of one instrument, and what is under way of others; the rest it counts.
    """

    def __init__(
        self,
        lake: Lake,
        selection: Selection,
        report: Callable[[str, int, int], None],
        broken: Collection[str],
        *,
        again: bool,
    ) -> None:
        self.days = 0
        self.months = 0
        self.files = 0
        self.notes: list[tuple[int, str]] = []
        self.unusable: list[LakeError] = []
        self._lake = lake
        self._selection = selection
        self._broken = broken
        self._again = again
        self._report = report
        self._reader: DaysReader | None = None
        self._at_work: dict[tuple[Exchange, Symbol], _Instrument] = {}
        self._months_ready: deque[Job] = deque()
        self._days_ready: deque[Job] = deque()
        self._numbers = count()
        self._told = {step: [0, 0] for step in (_INSTRUMENTS, _DAYS, _MONTHS)}

    def jobs(self, instruments: Sequence[tuple[str, str]]) -> Iterator[Job | None]:
        """Yield jobs: months whose days are done first, then days, planned when they are asked for; None: wait."""
        if len(instruments) > 1:
            self._tell(_INSTRUMENTS, total=len(instruments))
        self._reader = DaysReader(self._lake, self._selection.days, instruments)
        following = iter(instruments)
        while True:
            if self._months_ready:
                yield self._months_ready.popleft()
            elif self._days_ready:
                yield self._days_ready.popleft()
            elif (names := next(following, None)) is not None:
                exchange, symbol = Exchange(names[0]), Symbol.parse(names[1])
                work = _Instrument(exchange, symbol, self._broken, self._again)
                self._at_work[exchange, symbol] = work
                self._plan_days(work)
            elif self._at_work:
                yield None
            else:
                return

    def take_in(self, job: Job, result: Result) -> None:
        """Commit what came of a job, and go on with its instrument."""
        from aperiodic.engine.day import DayTask  # noqa: PLC0415 - a build without tasks does without the kernels

        task = job.task
        work = self._at_work[task.exchange, task.symbol]
        if isinstance(result, LakeError):
            work.unusable.append(result)
            if isinstance(task, DayTask):
                work.held_up.add((task.family, task.day.replace(day=1)))
        elif isinstance(task, DayTask):
            self._take_in_day(work, job.number, task, result)
        else:
            _commit(self._lake, result, replaces=_published(self._lake, task))
            work.months.add(task.month)
            self.files += len(result)
        self._tell(_DAYS if isinstance(task, DayTask) else _MONTHS, done=1)
        work.left -= 1
        if not work.left:
            self._go_on(work)

    def _take_in_day(self, work: _Instrument, number: int, task: DayTask, written: Written) -> None:
        _commit(self._lake, written)
        work.days.add(task.day)
        for new, _ in written:
            if note := new.reason.removeprefix(DAY_REASON).removeprefix("; "):
                self.notes.append((number, f"{task.exchange} {task.symbol} {task.day}: {note}."))

    def _plan_days(self, work: _Instrument) -> None:
        where = work.exchange, work.symbol, self._selection
        plan = plan_days(self._lake, *where, again=work.again, broken=work.anew, reader=self._reader)
        _commit(self._lake, [], replaces=plan.stale)
        self._enqueue(work, _DAYS, self._days_ready, plan.tasks)

    def _plan_months(self, work: _Instrument) -> None:
        work.on_months = True
        where = work.exchange, work.symbol, self._selection
        plan = plan_months(self._lake, *where, again=work.again, broken=work.anew)
        _commit(self._lake, [], replaces=plan.stale)
        tasks = [(task, size) for task, size in plan.tasks if (task.family, task.month) not in work.held_up]
        self._enqueue(work, _MONTHS, self._months_ready, tasks)

    def _enqueue(
        self, work: _Instrument, step: str, ready: deque[Job], tasks: Sequence[tuple[DayTask | MonthTask, int]]
    ) -> None:
        ready.extend(Job(task, size, next(self._numbers)) for task, size in tasks)
        work.left = len(tasks)
        self._tell(step, total=len(tasks))
        if not tasks:
            self._go_on(work)

    def _go_on(self, work: _Instrument) -> None:
        """Begin the next step of an instrument, or be done with it."""
        if not work.on_months:
            self._plan_months(work)
            return
        work.unusable = [_as_it_is_now(self._lake, error) for error in work.unusable]
        damaged = _to_compute_anew(self._lake, work.unusable)
        gave_way = any(error.code == _GAVE_WAY for error in work.unusable)
        if (damaged and work.tries == 1) or (gave_way and work.tries < _TRIES):
            work.on_months, work.tries, work.anew, work.again = False, work.tries + 1, damaged, False
            work.held_up.clear()
            work.unusable.clear()
            self._plan_days(work)
            return
        del self._at_work[work.exchange, work.symbol]
        self.days += len(work.days)
        self.months += len(work.months)
        self.unusable += work.unusable
        self._tell(_INSTRUMENTS, done=1)

    def _tell(self, step: str, *, done: int = 0, total: int = 0) -> None:
        told = self._told[step]
        told[0] += done
        told[1] += total
        if told[1]:
            self._report(step, told[0], told[1])


def _as_it_is_now(lake: Lake, error: LakeError) -> LakeError:
    """Return why a task could not be done; `busy` where an object is not lost, but gave way to another."""
    if lake.find_path(error.path or "") is not None:
        return error
    return LakeError(
        "What was to be built gave way to others each time it was to be read: another process writes it.",
        code=_GAVE_WAY,
        hint="Run the command again when the import or the build that runs has come to its end.",
        path=error.path,
    )


def _to_compute_anew(lake: Lake, unusable: Sequence[LakeError]) -> list[str]:
    """Return the bars of days among what could not be read; ticks cannot be computed."""
    records = (lake.find_path(error.path or "") for error in unusable)
    return [record.path for record in records if record and record.key.kind is ObjectKind.DAY_BARS]


def _cannot_use(unusable: Sequence[LakeError]) -> LakeError:
    first = min(unusable, key=lambda error: error.code == _GAVE_WAY)
    others = len({error.path for error in unusable}) - 1
    more = f" {others} more could not be read either." if others else ""
    return LakeError(
        f"{first.message}{more} Nothing was made of them; everything else was built.",
        code=first.code,
        hint=first.hint,
        path=first.path,
    )


def _commit(lake: Lake, written: Written, replaces: Sequence[ObjectKey] = ()) -> None:
    if not written and not replaces:
        return
    batch = lake.batch()
    for new, stored in written:
        batch.adopt(new, stored)
    for key in set(replaces) - {new.key for new, _ in written}:
        batch.retire(key)
    batch.commit()


def _published(lake: Lake, task: MonthTask) -> list[ObjectKey]:
    records = lake.current(
        ObjectKind.BARS,
        exchange=task.exchange,
        symbol=str(task.symbol),
        period=f"{task.month:%Y-%m}",
        dataset=list(task.datasets),
    )
    return [record.key for record in records]
