"""What every valid key may fetch: `/api/v1/data/preview/{metric}` and `/api/v1/data/raw/preview/{dataset}`.

The settings name the requests that are answered; a request must be one of them, value for value.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_400_BAD_REQUEST, HTTP_404_NOT_FOUND
from sqlalchemy import Connection

from aperiodic.lake import ObjectKind
from aperiodic.lake.settings import PreviewEntry, RawPreviewEntry
from aperiodic.market import Exchange, Symbol
from aperiodic.server.api.data import NO_STORE, DataAnswer, list_months
from aperiodic.server.api.parameters import (
    DataQuery,
    RawQuery,
    read_preview_query,
    read_raw_preview_query,
)
from aperiodic.server.api.raw import RawAnswer, list_days
from aperiodic.server.errors import RequestError, refuse, request_id
from aperiodic.server.links.signing import LinkMaker, link_family
from aperiodic.server.queries.published import symbol_problem
from aperiodic.server.service import Service

__all__ = ["get_preview", "get_raw_preview"]

_BARS: Final = ("timestamp", "interval", "exchange", "symbol", "start_date", "end_date")


@get("/api/v1/data/preview/{metric:str}", sync_to_thread=True)
def get_preview(
    request: Request[Any, Any, Any], metric: FromPath[str], service: NamedDependency[Service]
) -> Response[DataAnswer]:
    """Answer as the data endpoint does, whatever the key's plan, when the settings name this very request."""
    with service.lake.engine.connect() as connection:
        caller = service.authorise(connection, request)
        query = read_preview_query(metric, request.scope["query_string"])
        _require_listed(query, service.settings.preview)
        _require_published(connection, query.exchange, query.symbol, ObjectKind.BARS)
        links = LinkMaker(service, request, link_family(query.metric))
        service.admit(request, caller)
        answer = list_months(connection, query, links, request_id(request.scope))
    service.meter(caller, "preview", query.metric.id, len(answer.files), sum(file.size for file in answer.files))
    return Response(answer, headers=NO_STORE)


@get("/api/v1/data/raw/preview/{dataset:str}", sync_to_thread=True)
def get_raw_preview(
    request: Request[Any, Any, Any], dataset: FromPath[str], service: NamedDependency[Service]
) -> Response[RawAnswer]:
    """Answer with the days of raw ticks that the settings give away of an instrument, whatever the key's plan."""
    with service.lake.engine.connect() as connection:
        caller = service.authorise(connection, request)
        query = _raw_query(dataset, request.scope["query_string"], service.settings.raw_preview)
        _require_published(connection, query.exchange, query.symbol, ObjectKind.TICKS)
        links = LinkMaker(service, request, "raw")
        service.admit(request, caller)
        answer = list_days(connection, query, links, request_id(request.scope))
    service.meter(caller, "raw-preview", query.dataset, len(answer.files), sum(file.size for file in answer.files))
    return Response(answer, headers=NO_STORE)


def _require_listed(query: DataQuery, entries: Sequence[PreviewEntry]) -> None:
    wanted = {"metric": query.metric.id, **{name: str(getattr(query, name)) for name in _BARS}}
    listed = [{name: str(getattr(entry, name)) for name in wanted} for entry in entries]
    if wanted not in listed:
        raise _not_in_preview(wanted, listed, "/api/v1/data/preview/")


def _raw_query(dataset: str, query_string: bytes, entries: Sequence[RawPreviewEntry]) -> RawQuery:
    stream, exchange, symbol = read_raw_preview_query(dataset, query_string)
    wanted = {"dataset": str(stream), "exchange": str(exchange), "symbol": str(symbol)}
    given = [
        ({"dataset": str(offered), "exchange": str(entry.exchange), "symbol": entry.symbol}, entry)
        for entry in entries
        for offered in entry.datasets
    ]
    for listed, entry in given:
        if listed == wanted:
            return RawQuery(stream, exchange, symbol, entry.start_date, entry.end_date)
    raise _not_in_preview(wanted, [listed for listed, _ in given], "/api/v1/data/raw/preview/")


def _not_in_preview(wanted: dict[str, str], listed: list[dict[str, str]], place: str) -> RequestError:
    """Build the error that names the entry most like the request: of the same dataset if there is one."""
    (kind, name), *_ = wanted.items()
    hint = "This server has no preview of that kind."
    if listed:
        guess = max(listed, key=lambda entry: (entry[kind] == name, sum(entry[of] == wanted[of] for of in wanted)))
        query = urlencode({of: value for of, value in guess.items() if of != kind}, safe=":")
        hint = f"The nearest that it includes: {place}{guess[kind]}?{query}"
    return refuse(
        HTTP_400_BAD_REQUEST, "not_in_preview", f"The preview does not include this request for {name}.", hint
    )


def _require_published(connection: Connection, exchange: Exchange, symbol: Symbol, kind: ObjectKind) -> None:
    unknown = symbol_problem(connection, exchange, symbol, kind)
    if unknown is not None:
        raise RequestError(HTTP_404_NOT_FOUND, [unknown])
