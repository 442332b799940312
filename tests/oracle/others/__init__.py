"""Bars of quotes, books, slippage and derivatives, each computed twice: in plain Python and in SQL (`*_duckdb`)."""

from tests.oracle.others.compare import assert_other_bars_equal
from tests.oracle.others.contract import OTHER_ATOL, OTHER_FIELDS, OTHER_RTOL, other_bar_schema
from tests.oracle.others.derivatives import derivative_bars, funding_bars, open_interest_bars
from tests.oracle.others.quotes import book_bars, quote_bars
from tests.oracle.others.slippage import slippage_bars
from tests.oracle.others.sql import (
    book_bars_duckdb,
    derivative_bars_duckdb,
    funding_bars_duckdb,
    open_interest_bars_duckdb,
    quote_bars_duckdb,
    slippage_bars_duckdb,
)
from tests.oracle.others.ticks import (
    BOOK_SCHEMA,
    QUOTE_SCHEMA,
    Market,
    book_frame,
    quotes_frame,
    random_market,
    values_frame,
)

__all__ = [
    "BOOK_SCHEMA",
    "OTHER_ATOL",
    "OTHER_FIELDS",
    "OTHER_RTOL",
    "QUOTE_SCHEMA",
    "Market",
    "assert_other_bars_equal",
    "book_bars",
    "book_bars_duckdb",
    "book_frame",
    "derivative_bars",
    "derivative_bars_duckdb",
    "funding_bars",
    "funding_bars_duckdb",
    "open_interest_bars",
    "open_interest_bars_duckdb",
    "other_bar_schema",
    "quote_bars",
    "quote_bars_duckdb",
    "quotes_frame",
    "random_market",
    "slippage_bars",
    "slippage_bars_duckdb",
    "values_frame",
]
