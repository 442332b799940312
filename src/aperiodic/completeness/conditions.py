"""The condition of every UTC day of a tick stream, with its causes.

| condition | when |
|---|---|
| `missing` | the day has no ticks |
| `partial` | a known gap overlaps it, or recording did not span it |
| `degraded` | it is all there as far as is known, but there is something to know about it |
| `available` | none of this |

The first that holds is the day's condition; all causes are told whatever it is.

| cause | makes it | when |
|---|---|---|
| `no_ticks` | missing | there is no tick of the day |
| `gap` | partial | events that the venue numbered are missing between two that are here |
| `not_spanned` | partial | the numbers on record begin over 60 s into the day, or end over 60 s before its end |
| `not_recorded` | partial | no recording with ticks of the stream received anything for over 60 s ¹ ² |
| `cut_short` | partial | a file broke off, and the last tick came over 60 s before the day's end ¹ ³ |
| `modelled_exchange_time` | degraded | the venue tells no time: the arrival time stands in |
| `late_arrivals` | degraded | the last arrival was over 60 s after the last exchange time |
| `rejected_lines` | degraded | lines became no tick; trades off the book do not count, being none by definition ¹ |
| `note` | degraded | the importer noted something about the stream; `detail` is its name ¹ |

¹ Known per file only: counts for every day between the file's first and last arrival, though it may concern another
of these days, another symbol or, in a recording, another stream. A file without any arrival time counts for no day.
² Streams without numbers, from recordings. ³ Streams without numbers, from Tardis.

The 60 s are those of `lake.completeness`: a month of a numbered stream is complete exactly when none of its days is
partial or missing. Of a stream without numbers more is said here than there, where only days without ticks count.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import String, cast, func, or_, select

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.schema import gaps, imports, objects, spans
from aperiodic.market import DAY_US, Exchange, Source, Stream
from aperiodic.market.time import day_at, day_start_us
from aperiodic.venues import has_modelled_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Connection, Row, Select

__all__ = ["Cause", "CauseCode", "Condition", "DayCondition", "read_conditions"]

_SLACK_US: Final = 60_000_000
_CUT_SHORT: Final = ("truncated_file", "corrupt_file")
_BY_DEFINITION: Final = frozenset({"off_book_trade"})
_NOTES: Final[Mapping[Stream, tuple[str, ...]]] = {
    Stream.TRADES: ("aggregated_trades", "backlog_dropped"),
    Stream.QUOTES: ("quotes_from_book",),
    Stream.BOOK: ("book_awaits", "book_beyond_snapshot_depth", "checksum_mismatch", "sequence_reset"),
    Stream.FUNDING_RATE: ("modelled_exchange_time",),
    Stream.OPEN_INTEREST: ("open_interest_in_contracts_left_out",),
}
"""Notes of the importer by the stream that they concern."""


class Condition(StrEnum):
    """How much of a day is there; see the module. From best to worst."""

    AVAILABLE = "available"
    DEGRADED = "degraded"
    PARTIAL = "partial"
    MISSING = "missing"


class CauseCode(StrEnum):
    """Why a day is not simply available; see the module."""

    NO_TICKS = "no_ticks"
    GAP = "gap"
    NOT_SPANNED = "not_spanned"
    NOT_RECORDED = "not_recorded"
    CUT_SHORT = "cut_short"
    MODELLED_EXCHANGE_TIME = "modelled_exchange_time"
    LATE_ARRIVALS = "late_arrivals"
    REJECTED_LINES = "rejected_lines"
    NOTE = "note"

    @property
    def condition(self) -> Condition:
        """The condition of a day that has no worse cause."""
        return _WEIGHS.get(self, Condition.DEGRADED)


_WEIGHS: Final = {
    CauseCode.NO_TICKS: Condition.MISSING,
    CauseCode.GAP: Condition.PARTIAL,
    CauseCode.NOT_SPANNED: Condition.PARTIAL,
    CauseCode.NOT_RECORDED: Condition.PARTIAL,
    CauseCode.CUT_SHORT: Condition.PARTIAL,
}
_ORDER: Final = list(Condition)


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing to know about a day.

    Attributes:
        code: What it is.
        detail: Cause of the gap, reason of the rejection, or name of the note; None for others.
        count: Gaps, holes, lines or files that it stands for; None where there is nothing to count.
        first_time: Where it begins, µs; of several, the first; None when it concerns the whole day.
        last_time: Where it ends, µs; of several, the last.
        per_file: Whether the ledger knows it of whole files only, which may hold more than this day and symbol.
    """

    code: CauseCode
    detail: str | None = None
    count: int | None = None
    first_time: int | None = None
    last_time: int | None = None
    per_file: bool = False


