"""Reading query strings: every problem is found, and all are reported together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from litestar.status_codes import HTTP_400_BAD_REQUEST, HTTP_404_NOT_FOUND, HTTP_414_REQUEST_URI_TOO_LONG

from aperiodic.catalog import Dataset, dataset
from aperiodic.market import Clock, Exchange, Interval, InvalidInputError, Symbol
from aperiodic.market.errors import unknown_value
from aperiodic.server.errors import RequestError, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["DataQuery", "read_data_query", "read_exchange"]

_MAX_QUERY_BYTES: Final = 4096
_MAX_PARAMETERS: Final = 32
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FIRST_DAY: Final = date(2009, 1, 1)
_LAST_DAY: Final = date(2100, 12, 31)
_MONTHS: Final = 12


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
    """

    metric: Dataset
    timestamp: Clock
    interval: Interval
    exchange: Exchange
    symbol: Symbol
    start_date: date
    end_date: date

    @property
    def months(self) -> list[str]:
        """The calendar months that the days touch, `YYYY-MM`, ascending."""
        first = self.start_date.year * _MONTHS + self.start_date.month - 1
        last = self.end_date.year * _MONTHS + self.end_date.month - 1
        return [f"{month // _MONTHS:04d}-{month % _MONTHS + 1:02d}" for month in range(first, last + 1)]


def read_data_query(
    metric: str, query_string: bytes, check_symbol: Callable[[Exchange, Symbol], InvalidInputError | None]
) -> DataQuery:
    """Read a request for bars.

    Args:
        metric: Metric as it stands in the path.
        query_string: Query as it was sent.
        check_symbol: Returns what is wrong with a well-formed symbol of an exchange, or None.

    Raises:
        RequestError: 400 or 404 with every problem found; 414 when the query is too long.
    """
    values, problems = _read(metric, query_string, _DATA_PARAMETERS)
    exchange, symbol = values.get("exchange"), values.get("symbol")
    if exchange is not None and symbol is not None and (unknown := check_symbol(exchange, symbol)):
        problems.append(unknown)
    interval = values.get("interval")
    if interval is not None and interval.sub_minute and values.get("timestamp") is Clock.EXCHANGE:
        problems.append(
            InvalidInputError(
                f"Interval {interval} exists for timestamp=true only.",
                code="interval_needs_true_clock",
                hint="Set timestamp=true, or ask for 1m or longer.",
            )
        )
    start, end = values.get("start_date"), values.get("end_date")
    if start is not None and end is not None and end < start:
        problems.append(
            InvalidInputError(
                f"end_date {end} lies before start_date {start}.",
                code="inverted_range",
                hint="Swap the two dates; both are included.",
            )
        )
    _refuse_if_any(problems)
    return DataQuery(**values)


def read_exchange(query_string: bytes) -> Exchange:
    """Read a request whose one parameter is the exchange.

    Raises:
        RequestError: 400 with every problem found; 414 when the query is too long.
    """
    values, problems = _read(None, query_string, _EXCHANGE_PARAMETER)
    _refuse_if_any(problems)
    exchange: Exchange = values["exchange"]
    return exchange


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


_EXCHANGE_PARAMETER: Final[Mapping[str, Callable[[str], Any]]] = {"exchange": Exchange.parse}
_DATA_PARAMETERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "timestamp": Clock.parse,
    "interval": Interval.parse,
    "exchange": Exchange.parse,
    "symbol": Symbol.parse,
    "start_date": partial(_day, "start_date"),
    "end_date": partial(_day, "end_date"),
}


def _read(
    metric: str | None, query_string: bytes, parsers: Mapping[str, Callable[[str], Any]]
) -> tuple[dict[str, Any], list[InvalidInputError]]:
    """Return the values that could be read, by name, and what is wrong with the others."""
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
    named: list[tuple[str, Callable[[str], Any], str]] = [] if metric is None else [("metric", dataset, metric)]
    named += [(name, parse, texts.get(name, "")) for name, parse in parsers.items()]
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


def _refuse_if_any(problems: list[InvalidInputError]) -> None:
    """Raise for the problems found; wrong ones come before unknown ones, so that the first one's status is true."""
    if problems:
        wrong = [problem for problem in problems if problem.code not in _NOT_FOUND]
        unknown = [problem for problem in problems if problem.code in _NOT_FOUND]
        raise RequestError(HTTP_400_BAD_REQUEST if wrong else HTTP_404_NOT_FOUND, wrong + unknown)


_NOT_FOUND: Final = frozenset({"unknown_metric", "unknown_symbol"})
