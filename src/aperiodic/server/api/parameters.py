"""Reading query strings: every problem is found, and all are reported together."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

from litestar.status_codes import HTTP_400_BAD_REQUEST, HTTP_404_NOT_FOUND, HTTP_414_REQUEST_URI_TOO_LONG

from aperiodic.catalog import Dataset, dataset
from aperiodic.market import Clock, Exchange, Interval, InvalidInputError, Stream, Symbol
from aperiodic.market.errors import unknown_value
from aperiodic.market.time import months_between
from aperiodic.server.errors import RequestError, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "DAYS",
    "MAX_RAW_DAYS",
    "CheckSymbol",
    "DataQuery",
    "Parameters",
    "RawQuery",
    "range_problems",
    "read_data_query",
    "read_exchange",
    "read_preview_query",
    "read_query",
    "read_raw_preview_query",
    "read_raw_query",
    "refuse_if_any",
    "symbol_problems",
]

MAX_RAW_DAYS: Final = 366
"""Most days, both ends included, of a request for raw ticks."""

_MAX_QUERY_BYTES: Final = 4096
_MAX_PARAMETERS: Final = 32
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|\+00:00)?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY: Final = date(2009, 1, 1)
_LAST_DAY: Final = date(2100, 12, 31)


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


CheckSymbol: TypeAlias = "Callable[[Exchange, Symbol], InvalidInputError | None]"
"""Returns what is wrong with a well-formed symbol of an exchange, or None."""


def read_data_query(metric: str, query_string: bytes, check_symbol: CheckSymbol) -> DataQuery:
    """Read a request for bars.

    Args:
        metric: Metric as it stands in the path.
        query_string: Query as it was sent.
        check_symbol: Returns what is wrong with a well-formed symbol of an exchange, or None.

    Raises:
        RequestError: 400 or 404 with every problem found; 414 when the query is too long.
    """
    return _read_bars(metric, query_string, check_symbol, _DATA)


def read_preview_query(metric: str, query_string: bytes) -> DataQuery:
    """Read a request for a preview: the parameters of `read_data_query` but `as_of`; the symbol is not looked up.

    Raises:
        RequestError: 400 or 404 with every problem found; 414 when the query is too long.
    """
    return _read_bars(metric, query_string, lambda _exchange, _symbol: None, _PREVIEW)


def read_raw_query(dataset_name: str, query_string: bytes, check_symbol: CheckSymbol) -> RawQuery:
    """Read a request for raw ticks.

    Args:
        dataset_name: Dataset as it stands in the path.
        query_string: Query as it was sent.
        check_symbol: Returns what is wrong with a well-formed symbol of an exchange, or None.

    Raises:
        RequestError: 400 or 404 with every problem found, `range_too_long` among them; 414 when the query is too long.
    """
    values, problems = read_query(query_string, _RAW, ("dataset", _stream, dataset_name))
    problems += symbol_problems(values, check_symbol) + range_problems(values, MAX_RAW_DAYS)
    refuse_if_any(problems)
    return RawQuery(**values)


def read_raw_preview_query(dataset_name: str, query_string: bytes) -> tuple[Stream, Exchange, Symbol]:
    """Read a request for a raw preview, which names no days; the symbol is not looked up.

    Raises:
        RequestError: 400 or 404 with every problem found; 414 when the query is too long.
    """
    values, problems = read_query(query_string, _RAW_PREVIEW, ("dataset", _stream, dataset_name))
    refuse_if_any(problems)
    return values["dataset"], values["exchange"], values["symbol"]


def read_exchange(query_string: bytes) -> Exchange:
    """Read a request whose one parameter is the exchange.

    Raises:
        RequestError: 400 with every problem found; 414 when the query is too long.
    """
    values, problems = read_query(query_string, _EXCHANGE)
    refuse_if_any(problems)
    exchange: Exchange = values["exchange"]
    return exchange


def _read_bars(metric: str, query_string: bytes, check_symbol: CheckSymbol, parameters: Parameters) -> DataQuery:
    values, problems = read_query(query_string, parameters, ("metric", dataset, metric))
    problems += symbol_problems(values, check_symbol)
    interval, clock = values.get("interval"), values.get("timestamp")
    if interval is not None and clock is not None and interval not in clock.intervals:
        problems.append(
            InvalidInputError(
                f"Interval {interval} exists for timestamp=true only.",
                code="interval_needs_true_clock",
                hint="Set timestamp=true, or ask for 1m or longer.",
            )
        )
    problems += range_problems(values)
    refuse_if_any(problems)
    return DataQuery(**values)


def symbol_problems(values: Mapping[str, Any], check_symbol: CheckSymbol) -> list[InvalidInputError]:
    """Return what is wrong with the symbol among values that were read, if it and the exchange are there."""
    exchange, symbol = values.get("exchange"), values.get("symbol")
    unknown = None if exchange is None or symbol is None else check_symbol(exchange, symbol)
    return [] if unknown is None else [unknown]


def range_problems(values: Mapping[str, Any], most_days: int | None = None) -> list[InvalidInputError]:
    """Return what is wrong with the two dates among values that were read, if they are there."""
    start, end = values.get("start_date"), values.get("end_date")
    if start is None or end is None:
        return []
    if end < start:
        return [
            InvalidInputError(
                f"end_date {end} lies before start_date {start}.",
                code="inverted_range",
                hint="Swap the two dates; both are included.",
            )
        ]
    days = (end - start).days + 1
    if most_days is not None and days > most_days:
        return [
            InvalidInputError(
                f"{start} to {end} is {days} days; one request covers at most {most_days}.",
                code="range_too_long",
                hint="Ask for one part of the range after the other.",
            )
        ]
    return []


def _day(name: str, text: str) -> date:
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not _FIRST_DAY <= day <= _LAST_DAY:
        raise InvalidInputError(
            f"{name} {text[:40]!r} is not a day between {_FIRST_DAY} and {_LAST_DAY}.",
            code="bad_date",
            hint="Write YYYY-MM-DD, for example 2025-05-01.",
        )
    return day


def _moment(text: str) -> int:
    """Return a moment in µs; a day stands for its last µs."""
    moment = None
    with suppress(ValueError):
        if _DATE.fullmatch(text):
            moment = datetime.combine(date.fromisoformat(text), time.max, tzinfo=UTC)
        elif _MOMENT.fullmatch(text):
            moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    if moment is None or not _FIRST_DAY <= moment.date() <= _LAST_DAY:
        raise InvalidInputError(
            f"as_of {text[:40]!r} is no day and no time between {_FIRST_DAY} and {_LAST_DAY}.",
            code="bad_as_of",
            hint="Write YYYY-MM-DD for the end of a day, or a time in UTC, for example 2025-05-01T12:00:00Z.",
        )
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _stream(text: str) -> Stream:
    try:
        return Stream(text)
    except ValueError:
        raise unknown_value("dataset", text, Stream) from None


class Parameters(NamedTuple):
    """What a request may name in its query, and how each value is read."""

    required: Mapping[str, Callable[[str], Any]]
    optional: Mapping[str, Callable[[str], Any]] = MappingProxyType({})


DAYS: Final = {"start_date": partial(_day, "start_date"), "end_date": partial(_day, "end_date")}
_INSTRUMENT: Final[Mapping[str, Callable[[str], Any]]] = {"exchange": Exchange.parse, "symbol": Symbol.parse}
_BARS: Final[Mapping[str, Callable[[str], Any]]] = {
    "timestamp": Clock.parse,
    "interval": Interval.parse,
    **_INSTRUMENT,
    **DAYS,
}
_EXCHANGE: Final = Parameters({"exchange": Exchange.parse})
_DATA: Final = Parameters(_BARS, {"as_of": _moment})
_PREVIEW: Final = Parameters(_BARS)
_RAW: Final = Parameters({**_INSTRUMENT, **DAYS})
_RAW_PREVIEW: Final = Parameters(_INSTRUMENT)


def read_query(
    query_string: bytes, parameters: Parameters, in_path: tuple[str, Callable[[str], Any], str] | None = None
) -> tuple[dict[str, Any], list[InvalidInputError]]:
    """Return the values that could be read, by name, and what is wrong with the others."""
    parsers = {**parameters.required, **parameters.optional}
    if len(query_string) > _MAX_QUERY_BYTES:
        raise refuse(
            HTTP_414_REQUEST_URI_TOO_LONG,
            "query_too_long",
            f"The query is longer than {_MAX_QUERY_BYTES} bytes.",
            f"Send only {', '.join(parsers)}.",
        )
    try:
        sent = parse_qsl(
            query_string.decode("latin-1"), keep_blank_values=True, errors="replace", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError:
        raise refuse(
            HTTP_400_BAD_REQUEST,
            "too_many_parameters",
            f"The query has more than {_MAX_PARAMETERS} parameters.",
            f"Send only {', '.join(parsers)}.",
        ) from None
    texts = dict(sent)
    named = [] if in_path is None else [in_path]
    named += [(name, parse, texts.get(name, "")) for name, parse in parameters.required.items()]
    named += [(name, parse, texts[name]) for name, parse in parameters.optional.items() if name in texts]
    values: dict[str, Any] = {}
    problems: list[InvalidInputError] = []
    for name, parse, text in named:
        try:
            values[name] = parse(_present(name, text))
        except InvalidInputError as problem:
            problems.append(problem)
    problems += [unknown_value("parameter", name, parsers) for name in texts if name not in parsers]
    names = [name for name, _ in sent]
    problems += [_repeated(name) for name in parsers if names.count(name) > 1]
    return values, problems


def _present(name: str, text: str) -> str:
    if not text:
        raise InvalidInputError(
            f"The parameter {name} is missing.", code="missing_parameter", hint=f"Add {name}=… to the query."
        )
    return text


def _repeated(name: str) -> InvalidInputError:
    return InvalidInputError(
        f"The parameter {name} is given more than once.", code="repeated_parameter", hint=f"Give one {name}."
    )


def refuse_if_any(problems: list[InvalidInputError]) -> None:
    """Raise for the problems found; wrong ones come before unknown ones, so that the first one's status is true."""
    if problems:
        wrong = [problem for problem in problems if problem.code not in _NOT_FOUND]
        unknown = [problem for problem in problems if problem.code in _NOT_FOUND]
        raise RequestError(HTTP_400_BAD_REQUEST if wrong else HTTP_404_NOT_FOUND, wrong + unknown)


_NOT_FOUND: Final = frozenset({"unknown_dataset", "unknown_metric", "unknown_symbol"})
