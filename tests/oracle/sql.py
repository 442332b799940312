"""The bar datasets in DuckDB SQL, for inputs too large for plain Python.

Sums of amounts and notionals are exact before their one rounding, as in `bars_python`, because the two sides' sums are
subtracted and may all but cancel. Other sums are Kahan's.
"""

from __future__ import annotations

from typing import Final

import duckdb
import polars as pl
from tests.oracle.contract import CLOCK_COLUMN, FIELDS, INTERVAL_SECONDS, bar_schema

_SIZE_CONDITIONS: Final = {
    "small": "notional < 100",
    "medium": "notional >= 100 AND notional < 1000",
    "large": "notional >= 1000",
}


def _sum(values: str, where: str = "true") -> str:
    """Correctly rounded sum of doubles, 0 of none.

    In units of 2**-80 a double of 1e-8 or more is an integer, so the integers' sum is exact up to 1e14; text is the one
    way out of a 128-bit integer that rounds once.
    """
    units = f"sum(CAST({values} * pow(2, 80) AS HUGEINT)) FILTER (WHERE {where})"
    return f"coalesce(CAST(CAST({units} AS VARCHAR) AS DOUBLE) / pow(2, 80), 0)"


def simple_return(before: str, after: str) -> str:
    """SQL for the return from one price to another: their difference as decimals, over the former."""
    decimals = [f"CAST(CAST({price} AS VARCHAR) AS DECIMAL(38, 17))" for price in (after, before)]
    return f"(CAST({' - '.join(decimals)} AS DOUBLE) / {before})"


def _bucket_sums() -> str:
    buckets = {
        f"taker_{side}_{size}_order": f"side = '{side}' AND {condition}"
        for side in ("buy", "sell")
        for size, condition in _SIZE_CONDITIONS.items()
    }
    return ",\n".join(
        f"{_sum('notional', where)} AS {order}_volume, count(*) FILTER (WHERE {where}) AS {order}_count"
        for order, where in buckets.items()
    )


def _bucket_shares() -> str:
    return ",\n".join(
        f"taker_{side}_{size}_order_volume / nullif(taker_{side}_volume, 0) AS taker_{side}_{size}_order_percentage,"
        f"taker_{side}_{size}_order_count / nullif(taker_{side}_count, 0) AS taker_{side}_{size}_order_count_percentage"
        for side in ("buy", "sell")
        for size in _SIZE_CONDITIONS
    )


_BARS: Final = f"""
WITH placed AS (
    SELECT
        clock_us - clock_us % $length AS bar, side, price, amount, price * amount AS notional,
        row_number() OVER (PARTITION BY clock_us - clock_us % $length ORDER BY clock_us, position) AS rank
    FROM events
),
stepped AS (
    SELECT *, {simple_return("lag(price) OVER (PARTITION BY bar ORDER BY rank)", "price")} AS change FROM placed
),
summed AS (
    SELECT
        bar,
        arg_min(price, rank) AS open,
        max(price) AS high,
        min(price) AS low,
        arg_max(price, rank) AS close,
        {_sum("amount")} AS volume,
        {_sum("notional")} AS volume_notional,
        favg(price) AS twap,
        coalesce(sqrt(fsum(change * change)), 0) AS realised,
        {_sum("amount", "side = 'buy'")} AS taker_buy_volume,
        {_sum("amount", "side = 'sell'")} AS taker_sell_volume,
        count(*) FILTER (WHERE side = 'buy') AS taker_buy_count,
        count(*) FILTER (WHERE side = 'sell') AS taker_sell_count,
        {_sum("notional", "side = 'buy'")}
            - {_sum("notional", "side = 'sell'")} AS volume_delta_notional,
        {_bucket_sums()}
    FROM stepped
    GROUP BY bar
),
shared AS (
    SELECT
        *,
        make_timestamp(bar) AS time,
        volume_notional / volume AS vwap,
        taker_buy_volume - taker_sell_volume AS volume_delta,
        taker_buy_volume / nullif(taker_sell_volume, 0) AS taker_buy_sell_ratio,
        taker_buy_count / nullif(taker_sell_count, 0) AS taker_buy_sell_count_ratio,
        taker_buy_volume / volume AS taker_buy_sell_percentage,
        taker_buy_count / (taker_buy_count + taker_sell_count) AS taker_buy_sell_count_percentage,
        taker_sell_volume / volume AS sell_share,
        {_bucket_shares()}
    FROM summed
)
SELECT
    *,
    CASE WHEN taker_buy_volume = 0 OR taker_sell_volume = 0 THEN 0
        ELSE -taker_buy_sell_percentage * ln(taker_buy_sell_percentage) - sell_share * ln(sell_share)
    END AS flow_entropy,
    CASE WHEN max(volume_delta_notional) OVER month > min(volume_delta_notional) OVER month
            AND max(realised) OVER month > min(realised) OVER month
        THEN (volume_delta_notional - avg(volume_delta_notional) OVER month)
            / stddev_samp(volume_delta_notional) OVER month
            * (realised - avg(realised) OVER month)
            / stddev_samp(realised) OVER month
    END AS flow_toxicity_score
FROM shared
WINDOW month AS (
    PARTITION BY date_trunc('month', time) ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
ORDER BY time
"""


def bars_duckdb(trades: pl.DataFrame, clock: str, interval: str) -> dict[str, pl.DataFrame]:
    """Compute ohlcv, vtwap and flow; arguments and result as for `bars_python`."""
    events = trades.select(
        pl.col(CLOCK_COLUMN[clock]).to_physical().alias("clock_us"),
        pl.int_range(pl.len()).alias("position"),
        pl.col("side").cast(pl.String),
        "price",
        "amount",
    )
    with duckdb.connect() as connection:
        connection.register("events", events.to_arrow())
        bars = connection.sql(_BARS, params={"length": INTERVAL_SECONDS[interval] * 1_000_000}).pl()
    return {dataset: bars.select("time", *names).cast(bar_schema(dataset)) for dataset, names in FIELDS.items()}