@dataclass(frozen=True, slots=True)
class DayCondition:
    """A day and what is to know about it.

    Attributes:
        day: UTC day.
        source: Where its ticks came from; None without any.
        causes: Everything to know, as in the table of the module.
    """

    day: date
    source: str | None
    causes: tuple[Cause, ...]

    @property
    def condition(self) -> Condition:
        """The condition by the worst cause."""
        return max((cause.code.condition for cause in self.causes), key=_ORDER.index, default=Condition.AVAILABLE)


def read_conditions(
    connection: Connection, exchange: Exchange, symbol: str, stream: Stream, first: date, last: date
) -> list[DayCondition]:
    """Judge every day from `first` to `last`, both included, ascending.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbol: Atlas symbol.
        stream: Tick stream.
        first: First UTC day.
        last: Last UTC day.
    """
    begin, end = day_start_us(first), day_start_us(last) + DAY_US
    evidence = _Evidence(connection, exchange, symbol, stream, begin, end)
    return [_judge(first + timedelta(days=offset), evidence) for offset in range((last - first).days + 1)]


class _Evidence:
    """What the ledger holds of a series between two times, µs: read at once, by day where there is much of it."""

    def __init__(
        self, connection: Connection, exchange: Exchange, symbol: str, stream: Stream, begin: int, end: int
    ) -> None:
        self.symbol = symbol
        self.stream = stream
        self.modelled = has_modelled_time(exchange, stream)
        self.ticks = {row.period: row for row in connection.execute(_ticks(exchange, symbol, stream, begin, end))}
        self.gaps = list(connection.execute(_gaps(exchange, symbol, stream, begin, end)))
        reach = connection.execute(_reach(exchange, symbol, stream)).one()
        self.reach: tuple[int, int] | None = None if reach[0] is None else (reach[0], reach[1])
        self.files: defaultdict[int, list[Row[Any]]] = defaultdict(list)
        for file in connection.execute(_notable(exchange, begin, end)):
            if self._concerns(file):
                for start in range(
                    _midnight(max(file.first_received, begin)), min(file.last_received + 1, end), DAY_US
                ):
                    self.files[start].append(file)
        self.recorded: list[tuple[int, int]] = []
        if self.reach is None:  # numbers prove more than the times of files do
            received = connection.execute(_received(exchange, stream, begin, end))
            self.recorded = _joined((row.first_received, row.last_received) for row in received)

    def _concerns(self, file: Row[Any]) -> bool:
        # A recording holds all streams; a Tardis file one kind, and if it came to nothing it tells not which.
        return file.source != Source.TARDIS or not file.ticks or self.stream in file.ticks


def _judge(day: date, evidence: _Evidence) -> DayCondition:
    begin = day_start_us(day)
    end = begin + DAY_US
    ticks = evidence.ticks.get(day.isoformat())
    files = evidence.files[begin]
    causes = [] if ticks is not None else [Cause(CauseCode.NO_TICKS)]
    causes += _gap_causes(evidence.gaps, begin, end)
    if ticks is not None:
        causes += _span_causes(evidence, ticks, files, begin, end)
        causes += _time_causes(evidence, ticks)
        causes += _file_causes(evidence, files, begin, end)
    return DayCondition(day, None if ticks is None else ticks.source, tuple(causes))


def _gap_causes(found: list[Row[Any]], begin: int, end: int) -> Iterator[Cause]:
    by_cause: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in found:
        if row.first_time < end and row.last_time >= begin:
            by_cause[row.cause].append(row)
    for cause, rows in sorted(by_cause.items()):
        first, last = min(row.first_time for row in rows), max(row.last_time for row in rows)
        yield Cause(CauseCode.GAP, cause, sum(row.gaps for row in rows), first, last)


