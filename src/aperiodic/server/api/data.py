"""Links to published months of bars: `/api/v1/data/{metric}`."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from msgspec.structs import replace as replace_fields
from sqlalchemy import Connection

from aperiodic.catalog import Dataset
from aperiodic.completeness.judgement import Completeness
from aperiodic.lake import ObjectKind, ObjectRecord
from aperiodic.lake.objects import Series, read_periods
from aperiodic.lake.pruning import pruned_before
from aperiodic.market import DAY_US, Clock, Exchange, Interval, Symbol
from aperiodic.market.time import day_start_us, months_between, now_us, time_at
from aperiodic.server.api.example_values import BTC, DIGEST, REQUEST_ID, SIGNATURE, VENUE
from aperiodic.server.api.parameters import AS_OF, BARS, DATE_RANGE, INTERVAL_ON_CLOCK, METRIC, known_symbol
from aperiodic.server.api.request_parsing import read_query_once
from aperiodic.server.auth.plan_checks import require_bars
from aperiodic.server.endpoints import LISTED, Answer, Endpoint, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import refuse, request_id
from aperiodic.server.links.signing import LinkMaker
from aperiodic.server.queries.published import judge_days, judge_months
from aperiodic.server.queries.reading import Reading
from aperiodic.server.service import Service

__all__ = [
    "EXAMPLE",
    "NO_STORE",
    "DataAnswer",
    "DataQuery",
    "FileEntry",
    "get_data",
    "list_months",
    "overall_source",
]

_OPEN_US: Final = 7 * DAY_US
"""Days that are further back than this are not open, µs."""

NO_STORE: Final = {"Cache-Control": "no-store"}
"""Headers of every answer that holds links."""


@dataclass(frozen=True, slots=True)
class DataQuery:
    """A valid request for bars.

    Attributes:
        metric: The dataset.
        timestamp: Clock of the bars.
        interval: Length of the bars.
        exchange: Venue.
        symbol: Instrument.
        start_date: First UTC day.
        end_date: Last UTC day, included.
        as_of: Moment whose revisions are wanted, µs since the epoch; None: now.
    """

    metric: Dataset
    timestamp: Clock
    interval: Interval
    exchange: Exchange
    symbol: Symbol
    start_date: date
    end_date: date
    as_of: int | None = None

    @property
    def months(self) -> list[str]:
        """The calendar months that the days touch, `YYYY-MM`, ascending."""
        return months_between(f"{self.start_date:%Y-%m}", f"{self.end_date:%Y-%m}")


class FileEntry(msgspec.Struct, omit_defaults=True):
    """One published calendar month, or a day that is not over.

    Attributes:
        year: Calendar year, UTC.
        month: Calendar month, 1 to 12.
        url: Link to the Parquet file.
        size: Bytes.
        sha256: Hex digest of the file.
        rows: Number of bars.
        revision: 1 for the first published, counting up.
        reason: Why this revision was made.
        published_at: When it was entered or last confirmed, ISO 8601, UTC.
        complete: Whether nothing is known to be missing from the ticks behind its days that were asked for.
        gaps: Number of known intervals without ticks that touch these days, of all streams behind the metric.
        days_missing: Those of these days without ticks of the stream that drives it.
        source: Where the ticks came from: `recording`, `tardis`, `archive` or `simulated`.
        day: Day of the month, where the file holds a day that is not over; left out of files of whole months.
        open_until: When that day is over, ISO 8601, UTC. Until then the file gives way to others, with the bars that
            have closed; its revision is that of its month, 0 before there is one. Left out of files of whole months.
    """

    year: int
    month: int
    url: str
    size: int
    sha256: str
    rows: int
    revision: int
    reason: str
    published_at: str
    complete: bool
    gaps: int
    days_missing: list[str]
    source: str
    day: int | None = None
    open_until: str | None = None


class DataAnswer(msgspec.Struct):
    """Answer to a request for bars.

    Attributes:
        files: Months that exist, ascending.
        missing: Months of the range that do not, `YYYY-MM`.
        expires_in: Lifetime of the links, s.
        source: `simulated` when any file is; else the files' source, `mixed` for several; null without files.
        request_id: Names the request.
    """

    files: list[FileEntry]
    missing: list[str]
    expires_in: int
    source: str | None
    request_id: str


EXAMPLE: Final = DataAnswer(
    files=[
        FileEntry(
            year=2025,
            month=5,
            url=f"https://data.example/files/bars/ohlcv/timestamp=exchange/interval=5m/exchange={VENUE}"
            f"/symbol={BTC}/year=2025/month=05/{DIGEST[:16]}.parquet?expires=1764678900&signature={SIGNATURE}",
            size=412_803,
            sha256=DIGEST,
            rows=8_928,
            revision=1,
            reason="first build",
            published_at="2025-06-01T00:12:44.120000+00:00",
            complete=True,
            gaps=0,
            days_missing=[],
            source="recording",
        )
    ],
    missing=[],
    expires_in=300,
    source="recording",
    request_id=REQUEST_ID,
)


@serve(
    Endpoint(
        route="/api/v1/data/{metric:str}",
        name="get_data",
        tag="data",
        summary="Links to bars",
        description="One link for each published calendar month that the days touch. A file holds whole months: cut "
        "it to the days yourself, as the Python client does. Months without data are named in `missing`. A day that "
        "is not over is no part of its month yet: its bars that have closed come as a file of that day, named by `day` "
        "and `open_until`, which is made anew every minute.",
        parameters=(METRIC, *BARS, AS_OF),
        checks=(known_symbol(ObjectKind.BARS), INTERVAL_ON_CLOCK, DATE_RANGE),
        answers=(Answer("The months that exist.", EXAMPLE, headers=LISTED),),
        refusals=(
            ErrorCode.BAD_HOST,
            ErrorCode.METRIC_NOT_IN_PLAN,
            ErrorCode.INTERVAL_NOT_IN_PLAN,
            ErrorCode.REVISIONS_PRUNED,
            ErrorCode.SCOPE_MISSING,
        ),
    ),
    sync_to_thread=True,
)
def get_data(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[DataAnswer]:
    """Answer with a link to every published month of the range."""
    with service.reading() as ledger:
        caller = service.authorise(ledger, request)
        query = read_query_once(request, ledger, DataQuery)
        require_bars(caller, query)
        links = LinkMaker(service, request, query.metric.link_host)
        service.admit(request, caller)
        answer = list_months(ledger, query, links, request_id(request.scope))
    service.meter(caller, "data", query.metric.id, len(answer.files), sum(file.size for file in answer.files))
    return Response(answer, headers=NO_STORE)


class _Published(NamedTuple):
    """What is published of a request.

    Attributes:
        files: Entries without links, and where each file lies in the store.
        missing: Months without data.
        source: Where the ticks of all files came from.
    """

    files: list[tuple[FileEntry, str]]
    missing: list[str]
    source: str | None


def list_months(ledger: Reading, query: DataQuery, links: LinkMaker, identity: str) -> DataAnswer:
    """Answer a valid request with what is published.

    Args:
        ledger: The ledger.
        query: The request.
        links: Makes the links.
        identity: Id of the request.
    """
    if _may_be_open(query):
        # Whether something is missing of the last days depends on the time as well.
        published = _read_published(ledger.connection, query)
    else:
        published = ledger.once(_name_of(query), lambda: _read_published(ledger.connection, query), _bytes_of)
    return DataAnswer(
        files=[replace_fields(entry, url=links.link(path)) for entry, path in published.files],
        missing=published.missing,
        expires_in=links.lifetime_s,
        source=published.source,
        request_id=identity,
    )


def _may_be_open(query: DataQuery) -> bool:
    return day_start_us(query.end_date) > now_us() - _OPEN_US


def _name_of(query: DataQuery) -> tuple[object, ...]:
    series = (query.metric.id, query.timestamp, query.interval, query.exchange, str(query.symbol))
    return ("published", *series, query.start_date, query.end_date, query.as_of)


def _bytes_of(published: _Published) -> int:
    days = sum(len(entry.days_missing) for entry, _ in published.files)
    return 1_000 + 1_500 * len(published.files) + 80 * (days + len(published.missing))


def _read_published(connection: Connection, query: DataQuery) -> _Published:
    symbol, months = str(query.symbol), query.months
    series = Series(ObjectKind.BARS, query.metric.id, query.exchange, symbol, query.timestamp, query.interval)
    if query.as_of is not None:
        _require_known(connection, query.as_of)
    records = read_periods(connection, series, months, query.as_of)
    judged = judge_months(
        connection, query.exchange, symbol, query.metric.streams, records, (query.start_date, query.end_date)
    )
    files = [(_entry(record, judged[record.key.period]), record.path) for record in records]
    if query.as_of is None and _may_be_open(query):
        revisions = {record.key.period: record.revision for record in records}
        days = query.start_date.isoformat(), query.end_date.isoformat()
        of_days = read_periods(connection, replace(series, kind=ObjectKind.OPEN_BARS), days)
        judged_days = judge_days(connection, query.exchange, symbol, query.metric.streams, of_days, query.timestamp)
        for record in of_days:
            entry = _entry(record, judged_days[record.key.period])
            entry.revision = revisions.get(record.key.period[:7], 0)
            files.append((entry, record.path))
        records = [*records, *of_days]
    present = {record.key.period[:7] for record in records}
    missing = [month for month in months if month not in present]
    return _Published(files, missing, overall_source({record.source for record in records}))


def _require_known(connection: Connection, moment: int) -> None:
    before = pruned_before(connection)
    if moment < before:
        raise refuse(ErrorCode.REVISIONS_PRUNED, before=time_at(before).isoformat(), moment=time_at(moment).isoformat())


def overall_source(sources: set[str]) -> str | None:
    """Return `simulated` when any source is; else the one source, `mixed` for several, None for none."""
    if "simulated" in sources:
        return "simulated"
    if len(sources) > 1:
        return "mixed"
    return next(iter(sources), None)


def _entry(record: ObjectRecord, judged: Completeness) -> FileEntry:
    year, month, *days = map(int, record.key.period.split("-"))
    return FileEntry(
        year=year,
        month=month,
        url="",
        size=record.size,
        sha256=record.sha256,
        rows=record.rows,
        revision=record.revision,
        reason=record.reason,
        published_at=time_at(record.created_at).isoformat(),
        complete=judged.complete,
        gaps=judged.gaps,
        days_missing=[day.isoformat() for day in judged.days_missing],
        source=record.source,
        day=days[0] if days else None,
        open_until=_end_of_day(record.key.period) if days else None,
    )


def _end_of_day(day: str) -> str:
    return time_at(day_start_us(date.fromisoformat(day)) + DAY_US).isoformat()
