"""What is out of date: compares the digests of what bars would be made from with what they were made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Generic, TypeVar

from aperiodic.catalog import Family
from aperiodic.engine.day import DayTask
from aperiodic.engine.families import KERNELS, datasets_of
from aperiodic.engine.fingerprints import dataset_digest, digest
from aperiodic.engine.inputs import common_source, day_tasks
from aperiodic.engine.month import MonthTask
from aperiodic.lake import Lake, ObjectKey, ObjectKind, ObjectRecord
from aperiodic.lake.verify import not_whole
from aperiodic.market import Exchange, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Plan", "Selection", "plan_days", "plan_months"]

Task = TypeVar("Task", DayTask, MonthTask)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which instruments and days to look at. Months are built whole, so days are widened to their months.

    Attributes:
        exchange: One venue, or None for all.
        symbol: One instrument, or None for all.
        start: First day, or None.
        end: Last day, inclusive, or None.
    """

    exchange: Exchange | None = None
    symbol: Symbol | None = None
    start: date | None = None
    end: date | None = None

    def holds(self, day: date) -> bool:
        """Whether a day belongs to a selected month."""
        month = (day.year, day.month)
        after_start = self.start is None or month >= (self.start.year, self.start.month)
        return after_start and (self.end is None or month <= (self.end.year, self.end.month))

    @property
    def filters(self) -> dict[str, str | None]:
        """The selection as filters of ledger queries."""
        return {"exchange": self.exchange, "symbol": None if self.symbol is None else str(self.symbol)}


@dataclass(frozen=True, slots=True)
class Plan(Generic[Task]):
    """What a step has to do.

    Attributes:
        tasks: What to compute: it is missing, or was made from something else.
        stale: Objects whose inputs are gone.
    """

    tasks: list[Task]
    stale: list[ObjectKey]


def plan_days(lake: Lake, selection: Selection, *, again: bool = False, broken: Collection[str] = ()) -> Plan[DayTask]:
    """Compare the bars of all selected days with the ticks that are there.

    Args:
        lake: The installation.
        selection: Which days.
        again: Whether all of them are out of date.
        broken: Paths of bars that are out of date, besides those that the store does not hold whole.
    """
    instruments: dict[tuple[str, str], dict[Stream, list[ObjectRecord]]] = {}
    for record in lake.current(ObjectKind.TICKS, **selection.filters):
        streams = instruments.setdefault((record.key.exchange, record.key.symbol), {})
        streams.setdefault(Stream(record.key.dataset), []).append(record)
    wanted = {}
    for (exchange, symbol), streams in instruments.items():
        for family in KERNELS:
            for task in day_tasks(family, Exchange(exchange), Symbol.parse(symbol), streams):
                wanted[ObjectKey.day_bars(family, task.exchange, task.symbol, task.day)] = task
    records = _made(lake, ObjectKind.DAY_BARS, selection, broken, again=again)
    made = {record.key: record.fingerprint for record in records}
    return Plan(
        tasks=[task for key, task in wanted.items() if selection.holds(task.day) and made.get(key) != task.fingerprint],
        stale=[key for key in made if key not in wanted and selection.holds(date.fromisoformat(key.period))],
    )


def plan_months(
    lake: Lake, selection: Selection, *, again: bool = False, broken: Collection[str] = ()
) -> Plan[MonthTask]:
    """Compare the published files of all selected months with the day bars that are there, dataset by dataset.

    See `plan_days` for the arguments.
    """
    published: dict[tuple[str, str, str, str], list[ObjectRecord]] = {}
    for record in _made(lake, ObjectKind.BARS, selection, broken, again=again):
        key = record.key
        published.setdefault((key.exchange, key.symbol, key.dataset, key.period), []).append(record)
    tasks = []
    for (exchange, symbol, family, period), members in _months(lake.current(ObjectKind.DAY_BARS, **selection.filters)):
        outdated = {}
        for dataset in datasets_of(Family(family)):
            fingerprint = digest([dataset_digest(dataset), *(record.sha256 for record in members)])
            made = published.pop((exchange, symbol, dataset.id, period), [])
            if not _is_up_to_date(made, members, fingerprint):
                outdated[dataset.id] = fingerprint
        if outdated and selection.holds(_first_day(period)):
            task = MonthTask(
                family=Family(family),
                datasets=outdated,
                exchange=Exchange(exchange),
                symbol=Symbol.parse(symbol),
                month=_first_day(period),
                days=tuple(record.path for record in members),
                source=common_source(members),
            )
            tasks.append(task)
    stale = [record.key for records in published.values() for record in records]
    return Plan(tasks, [key for key in stale if selection.holds(_first_day(key.period))])


def _made(
    lake: Lake, kind: ObjectKind, selection: Selection, broken: Collection[str], *, again: bool
) -> list[ObjectRecord]:
    """Return the current objects; those that have to be made anew are without fingerprint."""
    records = lake.current(kind, **selection.filters)
    anew = {record.path for record in records} if again else {*broken, *not_whole(lake.store, records)}
    return [replace(record, fingerprint="") if record.path in anew else record for record in records]


def _months(days: list[ObjectRecord]) -> Iterator[tuple[tuple[str, str, str, str], list[ObjectRecord]]]:
    def month(record: ObjectRecord) -> tuple[str, str, str, str]:
        key = record.key
        return key.exchange, key.symbol, key.dataset, key.period[:7]

    for group, members in groupby(sorted(days, key=lambda record: (*month(record), record.key.period)), key=month):
        yield group, list(members)


def _is_up_to_date(made: list[ObjectRecord], days: list[ObjectRecord], fingerprint: str) -> bool:
    if not any(day.rows for day in days):
        return not made
    return {record.fingerprint for record in made} == {fingerprint}


def _first_day(period: str) -> date:
    return date.fromisoformat(f"{period}-01")
