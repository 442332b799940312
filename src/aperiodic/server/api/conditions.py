"""How much of every day is there: `/api/v1/metadata/conditions`."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.di import NamedDependency

from aperiodic.catalog import Dataset
from aperiodic.completeness.causes import Cause, Condition, DayCondition
from aperiodic.completeness.conditions import read_conditions
from aperiodic.lake import ObjectKind
from aperiodic.market import Exchange, InvalidInputError, Stream, Symbol
from aperiodic.market.time import time_at
from aperiodic.server.api.example_values import BTC, REQUEST_ID, VENUE
from aperiodic.server.api.parameters import DAYS, INSTRUMENT, OF_METRIC, OF_STREAM, SHORT_DATE_RANGE, known_symbol
from aperiodic.server.api.request_parsing import read_query
from aperiodic.server.endpoints import RATE, Answer, Check, Endpoint, Given, serve
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.errors import request_id
from aperiodic.server.service import Service

__all__ = ["ConditionsAnswer", "get_conditions"]


@dataclass(frozen=True, slots=True)
class ConditionsQuery:
    """A valid question for the condition of days.

    Attributes:
        exchange: Venue.
        symbol: Instrument.
        start_date: First UTC day.
        end_date: Last UTC day, included.
        metric: The dataset that was asked for, None when a stream was.
        stream: The stream of ticks that was asked for, None when a dataset was.
    """

    exchange: Exchange
    symbol: Symbol
    start_date: date
    end_date: date
    metric: Dataset | None = None
    stream: Stream | None = None

    @property
    def judged(self) -> tuple[Stream, ...]:
        """The streams of ticks whose days are judged, the one that drives the metric first."""
        if self.stream is not None:
            return (self.stream,)
        return (Stream.TRADES,) if self.metric is None else self.metric.streams


class CauseEntry(msgspec.Struct):
    """One thing to know about a day.

    Attributes:
        code: `no_ticks`, `gap`, `not_spanned`, `not_recorded`, `cut_short`, `modelled_exchange_time`, `late_arrivals`,
            `rejected_lines` or `note`.
        detail: Why there are no ticks, cause of the gap, reason of the rejection, or name of the note; null for others.
        count: Gaps, holes, lines or files that it stands for; null where there is nothing to count.
        start: Where it begins, of several the first; null when it concerns the whole day.
        end: Where it ends, of several the last.
        per_file: Whether it is known of whole files only, which may hold more than this day and symbol.
        stream: Stream of ticks that it concerns, where that is not the one of the answer.
    """

    code: str
    detail: str | None
    count: int | None
    start: datetime | None
    end: datetime | None
    per_file: bool
    stream: str | msgspec.UnsetType = msgspec.UNSET


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
        stream: Stream of ticks that was asked for, or that drives the metric; the others that it is made from are
            judged as well.
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


_EXAMPLE: Final = ConditionsAnswer(
    exchange=VENUE,
    symbol=BTC,
    metric="ohlcv",
    stream="trades",
    start_date=date(2025, 5, 9),
    end_date=date(2025, 5, 9),
    summary={"available": 0, "degraded": 0, "partial": 1, "missing": 0},
    days=[
        DayEntry(
            day=date(2025, 5, 9),
            condition="partial",
            source="recording",
            causes=[
                CauseEntry(
                    code="gap",
                    detail="sequence_break",
                    count=1,
                    start=datetime(2025, 5, 9, 4, 0, 1, 120_000, UTC),
                    end=datetime(2025, 5, 9, 4, 0, 3, 480_000, UTC),
                    per_file=False,
                )
            ],
        )
    ],
    request_id=REQUEST_ID,
)


def _subject_problem(given: Given) -> list[InvalidInputError]:
    """Find out whether there is one of metric and stream."""
    if "metric" in given.values and "stream" in given.values:
        return [
            ErrorCode.CONFLICTING_PARAMETERS.problem(
                one="metric",
                other="stream",
                why="",
                instead="A metric stands for all streams that it is made from; give one of the two.",
            )
        ]
    if given.names.isdisjoint({"metric", "stream"}):
        return [
            InvalidInputError(
                "One of the parameters metric and stream is missing.",
                code=ErrorCode.MISSING_PARAMETER.code,
                hint="Add metric=… for all streams that it is made from, or stream=… to the query.",
            )
        ]
    return []


@serve(
    Endpoint(
        route="/api/v1/metadata/conditions",
        name="get_conditions",
        tag="metadata",
        summary="How much of every day is there",
        description="Each UTC day of at most 366: available, degraded, partial or missing, and why. Give either "
        "`metric` or `stream`.",
        parameters=(*INSTRUMENT, OF_METRIC, OF_STREAM, *DAYS),
        checks=(
            known_symbol(ObjectKind.TICKS, ObjectKind.BARS),
            SHORT_DATE_RANGE,
            Check(_subject_problem, (ErrorCode.CONFLICTING_PARAMETERS,)),
        ),
        answers=(Answer("The days, ascending.", _EXAMPLE, headers=RATE),),
        shown=("metric",),
    ),
    sync_to_thread=True,
)
def get_conditions(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> ConditionsAnswer:
    """Answer with the condition of every day of a stream; needs a key of any plan."""
    with service.reading() as ledger:
        caller = service.authorise(ledger, request)
        connection = ledger.connection
        query = read_query(request, connection, ConditionsQuery)
        service.admit(request, caller)
        days = read_conditions(
            connection, query.exchange, str(query.symbol), query.judged, query.start_date, query.end_date
        )
    service.meter(caller, "metadata")
    counted = Counter(day.condition for day in days)
    return ConditionsAnswer(
        exchange=query.exchange,
        symbol=str(query.symbol),
        metric=None if query.metric is None else query.metric.id,
        stream=query.judged[0],
        start_date=query.start_date,
        end_date=query.end_date,
        summary={str(condition): counted[condition] for condition in Condition},
        days=[_day(day) for day in days],
        request_id=request_id(request.scope),
    )


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
        stream=cause.joined or msgspec.UNSET,
    )
