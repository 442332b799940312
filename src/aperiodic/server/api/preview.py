"""What every valid key may fetch: `/api/v1/data/preview/{metric}` and `/api/v1/data/raw/preview/{dataset}`.

The settings name the requests that are answered; a request must be one of them, value for value.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.di import NamedDependency
from sqlalchemy import Connection

from aperiodic.catalog import LinkHost
from aperiodic.lake import ObjectKind
from aperiodic.market import Exchange, Stream, Symbol
from aperiodic.server.api import data, raw
from aperiodic.server.api.data import NO_STORE, DataAnswer, DataQuery, list_months
from aperiodic.server.api.parameters import BARS, DATASET, DATE_RANGE, INSTRUMENT, INTERVAL_ON_CLOCK, METRIC
from aperiodic.server.api.raw import RawAnswer, RawQuery, list_days
from aperiodic.server.api.request_parsing import read_query, read_query_once
from aperiodic.server.endpoints import LISTED, Answer, Endpoint, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import RequestError, refuse, request_id
from aperiodic.server.links.signing import LinkMaker
from aperiodic.server.queries.published import symbol_problem
from aperiodic.server.service import Service
from aperiodic.server.settings import PreviewEntry, RawPreviewEntry

__all__ = ["get_preview", "get_raw_preview"]


class _Instrument(NamedTuple):
    """A valid request for a raw preview, which names no days."""

    dataset: Stream
    exchange: Exchange
    symbol: Symbol


_NAMES: Final = [parameter.name for parameter in BARS]


@serve(
    Endpoint(
        route="/api/v1/data/preview/{metric:str}",
        name="get_preview",
        tag="data",
        summary="Links to the free bars",
        description="Answers as the data endpoint does, whatever the key's plan, when the request is one of those that "
        "this server gives away, value for value. The public demo key is enough.",
        parameters=(METRIC, *BARS),
        checks=(INTERVAL_ON_CLOCK, DATE_RANGE),
        answers=(Answer("The months that exist.", data.EXAMPLE, headers=LISTED),),
        refusals=(ErrorCode.NOT_IN_PREVIEW, ErrorCode.UNKNOWN_SYMBOL, ErrorCode.BAD_HOST),
        security="demo_key",
    ),
    sync_to_thread=True,
)
def get_preview(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[DataAnswer]:
    """Answer as the data endpoint does, whatever the key's plan, when the settings name this very request."""
    with service.reading() as ledger:
        caller = service.authorise(ledger, request)
        query = read_query_once(request, ledger, DataQuery)
        _require_listed(query, service.settings.preview)
        _require_published(ledger.connection, query.exchange, query.symbol, ObjectKind.BARS)
        links = LinkMaker(service, request, query.metric.link_host)
        service.admit(request, caller)
        answer = list_months(ledger, query, links, request_id(request.scope))
    service.meter(caller, "preview", query.metric.id, len(answer.files), sum(file.size for file in answer.files))
    return Response(answer, headers=NO_STORE)


@serve(
    Endpoint(
        route="/api/v1/data/raw/preview/{dataset:str}",
        name="get_raw_preview",
        tag="data",
        summary="Links to the free raw ticks",
        description="The days of an instrument that this server gives away, whatever the key's plan. The public demo "
        "key is enough.",
        parameters=(DATASET, *INSTRUMENT),
        answers=(Answer("The days that are held.", raw.EXAMPLE, headers=LISTED),),
        refusals=(ErrorCode.NOT_IN_PREVIEW, ErrorCode.UNKNOWN_SYMBOL, ErrorCode.BAD_HOST),
        security="demo_key",
    ),
    sync_to_thread=True,
)
def get_raw_preview(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[RawAnswer]:
    """Answer with the days of raw ticks that the settings give away of an instrument, whatever the key's plan."""
    with service.reading() as ledger:
        caller = service.authorise(ledger, request)
        connection = ledger.connection
        query = _listed_days(read_query(request, connection, _Instrument), service.settings.raw_preview)
        _require_published(connection, query.exchange, query.symbol, ObjectKind.TICKS)
        links = LinkMaker(service, request, LinkHost.RAW)
        service.admit(request, caller)
        answer = list_days(connection, query, links, request_id(request.scope))
    service.meter(caller, "raw-preview", query.dataset, len(answer.files), sum(file.size for file in answer.files))
    return Response(answer, headers=NO_STORE)


def _require_listed(query: DataQuery, entries: Sequence[PreviewEntry]) -> None:
    wanted = {"metric": query.metric.id, **{name: str(getattr(query, name)) for name in _NAMES}}
    listed = [{name: str(getattr(entry, name)) for name in wanted} for entry in entries]
    if wanted not in listed:
        raise _not_in_preview(wanted, listed, "/api/v1/data/preview/")


def _listed_days(asked: _Instrument, entries: Sequence[RawPreviewEntry]) -> RawQuery:
    wanted = {name: str(value) for name, value in asked._asdict().items()}
    given = [
        ({"dataset": str(offered), "exchange": str(entry.exchange), "symbol": entry.symbol}, entry)
        for entry in entries
        for offered in entry.datasets
    ]
    for listed, entry in given:
        if listed == wanted:
            return RawQuery(*asked, entry.start_date, entry.end_date)
    raise _not_in_preview(wanted, [listed for listed, _ in given], "/api/v1/data/raw/preview/")


def _not_in_preview(wanted: dict[str, str], listed: list[dict[str, str]], place: str) -> RequestError:
    """Build the error that names the entry most like the request: of the same dataset if there is one."""
    (kind, name), *_ = wanted.items()
    hint = "This server has no preview of that kind."
    if listed:
        guess = max(listed, key=lambda entry: (entry[kind] == name, sum(entry[of] == wanted[of] for of in wanted)))
        query = urlencode({of: value for of, value in guess.items() if of != kind}, safe=":")
        hint = f"The nearest that it includes: {place}{guess[kind]}?{query}"
    return refuse(ErrorCode.NOT_IN_PREVIEW, name=name, nearest=hint)


def _require_published(connection: Connection, exchange: Exchange, symbol: Symbol, kind: ObjectKind) -> None:
    unknown = symbol_problem(connection, exchange, symbol, kind)
    if unknown is not None:
        raise RequestError([unknown])
