"""Jobs stream: few are under way, and what is held does not grow with their number."""

from __future__ import annotations

import os
import signal
import tracemalloc
from collections import deque
from typing import TYPE_CHECKING, Any, Self, cast

import pytest
from tests.engine.trivial_tasks import add_instruments, end, note_process, nothing
from tests.lakes import BTC, put_trades
from tests.oracle import trades_frame

from aperiodic.engine import build as building
from aperiodic.engine.build import build
from aperiodic.engine.executors import processes
from aperiodic.engine.executors.as_needed import FEW_BYTES, FEW_JOBS, AsNeeded
from aperiodic.engine.executors.in_process import InProcess
from aperiodic.engine.executors.processes import Processes, _interrupts_wait
from aperiodic.engine.executors.seam import stream
from aperiodic.engine.executors.tasks import Job
from aperiodic.engine.plan import plan_days
from aperiodic.lake import Lake, LakeError, ObjectKind
from aperiodic.market import Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aperiodic.engine.day import DayTask
    from aperiodic.engine.executors.tasks import Result, Task
    from aperiodic.engine.plan import Plan

ETH = Symbol.parse("perpetual-ETH-USDT:USDT")


class Slots:
    """An executor that does the latest job first, and counts."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.under_way: deque[Job] = deque()
        self.most = 0
        self.most_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def has_room(self) -> bool:
        return len(self.under_way) < self.slots

    def begin(self, job: Job) -> None:
        assert self.has_room()
        self.under_way.append(job)
        self.most = max(self.most, len(self.under_way))
        self.most_bytes = max(self.most_bytes, sum(job.bytes for job in self.under_way))

    def take(self) -> tuple[Job, Result]:
        return self.under_way.pop(), []


def job(number: int, size: int = 1) -> Job:
    return Job(cast("Task", None), size, number)


def test_workers_are_started_deaf_to_ctrl_c_and_the_parent_is_not_afterwards() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    with _interrupts_wait():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before
    assert signal.SIGINT not in before


def test_jobs_are_asked_for_only_when_there_is_room() -> None:
    asked = []

    def jobs() -> Iterator[Job]:
        for number in range(1_000):
            asked.append(number)
            yield job(number)

    executor = Slots(4)
    seen = []
    for done, _ in stream(executor, jobs()):
        seen.append(done.number)
        assert len(asked) - len(seen) <= 4
    assert sorted(seen) == list(range(1_000))
    assert executor.most == 4


def test_bytes_under_way_are_bounded_and_a_larger_job_runs_alone() -> None:
    sizes = [3, 3, 3, 50, 1, 9, 2]
    executor = Slots(4)
    done = [each.bytes for each, _ in stream(executor, (job(n, size) for n, size in enumerate(sizes)), most_bytes=10)]
    assert sorted(done) == sorted(sizes)
    assert executor.most_bytes == 50
    executor = Slots(4)
    list(stream(executor, (job(n, size) for n, size in enumerate(sizes) if size < 50), most_bytes=10))
    assert executor.most_bytes <= 10


def test_jobs_that_follow_from_results_wait_for_them() -> None:
    results: list[int] = []

    def jobs() -> Iterator[Job | None]:
        yield job(0)
        yield job(1)
        while len(results) < 2:
            yield None
        yield job(2)

    for done, _ in stream(Slots(4), jobs()):
        results.append(done.number)
    assert results[-1] == 2
    assert len(results) == 3


def test_jobs_that_wait_for_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="none is under way"):
        list(stream(Slots(2), iter([None])))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_have_done_their_share_are_replaced(
    workers: int, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "TASKS_OF_A_WORKER", 2)
    with Processes(lake.store.url, workers, nothing) as executor:
        done = sorted(each.number for each, _ in stream(executor, map(job, range(5))))
    assert done == list(range(5))


def test_a_worker_that_is_killed_is_told_plainly(lake: Lake) -> None:
    with Processes(lake.store.url, 1, end) as executor, pytest.raises(LakeError) as caught:
        list(stream(executor, iter([job(0)])))
    assert caught.value.code == "worker_lost"


@pytest.mark.parametrize(
    ("sizes", "here"),
    [
        ([1] * FEW_JOBS, FEW_JOBS),
        ([FEW_BYTES], 1),
        ([1] * (FEW_JOBS + 1), 0),
        ([1, FEW_BYTES], 0),
    ],
    ids=["few", "few bytes", "one more", "more bytes"],
)
def test_few_jobs_run_in_this_process_and_more_in_others(sizes: list[int], here: int, tmp_path: Path) -> None:
    said = tmp_path / "processes"
    with AsNeeded(str(said), 1, note_process) as executor:
        jobs = (job(number, size) for number, size in enumerate(sizes))
        assert sorted(each.number for each, _ in stream(executor, jobs)) == list(range(len(sizes)))
    assert [int(line) for line in said.read_text().splitlines()].count(os.getpid()) == here


def test_what_is_left_of_a_build_goes_to_processes_once_there_is_more(tmp_path: Path) -> None:
    said = tmp_path / "processes"
    done: list[int] = []

    def jobs() -> Iterator[Job | None]:
        yield job(0)
        yield job(1)
        while not done:
            yield None
        yield job(2, FEW_BYTES)

    with AsNeeded(str(said), 1, note_process) as executor:
        for each, _ in stream(executor, jobs()):
            done.append(each.number)
    assert sorted(done) == [0, 1, 2]
    first, *others = (int(line) for line in said.read_text().splitlines())
    assert first == os.getpid()
    assert len(others) == 2
    assert os.getpid() not in others


def test_an_instrument_is_committed_before_the_next_is_planned(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for symbol in (BTC, ETH):
        put_trades(lake, trades_frame([(1_746_144_000_000_000, 1_746_144_000_000_000, "buy", 1.0, 1.0)]), symbol=symbol)
    published = []

    def plan(lake: Lake, *where: Any, **options: Any) -> Plan[DayTask]:
        published.append({record.key.symbol for record in lake.current(ObjectKind.BARS)})
        return plan_days(lake, *where, **options)

    monkeypatch.setattr(building, "plan_days", plan)
    told: list[tuple[str, int, int]] = []
    report = build(lake, progress=lambda *what: told.append(what))
    assert published == [set(), {str(BTC)}]
    assert (report.days, report.months) == (2, 2)
    assert [what for what in told if what[0] == "instruments"] == [
        *(("instruments", done, 2) for done in range(3)),
    ]
    ends = {step: (done, total) for step, done, total in told}
    assert all(done == total > 0 for done, total in ends.values())
    assert set(ends) == {"instruments", "tasks of days", "tasks of months"}


def test_memory_does_not_grow_with_the_number_of_tasks(lake: Lake) -> None:
    def peak() -> tuple[int, int]:
        told = [0]
        tracemalloc.start()
        try:
            build(
                lake,
                executor=InProcess(lake.store.url, nothing),
                progress=lambda step, done, _: told.append(done) if step == "tasks of days" else None,
            )
            return tracemalloc.get_traced_memory()[1], max(told)
        finally:
            tracemalloc.stop()

    add_instruments(lake, 0, 20, days=4)
    peak()  # what is imported and compiled on the way
    few, tasks = peak()
    add_instruments(lake, 20, 180, days=4)
    many, more_tasks = peak()
    assert more_tasks == 10 * tasks > 0
    # Leases and names of instruments are held; tasks, which are more, are not.
    assert many - few < 2_500 * 180
    print(f"{tasks} tasks {few:,} B, {more_tasks} tasks {many:,} B")  # noqa: T201
