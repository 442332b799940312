"""Building: plan, run the tasks in this process or in a pool, and let the planner alone commit their results."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context, parent_process
from typing import Any

from aperiodic.engine.day import DayTask, compute_day
from aperiodic.engine.families import datasets_of
from aperiodic.engine.month import MonthTask, publish_month
from aperiodic.engine.plan import Selection, plan_days, plan_months
from aperiodic.lake import Lake, NewObject, ObjectKey, ObjectKind, Store, StoredObject
from aperiodic.lake.lake import parquet_bytes, put_object

__all__ = ["BuildReport", "build"]

Written = list[tuple[NewObject, StoredObject]]
Run = Callable[[Callable[[str, Any], Written], Sequence[Any]], Iterator[Written]]


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
    workers: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> BuildReport:
    """Compute what is out of date and nothing else, and publish the months it belongs to.

    Args:
        lake: The installation.
        selection: Instruments and days; None for all.
        workers: Processes; 1 computes in this one. The result is the same whatever their number.
        progress: Called with the step ("days", "months"), the tasks done and the tasks in all.

    Raises:
        LakeError: When the store or the ledger fails or another writer runs; what was committed stays.
    """
    selection = selection or Selection()
    report = progress or (lambda _step, _done, _total: None)
    files = 0
    with lake.writing(), _runner(lake.store.url, workers) as run:
        days = plan_days(lake, selection)
        _retire(lake, days.stale)
        report("days", 0, len(days.tasks))
        for done, written in enumerate(run(_day, days.tasks), 1):
            _commit(lake, written)
            report("days", done, len(days.tasks))
        months = plan_months(lake, selection)
        _retire(lake, months.stale)
        report("months", 0, len(months.tasks))
        for done, (task, written) in enumerate(zip(months.tasks, run(_month, months.tasks), strict=True), 1):
            _commit(lake, written, replaces=_published(lake, task))
            files += len(written)
            report("months", done, len(months.tasks))
    return BuildReport(
        days=len({(task.exchange, task.symbol, task.day) for task in days.tasks}),
        months=len({(task.exchange, task.symbol, task.month) for task in months.tasks}),
        files=files,
    )


def _day(store_url: str, task: DayTask) -> Written:
    store = _store(store_url)
    bars = compute_day(store, task)
    new = NewObject(
        key=ObjectKey.day_bars(task.family, task.exchange, task.symbol, task.day),
        rows=bars.height,
        source=task.source,
        fingerprint=task.fingerprint,
        reason="ticks or engine changed",
    )
    return [(new, put_object(store, new.key, parquet_bytes(bars)))]


def _month(store_url: str, task: MonthTask) -> Written:
    return publish_month(_store(store_url), task)


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
        dataset=[dataset.id for dataset in datasets_of(task.family)],
    )
    return [record.key for record in records]


@cache
def _store(url: str) -> Store:
    return Store(url)


def _end_with_parent() -> None:
    """Make this worker end when its parent is killed; it would wait for tasks for ever."""

    def wait() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def _runner(store_url: str, workers: int) -> Iterator[Run]:
    """Yield a function that runs tasks and returns their results in the order of the tasks."""
    if workers <= 1:
        yield lambda function, tasks: (function(store_url, task) for task in tasks)
        return
    # One Polars thread a worker: the processes are the parallelism. Children read this before they import Polars.
    before = os.environ.get("POLARS_MAX_THREADS")
    os.environ["POLARS_MAX_THREADS"] = "1"
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent)
    try:
        yield lambda function, tasks: pool.map(function, [store_url] * len(tasks), tasks)
    finally:
        pool.shutdown(cancel_futures=True)
        if before is None:
            del os.environ["POLARS_MAX_THREADS"]
        else:
            os.environ["POLARS_MAX_THREADS"] = before
