"""What is out of date: compares the digests of what bars would be made from with what they were made from.

It looks at one instrument at a time, so that what it holds does not grow with their number.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from aperiodic.catalog import Family
from aperiodic.engine.digests import digest
from aperiodic.engine.inputs import InstrumentTicks, common_source
from aperiodic.engine.plan_reading import ALWAYS, FAMILIES, DaysReader
from aperiodic.engine.recipes import recipes
from aperiodic.lake import Lake, ObjectKey, ObjectKind
from aperiodic.lake.made_files import files_of_days, months_made
from aperiodic.lake.verify import not_whole

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aperiodic.engine.day import DayTask
    from aperiodic.engine.month import MonthTask
    from aperiodic.lake.made_files import MadeFile
    from aperiodic.market import Exchange, Symbol

__all__ = ["Plan", "Selection", "plan_days", "plan_months"]

Task = TypeVar("Task", "DayTask", "MonthTask")

_FEW_MONTHS: Final = 3
"""So many months of bars are named one by one in a query; of more, all that is there is read."""


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
    reader: DaysReader | None = None,
) -> Plan[DayTask]:
    """Compare the bars of an instrument's selected days with the ticks that are there.

    Args:
        lake: The installation.
        exchange: Venue.
        symbol: Instrument.
        selection: Which days.
        again: Whether all of them are out of date.
        broken: Paths of bars that are out of date, besides those that the store does not hold whole.
        reader: Reads the ledger, of the selected days; None: one of its own.
    """
    reader = reader or DaysReader(lake, selection.days)
    files, made = reader.read(exchange, str(symbol))
    ticks = InstrumentTicks(exchange, symbol, files)
    sizes: dict[str, int] = {}
    fingerprints: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for _, dataset, period, path, size, fingerprint in made:
        sizes[path] = size
        fingerprints[dataset][period] = fingerprint
    if anew := _anew(lake, sizes, broken, again=again):
        for _, dataset, period, path, _, _ in made:
            if path in anew:
                fingerprints[dataset][period] = ""
    tasks = []
    for family, recipe in recipes(lake.home).items():
        known = fingerprints[family]
        for day, name, fingerprint in ticks.days(family, recipe, *(selection.days or ALWAYS)):
            if known.pop(name, None) != fingerprint:
                tasks.append(ticks.task(family, recipe, day, fingerprint))
    stale = [
        ObjectKey.day_bars(Family(dataset), exchange, symbol, date.fromisoformat(period))
        for dataset, periods in sorted(fingerprints.items())
        for period in sorted(periods)
    ]
    return Plan(tasks, stale)


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
    with lake.engine.connect() as connection:
        days = files_of_days(connection, exchange, str(symbol), FAMILIES, *(selection.days or ALWAYS))
        found = months_made(connection, exchange, str(symbol), selection.months)
    bars = [file for file in found if selection.holds(_first_day(file.period))]
    anew = _anew(lake, {file.path: file.size for file in bars}, broken, again=again)
    published: defaultdict[tuple[str, str], list[MadeFile]] = defaultdict(list)
    for file in bars:
        published[file.dataset, file.period].append(file)
    tasks = []
    for (family, period), group in groupby(days, key=lambda file: (file.dataset, file.period[:7])):
        members = list(group)
        digests = [file.sha256 for file in members]
        outdated = {}
        for dataset, how in recipes(lake.home)[Family(family)].datasets.items():
            fingerprint = digest([how, *digests])
            made = {"" if file.path in anew else file.fingerprint for file in published.pop((dataset, period), [])}
            if made != ({fingerprint} if any(file.rows for file in members) else set()):
                outdated[dataset] = fingerprint
        if outdated:
            from aperiodic.engine.month import MonthTask  # noqa: PLC0415 - with Polars, which most plans do without

            task = MonthTask(
                family=Family(family),
                datasets=outdated,
                exchange=exchange,
                symbol=symbol,
                month=_first_day(period),
                days=tuple(file.path for file in members),
                source=common_source(file.source for file in members),
            )
            tasks.append((task, sum(file.size for file in members)))
    stale = [
        ObjectKey(ObjectKind.BARS, file.dataset, exchange, str(symbol), file.clock, file.interval, file.period)
        for files in published.values()
        for file in files
    ]
    return Plan(tasks, stale)


def _anew(lake: Lake, sizes: Mapping[str, int], broken: Collection[str], *, again: bool) -> set[str]:
    """Return the paths of what has to be made anew, whatever it was made from."""
    return {*sizes} if again else {*broken, *not_whole(lake.store, sizes)}


def _first_day(period: str) -> date:
    return date.fromisoformat(f"{period}-01")
