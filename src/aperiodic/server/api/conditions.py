"""How much of every day is there: `/api/v1/metadata/conditions`."""

from collections import Counter
from datetime import date, datetime
from typing import Any

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from sqlalchemy import Connection

from aperiodic.completeness.conditions import Cause, Condition, DayCondition, read_conditions
from aperiodic.lake import ObjectKind
from aperiodic.market import Exchange, InvalidInputError, Symbol
from aperiodic.market.time import time_at
from aperiodic.server.api.metadata_parameters import read_conditions_query
from aperiodic.server.errors import request_id
from aperiodic.server.queries.published import symbol_problem
from aperiodic.server.service import Service

__all__ = ["ConditionsAnswer", "get_conditions"]


class CauseEntry(msgspec.Struct):
    """One thing to know about a day.

    Attributes:
        code: `no_ticks`, `gap`, `not_spanned`, `not_recorded`, `cut_short`, `modelled_exchange_time`, `late_arrivals`,
            `rejected_lines` or `note`.
        detail: Cause of the gap, reason of the rejection, or name of the note; null for others.
        count: Gaps, holes, lines or files that it stands for; null where there is nothing to count.
        start: Where it begins, of several the first; null when it concerns the whole day.
        end: Where it ends, of several the last.
        per_file: Whether it is known of whole files only, which may hold more than this day and symbol.
    """

    code: str
    detail: str | None
    count: int | None
    start: datetime | None
    end: datetime | None
    per_file: bool


class DayEntry(msgspec.Struct):
    """A UTC day.

    Attributes:
        day: Which.
        condition: `available`, `degraded`, `partial` or `missing`.
        source: Where its ticks came from; null without any.
        causes: Everything to know.
    """

    day: date
    condition: str
    source: str | None
    causes: list[CauseEntry]


class ConditionsAnswer(msgspec.Struct):
    """The condition of every day of a range.

    Attributes:
        exchange: Venue.
        symbol: Instrument.
        metric: As asked for; null when a stream was.
        stream: Stream of ticks that is judged.
        start_date: First day.
        end_date: Last day.
        summary: Number of days by condition.
        days: All days, ascending.
        request_id: Names the request.
    """

    exchange: str
    symbol: str
    metric: str | None
    stream: str
    start_date: date
    end_date: date
    summary: dict[str, int]
    days: list[DayEntry]
    request_id: str


@get("/api/v1/metadata/conditions", sync_to_thread=True)
def get_conditions(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> ConditionsAnswer:
    """Answer with the condition of every day of a stream; needs a key of any plan."""
    with service.lake.engine.connect() as connection:
        caller = service.authorise(connection, request)
        query = read_conditions_query(
            request.scope["query_string"], lambda exchange, symbol: _unknown(connection, exchange, symbol)
        )
        service.admit(request, caller)
        days = read_conditions(
            connection, query.exchange, str(query.symbol), query.stream, query.start_date, query.end_date
        )
    service.meter(caller, "metadata")
    counted = Counter(day.condition for day in days)
    return ConditionsAnswer(
        exchange=query.exchange,
        symbol=str(query.symbol),
        metric=None if query.metric is None else query.metric.id,
        stream=query.stream,
        start_date=query.start_date,
        end_date=query.end_date,
        summary={str(condition): counted[condition] for condition in Condition},
        days=[_day(day) for day in days],
        request_id=request_id(request.scope),
    )


def _unknown(connection: Connection, exchange: Exchange, symbol: Symbol) -> InvalidInputError | None:
    """Return the error for a symbol of which there are neither ticks nor bars, else None."""
    without_ticks = symbol_problem(connection, exchange, symbol, ObjectKind.TICKS)
    return without_ticks and symbol_problem(connection, exchange, symbol)


def _day(day: DayCondition) -> DayEntry:
    return DayEntry(day.day, day.condition, day.source, [_cause(cause) for cause in day.causes])


def _cause(cause: Cause) -> CauseEntry:
    return CauseEntry(
        code=cause.code,
        detail=cause.detail,
        count=cause.count,
        start=None if cause.first_time is None else time_at(cause.first_time),
        end=None if cause.last_time is None else time_at(cause.last_time),
        per_file=cause.per_file,
    )
