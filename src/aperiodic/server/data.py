"""Links to published months of bars: `/api/v1/data/{metric}`."""

import time
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_403_FORBIDDEN

from aperiodic.lake import ObjectKind, ObjectRecord
from aperiodic.lake.completeness import Completeness, month_completeness
from aperiodic.lake.objects import current_objects
from aperiodic.lake.plans import Plan
from aperiodic.market import AperiodicDataError
from aperiodic.server.errors import RequestError, request_id
from aperiodic.server.links import LINK_LIFETIME_S, base_url, make_link
from aperiodic.server.parameters import DataQuery, read_data_query
from aperiodic.server.published import symbol_problem
from aperiodic.server.service import Service

__all__ = ["DataAnswer", "FileEntry", "get_data"]

_NO_STORE: Final = {"Cache-Control": "no-store"}


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
        complete: Whether nothing is known to be missing from the ticks behind it; see `lake.completeness`.
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
    base = base_url(service.settings.public_url, request.scope["scheme"], request.headers.get("host", ""))
    with service.lake.engine.connect() as connection:
        caller = service.authorise(connection, request)
        query = read_data_query(
            metric,
            request.scope["query_string"],
            lambda exchange, symbol: symbol_problem(connection, exchange, symbol),
        )
        _require_in_plan(caller.plan, query)
        service.admit(request, caller)
        records = current_objects(
            connection,
            ObjectKind.BARS,
            dataset=query.metric.id,
            exchange=query.exchange,
            symbol=str(query.symbol),
            clock=query.timestamp,
            interval=query.interval,
            period=query.months,
        )
        held = [record.key.period for record in records]
        judged = month_completeness(connection, query.exchange, str(query.symbol), query.metric.driving, held)
    now = time.time()
    files = [
        _entry(record, judged[record.key.period], make_link(service.secrets.link_key, base, record.path, now))
        for record in records
    ]
    answer = DataAnswer(
        files=files,
        missing=[month for month in query.months if month not in judged],
        expires_in=LINK_LIFETIME_S,
        source=_overall_source({record.source for record in records}),
        request_id=request_id(request.scope),
    )
    return Response(answer, headers=_NO_STORE)


def _require_in_plan(plan: Plan, query: DataQuery) -> None:
    problems = []
    if query.metric.tier > plan.tier:
        problems.append(
            AperiodicDataError(
                f"The plan {plan.name} does not include the metric {query.metric.id} (tier {query.metric.tier}).",
                code="metric_not_in_plan",
                hint=f"It includes metrics up to tier {plan.tier}; a larger plan includes this one.",
            )
        )
    if query.interval.sub_minute and not plan.sub_minute:
        problems.append(
            AperiodicDataError(
                f"The plan {plan.name} does not include the interval {query.interval}.",
                code="interval_not_in_plan",
                hint="Ask for 1m or longer, or use a key of the plan prime.",
            )
        )
    if problems:
        raise RequestError(HTTP_403_FORBIDDEN, problems)


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
        complete=judged.complete,
        gaps=judged.gaps,
        days_missing=[day.isoformat() for day in judged.days_missing],
        source=record.source,
    )


def _overall_source(sources: set[str]) -> str | None:
    if "simulated" in sources:
        return "simulated"
    if len(sources) > 1:
        return "mixed"
    return next(iter(sources), None)
