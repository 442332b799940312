"""The nouns that everything else shares: exchanges, intervals, clocks, symbols and tick schemas."""

from aperiodic.market.clock import Clock
from aperiodic.market.errors import AperiodicDataError, IncompleteDataError, InvalidInputError
from aperiodic.market.exchange import Exchange
from aperiodic.market.interval import DAY_US, Interval
from aperiodic.market.symbol import Symbol
from aperiodic.market.ticks import BOOK_DEPTH, SIDE, Source, Stream, book_columns, tick_schema

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
    "tick_schema",
]
