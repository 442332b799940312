"""Command-line values that are parsed by the shared nouns, so that a typo gets the same answer everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from aperiodic.market import DAY_US, Exchange, InvalidInputError, Symbol
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Token

__all__ = [
    "Day",
    "ExchangeList",
    "ExchangeName",
    "ExchangeNames",
    "Moment",
    "SymbolList",
    "SymbolName",
    "SymbolNames",
    "check_range",
]


def _exchange(_type: Any, tokens: Sequence[Token]) -> Exchange:  # noqa: ANN401 - cyclopts' converter signature
    return Exchange.parse(tokens[0].value)


def _symbol(_type: Any, tokens: Sequence[Token]) -> Symbol:  # noqa: ANN401 - cyclopts' converter signature
    return Symbol.parse(tokens[0].value)


def _day(_type: Any, tokens: Sequence[Token]) -> date:  # noqa: ANN401 - cyclopts' converter signature
    try:
        return date.fromisoformat(tokens[0].value)
    except ValueError:
        raise InvalidInputError(
            f"{tokens[0].value[:40]!r} is not a date.",
            code="bad_date",
            hint="Write YYYY-MM-DD, for example 2025-05-01.",
        ) from None


def _exchanges(_type: Any, tokens: Sequence[Token]) -> list[Exchange]:  # noqa: ANN401 - cyclopts' converter signature
    return [Exchange.parse(token.value) for token in tokens]


def _symbols(_type: Any, tokens: Sequence[Token]) -> list[Symbol]:  # noqa: ANN401 - cyclopts' converter signature
    return [Symbol.parse(token.value) for token in tokens]


ExchangeName = Annotated[Exchange, Parameter(converter=_exchange)]
SymbolName = Annotated[Symbol, Parameter(converter=_symbol, n_tokens=1, accepts_keys=False)]
ExchangeNames = Annotated[list[Exchange], Parameter(name="--exchange", converter=_exchanges, negative=())]
SymbolNames = Annotated[
    list[Symbol], Parameter(name="--symbol", converter=_symbols, n_tokens=1, accepts_keys=False, negative=())
]
SymbolList = Annotated[
    list[Symbol],
    Parameter(
        name=("--symbols", "--symbol"),
        converter=_symbols,
        n_tokens=1,
        accepts_keys=False,
        negative=(),
        consume_multiple=True,
    ),
]
"""As `SymbolNames`; one option may also be followed by several."""
ExchangeList = Annotated[
    list[Exchange], Parameter(name="--exchange", converter=_exchanges, negative=(), consume_multiple=True)
]
"""Likewise of venues."""
Day = Annotated[date, Parameter(converter=_day)]


@dataclass(frozen=True, slots=True)
class Time:
    """A time or a day, in UTC.

    Attributes:
        text: As it was written.
        first: The time, or the start of the day, µs since 1970.
        last: The time, or the end of the day.
    """

    text: str
    first: int
    last: int


def _moment(_type: Any, tokens: Sequence[Token]) -> Time:  # noqa: ANN401 - cyclopts' converter signature
    text = tokens[0].value
    try:
        if len(text) == len("2025-05-01"):
            first = day_start_us(date.fromisoformat(text))
            return Time(text, first, first + DAY_US)
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        at = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        return Time(text, at, at)
    except (ValueError, OverflowError):
        raise InvalidInputError(
            f"{text[:40]!r} is not a time.",
            code="bad_time",
            hint="Write a day (2025-05-01) or a time in UTC (2025-05-01T12:00).",
        ) from None


Moment = Annotated[Time, Parameter(converter=_moment, n_tokens=1, accepts_keys=False)]


def check_range(start: date | None, end: date | None) -> None:
    """Refuse a range that ends before it starts.

    Raises:
        InvalidInputError: `inverted_range`.
    """
    if start is not None and end is not None and end < start:
        raise InvalidInputError(
            f"The range ends ({end}) before it starts ({start}).",
            code="inverted_range",
            hint="Swap --start and --end; both days are included.",
        )
