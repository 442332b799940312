"""What is out of date: compares the digests of what bars would be made from with what they were made from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from aperiodic.catalog import DATASETS, Field, MonthProduct
from aperiodic.engine.day import DayTask
from aperiodic.engine.month import MonthTask
from aperiodic.lake import Lake, ObjectKey, ObjectKind, ObjectRecord
from aperiodic.market import DAY_US, Exchange, Source, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Plan", "Selection", "plan_days", "plan_months"]

Task = TypeVar("Task", DayTask, MonthTask)

PARTIALS_VERSION: Final = 1
"""Raised whenever a kernel would give other numbers or other columns for the same ticks."""


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


def plan_days(lake: Lake, selection: Selection) -> Plan[DayTask]:
    """Compare the bars of all selected days with the ticks that are there."""
    ticks = lake.current(ObjectKind.TICKS, dataset=Stream.TRADES, **selection.filters)
    made = {
        record.key: record.fingerprint
        for record in lake.current(ObjectKind.DAY_BARS, dataset=Stream.TRADES, **selection.filters)
    }
    wanted = {}
    for (exchange, symbol), files in _by_instrument(ticks):
        for task in _day_tasks(Exchange(exchange), Symbol.parse(symbol), files):
            wanted[ObjectKey.day_bars(Stream.TRADES, task.exchange, task.symbol, task.day)] = task
    return Plan(
        tasks=[task for key, task in wanted.items() if selection.holds(task.day) and made.get(key) != task.fingerprint],
        stale=[key for key in made if key not in wanted and selection.holds(date.fromisoformat(key.period))],
    )


def plan_months(lake: Lake, selection: Selection) -> Plan[MonthTask]:
    """Compare the published files of all selected months with the day bars that are there."""
    days = lake.current(ObjectKind.DAY_BARS, dataset=Stream.TRADES, **selection.filters)
    published: dict[tuple[str, str, str], list[ObjectRecord]] = {}
    for record in lake.current(ObjectKind.BARS, **selection.filters):
        published.setdefault((record.key.exchange, record.key.symbol, record.key.period), []).append(record)
    catalog = _catalog_digest()
    tasks = []
    for (exchange, symbol), records in _by_instrument(days):
        for period, group in groupby(records, key=lambda record: record.key.period[:7]):
            members = list(group)
            fingerprint = _digest([catalog, *(record.sha256 for record in members)])
            made = published.pop((exchange, symbol, period), [])
            month = _first_day(period)
            if selection.holds(month) and {record.fingerprint for record in made} != {fingerprint}:
                task = MonthTask(
                    exchange=Exchange(exchange),
                    symbol=Symbol.parse(symbol),
                    month=month,
                    driving=Stream.TRADES,
                    days=tuple(record.path for record in members),
                    source=_source(members),
                    fingerprint=fingerprint,
                )
                tasks.append(task)
    stale = [record.key for records in published.values() for record in records]
    return Plan(tasks, [key for key in stale if selection.holds(_first_day(key.period))])


def _first_day(period: str) -> date:
    return date.fromisoformat(f"{period}-01")


def _by_instrument(records: list[ObjectRecord]) -> Iterator[tuple[tuple[str, str], list[ObjectRecord]]]:
    for instrument, group in groupby(records, key=lambda record: (record.key.exchange, record.key.symbol)):
        yield instrument, list(group)


def _day_tasks(exchange: Exchange, symbol: Symbol, files: list[ObjectRecord]) -> Iterator[DayTask]:
    arrivals: dict[date, list[ObjectRecord]] = {}
    own = {date.fromisoformat(file.key.period): file for file in files}
    for day, file in own.items():
        for arrival in {day, *_arrival_days(file)}:
            arrivals.setdefault(arrival, []).append(file)
    for day in sorted(arrivals):
        inputs = arrivals[day]
        period = day.isoformat()
        yield DayTask(
            exchange=exchange,
            symbol=symbol,
            day=day,
            own=own[day].path if day in own else None,
            before=tuple(file.path for file in inputs if file.key.period < period),
            after=tuple(file.path for file in inputs if file.key.period > period),
            source=_source(inputs),
            fingerprint=_digest([str(PARTIALS_VERSION), *(f"{file.key.period}={file.sha256}" for file in inputs)]),
        )


def _arrival_days(file: ObjectRecord) -> Iterator[date]:
    if file.first_local is None or file.last_local is None:
        return
    for number in range(file.first_local // DAY_US, file.last_local // DAY_US + 1):
        yield date(1970, 1, 1) + timedelta(days=number)


def _source(records: Iterable[ObjectRecord]) -> Source:
    sources = {record.source for record in records}
    return Source(sources.pop()) if len(sources) == 1 else Source.MIXED


def _catalog_digest() -> str:
    return _digest(
        f"{dataset.id}.{field.name}:{field.dtype}={_definition(field)}"
        for dataset in DATASETS.values()
        for field in dataset.fields
    )


def _definition(field: Field) -> str:
    if isinstance(field.value, MonthProduct):
        return f"month product {field.value.x} {field.value.y}"
    return str(field.value)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
