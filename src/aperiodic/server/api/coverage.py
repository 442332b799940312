"""What is published, and whether to trust it: `/api/v1/metadata/coverage`."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.di import NamedDependency

from aperiodic.catalog import Dataset
from aperiodic.completeness.known_gaps import KnownGap
from aperiodic.completeness.open_ticks import OpenTicks, read_open_ticks
from aperiodic.completeness.series import PublishedMonth, PublishedSeries, read_series, symbols_after
from aperiodic.lake import ObjectKind
from aperiodic.lake.revisions import Publication
from aperiodic.market import Exchange, InvalidInputError, Stream, Symbol
from aperiodic.market.time import time_at
from aperiodic.server.api.data import overall_source
from aperiodic.server.api.example_values import BTC, REQUEST_ID, VENUE
from aperiodic.server.api.parameters import AFTER, EXCHANGE, OF_METRIC, OF_SYMBOL, known_symbol
from aperiodic.server.api.request_parsing import read_query
from aperiodic.server.endpoints import RATE, Answer, Check, Endpoint, Given, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import request_id
from aperiodic.server.service import Service

__all__ = ["CoverageAnswer", "get_coverage"]

_MOST_SYMBOLS: Final = 5
_MOST_SYMBOLS_OF_A_METRIC: Final = 50
_MOST_GAPS_OF_MANY: Final = 20
_MOST_GAPS_OF_ONE: Final = 1_000
_MOST_DAYS: Final = 366


@dataclass(frozen=True, slots=True)
class CoverageQuery:
    """A valid question for what is published of an exchange.

    Attributes:
        exchange: Venue.
        symbol: The only instrument wanted; None: all.
        metric: The only dataset wanted; None: all.
        after: Where the page before ended; None: the first page.
    """

    exchange: Exchange
    symbol: Symbol | None = None
    metric: Dataset | None = None
    after: Symbol | None = None


class GapEntry(msgspec.Struct):
    """An interval in which ticks are known to be missing.

    Attributes:
        start: Time of the last event or arrival before it.
        end: Time of the first event or arrival after it.
        stream: Stream that lacks them.
        cause: `not_recorded` (no file covers it), `sequence_break` (lost within a recording), `no_snapshot` or
            `checksum_mismatch` (the order book was not known), `disconnect`, `stale`, `dropped` or `disk_full` (the
            recorder lost the stream), `not_spanned` or `cut_short`.
        first_missing: The first number missing; null where the venue does not number the events one by one.
        last_missing: The last one.
    """

    start: datetime
    end: datetime
    stream: str
    cause: str
    first_missing: int | None
    last_missing: int | None


class EarlierEntry(msgspec.Struct):
    """An earlier revision: `as_of` with a time from `published_at` until before `replaced_at` gets it.

    Attributes:
        revision: 1 for the first.
        reason: Why it was made.
        published_at: Since when all of its files were there.
        replaced_at: When the first of its files gave way.
        replaced_because: Reason of the revision that took its place; null when it was withdrawn.
    """

    revision: int
    reason: str
    published_at: datetime
    replaced_at: datetime
    replaced_because: str | None


class MonthEntry(msgspec.Struct):
    """A published calendar month.

    Attributes:
        month: `YYYY-MM`.
        complete: Whether nothing is known to be missing from the ticks behind it.
        gaps: Number of known intervals without ticks that touch it, of all streams behind the metric.
        missing_days: Number of its UTC days without ticks.
        source: `recording`, `tardis`, `archive`, `simulated` or `mixed`.
        files: Number of current files, one an interval and clock.
        rows: Bars, summed over these files.
        bytes: Size of these files.
        revision: The highest revision of these files.
        published_at: Since when all of these files have been there.
        reason: Why that revision was made.
        earlier: Revisions that gave way, ascending.
    """

    month: str
    complete: bool
    gaps: int
    missing_days: int
    source: str | None
    files: int
    rows: int
    bytes: int
    revision: int
    published_at: datetime
    reason: str
    earlier: list[EarlierEntry]


class SeriesEntry(msgspec.Struct):
    """One metric of one symbol.

    What is said of days and numbers is said of the ticks of its driving stream, what is said of gaps of all streams that
    it is made from.

    Attributes:
        exchange: Venue.
        symbol: Instrument.
        metric: Dataset.
        stream: Stream that drives it.
        source: As of the months, over all of them.
        intervals: Intervals published, by `timestamp`.
        first_day: First UTC day with ticks; null without any.
        last_day: Last UTC day with ticks.
        missing_days: UTC days without ticks between these two, the first 366.
        missing_days_total: How many there are.
        gaps: Known gaps, ascending in time: the first 1,000 of a single series, else the first 20 of each.
        gaps_total: How many there are.
        numbered_from: Since when the venue's numbers prove what is missing; null when it does not number the stream,
            so that only the times of recordings tell.
        numbered_to: Until when.
        complete: Whether every month from the first to the last is published and complete.
        files: Number of current files.
        rows: Bars, summed over clocks, intervals and months.
        bytes: Size of the current files.
        missing_months: Months between the first and the last that are not published.
        months: Months published, ascending.
    """

    exchange: str
    symbol: str
    metric: str
    stream: str
    source: str | None
    intervals: dict[str, list[str]]
    first_day: date | None
    last_day: date | None
    missing_days: list[date]
    missing_days_total: int
    gaps: list[GapEntry]
    gaps_total: int
    numbered_from: datetime | None
    numbered_to: datetime | None
    complete: bool
    files: int
    rows: int
    bytes: int
    missing_months: list[str]
    months: list[MonthEntry]


class OpenDayEntry(msgspec.Struct):
    """Ticks of a day that is not over, or of which the ticks are not one file yet.

    Attributes:
        symbol: Instrument.
        stream: Tick stream.
        day: The UTC day of exchange time.
        ticks: How many are held.
        covered_until: Until when, by arrival, everything that was received of the stream is among them; null where no
            time of arrival is known.
    """

    symbol: str
    stream: str
    day: date
    ticks: int
    covered_until: datetime | None


class CoverageAnswer(msgspec.Struct):
    """What is published of an exchange.

    Attributes:
        exchange: Venue.
        series: Ascending by symbol, then in catalog order; a symbol is never split between pages.
        open_days: Ticks of days that are not over, of the streams behind what is asked for, ascending by symbol, stream
            and day. Months and days above do not count them until the day is over.
        next: What to send as `after` for the next page; null on the last one.
        request_id: Names the request.
    """

    exchange: str
    series: list[SeriesEntry]
    open_days: list[OpenDayEntry]
    next: str | None
    request_id: str


_EXAMPLE: Final = CoverageAnswer(
    exchange=VENUE,
    series=[
        SeriesEntry(
            exchange=VENUE,
            symbol=BTC,
            metric="ohlcv",
            stream="trades",
            source="recording",
            intervals={"exchange": ["5m", "1h"], "true": ["5m", "1h"]},
            first_day=date(2025, 5, 1),
            last_day=date(2025, 5, 31),
            missing_days=[date(2025, 5, 17)],
            missing_days_total=1,
            gaps=[
                GapEntry(
                    start=datetime(2025, 5, 9, 4, 0, 1, 120_000, UTC),
                    end=datetime(2025, 5, 9, 4, 0, 3, 480_000, UTC),
                    stream="trades",
                    cause="sequence_break",
                    first_missing=6_100_204_113,
                    last_missing=6_100_204_131,
                )
            ],
            gaps_total=1,
            numbered_from=datetime(2025, 5, 1, tzinfo=UTC),
            numbered_to=datetime(2025, 6, 1, tzinfo=UTC),
            complete=False,
            files=4,
            rows=19_344,
            bytes=921_660,
            missing_months=[],
            months=[
                MonthEntry(
                    month="2025-05",
                    complete=False,
                    gaps=1,
                    missing_days=1,
                    source="recording",
                    files=4,
                    rows=19_344,
                    bytes=921_660,
                    revision=2,
                    published_at=datetime(2025, 6, 4, 8, 30, tzinfo=UTC),
                    reason="new ticks",
                    earlier=[
                        EarlierEntry(
                            revision=1,
                            reason="first build",
                            published_at=datetime(2025, 6, 1, 0, 12, tzinfo=UTC),
                            replaced_at=datetime(2025, 6, 4, 8, 30, tzinfo=UTC),
                            replaced_because="new ticks",
                        )
                    ],
                )
            ],
        )
    ],
    open_days=[
        OpenDayEntry(
            symbol=BTC,
            stream="trades",
            day=date(2025, 6, 4),
            ticks=1_204_311,
            covered_until=datetime(2025, 6, 4, 8, 41, 7, 250_000, UTC),
        )
    ],
    next=None,
    request_id=REQUEST_ID,
)


def _paging_problem(given: Given) -> list[InvalidInputError]:
    if "symbol" not in given.values or "after" not in given.values:
        return []
    return [
        ErrorCode.CONFLICTING_PARAMETERS.problem(
            one="symbol", other="after", why=": one instrument is one page", instead="Leave out after."
        )
    ]


@serve(
    Endpoint(
        route="/api/v1/metadata/coverage",
        name="get_coverage",
        tag="metadata",
        summary="What is published",
        description="First and last day, missing days, gaps, rows, bytes and revisions of every series of a venue, "
        "and up to when the ticks of open days are held. "
        "Without `symbol` the answer comes in pages: send the `next` of one as the `after` of the next.",
        parameters=(EXCHANGE, OF_SYMBOL, OF_METRIC, AFTER),
        checks=(
            known_symbol(ObjectKind.TICK_PARTS, ObjectKind.BARS),
            Check(_paging_problem, (ErrorCode.CONFLICTING_PARAMETERS,)),
        ),
        answers=(Answer("A page of series.", _EXAMPLE, headers=RATE),),
    ),
    sync_to_thread=True,
)
def get_coverage(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> CoverageAnswer:
    """Answer with the state of every published series; needs a key of any plan."""
    with service.reading() as ledger:
        caller = service.authorise(ledger, request)
        connection = ledger.connection
        query = read_query(request, connection, CoverageQuery)
        service.admit(request, caller)
        following = None
        if query.symbol is None:
            most = _MOST_SYMBOLS_OF_A_METRIC if query.metric else _MOST_SYMBOLS
            after = str(query.after or "")
            kinds = (ObjectKind.BARS, ObjectKind.TICK_PARTS)
            own = (symbols_after(connection, query.exchange, after, most + 1, kind) for kind in kinds)
            found = sorted({symbol for symbols in own for symbol in symbols})[: most + 1]
            symbols = found[:most]
            following = symbols[-1] if len(found) > most else None
        else:
            symbols = [str(query.symbol)]
        metric = None if query.metric is None else query.metric.id
        of_one = query.symbol is not None and metric is not None
        most_gaps = _MOST_GAPS_OF_ONE if of_one else _MOST_GAPS_OF_MANY
        series = read_series(connection, query.exchange, symbols, metric, most_gaps)
        open_ticks = read_open_ticks(connection, query.exchange, symbols)
    service.meter(caller, "metadata")
    entries = [_series(query.exchange, item) for item in series]
    streams = set(Stream) if query.metric is None else set(query.metric.streams)
    open_days = [_open_day(item) for item in open_ticks if item.stream in streams]
    return CoverageAnswer(query.exchange, entries, open_days, following, request_id(request.scope))


def _series(exchange: str, series: PublishedSeries) -> SeriesEntry:
    months = [_month(month) for month in series.months]
    return SeriesEntry(
        exchange=exchange,
        symbol=series.symbol,
        metric=series.dataset,
        stream=series.stream,
        source=overall_source({source for month in months if (source := month.source)}),
        intervals={str(clock): list(map(str, held)) for clock, held in series.intervals.items()},
        first_day=series.first_day,
        last_day=series.last_day,
        missing_days=series.days_missing[:_MOST_DAYS],
        missing_days_total=len(series.days_missing),
        gaps=[_gap(gap) for gap in series.gaps],
        gaps_total=series.gaps_total,
        numbered_from=None if series.numbered is None else time_at(series.numbered[0]),
        numbered_to=None if series.numbered is None else time_at(series.numbered[1]),
        complete=not series.months_missing and all(month.complete for month in months),
        files=sum(month.files for month in months),
        rows=sum(month.rows for month in months),
        bytes=sum(month.bytes for month in months),
        missing_months=series.months_missing,
        months=months,
    )


def _open_day(item: OpenTicks) -> OpenDayEntry:
    until = None if item.covered_until is None else time_at(item.covered_until)
    return OpenDayEntry(item.symbol, item.stream, item.day, item.ticks, until)


def _gap(gap: KnownGap) -> GapEntry:
    return GapEntry(
        start=time_at(gap.first_time),
        end=time_at(gap.last_time),
        stream=gap.stream,
        cause=gap.cause,
        first_missing=gap.first_missing,
        last_missing=gap.last_missing,
    )


def _month(month: PublishedMonth) -> MonthEntry:
    latest = month.current[-1]
    return MonthEntry(
        month=month.month,
        complete=month.completeness.complete,
        gaps=month.completeness.gaps,
        missing_days=len(month.completeness.days_missing),
        source=overall_source({source for item in month.current for source in item.sources}),
        files=sum(item.files_current for item in month.current),
        rows=sum(item.rows for item in month.current),
        bytes=sum(item.size for item in month.current),
        revision=latest.revision,
        published_at=time_at(max(item.published_at for item in month.current)),
        reason=latest.reason,
        earlier=[
            _earlier(item, [*month.current, *month.earlier], item.replaced_at)
            for item in month.earlier
            if item.replaced_at is not None
        ],
    )


def _earlier(item: Publication, others: list[Publication], replaced_at: int) -> EarlierEntry:
    reasons = [other.reason for other in others if other.revision == item.revision + 1]
    return EarlierEntry(
        revision=item.revision,
        reason=item.reason,
        published_at=time_at(item.published_at),
        replaced_at=time_at(replaced_at),
        replaced_because=reasons[0] if reasons else None,
    )
