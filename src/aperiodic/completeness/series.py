"""What is published of an exchange, series by series, for someone who must decide whether to trust it.

A series here is a dataset of an instrument, on both clocks and at all intervals. What is said of days and numbers is
said of the stream that drives the dataset; gaps are those of all streams that it is made from.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, func, literal, select

from aperiodic.catalog import DATASETS
from aperiodic.completeness.known_gaps import GapList, judge_all_days, read_known_gaps
from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.revisions import read_publications
from aperiodic.lake.schema import objects, spans
from aperiodic.market import Clock, Exchange, Interval, Stream
from aperiodic.market.time import month_days, months_between

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlalchemy import Connection, Select

    from aperiodic.completeness.judgement import Completeness
    from aperiodic.completeness.known_gaps import KnownGap
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
        gaps_by_stream: The same by stream.
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
    gaps: list[KnownGap]
    gaps_total: int
    gaps_by_stream: dict[Stream, int]
    numbered: tuple[int, int] | None


def symbols_after(
    connection: Connection, exchange: Exchange, after: str, limit: int, kind: ObjectKind = ObjectKind.BARS
) -> list[str]:
    """Return the first symbols after `after` that have published bars, at most `limit` (at least 1), ascending.

    Leaps through the index from one symbol to the next, since a symbol has thousands of objects.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        after: Where the page before ended; empty for the first page.
        limit: How many at most.
        kind: Another kind of object than published bars.
    """
    following = select(func.min(objects.c.symbol)).where(
        objects.c.is_current, objects.c.kind == kind, objects.c.exchange == exchange
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
    ticks = _Ticks(connection, exchange, files, months, most_gaps)
    order = [(symbol, name) for symbol in symbols for name in DATASETS if (symbol, name) in files]
    return [_assemble(key, files[key], publications[key], ticks, most_gaps) for key in order]


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


def _assemble(
    key: tuple[str, str], files: _Files, publications: list[Publication], ticks: _Ticks, most_gaps: int
) -> PublishedSeries:
    symbol, name = key
    stream = DATASETS[name].driving
    by_month: defaultdict[str, list[Publication]] = defaultdict(list)
    for publication in publications:
        by_month[publication.month].append(publication)
    published = sorted(month for month, made in by_month.items() if any(item.files_current for item in made))
    days = ticks.judgement.held.get((symbol, stream))
    by_stream = {behind: ticks.gaps_of(symbol, behind) for behind in DATASETS[name].streams}
    gaps_known, gaps_total = GapList.joined(by_stream.values(), most_gaps)
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
                ticks.judgement.verdict(symbol, DATASETS[name].streams, *month_days(month)),
                tuple(item for item in by_month[month] if item.files_current),
                tuple(item for item in by_month[month] if item.files_current < item.files),
            )
            for month in published
        ],
        months_missing=[month for month in months_between(published[0], published[-1]) if month not in published],
        first_day=None if days is None else days.first,
        last_day=None if days is None else days.last,
        days_missing=ticks.days_missing(symbol, stream),
        gaps=gaps_known,
        gaps_total=gaps_total,
        gaps_by_stream={behind: found.total for behind, found in by_stream.items()},
        numbered=ticks.numbered.get((symbol, stream)),
    )


class _Ticks:
    """What the ledger knows of the ticks of some streams and symbols, read at once."""

    def __init__(
        self,
        connection: Connection,
        exchange: Exchange,
        files: dict[tuple[str, str], _Files],
        months: list[str],
        most_gaps: int,
    ) -> None:
        symbols = sorted({symbol for symbol, _ in files})
        streams = {stream for _, name in files for stream in DATASETS[name].streams}
        self.numbered = {
            (symbol, Stream(stream)): (first, last)
            for symbol, stream, first, last in connection.execute(_numbers_held(exchange, symbols, streams))
        }
        days = month_days(months[0])[0], month_days(months[-1])[1]
        self.judgement = judge_all_days(connection, exchange, symbols, streams, days)
        self._gaps = read_known_gaps(connection, exchange, self.judgement, most_gaps)

    def days_missing(self, symbol: str, stream: Stream) -> list[date]:
        """Return the days without ticks between the first and the last with."""
        days = self.judgement.held.get((symbol, stream))
        return [] if days is None else list(self.judgement.days_missing(symbol, stream, days.first, days.last))

    def gaps_of(self, symbol: str, stream: Stream) -> GapList:
        """Return the first gaps of a stream, and how many there are."""
        return self._gaps.get((symbol, stream), GapList([], 0))


def _numbers_held(exchange: str, symbols: Sequence[str], streams: set[Stream]) -> Select[Any]:
    return (
        select(spans.c.symbol, spans.c.stream, func.min(spans.c.first_time), func.max(spans.c.last_time))
        .where(spans.c.exchange == exchange, spans.c.symbol.in_(symbols), spans.c.stream.in_(streams))
        .group_by(spans.c.symbol, spans.c.stream)
    )
