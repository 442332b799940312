"""The parameters of all endpoints and the rules between them, each declared once: how it is read and what it means."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from aperiodic.catalog import DATASETS, dataset
from aperiodic.market import Clock, Exchange, Interval, Stream, Symbol
from aperiodic.market.errors import unknown_value
from aperiodic.server.endpoints import Check, Given, Parameter
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.queries.published import symbol_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from aperiodic.lake import ObjectKind
    from aperiodic.market import InvalidInputError

__all__ = [
    "AFTER",
    "AS_OF",
    "BARS",
    "DATASET",
    "DATE_RANGE",
    "DAYS",
    "EXCHANGE",
    "IF_NONE_MATCH",
    "INSTRUMENT",
    "INTERVAL_ON_CLOCK",
    "METRIC",
    "MOST_BARS",
    "MOST_DAYS",
    "NEWEST_BARS",
    "OF_METRIC",
    "OF_STREAM",
    "OF_SYMBOL",
    "SHORT_DATE_RANGE",
    "USUAL_BARS",
    "known_symbol",
]

MOST_DAYS: Final = 366
"""Most days, both ends included, of a request that is answered day by day."""

MOST_BARS: Final = 1000
"""Most bars of one instrument in an answer that holds them itself."""

USUAL_BARS: Final = 100
_FIRST_DAY: Final = date(2009, 1, 1)
_LAST_DAY: Final = date(2100, 12, 31)
_DATE: Final = "(2009|20[1-9][0-9]|2100)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_DAY: Final = rf"^{_DATE}$"
_MOMENT: Final = rf"^{_DATE}(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{{1,6}})?)?(Z|\+00:00)?)?$"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ASSET: Final = "[0-9A-Za-z][0-9A-Za-z_]*"
_SYMBOL: Final = (
    f"^(spot-{_ASSET}-{_ASSET}|perpetual-{_ASSET}-{_ASSET}:{_ASSET}|future-{_ASSET}-{_ASSET}:{_ASSET}-20[0-9]{{6}})$"
)


def _day(name: str, text: str) -> date:
    with suppress(ValueError):
        if re.fullmatch(_DAY, text):
            return date.fromisoformat(text)
    raise ErrorCode.BAD_DATE.problem(name=name, text=text[:40], first=_FIRST_DAY, last=_LAST_DAY)


def _moment(text: str) -> int:
    """Return a moment in µs; a day stands for its last µs."""
    with suppress(ValueError):
        if re.fullmatch(_DAY, text):
            moment = datetime.combine(date.fromisoformat(text), time.max, tzinfo=UTC)
            return (moment - _EPOCH) // timedelta(microseconds=1)
        if re.fullmatch(_MOMENT, text):
            return (datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
    raise ErrorCode.BAD_AS_OF.problem(text=text[:40], first=_FIRST_DAY, last=_LAST_DAY)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST_BARS:
        raise ErrorCode.BAD_COUNT.problem(most=MOST_BARS, usual=USUAL_BARS)
    return int(text)


def _stream(kind: str, text: str) -> Stream:
    try:
        return Stream(text)
    except ValueError:
        raise unknown_value(kind, text, Stream) from None


METRIC: Final = Parameter(
    name="metric",
    place="path",
    description="Metric: one of the datasets of /api/v1/metadata/catalog.",
    example="ohlcv",
    choices=DATASETS,
    parse=dataset,
    errors=(ErrorCode.UNKNOWN_METRIC,),
)
OF_METRIC: Final = replace(
    METRIC,
    place="query",
    description="Only this metric; for conditions, all streams that it is made from.",
    required=False,
)
DATASET: Final = Parameter(
    name="dataset",
    place="path",
    description="Stream of ticks.",
    example="trades",
    choices=Stream,
    parse=partial(_stream, "dataset"),
    errors=(ErrorCode.UNKNOWN_DATASET,),
)
OF_STREAM: Final = Parameter(
    name="stream",
    description="Stream of ticks, instead of `metric`.",
    example="trades",
    choices=Stream,
    parse=partial(_stream, "stream"),
    errors=(ErrorCode.UNKNOWN_STREAM,),
    required=False,
)
EXCHANGE: Final = Parameter(
    name="exchange",
    description="Venue.",
    example="binance-futures",
    choices=Exchange,
    parse=Exchange.parse,
    errors=(ErrorCode.UNKNOWN_EXCHANGE,),
)
SYMBOL: Final = Parameter(
    name="symbol",
    description="Instrument in the Atlas symbology.",
    example="perpetual-BTC-USDT:USDT",
    rules={"maxLength": 100, "pattern": _SYMBOL},
    parse=Symbol.parse,
    errors=(ErrorCode.BAD_SYMBOL,),
)
OF_SYMBOL: Final = replace(SYMBOL, description="Only this instrument.", required=False)
AFTER: Final = replace(
    SYMBOL, name="after", description="The `next` of the page before; not together with `symbol`.", required=False
)
INSTRUMENT: Final = (EXCHANGE, SYMBOL)
"""Venue and symbol."""

DAYS: Final = tuple(
    Parameter(
        name=name,
        description=description,
        example=example,
        rules={"format": "date", "pattern": _DAY},
        parse=partial(_day, name),
        errors=(ErrorCode.BAD_DATE,),
    )
    for name, description, example in (
        ("start_date", "First UTC day.", "2025-05-01"),
        ("end_date", "Last UTC day, included.", "2025-05-31"),
    )
)
"""First and last day."""

BARS: Final = (
    Parameter(
        name="timestamp",
        description="Clock that orders the events and decides the bar of each: `exchange` (the matching engine's time) "
        "or `true` (arrival at the capture host).",
        example="exchange",
        choices=Clock,
        parse=Clock.parse,
        errors=(ErrorCode.UNKNOWN_TIMESTAMP,),
    ),
    Parameter(
        name="interval",
        description="Length of a bar; below a minute only with `timestamp=true` and a plan that has it.",
        example="5m",
        choices=Interval,
        parse=Interval.parse,
        errors=(ErrorCode.UNKNOWN_INTERVAL,),
    ),
    *INSTRUMENT,
    *DAYS,
)
"""Everything that names bars but their metric."""

NEWEST_BARS: Final = (
    *(parameter for parameter in BARS if parameter not in (SYMBOL, *DAYS)),
    replace(SYMBOL, description=f"{SYMBOL.description}; may be given up to 25 times.", most=25),
    Parameter(
        name="n",
        description=f"How many bars of each instrument, 1 to {MOST_BARS}; {USUAL_BARS} unless given.",
        example="10",
        rules={"pattern": r"^([1-9][0-9]{0,2}|1000)$"},
        parse=_count,
        errors=(ErrorCode.BAD_COUNT,),
        required=False,
    ),
)
"""Everything that names the newest bars of instruments but their metric."""

AS_OF: Final = Parameter(
    name="as_of",
    description="Answer with the revisions that were current at this moment: a time in UTC, or a day for its end.",
    example="2026-01-31",
    rules={"pattern": _MOMENT},
    parse=_moment,
    errors=(ErrorCode.BAD_AS_OF,),
    required=False,
)
IF_NONE_MATCH: Final = Parameter(
    name="If-None-Match",
    place="header",
    description="ETags that the client has; one of them is answered with 304.",
    example='"0123456789abcdef"',
    required=False,
)


def known_symbol(*kinds: ObjectKind) -> Check:
    """Return the rule that the venue has something of the symbol, of any of these kinds."""

    def find(given: Given) -> list[InvalidInputError]:
        exchange, named = given.values.get("exchange"), given.values.get("symbol")
        if exchange is None or named is None:
            return []
        symbols = (named,) if isinstance(named, Symbol) else named
        return [problem for symbol in symbols if (problem := of_one(given.connection, exchange, symbol)) is not None]

    def of_one(connection: Connection, exchange: Exchange, symbol: Symbol) -> InvalidInputError | None:
        problem = None
        for kind in kinds:
            problem = symbol_problem(connection, exchange, symbol, kind)
            if problem is None:
                return None
        return problem

    return Check(find, (ErrorCode.UNKNOWN_SYMBOL,))


def _interval_problem(given: Given) -> list[InvalidInputError]:
    interval, clock = given.values.get("interval"), given.values.get("timestamp")
    if interval is None or clock is None or interval in clock.intervals:
        return []
    return [ErrorCode.INTERVAL_NEEDS_TRUE_CLOCK.problem(interval=interval)]


def _range_finder(most_days: int | None) -> Callable[[Given], list[InvalidInputError]]:
    def find(given: Given) -> list[InvalidInputError]:
        start, end = given.values.get("start_date"), given.values.get("end_date")
        if start is None or end is None:
            return []
        if end < start:
            return [ErrorCode.INVERTED_RANGE.problem(start=start, end=end)]
        days = (end - start).days + 1
        if most_days is not None and days > most_days:
            return [ErrorCode.RANGE_TOO_LONG.problem(start=start, end=end, days=days, most=most_days)]
        return []

    return find


INTERVAL_ON_CLOCK: Final = Check(_interval_problem, (ErrorCode.INTERVAL_NEEDS_TRUE_CLOCK,))
"""Intervals below a minute exist on the `true` clock only."""

DATE_RANGE: Final = Check(_range_finder(None), (ErrorCode.INVERTED_RANGE,))
"""The last day does not lie before the first."""

SHORT_DATE_RANGE: Final = Check(_range_finder(MOST_DAYS), (ErrorCode.INVERTED_RANGE, ErrorCode.RANGE_TOO_LONG))
"""The same, and the days are not more than `MOST_DAYS`."""