def _span_causes(evidence: _Evidence, ticks: Row[Any], files: list[Row[Any]], begin: int, end: int) -> Iterator[Cause]:
    if evidence.reach is not None:
        first, last = evidence.reach
        if first > begin + _SLACK_US:
            yield Cause(CauseCode.NOT_SPANNED, None, None, begin, min(first, end))
        if last < end - _SLACK_US:
            yield Cause(CauseCode.NOT_SPANNED, None, None, max(last, begin), end)
    elif ticks.source == Source.RECORDING:
        holes = _holes(evidence.recorded, begin, end)
        if holes:
            yield Cause(CauseCode.NOT_RECORDED, None, len(holes), holes[0][0], holes[-1][1], per_file=True)
    elif ticks.source == Source.TARDIS and (ticks.last_exchange or end) < end - _SLACK_US:
        cut = sum(any(code in file.rejected for code in _CUT_SHORT) for file in files)
        if cut:
            yield Cause(CauseCode.CUT_SHORT, None, cut, ticks.last_exchange, end, per_file=True)


def _holes(recorded: list[tuple[int, int]], begin: int, end: int) -> list[tuple[int, int]]:
    """Return the stretches of a day, over 60 s long, in which no file received anything; none if no file touches it."""
    touching = [(first, last) for first, last in recorded if first < end and last >= begin]
    if not touching:
        return []
    edges = [begin, *(time for stretch in touching for time in stretch), end]
    return [(left, right) for left, right in zip(edges[::2], edges[1::2], strict=True) if right - left > _SLACK_US]


def _time_causes(evidence: _Evidence, ticks: Row[Any]) -> Iterator[Cause]:
    if evidence.modelled:
        yield Cause(CauseCode.MODELLED_EXCHANGE_TIME)
    if None not in {ticks.last_local, ticks.last_exchange} and ticks.last_local > ticks.last_exchange + _SLACK_US:
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


def _joined(received: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join stretches, ascending by their begin, that are at most 60 s apart."""
    joined: list[tuple[int, int]] = []
    for first, last in received:
        if joined and first <= joined[-1][1] + _SLACK_US:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _ticks(exchange: str, symbol: str, stream: str, begin: int, end: int) -> Select[Any]:
    columns = (objects.c.period, objects.c.source, objects.c.last_exchange, objects.c.last_local)
    return select(*columns).where(
        objects.c.is_current,
        objects.c.kind == ObjectKind.TICKS,
        objects.c.exchange == exchange,
        objects.c.symbol == symbol,
        objects.c.dataset == stream,
        objects.c.period.between(_day_of(begin), _day_of(end - 1)),
    )


def _gaps(exchange: str, symbol: str, stream: str, begin: int, end: int) -> Select[Any]:
    days = (gaps.c.first_time // DAY_US, gaps.c.last_time // DAY_US)
    return (
        select(
            gaps.c.cause,
            func.min(gaps.c.first_time).label("first_time"),
            func.max(gaps.c.last_time).label("last_time"),
            func.count().label("gaps"),
        )
        .where(
            gaps.c.exchange == exchange,
            gaps.c.symbol == symbol,
            gaps.c.stream == stream,
            gaps.c.first_time < end,
            gaps.c.last_time >= begin,
        )
        .group_by(gaps.c.cause, *days)
    )


def _reach(exchange: str, symbol: str, stream: str) -> Select[Any]:
    return select(func.min(spans.c.first_time), func.max(spans.c.last_time)).where(
        spans.c.exchange == exchange, spans.c.symbol == symbol, spans.c.stream == stream
    )


def _notable(exchange: str, begin: int, end: int) -> Select[Any]:
    """Files with rejected lines or notes."""
    columns = ("source", "first_received", "last_received", "ticks", "rejected", "notes")
    return select(*(imports.c[name] for name in columns)).where(
        *_files_between(exchange, begin, end),
        or_(cast(imports.c.rejected, String) != "{}", cast(imports.c.notes, String) != "[]"),
    )


def _received(exchange: str, stream: str, begin: int, end: int) -> Select[Any]:
    """When recordings with ticks of a stream received anything."""
    return (
        select(imports.c.first_received, imports.c.last_received)
        .where(
            *_files_between(exchange, begin, end),
            imports.c.source == Source.RECORDING,
            cast(imports.c.ticks, String).contains(f'"{stream}"', autoescape=True),
        )
        .order_by(imports.c.first_received)
    )


def _files_between(exchange: str, begin: int, end: int) -> tuple[Any, ...]:
    return (imports.c.exchange == exchange, imports.c.first_received < end, imports.c.last_received >= begin)


def _midnight(time: int) -> int:
    return time - time % DAY_US


def _day_of(time: int) -> str:
    return day_at(time // DAY_US).isoformat()
