"""Command-line values that are parsed by the shared nouns, so that a typo gets the same answer everywhere."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from aperiodic.market import Exchange, InvalidInputError, Symbol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Token

__all__ = [
    "Day",
    "ExchangeList",
    "ExchangeName",
    "ExchangeNames",
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
