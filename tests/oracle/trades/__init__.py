"""The trade datasets beyond flow: trade_size, range, impact, updownticks, run_structure and returns.

As in the parent package, two computations written from the definitions alone: `trade_bars_python` (exact rational
moments, correctly rounded sums, returns to 60 digits) and `trade_bars_duckdb` (SQL in ordinary doubles). Compare with
`assert_bars_equal`, passing `TRADE_RTOL` and `TRADE_ATOL`, or `SQL_RTOL` and `SQL_ATOL` where the latter is one of the two.
"""

from tests.oracle.trades.contract import SQL_ATOL, SQL_RTOL, TRADE_ATOL, TRADE_FIELDS, TRADE_RTOL, trade_bar_schema
from tests.oracle.trades.plain import trade_bars_python
from tests.oracle.trades.sql import trade_bars_duckdb

__all__ = [
    "SQL_ATOL",
    "SQL_RTOL",
    "TRADE_ATOL",
    "TRADE_FIELDS",
    "TRADE_RTOL",
    "trade_bar_schema",
    "trade_bars_duckdb",
    "trade_bars_python",
]
