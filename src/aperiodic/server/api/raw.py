"""Links to days of raw ticks: `/api/v1/data/raw/{dataset}`.

A raw file is the tick file as the lake keeps it, so what is downloaded is what bars are made of. Beside the columns
of its dataset it holds `sequence`, the venue's number of the event.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from sqlalchemy import Connection, Text, bindparam, cast, select

from aperiodic.catalog import LinkHost
from aperiodic.completeness.judgement import Judgement
from aperiodic.completeness.open_ticks import read_open_ticks
from aperiodic.lake import ObjectKind
from aperiodic.lake.objects import Series, read_periods
from aperiodic.lake.schema import imports
from aperiodic.market import DAY_US, Exchange, Source, Stream, Symbol
from aperiodic.market.ticks import TICK_SCHEMA_VERSION
from aperiodic.market.time import day_at, day_start_us
from aperiodic.server.api.data import NO_STORE, overall_source
from aperiodic.server.api.example_values import BTC, DIGEST, REQUEST_ID, SIGNATURE, VENUE
from aperiodic.server.api.parameters import DATASET, DAYS, INSTRUMENT, SHORT_DATE_RANGE, known_symbol
from aperiodic.server.api.request_parsing import read_query
from aperiodic.server.auth.plan_checks import require_raw
from aperiodic.server.endpoints import LISTED, Answer, Endpoint, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import request_id
from aperiodic.server.links.signing import LinkMaker
from aperiodic.server.service import Service
from aperiodic.venues import has_modelled_time, venue_of

__all__ = ["EXAMPLE", "RawAnswer", "RawFileEntry", "RawQuery", "get_raw", "list_days"]

_MODELLED: Final = select(imports.c.first_received, imports.c.last_received).where(
    imports.c.exchange == bindparam("exchange"),
    imports.c.first_received < bindparam("end"),
    imports.c.last_received >= bindparam("begin"),
    cast(imports.c.notes, Text).contains('"modelled_exchange_time"'),
)


@dataclass(frozen=True, slots=True)
class RawQuery:
    """A valid request for raw ticks.

    Attributes:
        dataset: The tick stream.
        exchange: Venue.
        symbol: Instrument.
        start_date: First UTC day.
        end_date: Last UTC day, included.
    """

    dataset: Stream
    exchange: Exchange
    symbol: Symbol
    start_date: date
    end_date: date


class RawFileEntry(msgspec.Struct):
    """Ticks of one UTC day of exchange time.

    Attributes:
        period: The day, `YYYY-MM-DD`.
        url: Link to the Parquet file.
        size: Bytes.
        sha256: Hex digest of the file.
        rows: Number of ticks.
        revision: 1 for the first, counting up.
        source: Where the ticks came from: `recording`, `tardis`, `archive` or `simulated`.
        exchange_timestamp_kind: `matching_engine`; `modelled` where the venue sends no time of its own, so that the
            arrival time stands in.
        gaps: Number of known intervals without ticks that touch the day.
        complete: Whether there are none.
    """

    period: str
    url: str
    size: int
    sha256: str
    rows: int
    revision: int
    source: str
    exchange_timestamp_kind: str
    gaps: int
    complete: bool


class RawOpenDay(msgspec.Struct):
    """A day that has no file yet: it is not over, or its ticks are not one file yet, about an hour after its end.

    Attributes:
        period: The day, `YYYY-MM-DD`; it is among the missing ones.
        rows: Number of ticks that are held.
        covered_until: Until when, by arrival, everything that was received is among them, ISO 8601, UTC; null where no
            time of arrival is known.
    """

    period: str
    rows: int
    covered_until: str | None


class RawAnswer(msgspec.Struct):
    """Answer to a request for raw ticks.

    Attributes:
        dataset: The tick stream.
        exchange: Venue.
        symbol: Atlas symbol.
        schema_version: Version of the files' columns.
        expires_in: Lifetime of the links, s.
        files: Days that are held, ascending.
        missing_periods: Days of the range that are not, up to today, `YYYY-MM-DD`.
        open_days: Those of them of which ticks are held that are no file yet, ascending.
        source: `simulated` when any file is; else the files' source, `mixed` for several; null without files.
        request_id: Names the request.
    """

    dataset: str
    exchange: str
    symbol: str
    schema_version: int
    expires_in: int
    files: list[RawFileEntry]
    missing_periods: list[str]
    open_days: list[RawOpenDay]
    source: str | None
    request_id: str


EXAMPLE: Final = RawAnswer(
    dataset="trades",
    exchange=VENUE,
    symbol=BTC,
    schema_version=TICK_SCHEMA_VERSION,
    expires_in=3600,
    files=[
        RawFileEntry(
            period="2025-05-01",
            url=f"https://data.example/files/ticks/trades/exchange={VENUE}/symbol={BTC}/year=2025/month=05/day=01"
            f"/{DIGEST[:16]}.parquet?expires=1764682200&signature={SIGNATURE}",
            size=38_114_902,
            sha256=DIGEST,
            rows=3_120_544,
            revision=1,
            source="recording",
            exchange_timestamp_kind="matching_engine",
            gaps=0,
            complete=True,
        )
    ],
    missing_periods=["2025-05-02"],
    open_days=[RawOpenDay(period="2025-05-02", rows=1_204_311, covered_until="2025-05-02T08:41:07.250000+00:00")],
    source="recording",
    request_id=REQUEST_ID,
)


@serve(
    Endpoint(
        route="/api/v1/data/raw/{dataset:str}",
        name="get_raw",
        tag="data",
        summary="Links to raw ticks",
        description="One link for each UTC day that is held, of at most 366 days.",
        parameters=(DATASET, *INSTRUMENT, *DAYS),
        checks=(known_symbol(ObjectKind.TICK_PARTS, ObjectKind.TICKS), SHORT_DATE_RANGE),
        answers=(Answer("The days that are held.", EXAMPLE, headers=LISTED),),
        refusals=(ErrorCode.BAD_HOST, ErrorCode.RAW_NOT_IN_PLAN, ErrorCode.SCOPE_MISSING),
    ),
    sync_to_thread=True,
)
def get_raw(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[RawAnswer]:
    """Answer with a link to every day of the range that is held."""
    with service.reading() as ledger:
        caller = service.authorise(ledger, request)
        connection = ledger.connection
        query = read_query(request, connection, RawQuery)
        require_raw(caller)
        links = LinkMaker(service, request, LinkHost.RAW)
        service.admit(request, caller)
        answer = list_days(connection, query, links, request_id(request.scope))
    service.meter(caller, "raw", query.dataset, len(answer.files), sum(file.size for file in answer.files))
    return Response(answer, headers=NO_STORE)


def list_days(connection: Connection, query: RawQuery, links: LinkMaker, identity: str) -> RawAnswer:
    """Answer a valid request with the days that are held.

    Args:
        connection: Open connection to the ledger.
        query: The request.
        links: Makes the links.
        identity: Id of the request.
    """
    symbol = str(query.symbol)
    days = [query.start_date + timedelta(days=offset) for offset in range((query.end_date - query.start_date).days + 1)]
    series = Series(ObjectKind.TICKS, query.dataset, query.exchange, symbol)
    records = read_periods(connection, series, [days[0].isoformat(), days[-1].isoformat()])
    held = {record.key.period for record in records}
    judgement = Judgement(connection, query.exchange, [symbol], [query.dataset], days[0], days[-1])
    judged = {day.isoformat(): judgement.verdict(symbol, [query.dataset], day, day) for day in days}
    modelled = _modelled_days(connection, query, days)
    today = datetime.now(UTC).date()
    return RawAnswer(
        dataset=query.dataset,
        exchange=query.exchange,
        symbol=symbol,
        schema_version=TICK_SCHEMA_VERSION,
        expires_in=links.lifetime_s,
        files=[
            RawFileEntry(
                period=record.key.period,
                url=links.link(record.path),
                size=record.size,
                sha256=record.sha256,
                rows=record.rows,
                revision=record.revision,
                source=record.source,
                exchange_timestamp_kind=(
                    "modelled"
                    if record.key.period in modelled and record.source != Source.ARCHIVE
                    else "matching_engine"
                ),
                gaps=judged[record.key.period].gaps,
                complete=judged[record.key.period].complete,
            )
            for record in records
        ],
        missing_periods=[day.isoformat() for day in days if day <= today and day.isoformat() not in held],
        open_days=[
            RawOpenDay(
                item.day.isoformat(),
                item.ticks,
                item.covered_text,
            )
            for item in read_open_ticks(connection, query.exchange, [symbol], query.dataset)
            if days[0] <= item.day <= days[-1] and item.day.isoformat() not in held
        ],
        source=overall_source({record.source for record in records}),
        request_id=identity,
    )


def _modelled_days(connection: Connection, query: RawQuery, days: list[date]) -> set[str]:
    """Return the days whose exchange times are arrival times, in whole or in part."""
    if has_modelled_time(query.exchange, query.dataset):
        return {day.isoformat() for day in days}
    if query.dataset not in venue_of(query.exchange).modelled_at_times:
        return set()
    # The ledger notes the files in which a time was missing.
    bounds = {"begin": day_start_us(days[0]), "end": day_start_us(days[-1]) + DAY_US}
    found = connection.execute(_MODELLED, {"exchange": query.exchange, **bounds})
    return {day for first, last in found for day in _days(query, first, last)}


def _days(query: RawQuery, first_us: int, last_us: int) -> list[str]:
    """Return the days of the range that a time overlaps."""
    first, last = (day_at(time // DAY_US) for time in (first_us, last_us))
    first, last = max(first, query.start_date), min(last, query.end_date)
    return [(first + timedelta(days=offset)).isoformat() for offset in range((last - first).days + 1)]
