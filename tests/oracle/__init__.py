"""Independent computations of the bar datasets, for tests to compare the engine with.

Everything here is written from the datasets' definitions alone and imports nothing of the package under test. Two
computations share no arithmetic: `bars_python` (plain Python, correctly rounded sums, exact expanding moments) and
`bars_duckdb` (SQL, for larger inputs). `assert_bars_equal` compares frames; `strategies` and `random_trades` make ticks.
`trades` does the same for the remaining trade datasets, `others` for quotes, books, slippage and derivatives.
"""

from tests.oracle.compare import DEFAULT_ATOL, DEFAULT_RTOL, assert_bars_equal
from tests.oracle.contract import CLOCK_COLUMN, FIELDS, INTERVAL_SECONDS, bar_schema
from tests.oracle.others import (
    OTHER_ATOL,
    OTHER_FIELDS,
    OTHER_RTOL,
    Market,
    assert_other_bars_equal,
    book_bars,
    book_bars_duckdb,
    book_frame,
    derivative_bars,
    derivative_bars_duckdb,
    funding_bars,
    funding_bars_duckdb,
    open_interest_bars,
    open_interest_bars_duckdb,
    other_bar_schema,
    quote_bars,
    quote_bars_duckdb,
    quotes_frame,
    random_market,
    slippage_bars,
    slippage_bars_duckdb,
    values_frame,
)
from tests.oracle.plain import bars_python
from tests.oracle.sql import bars_duckdb
from tests.oracle.ticks import TRADE_SCHEMA, random_trades, trades_frame
from tests.oracle.trades import (
    TRADE_ATOL,
    TRADE_FIELDS,
    TRADE_RTOL,
    trade_bar_schema,
    trade_bars_duckdb,
    trade_bars_python,
)

__all__ = [
    "CLOCK_COLUMN",
    "DEFAULT_ATOL",
    "DEFAULT_RTOL",
    "FIELDS",
    "INTERVAL_SECONDS",
    "OTHER_ATOL",
    "OTHER_FIELDS",
    "OTHER_RTOL",
    "TRADE_ATOL",
    "TRADE_FIELDS",
    "TRADE_RTOL",
    "TRADE_SCHEMA",
    "Market",
    "assert_bars_equal",
    "assert_other_bars_equal",
    "bar_schema",
    "bars_duckdb",
    "bars_python",
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
    "random_trades",
    "slippage_bars",
    "slippage_bars_duckdb",
    "trade_bar_schema",
    "trade_bars_duckdb",
    "trade_bars_python",
    "trades_frame",
    "values_frame",
]
