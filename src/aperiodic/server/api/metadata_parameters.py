"""Reading the query strings of questions about what is held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aperiodic.catalog import Dataset, dataset
from aperiodic.market import Exchange, InvalidInputError, Stream, Symbol
from aperiodic.market.errors import unknown_value
from aperiodic.server.api.parameters import DAYS, Parameters, range_problems, read_query, refuse_if_any, symbol_problems

if TYPE_CHECKING:
    from datetime import date

    from aperiodic.server.api.parameters import CheckSymbol

__all__ = ["MAX_CONDITION_DAYS", "ConditionsQuery", "CoverageQuery", "read_conditions_query", "read_coverage_query"]

MAX_CONDITION_DAYS: Final = 366
"""Most days, both ends included, of a request for conditions."""


@dataclass(frozen=True, slots=True)
class CoverageQuery:
    """A valid question for what is published of an exchange.

    Attributes:
        exchange: Venue.
        symbol: The only instrument wanted; None: all.
        metric: The only dataset wanted; None: all.
        after: Where the page before ended; None: the first page.
    """

    exchange: Exchange
    symbol: Symbol | None = None
    metric: Dataset | None = None
    after: Symbol | None = None


@dataclass(frozen=True, slots=True)
class ConditionsQuery:
    """A valid question for the condition of days.

    Attributes:
        exchange: Venue.
        symbol: Instrument.
        metric: The dataset that was asked for, None when a stream was.
        stream: The stream of ticks: the one that drives the dataset, or the one that was asked for.
        start_date: First UTC day.
        end_date: Last UTC day, included.
    """

    exchange: Exchange
    symbol: Symbol
    metric: Dataset | None
    stream: Stream
    start_date: date
    end_date: date


def read_coverage_query(query_string: bytes, check_symbol: CheckSymbol) -> CoverageQuery:
    """Read a question for what is published.

    Raises:
        RequestError: 400 or 404 with every problem found; 414 when the query is too long.
    """
    values, problems = read_query(query_string, _COVERAGE)
    problems += symbol_problems(values, check_symbol)
    if "symbol" in values and "after" in values:
        problems.append(
            InvalidInputError(
                "symbol and after exclude each other: one instrument is one page.",
                code="conflicting_parameters",
                hint="Leave out after.",
            )
        )
    refuse_if_any(problems)
    return CoverageQuery(**values)


def read_conditions_query(query_string: bytes, check_symbol: CheckSymbol) -> ConditionsQuery:
    """Read a question for the condition of days.

    Raises:
        RequestError: 400 or 404 with every problem found, `range_too_long` among them; 414 when the query is too long.
    """
    values, problems = read_query(query_string, _CONDITIONS)
    problems += symbol_problems(values, check_symbol) + range_problems(values, MAX_CONDITION_DAYS)
    metric, stream = values.pop("metric", None), values.pop("stream", None)
    if metric is not None and stream is not None:
        problems.append(
            InvalidInputError(
                "metric and stream exclude each other.",
                code="conflicting_parameters",
                hint="A metric stands for the stream that drives it; give one of the two.",
            )
        )
    elif metric is None and stream is None and not _UNREADABLE.intersection(problem.code for problem in problems):
        problems.append(
            InvalidInputError(
                "One of the parameters metric and stream is missing.",
                code="missing_parameter",
                hint="Add metric=… for the stream that drives it, or stream=… to the query.",
            )
        )
    refuse_if_any(problems)
    return ConditionsQuery(**values, metric=metric, stream=stream or metric.driving)


def _stream(text: str) -> Stream:
    try:
        return Stream(text)
    except ValueError:
        raise unknown_value("stream", text, Stream) from None


_UNREADABLE: Final = frozenset({"unknown_metric", "unknown_stream"})
_ONE_OF: Final[dict[str, Any]] = {"metric": dataset, "stream": _stream}
_COVERAGE: Final = Parameters(
    {"exchange": Exchange.parse}, {"symbol": Symbol.parse, "metric": dataset, "after": Symbol.parse}
)
_CONDITIONS: Final = Parameters({"exchange": Exchange.parse, "symbol": Symbol.parse, **DAYS}, _ONE_OF)
