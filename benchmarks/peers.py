"""The same bars from the same file with DuckDB and pandas, and proof that the results are the same."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np
import polars as pl

from aperiodic.market import Clock, Interval
from benchmarks.measure import Pairs, timed_pairs
from benchmarks.trade_bars import all_bars, one_dataset

if TYPE_CHECKING:
    from benchmarks.inputs import Inputs

__all__ = ["all_against_duckdb_flow", "installed", "ohlcv_against_duckdb", "ohlcv_against_pandas"]

# The file is in order of time, so its row number gives the order of events, ties included.
_TRADES: Final = """
    SELECT
        time_bucket(INTERVAL 1 minute, exchange_timestamp) AS time,
        side, price, amount, price * amount AS notional, file_row_number AS place
    FROM read_parquet($file, file_row_number = true)
"""

_OHLCV: Final = f"""
SELECT
    time,
    arg_min(price, place) AS open, max(price) AS high, min(price) AS low, arg_max(price, place) AS close,
    sum(amount) AS volume, sum(notional) AS volume_notional
FROM ({_TRADES})
GROUP BY time
ORDER BY time
"""

_BUCKETS: Final = {
    "small": "notional < 100",
    "medium": "notional >= 100 AND notional < 1000",
    "large": "notional >= 1000",
}
_ORDERS: Final = {
    f"taker_{side}_{size}_order": f"side = '{side}' AND {condition}"
    for side in ("buy", "sell")
    for size, condition in _BUCKETS.items()
}
_ORDER_SUMS: Final = ",\n".join(
    f"coalesce(sum(notional) FILTER (WHERE {where}), 0) AS {order}_volume, count(*) FILTER (WHERE {where}) AS {order}_count"
    for order, where in _ORDERS.items()
)
_ORDER_SHARES: Final = ",\n".join(
    f"taker_{side}_{size}_order_volume / nullif(taker_{side}_volume, 0) AS taker_{side}_{size}_order_percentage,"
    f"taker_{side}_{size}_order_count / nullif(taker_{side}_count, 0) AS taker_{side}_{size}_order_count_percentage"
    for side in ("buy", "sell")
    for size in _BUCKETS
)

# A window without an order follows the file and streams; PARTITION BY time ORDER BY place gives the same in twice the time.
_FLOW: Final = f"""
WITH stepped AS (
    SELECT *, CASE WHEN lag(time) OVER () = time THEN price / lag(price) OVER () - 1 END AS change FROM ({_TRADES})
),
summed AS (
    SELECT
        time,
        coalesce(sum(amount) FILTER (WHERE side = 'buy'), 0) AS taker_buy_volume,
        coalesce(sum(amount) FILTER (WHERE side = 'sell'), 0) AS taker_sell_volume,
        count(*) FILTER (WHERE side = 'buy') AS taker_buy_count,
        count(*) FILTER (WHERE side = 'sell') AS taker_sell_count,
        sum(CASE side WHEN 'buy' THEN notional ELSE -notional END) AS volume_delta_notional,
        coalesce(sqrt(sum(change * change)), 0) AS realised,
        {_ORDER_SUMS}
    FROM stepped
    GROUP BY time
),
shared AS (
    SELECT
        *,
        taker_buy_volume - taker_sell_volume AS volume_delta,
        taker_buy_volume / nullif(taker_sell_volume, 0) AS taker_buy_sell_ratio,
        taker_buy_count / nullif(taker_sell_count, 0) AS taker_buy_sell_count_ratio,
        taker_buy_volume / (taker_buy_volume + taker_sell_volume) AS taker_buy_sell_percentage,
        taker_buy_count / (taker_buy_count + taker_sell_count) AS taker_buy_sell_count_percentage,
        {_ORDER_SHARES}
    FROM summed
)
SELECT
    *,
    CASE WHEN taker_buy_volume = 0 OR taker_sell_volume = 0 THEN 0
        ELSE -taker_buy_sell_percentage * ln(taker_buy_sell_percentage)
            - (1 - taker_buy_sell_percentage) * ln(1 - taker_buy_sell_percentage)
    END AS flow_entropy,
    (volume_delta_notional - avg(volume_delta_notional) OVER past)
        / nullif(stddev_samp(volume_delta_notional) OVER past, 0)
        * (realised - avg(realised) OVER past)
        / nullif(stddev_samp(realised) OVER past, 0) AS flow_toxicity_score
FROM shared
WINDOW past AS (ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
ORDER BY time
"""


class DifferentResultsError(Exception):
    """What is compared does not compute the same."""


def installed(package: str) -> bool:
    """Whether an optional peer can be imported here."""
    return importlib.util.find_spec(package) is not None


def all_against_duckdb_flow(inputs: Inputs) -> Pairs:
    """Time all datasets and intervals against DuckDB on `flow` at 1m alone."""
    with _connect() as connection:
        _expect_same(_query(connection, _FLOW, inputs), one_dataset(inputs, "flow", Interval.M1))
        return timed_pairs(
            lambda: all_bars(inputs, [Clock.EXCHANGE]), lambda: _query(connection, _FLOW, inputs), inputs.pairs
        )


def ohlcv_against_duckdb(inputs: Inputs) -> Pairs:
    """Time `ohlcv` at 1m against DuckDB on an open connection."""
    with _connect() as connection:
        _expect_same(_query(connection, _OHLCV, inputs), one_dataset(inputs, "ohlcv", Interval.M1))
        return timed_pairs(
            lambda: one_dataset(inputs, "ohlcv", Interval.M1), lambda: _query(connection, _OHLCV, inputs), inputs.pairs
        )


def ohlcv_against_pandas(inputs: Inputs) -> Pairs:
    """Time `ohlcv` at 1m against pandas."""
    pandas = importlib.import_module("pandas")
    _expect_same(
        pl.DataFrame(_with_pandas(pandas, inputs).reset_index().to_dict("list")),
        one_dataset(inputs, "ohlcv", Interval.M1),
    )
    return timed_pairs(
        lambda: one_dataset(inputs, "ohlcv", Interval.M1), lambda: _with_pandas(pandas, inputs), inputs.pairs
    )


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _query(connection: duckdb.DuckDBPyConnection, sql: str, inputs: Inputs) -> pl.DataFrame:
    bars: pl.DataFrame = connection.sql(sql, params={"file": str(inputs.trades_file)}).pl()
    return bars


def _with_pandas(pandas: Any, inputs: Inputs) -> Any:  # noqa: ANN401 - pandas need not be installed
    columns = ["exchange_timestamp", "price", "amount"]
    trades = pandas.read_parquet(inputs.trades_file, columns=columns)
    trades["notional"] = trades["price"] * trades["amount"]
    # Resampling an index that is in order is faster than grouping by the floored time.
    bars = trades.set_index(trades.pop("exchange_timestamp").rename("time")).resample("1min")
    return bars.agg(
        open=("price", "first"),
        high=("price", "max"),
        low=("price", "min"),
        close=("price", "last"),
        volume=("amount", "sum"),
        volume_notional=("notional", "sum"),
    ).dropna()


def _expect_same(peer: pl.DataFrame, ours: pl.DataFrame) -> None:
    """Raise unless every field agrees but for rounding."""
    if peer.height != ours.height:
        raise DifferentResultsError(f"{peer.height} bars instead of {ours.height}")
    for name in ours.columns[1:]:
        theirs, own = (frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for frame in (peer, ours))
        scale = np.nanmax(np.abs(own), initial=1.0)
        if not np.allclose(theirs, own, rtol=1e-6, atol=1e-9 * scale, equal_nan=True):
            raise DifferentResultsError(f"{name} differs")
