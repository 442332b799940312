"""What the status page tells of venues and instruments, read from the ledger."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from aperiodic.completeness.causes import Condition, DayCondition
from aperiodic.completeness.conditions import read_conditions
from aperiodic.completeness.known_gaps import GapList, judge_all_days, read_known_gaps
from aperiodic.completeness.series import read_series
from aperiodic.lake import ObjectKind
from aperiodic.lake.objects import current_objects
from aperiodic.market import Exchange, Stream
from aperiodic.server.api.data import overall_source
from aperiodic.server.site.day_ranges import join_days

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from aperiodic.completeness.series import PublishedSeries
    from aperiodic.completeness.tick_days import TickDays
    from aperiodic.server.site.day_ranges import DayRange

__all__ = [
    "WINDOW_DAYS",
    "DayWindow",
    "HeldStream",
    "InstrumentRow",
    "MonthOfDays",
    "RevisionRow",
    "SeriesRow",
    "read_days",
    "read_instruments",
    "read_last_ticks",
    "read_stream_gaps",
    "revision_rows",
    "series_rows",
]

WINDOW_DAYS: Final = 366
"""How many days are judged at a time."""

_GAPS_SHOWN: Final = 50
_REVISIONS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class HeldStream:
    """The ticks of one stream of the chosen instrument.

    Attributes:
        days: What is held.
        last_tick: Exchange time of the last tick, µs; None when the ledger does not tell.
        source: Where the ticks came from, as of the API.
    """

    days: TickDays
    last_tick: int | None
    source: str | None


@dataclass(frozen=True, slots=True)
class InstrumentRow:
    """One instrument among those of a venue.

    Attributes:
        symbol: Atlas symbol.
        streams: Number of streams with ticks.
        last_tick: Exchange time of the last tick of any stream, µs; None without ticks.
        datasets: Number of datasets published.
        last_month: Last month published of any dataset, `YYYY-MM`; None without.
        months: Months published, summed over datasets.
        months_complete: How many of them are complete.
        gaps: Known gaps of the streams that drive datasets.
        days_missing: UTC days without ticks, likewise.
        source: Where the data came from.
    """

    symbol: str
    streams: int
    last_tick: int | None
    datasets: int
    last_month: str | None
    months: int
    months_complete: int
    gaps: int
    days_missing: int
    source: str | None


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """What is published of one dataset of the chosen instrument.

    Attributes:
        series: The series.
        months_complete: How many of its months are complete.
        rows: Bars in its current files.
        size: Bytes of these.
        revision: The highest revision of these.
        published_at: When the newest of these was published, µs.
        source: Where the data came from.
    """

    series: PublishedSeries
    months_complete: int
    rows: int
    size: int
    revision: int
    published_at: int
    source: str | None


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """A revision of a month, of all datasets that got it for the same reason.

    Attributes:
        month: `YYYY-MM`.
        revision: 1 for the first.
        reason: Why it was made.
        datasets: Which, in catalog order.
        published_at: When the last of its files was published, µs.
        is_current: Whether any of its files is the current one.
    """

    month: str
    revision: int
    reason: str
    datasets: tuple[str, ...]
    published_at: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class MonthOfDays:
    """The judged days of a calendar month.

    Attributes:
        month: `YYYY-MM`.
        days: The days, ascending.
        counts: How many there are of each condition.
    """

    month: str
    days: tuple[DayCondition, ...]
    counts: dict[Condition, int]


@dataclass(frozen=True, slots=True)
class DayWindow:
    """The days of a stream up to a day, at most `WINDOW_DAYS`.

    Attributes:
        first: First UTC day.
        last: Last UTC day.
        counts: How many there are of each condition.
        months: The months, newest first.
        ranges: What is not simply available, newest first.
        earlier: Last day of the window before this one; None when there are no earlier ticks.
        later: Last day of the window after this one; None when this one is the last.
    """

    first: date
    last: date
    counts: dict[Condition, int]
    months: tuple[MonthOfDays, ...]
    ranges: tuple[DayRange, ...]
    earlier: date | None
    later: date | None


def read_last_ticks(connection: Connection, held: Sequence[TickDays]) -> dict[tuple[str, str], int]:
    """Return the exchange time of the last tick, µs, by symbol and stream.

    Args:
        connection: Open connection to the ledger.
        held: What is held of some symbols of one venue.
    """
    if not held:
        return {}
    records = current_objects(
        connection,
        ObjectKind.TICKS,
        exchange=held[0].exchange,
        symbol=sorted({row.symbol for row in held}),
        dataset=sorted({row.stream for row in held}),
        clock="",
        interval="",
        period=sorted({row.last.isoformat() for row in held}),
    )
    times: dict[tuple[str, str], int] = {}
    for record in records:
        key = record.key.symbol, record.key.dataset
        times[key] = max(times.get(key, 0), record.last_exchange or 0)
    return {key: at for key, at in times.items() if at}


def read_instruments(
    connection: Connection, exchange: Exchange, symbols: Sequence[str], held: Sequence[TickDays]
) -> list[InstrumentRow]:
    """Return the state of some instruments of a venue, in the order given.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbols: Atlas symbols.
        held: What is held of their ticks.
    """
    published: defaultdict[str, list[PublishedSeries]] = defaultdict(list)
    for series in read_series(connection, exchange, symbols, most_gaps=1):
        published[series.symbol].append(series)
    last_ticks = read_last_ticks(connection, held)
    return [_instrument(symbol, published[symbol], held, last_ticks) for symbol in symbols]


def series_rows(published: Iterable[PublishedSeries]) -> list[SeriesRow]:
    """Return what is to be told of published series."""
    return [_series_row(series) for series in published]


def revision_rows(published: Iterable[PublishedSeries]) -> tuple[list[RevisionRow], int]:
    """Return the newest revisions of all months of an instrument, newest first, and how many there are."""
    datasets: defaultdict[tuple[str, int, str], dict[str, None]] = defaultdict(dict)
    published_at: defaultdict[tuple[str, int, str], int] = defaultdict(int)
    current: set[tuple[str, int, str]] = set()
    for series in published:
        for month in series.months:
            for item in (*month.earlier, *month.current):
                key = (item.month, item.revision, item.reason)
                datasets[key][series.dataset] = None
                published_at[key] = max(published_at[key], item.published_at)
                if item.files_current:
                    current.add(key)
    newest = sorted(datasets, key=lambda key: (published_at[key], key), reverse=True)
    rows = [RevisionRow(*key, tuple(datasets[key]), published_at[key], key in current) for key in newest]
    return rows[:_REVISIONS_SHOWN], len(rows)


def read_stream_gaps(connection: Connection, held: TickDays) -> GapList:
    """Return the newest gaps of a stream, newest first, and how many there are."""
    exchange = Exchange(held.exchange)
    days = held.first, held.last
    judgement = judge_all_days(connection, exchange, [held.symbol], [held.stream], days)
    found = read_known_gaps(connection, exchange, judgement, _GAPS_SHOWN, newest=True)
    named = found.get((held.symbol, held.stream), GapList([], 0))
    return GapList(named.gaps[::-1], named.total)


def read_days(connection: Connection, held: TickDays, until: date | None) -> DayWindow:
    """Judge the days of a stream, at most `WINDOW_DAYS`.

    Args:
        connection: Open connection to the ledger.
        held: What is held of the stream.
        until: Last day wanted; None, or a day outside of what is held, for the last day held.
    """
    last = until if until is not None and held.first <= until <= held.last else held.last
    first = max(held.first, last - timedelta(days=WINDOW_DAYS - 1))
    days = read_conditions(connection, Exchange(held.exchange), held.symbol, [Stream(held.stream)], first, last)
    by_month: defaultdict[str, list[DayCondition]] = defaultdict(list)
    for day in days:
        by_month[f"{day.day:%Y-%m}"].append(day)
    return DayWindow(
        first=first,
        last=last,
        counts=_counts(days),
        months=tuple(
            MonthOfDays(month, tuple(members), _counts(members)) for month, members in reversed(by_month.items())
        ),
        ranges=tuple(reversed(join_days(days))),
        earlier=first - timedelta(days=1) if first > held.first else None,
        later=min(last + timedelta(days=WINDOW_DAYS), held.last) if last < held.last else None,
    )


def _instrument(
    symbol: str, published: list[PublishedSeries], held: Sequence[TickDays], last_ticks: dict[tuple[str, str], int]
) -> InstrumentRow:
    own = [row for row in held if row.symbol == symbol]
    months = [month for series in published for month in series.months]
    gaps = {stream: count for series in published for stream, count in series.gaps_by_stream.items()}
    sources = {source for row in own for source in row.sources}
    sources |= {source for month in months for item in month.current for source in item.sources}
    return InstrumentRow(
        symbol=symbol,
        streams=len(own),
        last_tick=max((at for (name, _), at in last_ticks.items() if name == symbol), default=None),
        datasets=len(published),
        last_month=max((month.month for month in months), default=None),
        months=len(months),
        months_complete=sum(month.completeness.complete for month in months),
        gaps=sum(gaps.values()),
        days_missing=sum(row.missing for row in own),
        source=overall_source(sources),
    )


def _series_row(series: PublishedSeries) -> SeriesRow:
    current = [item for month in series.months for item in month.current]
    return SeriesRow(
        series=series,
        months_complete=sum(month.completeness.complete for month in series.months),
        rows=sum(item.rows for item in current),
        size=sum(item.size for item in current),
        revision=max(item.revision for item in current),
        published_at=max(item.published_at for item in current),
        source=overall_source({source for item in current for source in item.sources}),
    )


def _counts(days: Iterable[DayCondition]) -> dict[Condition, int]:
    counts = dict.fromkeys(Condition, 0)
    for day in days:
        counts[day.condition] += 1
    return counts
