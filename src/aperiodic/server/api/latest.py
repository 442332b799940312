"""The newest bars themselves, without a file: `/api/v1/data/latest/{metric}`."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import msgspec
import polars as pl
from litestar import Request, Response
from litestar.di import NamedDependency

from aperiodic.catalog import TIME_COLUMN, Dataset
from aperiodic.lake import ObjectKind
from aperiodic.market import Clock, Exchange, Interval, Symbol
from aperiodic.market.time import now_us, time_at
from aperiodic.server.api.data import NO_STORE
from aperiodic.server.api.example_values import BTC, REQUEST_ID, VENUE
from aperiodic.server.api.parameters import INTERVAL_ON_CLOCK, METRIC, NEWEST_BARS, USUAL_BARS, known_symbol
from aperiodic.server.api.request_parsing import read_query
from aperiodic.server.auth.plan_checks import require_bars, require_live
from aperiodic.server.endpoints import LISTED, Answer, Endpoint, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import request_id
from aperiodic.server.queries.newest import NewestBars, newest_bars
from aperiodic.server.service import Service
from aperiodic.server.stream.fanout import Fanout

__all__ = ["ARROW", "LatestAnswer", "get_latest"]

ARROW: Final = "application/vnd.apache.arrow.stream"
"""Media type of an Arrow IPC stream."""


@dataclass(frozen=True, slots=True)
class _Query:
    """A valid request."""

    metric: Dataset
    timestamp: Clock
    interval: Interval
    exchange: Exchange
    symbol: tuple[Symbol, ...]
    n: int = USUAL_BARS


class LatestAnswer(msgspec.Struct):
    """The newest bars.

    Attributes:
        metric: The dataset.
        timestamp: Clock of the bars.
        interval: Their length.
        exchange: Venue.
        rows: By instrument, in the order asked for, then by time. Each has `symbol`, `time` (start of the bar, µs since
            1970), the fields of the dataset (null where they are undefined) and `complete`: whether nothing is known to
            be missing from the ticks behind the bar.
        missing: Instruments of which there are no such bars.
        answered_at: When this was the newest, ISO 8601, UTC.
        request_id: Names the request.
    """

    metric: str
    timestamp: str
    interval: str
    exchange: str
    rows: list[dict[str, str | int | float | bool | None]]
    missing: list[str]
    answered_at: str
    request_id: str


_EXAMPLE: Final = LatestAnswer(
    metric="ohlcv",
    timestamp="exchange",
    interval="1m",
    exchange=VENUE,
    rows=[{"symbol": BTC, "time": 1_795_000_020_000_000, "open": 103_249.5, "close": 103_250.0, "complete": True}],
    missing=[],
    answered_at="2026-11-18T12:08:03.120000+00:00",
    request_id=REQUEST_ID,
)


@serve(
    Endpoint(
        route="/api/v1/data/latest/{metric:str}",
        name="get_latest",
        tag="data",
        summary="The newest bars",
        description="The newest bars that have closed, of one instrument or several, in the answer itself: those of "
        "the day that is not over, as soon as they are made, and of the days before. For plans with live data. "
        f"Answers with JSON, or, where `Accept` asks for {ARROW}, with an Arrow stream of the same rows: `symbol`, "
        "`time`, the fields of the dataset, `complete`.",
        parameters=(METRIC, *NEWEST_BARS),
        checks=(known_symbol(ObjectKind.BARS), INTERVAL_ON_CLOCK),
        answers=(Answer("The newest bars.", _EXAMPLE, headers=LISTED, forms=(ARROW,)),),
        refusals=(
            ErrorCode.LIVE_NOT_IN_PLAN,
            ErrorCode.METRIC_NOT_IN_PLAN,
            ErrorCode.INTERVAL_NOT_IN_PLAN,
            ErrorCode.SCOPE_MISSING,
            ErrorCode.OBJECT_MISSING,
        ),
    ),
    sync_to_thread=True,
)
def get_latest(
    request: Request[Any, Any, Any], service: NamedDependency[Service], live_rows: NamedDependency[Fanout]
) -> Response[Any]:
    """Answer with the newest bars."""
    with service.reading() as ledger:
        caller = service.authorise(ledger, request)
        connection = ledger.connection
        query = read_query(request, connection, _Query)
        require_live(caller)
        require_bars(caller, query)
        service.admit(request, caller)
    asked = NewestBars(query.metric, query.exchange, query.interval, query.timestamp, query.n)
    now = now_us()
    told = live_rows.kept(asked.channel(query.symbol), since=0)
    frame = newest_bars(service.lake, asked, query.symbol, told, now)
    if ARROW in request.headers.get("accept", ""):
        body = BytesIO()
        frame.write_ipc_stream(body)
        service.meter(caller, "latest", query.metric.id, 0, body.tell())
        return Response(body.getvalue(), media_type=ARROW, headers=NO_STORE)
    service.meter(caller, "latest", query.metric.id)
    rows = frame.with_columns(pl.col(TIME_COLUMN).to_physical()).to_dicts()
    present = {row["symbol"] for row in rows}
    answer = LatestAnswer(
        metric=query.metric.id,
        timestamp=query.timestamp,
        interval=query.interval,
        exchange=query.exchange,
        rows=rows,
        missing=[name for name in map(str, query.symbol) if name not in present],
        answered_at=time_at(now).isoformat(),
        request_id=request_id(request.scope),
    )
    return Response(answer, headers=NO_STORE)
