"""What is out of date: compares the digests of what bars would be made from with what they were made from.

It looks at one instrument at a time, so that what it holds does not grow with their number.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from aperiodic.catalog import Family
from aperiodic.engine.day import DayTask
from aperiodic.engine.families import KERNELS, datasets_of
from aperiodic.engine.fingerprints import dataset_digest, digest
from aperiodic.engine.inputs import common_source, day_tasks
from aperiodic.engine.month import MonthTask
from aperiodic.lake import Lake, ObjectKey, ObjectKind, ObjectRecord
from aperiodic.lake.objects import current_objects, objects_between
from aperiodic.lake.tick_files import ticks_around
from aperiodic.lake.verify import not_whole
from aperiodic.market import Exchange, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Plan", "Selection", "plan_days", "plan_months"]

Task = TypeVar("Task", DayTask, MonthTask)

_FEW_MONTHS: Final = 3
"""So many months of bars are named one by one in a query; of more, all that is there is read."""

_LOOKED_BACK_ON: Final = frozenset(
    stream for kernel in KERNELS.values() for stream, limit in kernel.looks_back.items() if limit is None
)
"""Streams whose latest event before a day matters, however long ago it was."""


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
    def days(self) -> tuple[date, date] | None:
        """The first and the last day of the selected months; None where all are."""
        if self.start is None and self.end is None:
            return None
        end = date.max if self.end is None else self.end
        first = date.min if self.start is None else self.start.replace(day=1)
        return first, end.replace(day=monthrange(end.year, end.month)[1])

    @property
    def months(self) -> list[str] | None:
        """The selected months, for ledger queries; None where there are many, or no bounds."""
        if self.start is None or self.end is None:
            return None
        first, last = (12 * day.year + day.month - 1 for day in (self.start, self.end))
        if last - first >= _FEW_MONTHS:
            return None
        return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(first, last + 1)]

    @property
    def filters(self) -> dict[str, str | None]:
        """The selection as filters of ledger queries."""
        return {"exchange": self.exchange, "symbol": None if self.symbol is None else str(self.symbol)}


@dataclass(frozen=True, slots=True)
class Plan(Generic[Task]):
    """What a step has to do for one instrument.

    Attributes:
        tasks: What to compute: it is missing, or was made from something else; each with the bytes of its inputs.
        stale: Objects whose inputs are gone.
    """

    tasks: list[tuple[Task, int]]
    stale: list[ObjectKey]


def plan_days(
    lake: Lake,
    exchange: Exchange,
    symbol: Symbol,
    selection: Selection,
    *,
    again: bool = False,
    broken: Collection[str] = (),
) -> Plan[DayTask]:
    """Compare the bars of an instrument's selected days with the ticks that are there.

    Args:
        lake: The installation.
        exchange: Venue.
        symbol: Instrument.
        selection: Which days.
        again: Whether all of them are out of date.
        broken: Paths of bars that are out of date, besides those that the store does not hold whole.
    """
    streams = _ticks(lake, exchange, symbol, selection)
    sizes = {record.path: record.size for records in streams.values() for record in records}
    records = _made(lake, ObjectKind.DAY_BARS, exchange, symbol, selection, broken, again=again)
    made = {record.key: record.fingerprint for record in records}
    wanted = set()
    tasks = []
    for family in KERNELS:
        for task in day_tasks(family, exchange, symbol, streams):
            if not selection.holds(task.day):
                continue
            key = ObjectKey.day_bars(family, exchange, symbol, task.day)
            wanted.add(key)
            if made.get(key) != task.fingerprint:
                tasks.append((task, sum(sizes[path] for path in _inputs(task))))
    return Plan(tasks, [key for key in made if key not in wanted])


def plan_months(
    lake: Lake,
    exchange: Exchange,
    symbol: Symbol,
    selection: Selection,
    *,
    again: bool = False,
    broken: Collection[str] = (),
) -> Plan[MonthTask]:
    """Compare an instrument's published files of all selected months with the day bars that are there, by dataset.

    See `plan_days` for the arguments.
    """
    published: dict[tuple[str, str], list[ObjectRecord]] = {}
    for record in _made(lake, ObjectKind.BARS, exchange, symbol, selection, broken, again=again):
        published.setdefault((record.key.dataset, record.key.period), []).append(record)
    tasks = []
    for (family, period), members in _months(_selected(lake, ObjectKind.DAY_BARS, exchange, symbol, selection)):
        outdated = {}
        for dataset in datasets_of(Family(family)):
            fingerprint = digest([dataset_digest(dataset), *(record.sha256 for record in members)])
            made = published.pop((dataset.id, period), [])
            if not _is_up_to_date(made, members, fingerprint):
                outdated[dataset.id] = fingerprint
        if outdated:
            task = MonthTask(
                family=Family(family),
                datasets=outdated,
                exchange=exchange,
                symbol=symbol,
                month=_first_day(period),
                days=tuple(record.path for record in members),
                source=common_source(members),
            )
            tasks.append((task, sum(record.size for record in members)))
    return Plan(tasks, [record.key for records in published.values() for record in records])


def _ticks(lake: Lake, exchange: Exchange, symbol: Symbol, selection: Selection) -> dict[Stream, list[ObjectRecord]]:
    """Return the ticks that the bars of the selected days are made from, by stream in order of days."""
    days = selection.days
    with lake.engine.connect() as connection:
        found = (
            current_objects(connection, ObjectKind.TICKS, exchange=exchange, symbol=str(symbol))
            if days is None
            else ticks_around(connection, exchange, str(symbol), *days, _LOOKED_BACK_ON)
        )
    streams: defaultdict[Stream, list[ObjectRecord]] = defaultdict(list)
    for record in found:
        streams[Stream(record.key.dataset)].append(record)
    return streams


def _made(
    lake: Lake,
    kind: ObjectKind,
    exchange: Exchange,
    symbol: Symbol,
    selection: Selection,
    broken: Collection[str],
    *,
    again: bool,
) -> list[ObjectRecord]:
    """Return the current objects; those that have to be made anew are without fingerprint."""
    records = _selected(lake, kind, exchange, symbol, selection)
    anew = {record.path for record in records} if again else {*broken, *not_whole(lake.store, records)}
    return [replace(record, fingerprint="") if record.path in anew else record for record in records]


def _selected(
    lake: Lake, kind: ObjectKind, exchange: Exchange, symbol: Symbol, selection: Selection
) -> list[ObjectRecord]:
    """Return the current objects of an instrument that belong to selected months."""
    if kind is ObjectKind.DAY_BARS and (days := selection.days) is not None:
        periods = (day.isoformat() for day in days)
        with lake.engine.connect() as connection:
            return objects_between(connection, kind, exchange, str(symbol), list(Family), *periods)
    records = lake.current(kind, exchange=exchange, symbol=str(symbol), period=selection.months)
    return [record for record in records if selection.holds(_first_day(record.key.period[:7]))]


def _inputs(task: DayTask) -> set[str]:
    """Return the paths of all ticks that a task reads."""
    chosen = (files for streams in task.files.values() for files in streams.values())
    return {path for files in chosen for path in (*files.day, *files.before)}


def _months(days: list[ObjectRecord]) -> Iterator[tuple[tuple[str, str], list[ObjectRecord]]]:
    def month(record: ObjectRecord) -> tuple[str, str]:
        return record.key.dataset, record.key.period[:7]

    for group, members in groupby(sorted(days, key=lambda record: (*month(record), record.key.period)), key=month):
        yield group, list(members)


def _is_up_to_date(made: list[ObjectRecord], days: list[ObjectRecord], fingerprint: str) -> bool:
    if not any(day.rows for day in days):
        return not made
    return {record.fingerprint for record in made} == {fingerprint}


def _first_day(period: str) -> date:
    return date.fromisoformat(f"{period}-01")
