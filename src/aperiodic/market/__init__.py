"""The nouns that everything else shares: exchanges, intervals, clocks, symbols and tick schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aperiodic.market.clock import Clock
from aperiodic.market.errors import AperiodicDataError, IncompleteDataError, InvalidInputError
from aperiodic.market.exchange import Exchange
from aperiodic.market.interval import DAY_US, Interval
from aperiodic.market.streams import Source, Stream
from aperiodic.market.symbol import Symbol

if TYPE_CHECKING:
    from aperiodic.market.ticks import BOOK_DEPTH, SIDE, book_columns, shown_levels, tick_schema

__all__ = [
    "BOOK_DEPTH",
    "DAY_US",
    "SIDE",
    "AperiodicDataError",
    "Clock",
    "Exchange",
    "IncompleteDataError",
    "Interval",
    "InvalidInputError",
    "Source",
    "Stream",
    "Symbol",
    "book_columns",
    "shown_levels",
    "tick_schema",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (whatever the name stands for)
    # Schemas need Polars, which takes longer to import than the command line may take to print its help.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from aperiodic.market import ticks  # noqa: PLC0415

    value = getattr(ticks, name)
    globals()[name] = value
    return value
