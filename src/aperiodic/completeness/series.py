"""What is published of an exchange, series by series, for someone who must decide whether to trust it.

A series here is a dataset of an instrument, on both clocks and at all intervals. What is said of ticks (days, gaps,
numbers) is said of the stream that drives the dataset.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, func, literal, select

from aperiodic.catalog import DATASETS
from aperiodic.completeness.gaps import Gap
from aperiodic.completeness.months import Completeness, HeldDays, days_held, judge_series
from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.revisions import read_publications
from aperiodic.lake.schema import gaps, objects, spans
from aperiodic.market import Clock, Exchange, Interval, Stream
from aperiodic.market.time import months_between

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy import Connection, Select

    from aperiodic.lake.revisions import Publication

__all__ = ["PublishedMonth", "PublishedSeries", "read_series", "symbols_after"]


@dataclass(frozen=True, slots=True)
class PublishedMonth:
    """A published calendar month of a series.

    Attributes:
        month: `YYYY-MM`.
        completeness: Whether anything is known to be missing from the ticks behind it.
        current: The publications whose files are the current ones, the latest last; several when only some of the
            files changed the last time.
        earlier: The publications of which files were superseded, ascending.
    """

    month: str
    completeness: Completeness
    current: tuple[Publication, ...]
    earlier: tuple[Publication, ...]


@dataclass(frozen=True, slots=True)
class PublishedSeries:
    """Everything published of one dataset of one instrument.

    Attributes:
        symbol: Atlas symbol.
        dataset: Metric dataset.
        stream: Stream that drives it.
        intervals: Intervals published, by clock.
        months: Months published, ascending.
        months_missing: Months without files between the first and the last published one.
        first_day: First UTC day with ticks, None without any.
        last_day: Last UTC day with ticks.
        days_missing: UTC days without ticks between these two, ascending.
        gaps: The first known gaps, ascending in time.
        gaps_total: Number of known gaps.
        numbered: Exchange times (µs) from which to which the venue's numbers prove what is missing; None for a stream
            that the venue does not number.
    """

    symbol: str
    dataset: str
    stream: Stream
    intervals: dict[Clock, list[Interval]]
    months: list[PublishedMonth]
    months_missing: list[str]
    first_day: date | None
    last_day: date | None
    days_missing: list[date]
    gaps: list[Gap]
    gaps_total: int
    numbered: tuple[int, int] | None


def symbols_after(connection: Connection, exchange: Exchange, after: str, limit: int) -> list[str]:
    """Return the first symbols after `after` that have published bars, at most `limit` (at least 1), ascending.

    Leaps through the index from one symbol to the next, since a symbol has thousands of objects.
    """
    following = select(func.min(objects.c.symbol)).where(
        objects.c.is_current, objects.c.kind == ObjectKind.BARS, objects.c.exchange == exchange
    )
    first = following.where(objects.c.symbol > after).scalar_subquery()
    leap = select(first.label("symbol"), literal(1, Integer).label("place")).cte("leap", recursive=True)
    leap = leap.union_all(
        select(following.where(objects.c.symbol > leap.c.symbol).scalar_subquery(), leap.c.place + 1).where(
            leap.c.symbol.is_not(None), leap.c.place < limit
        )
    )
    found = select(leap.c.symbol).where(leap.c.symbol.is_not(None)).order_by(leap.c.place)
    return list(connection.execute(found).scalars())


def read_series(
    connection: Connection, exchange: Exchange, symbols: Sequence[str], dataset: str | None = None, most_gaps: int = 20
) -> list[PublishedSeries]:
    """Return the published series of some symbols, in the order of the symbols and of the catalog.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbols: Atlas symbols.
        dataset: The only dataset wanted; None for all.
        most_gaps: How many gaps to name of a series.
    """
    files = _read_files(connection, exchange, symbols, dataset)
    if not files:
        return []
    months = months_between(
        min(first for series in files.values() for _, _, first, _ in series),
        max(last for series in files.values() for _, _, _, last in series),
    )
    publications = read_publications(connection, exchange, symbols, months, dataset)
    ticks = _Ticks(connection, exchange, _months_by_stream(files), most_gaps)
    order = [(symbol, name) for symbol in symbols for name in DATASETS if (symbol, name) in files]
    return [_assemble(key, files[key], publications[key], ticks) for key in order]


_Files = list[tuple[Clock, Interval, str, str]]
"""Clock, interval, first and last month of what is published."""


def _read_files(
    connection: Connection, exchange: str, symbols: Sequence[str], dataset: str | None
) -> dict[tuple[str, str], _Files]:
    columns = (objects.c.symbol, objects.c.dataset, objects.c.clock, objects.c.interval)
    query = select(*columns, func.min(objects.c.period).label("first"), func.max(objects.c.period).label("last")).where(
        objects.c.is_current,
        objects.c.kind == ObjectKind.BARS,
        objects.c.exchange == exchange,
        objects.c.symbol.in_(symbols),
        objects.c.dataset.in_([dataset] if dataset else list(DATASETS)),
    )
    found: defaultdict[tuple[str, str], _Files] = defaultdict(list)
    for symbol, name, clock, interval, first, last in connection.execute(query.group_by(*columns)).all():
        found[symbol, name].append((Clock(clock), Interval(interval), first, last))
    return found


def _months_by_stream(files: dict[tuple[str, str], _Files]) -> dict[tuple[str, Stream], tuple[str, str]]:
    """Return the first and the last month that is published of what a stream of a symbol drives."""
    found: dict[tuple[str, Stream], tuple[str, str]] = {}
    for (symbol, name), series in files.items():
        key = symbol, DATASETS[name].driving
        ends = [month for _, _, first, last in series for month in (first, last)]
        found[key] = min(*found.get(key, ()), *ends), max(*found.get(key, ()), *ends)
    return found


def _assemble(key: tuple[str, str], files: _Files, publications: list[Publication], ticks: _Ticks) -> PublishedSeries:
    symbol, name = key
    stream = DATASETS[name].driving
    by_month: defaultdict[str, list[Publication]] = defaultdict(list)
    for publication in publications:
        by_month[publication.month].append(publication)
    published = sorted(month for month, made in by_month.items() if any(item.files_current for item in made))
    judged = ticks.judged[symbol, stream]
    days = ticks.days.get((symbol, stream))
    return PublishedSeries(
        symbol=symbol,
        dataset=name,
        stream=stream,
        intervals={
            clock: [interval for interval in Interval if any(file[:2] == (clock, interval) for file in files)]
            for clock in Clock
        },
        months=[
            PublishedMonth(
                month,
                judged[month],
                tuple(item for item in by_month[month] if item.files_current),
                tuple(item for item in by_month[month] if item.files_current < item.files),
            )
            for month in published
        ],
        months_missing=[month for month in months_between(published[0], published[-1]) if month not in published],
        first_day=None if days is None else days.first,
        last_day=None if days is None else days.last,
        days_missing=_missing_between(days, judged),
        gaps=ticks.gaps.get((symbol, stream), []),
        gaps_total=ticks.gaps_total.get((symbol, stream), 0),
        numbered=ticks.numbered.get((symbol, stream)),
    )


def _missing_between(days: HeldDays | None, judged: dict[str, Completeness]) -> list[date]:
    if days is None or days.whole:
        return []
    missing = (day for completeness in judged.values() for day in completeness.days_missing)
    return sorted(day for day in missing if days.first < day < days.last)


class _Ticks:
    """What the ledger knows of the ticks of some streams and symbols, read at once."""

    def __init__(
        self,
        connection: Connection,
        exchange: Exchange,
        published: dict[tuple[str, Stream], tuple[str, str]],
        most_gaps: int,
    ) -> None:
        symbols, streams = sorted({symbol for symbol, _ in published}), {stream for _, stream in published}
        self.days = days_held(connection, exchange, symbols, streams)
        self.numbered = {
            (symbol, Stream(stream)): (first, last)
            for symbol, stream, first, last in connection.execute(_numbers_held(exchange, symbols, streams))
        }
        self.gaps: defaultdict[tuple[str, Stream], list[Gap]] = defaultdict(list)
        self.gaps_total: dict[tuple[str, Stream], int] = {}
        for row in connection.execute(_first_gaps(exchange, symbols, streams, most_gaps)).mappings():
            key = row["symbol"], Stream(row["stream"])
            self.gaps[key].append(Gap(**{name: row[name] for name in Gap.__slots__}))
            self.gaps_total[key] = row["total"]
        # Months that are published or have ticks, and all between them.
        self.judged = judge_series(
            connection, exchange, {key: self._months(key, *ends) for key, ends in published.items()}, self.days
        )

    def _months(self, series: tuple[str, Stream], first: str, last: str) -> list[str]:
        held = self.days.get(series)
        ends = [first, last] if held is None else [first, last, f"{held.first:%Y-%m}", f"{held.last:%Y-%m}"]
        return months_between(min(ends), max(ends))


def _numbers_held(exchange: str, symbols: Sequence[str], streams: set[Stream]) -> Select[Any]:
    return (
        select(spans.c.symbol, spans.c.stream, func.min(spans.c.first_time), func.max(spans.c.last_time))
        .where(spans.c.exchange == exchange, spans.c.symbol.in_(symbols), spans.c.stream.in_(streams))
        .group_by(spans.c.symbol, spans.c.stream)
    )


def _first_gaps(exchange: str, symbols: Sequence[str], streams: set[Stream], most: int) -> Select[Any]:
    series = (gaps.c.symbol, gaps.c.stream)
    ranked = (
        select(
            gaps,
            func.row_number().over(partition_by=series, order_by=(gaps.c.first_time, gaps.c.id)).label("place"),
            func.count().over(partition_by=series).label("total"),
        )
        .where(gaps.c.exchange == exchange, gaps.c.symbol.in_(symbols), gaps.c.stream.in_(streams))
        .subquery()
    )
    return select(ranked).where(ranked.c.place <= most).order_by(ranked.c.symbol, ranked.c.stream, ranked.c.place)
