"""Links to published months of bars: `/api/v1/data/{metric}`."""

from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy import Connection

from aperiodic.completeness.months import Completeness
from aperiodic.lake import ObjectKind, ObjectRecord
from aperiodic.lake.objects import Series, read_periods
from aperiodic.market.time import time_at
from aperiodic.server.api.parameters import DataQuery, read_data_query
from aperiodic.server.auth.plan_checks import require_bars
from aperiodic.server.errors import request_id
from aperiodic.server.links.signing import LinkMaker, link_family
from aperiodic.server.queries.published import judge_months, symbol_problem
from aperiodic.server.service import Service

__all__ = ["NO_STORE", "DataAnswer", "FileEntry", "get_data", "list_months", "overall_source"]

NO_STORE: Final = {"Cache-Control": "no-store"}
"""Headers of every answer that holds links."""


class FileEntry(msgspec.Struct):
    """One published calendar month.

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
        complete: Whether nothing is known to be missing from the ticks behind it.
        gaps: Number of known gaps in these ticks.
        days_missing: UTC days without ticks.
        source: Where the ticks came from: `recording`, `tardis` or `simulated`.
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


@get("/api/v1/data/{metric:str}", sync_to_thread=True)
def get_data(
    request: Request[Any, Any, Any], metric: FromPath[str], service: NamedDependency[Service]
) -> Response[DataAnswer]:
    """Answer with a link to every published month of the range."""
    with service.lake.engine.connect() as connection:
        caller = service.authorise(connection, request)
        query = read_data_query(
            metric,
            request.scope["query_string"],
            lambda exchange, symbol: symbol_problem(connection, exchange, symbol),
        )
        require_bars(caller, query)
        links = LinkMaker(service, request, link_family(query.metric))
        service.admit(request, caller)
        answer = list_months(connection, query, links, request_id(request.scope))
    service.meter(caller, "data", query.metric.id, len(answer.files), sum(file.size for file in answer.files))
    return Response(answer, headers=NO_STORE)


def list_months(connection: Connection, query: DataQuery, links: LinkMaker, identity: str) -> DataAnswer:
    """Answer a valid request with what is published.

    Args:
        connection: Open connection to the ledger.
        query: The request.
        links: Makes the links.
        identity: Id of the request.
    """
    symbol, months = str(query.symbol), query.months
    series = Series(ObjectKind.BARS, query.metric.id, query.exchange, symbol, query.timestamp, query.interval)
    records = read_periods(connection, series, months, query.as_of)
    judged = judge_months(connection, query.exchange, symbol, query.metric.driving, records)
    return DataAnswer(
        files=[_entry(record, judged[record.key.period], links.link(record.path)) for record in records],
        missing=[month for month in months if month not in judged],
        expires_in=links.lifetime_s,
        source=overall_source({record.source for record in records}),
        request_id=identity,
    )


def overall_source(sources: set[str]) -> str | None:
    """Return `simulated` when any source is; else the one source, `mixed` for several, None for none."""
    if "simulated" in sources:
        return "simulated"
    if len(sources) > 1:
        return "mixed"
    return next(iter(sources), None)


def _entry(record: ObjectRecord, judged: Completeness, url: str) -> FileEntry:
    year, month = record.key.period.split("-")
    return FileEntry(
        year=int(year),
        month=int(month),
        url=url,
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
    )
