"""The condition of every UTC day of one or several tick streams, with its causes; see `completeness.causes`.

What makes a day missing or partial is the one judgement of `completeness.judgement`; here it is put in words, and what
else there is to know is added. Rejected lines and notes are known per file only: they count for every day between the
file's first and last arrival, though they may concern another of these days, another symbol or, in a recording, another
stream. A file without any arrival time counts for no day.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import String, cast, func, or_, select

from aperiodic.completeness.causes import Cause, CauseCode, DayCondition
from aperiodic.completeness.judgement import Judgement
from aperiodic.lake.archive_files import absent_days
from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.schema import imports, objects
from aperiodic.market import DAY_US, Exchange, Source, Stream
from aperiodic.market.time import day_at, day_start_us
from aperiodic.venues import has_modelled_time
from aperiodic.venues.archive import NOT_IN_ARCHIVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from sqlalchemy import Connection, Row, Select

    from aperiodic.completeness.judgement import Missing

__all__ = ["read_conditions"]

_SLACK_US: Final = 60_000_000
_BY_DEFINITION: Final = frozenset({"off_book_trade"})
_TABLES: Final = frozenset({Source.TARDIS, Source.ARCHIVE})
_NOTES: Final[Mapping[Stream, tuple[str, ...]]] = {
    Stream.TRADES: ("aggregated_trades", "backlog_dropped"),
    Stream.QUOTES: ("quotes_from_book",),
    Stream.BOOK: ("book_beyond_snapshot_depth", "sequence_reset"),
    Stream.MARK_PRICE: ("sampled_each_minute",),
    Stream.INDEX_PRICE: ("sampled_each_minute",),
    Stream.FUNDING_RATE: ("modelled_exchange_time", "sampled_each_minute", "settled_funding"),
    Stream.OPEN_INTEREST: (
        "open_interest_every_5m",
        "open_interest_in_contracts_left_out",
        "sampled_each_minute",
    ),
}
"""Notes of the importer by the stream that they concern."""


def read_conditions(
    connection: Connection, exchange: Exchange, symbol: str, streams: Sequence[Stream], first: date, last: date
) -> list[DayCondition]:
    """Judge every day from `first` to `last`, both included, ascending.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbol: Atlas symbol.
        streams: Tick stream; where a dataset is asked for, all streams behind it, the driving one first.
        first: First UTC day.
        last: Last UTC day.
    """
    begin, end = day_start_us(first), day_start_us(last) + DAY_US
    judgement = Judgement(connection, exchange, [symbol], streams, first, last)
    evidence = [_Evidence(connection, exchange, symbol, stream, begin, end) for stream in streams]
    days = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        driving, *joined = (_causes(day, series, judgement) for series in evidence)
        ticks = evidence[0].ticks.get(day.isoformat())
        causes = [
            *driving,
            *(
                replace(cause, joined=stream)
                for stream, found in zip(streams[1:], joined, strict=True)
                for cause in found
            ),
        ]
        days.append(DayCondition(day, None if ticks is None else ticks.source, tuple(causes)))
    return days


class _Evidence:
    """What the ledger tells of a stream between two times, µs, besides what is missing."""

    def __init__(
        self, connection: Connection, exchange: Exchange, symbol: str, stream: Stream, begin: int, end: int
    ) -> None:
        self.symbol = symbol
        self.stream = stream
        self.modelled = has_modelled_time(exchange, stream)
        self.ticks = {row.period: row for row in connection.execute(_ticks(exchange, symbol, stream, begin, end))}
        self.absent = absent_days(connection, exchange, symbol, stream, _day_of(begin), _day_of(end - 1))
        self.files: defaultdict[int, list[Row[Any]]] = defaultdict(list)
        for file in connection.execute(_notable(exchange, begin, end)):
            if self._concerns(file):
                for start in range(
                    _midnight(max(file.first_received, begin)), min(file.last_received + 1, end), DAY_US
                ):
                    self.files[start].append(file)

    def _concerns(self, file: Row[Any]) -> bool:
        # A recording holds all streams; a table one kind, and if it came to nothing it tells not which.
        return file.source not in _TABLES or not file.ticks or self.stream in file.ticks


def _causes(day: date, evidence: _Evidence, judgement: Judgement) -> list[Cause]:
    begin = day_start_us(day)
    end = begin + DAY_US
    ticks = evidence.ticks.get(day.isoformat())
    absent = NOT_IN_ARCHIVE if day.isoformat() in evidence.absent else None
    causes = [] if ticks is not None else [Cause(CauseCode.NO_TICKS, absent)]
    missing = judgement.missing(evidence.symbol, evidence.stream)
    causes += _missing_causes(missing if ticks else (item for item in missing if item.count), begin, end)
    if ticks is not None:
        causes += _time_causes(evidence, ticks)
        causes += _file_causes(evidence, evidence.files[begin], begin, end)
    return causes


def _missing_causes(found: Iterable[Missing], begin: int, end: int) -> Iterator[Cause]:
    by_cause: defaultdict[tuple[CauseCode, str | None], list[Missing]] = defaultdict(list)
    for item in found:
        if item.touches(begin, end):
            by_cause[item.code, item.detail].append(item)
    edges = by_cause.pop((CauseCode.NOT_SPANNED, None), [])
    for (code, detail), items in sorted(by_cause.items(), key=lambda entry: (entry[0][0], entry[0][1] or "")):
        first, last = min(item.first_time for item in items), max(item.last_time for item in items)
        if code is not CauseCode.GAP:
            first, last = max(first, begin), min(last, end)
        yield Cause(code, detail, sum(item.count for item in items), first, last)
    for edge in edges:
        yield Cause(edge.code, None, None, max(edge.first_time, begin), min(edge.last_time, end))


def _time_causes(evidence: _Evidence, ticks: Row[Any]) -> Iterator[Cause]:
    archived = ticks.source == Source.ARCHIVE
    if evidence.modelled and not archived:
        yield Cause(CauseCode.MODELLED_EXCHANGE_TIME)
    if archived:
        yield Cause(CauseCode.NO_ARRIVAL_TIME)
    elif None not in {ticks.last_local, ticks.last_exchange} and ticks.last_local > ticks.last_exchange + _SLACK_US:
        yield Cause(CauseCode.LATE_ARRIVALS, None, None, ticks.last_exchange, ticks.last_local)


def _file_causes(evidence: _Evidence, files: list[Row[Any]], begin: int, end: int) -> Iterator[Cause]:
    rejected: defaultdict[str, int] = defaultdict(int)
    noted: defaultdict[str, int] = defaultdict(int)
    for file in files:
        for code, lines in file.rejected.items():
            if code not in _BY_DEFINITION:
                rejected[code] += lines
        for name in {name for note in file.notes if (name := _name_of(note, evidence, begin, end)) is not None}:
            noted[name] += 1
    for code, lines in sorted(rejected.items()):
        yield Cause(CauseCode.REJECTED_LINES, code, lines, per_file=True)
    for name, count in sorted(noted.items()):
        if name != CauseCode.MODELLED_EXCHANGE_TIME:
            yield Cause(CauseCode.NOTE, name, count, per_file=True)
        elif not evidence.modelled:
            yield Cause(CauseCode.MODELLED_EXCHANGE_TIME, None, count, per_file=True)


def _name_of(note: str, evidence: _Evidence, begin: int, end: int) -> str | None:
    """Return the name of a note (`name` or `name:symbol:number`) that concerns a series and a day, else None."""
    name, _, rest = note.partition(":")
    symbol, _, number = rest.rpartition(":")
    if name not in _NOTES.get(evidence.stream, ()) or (symbol and symbol != evidence.symbol):
        return None
    if name == "backlog_dropped" and not begin <= int(number) < end:
        return None
    return name


def _ticks(exchange: str, symbol: str, stream: str, begin: int, end: int) -> Select[Any]:
    day = func.substr(objects.c.period, 1, len("2026-01-01"))
    return (
        select(
            day.label("period"),
            func.max(objects.c.source).label("source"),
            func.max(objects.c.last_exchange).label("last_exchange"),
            func.max(objects.c.last_local).label("last_local"),
        )
        .where(
            objects.c.is_current,
            objects.c.kind.in_([ObjectKind.TICKS, ObjectKind.TICK_PARTS]),
            objects.c.exchange == exchange,
            objects.c.symbol == symbol,
            objects.c.dataset == stream,
            # Parts of a day have their number behind it.
            objects.c.period.between(_day_of(begin), f"{_day_of(end - 1)}-~"),
        )
        .group_by(day)
    )


def _notable(exchange: str, begin: int, end: int) -> Select[Any]:
    """Files with rejected lines or notes."""
    columns = ("source", "first_received", "last_received", "ticks", "rejected", "notes")
    return select(*(imports.c[name] for name in columns)).where(
        *_files_between(exchange, begin, end),
        or_(cast(imports.c.rejected, String) != "{}", cast(imports.c.notes, String) != "[]"),
    )


def _files_between(exchange: str, begin: int, end: int) -> tuple[Any, ...]:
    return (imports.c.exchange == exchange, imports.c.first_received < end, imports.c.last_received >= begin)


def _midnight(time: int) -> int:
    return time - time % DAY_US


def _day_of(time: int) -> str:
    return day_at(time // DAY_US).isoformat()
