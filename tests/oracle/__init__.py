"""Independent computations of the bar datasets, for tests to compare the engine with.

Everything here is written from the datasets' definitions alone and imports nothing of the package under test. Two
computations share no arithmetic: `bars_python` (plain Python, correctly rounded sums, exact expanding moments) and
`bars_duckdb` (SQL, for larger inputs). `assert_bars_equal` compares frames; `strategies` and `random_trades` make ticks.
"""

from tests.oracle.compare import DEFAULT_ATOL, DEFAULT_RTOL, assert_bars_equal
from tests.oracle.contract import CLOCK_COLUMN, FIELDS, INTERVAL_SECONDS, bar_schema
from tests.oracle.plain import bars_python
from tests.oracle.sql import bars_duckdb
from tests.oracle.ticks import TRADE_SCHEMA, random_trades, trades_frame

__all__ = [
    "CLOCK_COLUMN",
    "DEFAULT_ATOL",
    "DEFAULT_RTOL",
    "FIELDS",
    "INTERVAL_SECONDS",
    "TRADE_SCHEMA",
    "assert_bars_equal",
    "bar_schema",
    "bars_duckdb",
    "bars_python",
    "random_trades",
    "trades_frame",
]
