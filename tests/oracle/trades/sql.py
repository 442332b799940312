"""The trade datasets in DuckDB SQL, in ordinary doubles: what a careful engine attains, and for larger inputs.

Moments are centred twice, first on the bar's first value (a difference of close doubles is exact), then on the mean of
what is left. The signed notional, which may cancel, is an exact sum as in the parent package.
"""

from __future__ import annotations

from typing import Final

import duckdb
import polars as pl
from tests.oracle.contract import CLOCK_COLUMN, INTERVAL_SECONDS
from tests.oracle.sql import _SIZE_CONDITIONS, _sum, simple_return
from tests.oracle.trades.contract import TRADE_FIELDS, trade_bar_schema

_TICKS: Final = {
    "uptick": "price > price_before",
    "downtick": "price < price_before",
    "unchanged": "price = price_before",
}


def _size_sums() -> str:
    return ",\n".join(
        f"{_sum('notional', where)} AS {size}_order_volume, count(*) FILTER (WHERE {where}) AS {size}_order_count"
        for size, where in _SIZE_CONDITIONS.items()
    )


def _size_shares() -> str:
    return ",\n".join(
        f"{size}_order_volume / volume AS {size}_order_percentage,"
        f"{size}_order_count / n_trades AS {size}_order_count_percentage"
        for size in _SIZE_CONDITIONS
    )


def _tick_sums() -> str:
    return ",\n".join(
        f"{_sum('amount', where)} AS {tick}_volume, count(*) FILTER (WHERE {where}) AS {tick}_count"
        for tick, where in _TICKS.items()
    )


def _tick_shares() -> str:
    return ",\n".join(
        f"{tick}_count / nullif(n_trades - 1, 0) AS {tick}_count_percentage,"
        f"{tick}_volume / nullif(uptick_volume + downtick_volume + unchanged_volume, 0) AS {tick}_volume_percentage"
        for tick in _TICKS
    )


def _power_sums(values: str) -> str:
    return ",\n".join(
        f"fsum(pow({values}_lift - {values}_lift_mean, {power})) AS {values}_power_{power}" for power in (2, 3, 4)
    )


def _quantile(values: str, tenths: int) -> str:
    """SQL for a linearly interpolated quantile of a sorted list, which counts from 1."""
    below = f"(({tenths} * (n_trades - 1)) // 10 + 1)"
    above = f"least({below} + 1, n_trades)"
    return f"{values}[{below}] + ({values}[{above}] - {values}[{below}]) * (({tenths} * (n_trades - 1)) % 10 / 10)"


def _distribution(values: str, prefix: str) -> str:
    """SQL for mean to cv, from the power sums of the deviations (n - 1 in the variance, bias-corrected above it)."""
    second, third, fourth = (f"{values}_power_{power}" for power in (2, 3, 4))
    varies = f"{values}_high > {values}_low"
    n = "CAST(n_trades AS DOUBLE)"
    variance = f"CASE WHEN n_trades > 1 THEN CASE WHEN {varies} THEN {second} / ({n} - 1) ELSE 0 END END"
    return f"""
        {variance} AS {prefix}_variance,
        sqrt({prefix}_variance) AS {prefix}_std,
        {prefix}_std / {prefix}_mean AS {prefix}_cv,
        CASE WHEN n_trades > 2 AND {varies}
            THEN {n} * sqrt({n} - 1) / ({n} - 2) * {third} / pow({second}, 1.5)
        END AS {prefix}_skewness,
        CASE WHEN n_trades > 3 AND {varies}
            THEN ({n} - 1) / (({n} - 2) * ({n} - 3)) * (({n} + 1) * ({n} * {fourth} / pow({second}, 2) - 3) + 6)
        END AS {prefix}_kurtosis
    """


_LOG_RETURN: Final = """CASE WHEN abs(change) < 0.01
    THEN change * (1 - change * (1 / 2 - change * (1 / 3 - change * (1 / 4 - change * (1 / 5 - change * (1 / 6 - change / 7))))))
    ELSE ln(1 + change) END"""
"""ln(1 + r) that keeps the digits of small returns."""

_BARS: Final = f"""
WITH placed AS (
    SELECT
        clock_us - clock_us % $length AS bar, side, price, amount, price * amount AS notional,
        row_number() OVER (PARTITION BY clock_us - clock_us % $length ORDER BY clock_us, position) AS rank
    FROM events
),
neighboured AS (
    SELECT
        *,
        CASE side WHEN 'buy' THEN amount ELSE -amount END AS signed_amount,
        CASE side WHEN 'buy' THEN notional ELSE -notional END AS signed_notional,
        lag(price) OVER bar_order AS price_before,
        {simple_return("lag(price) OVER bar_order", "price")} AS change,
        side <> lag(side) OVER bar_order AS flips,
        {simple_return("price", "lead(price, 5) OVER bar_order")} AS reversal,
        price - first(price) OVER bar_order AS price_lift,
        amount - first(amount) OVER bar_order AS amount_lift
    FROM placed
    WINDOW bar_order AS (PARTITION BY bar ORDER BY rank)
),
stepped AS (
    SELECT
        *,
        {_LOG_RETURN} AS log_return,
        lag({_LOG_RETURN}) OVER bar_order AS log_return_before,
        count(*) FILTER (WHERE flips) OVER bar_order AS run
    FROM neighboured
    WINDOW bar_order AS (PARTITION BY bar ORDER BY rank)
),
counted AS (
    SELECT
        bar,
        count(*) AS n_trades,
        favg(price_lift) AS price_lift_mean,
        favg(amount_lift) AS amount_lift_mean,
        list(price ORDER BY price) AS prices,
        list(amount ORDER BY amount) AS amounts
    FROM stepped
    GROUP BY bar
),
levelled AS (
    SELECT
        * EXCLUDE (prices, amounts),
        {_quantile("prices", 5)} AS price_median,
        {_quantile("amounts", 5)} AS amount_median,
        {_quantile("amounts", 9)} AS large
    FROM counted
),
centred AS (
    SELECT * FROM stepped JOIN levelled USING (bar)
),
runs AS (
    SELECT bar, side, count(*) AS length FROM stepped GROUP BY bar, run, side
),
run_sums AS (
    SELECT
        bar,
        coalesce(max(length) FILTER (WHERE side = 'buy'), 0) AS buy_run_max_len,
        coalesce(max(length) FILTER (WHERE side = 'sell'), 0) AS sell_run_max_len,
        coalesce(avg(length) FILTER (WHERE side = 'buy'), 0) AS buy_run_mean_len,
        coalesce(avg(length) FILTER (WHERE side = 'sell'), 0) AS sell_run_mean_len
    FROM runs
    GROUP BY bar
),
summed AS (
    SELECT
        bar,
        any_value(n_trades) AS n_trades,
        any_value(price_median) AS price_median,
        any_value(amount_median) AS trade_amount_median,
        arg_min(price, rank) AS open,
        arg_max(price, rank) AS close,
        abs({simple_return("arg_min(price, rank)", "arg_max(price, rank)")}) AS whole_return,
        max(price) AS price_high,
        min(price) AS price_low,
        max(amount) AS amount_high,
        min(amount) AS amount_low,
        favg(price) AS price_mean,
        favg(amount) AS trade_amount_mean,
        {_power_sums("price")},
        {_power_sums("amount")},
        {_sum("amount")} AS volume,
        {_sum("notional")} AS volume_notional,
        {_sum("signed_notional")} AS net_notional,
        {_size_sums()},
        {_tick_sums()},
        CASE WHEN max(signed_amount) > min(signed_amount) THEN covar_samp(change, signed_amount) / var_samp(signed_amount) END AS kyle_like_lambda,
        favg(reversal) FILTER (WHERE amount >= large) AS large_trade_reversal,
        favg(change) FILTER (WHERE side = 'buy') - favg(-change) FILTER (WHERE side = 'sell')
            AS directional_impact_asymmetry,
        count(*) FILTER (WHERE flips) AS flip_count,
        favg(abs(change)) FILTER (WHERE flips) AS price_change_on_flip,
        CASE WHEN max(log_return) > min(log_return) THEN var_samp(log_return) WHEN count(log_return) > 1 THEN 0 END AS logret_var,
        coalesce(fsum(log_return * log_return), 0) AS realised,
        coalesce(pi() / 2 * fsum(abs(log_return) * abs(log_return_before)), 0) AS bipower_variation,
        CASE
            WHEN max(log_return) FILTER (WHERE rank > 2) > min(log_return) FILTER (WHERE rank > 2)
                AND max(log_return_before) > min(log_return_before)
            THEN corr(log_return, log_return_before)
        END AS ret_autocorr_lag1,
        abs(ln(1 + {simple_return("arg_min(price, rank)", "arg_max(price, rank)")})) / nullif(fsum(abs(log_return)), 0) AS trendiness
    FROM centred
    GROUP BY bar
)
SELECT
    *,
    make_timestamp(bar) AS time,
    {_size_shares()},
    {_distribution("amount", "trade_amount")},
    amount_low AS trade_amount_min,
    amount_high AS trade_amount_max,
    amount_high / amount_low AS trade_amount_range_ratio,
    {_distribution("price", "price")},
    price_high - price_low AS range,
    (price_high - price_low) / close * 10000 AS range_bps,
    price_high / price_low AS price_range_ratio,
    whole_return / volume_notional AS amihud_like,
    whole_return / nullif(abs(net_notional), 0) AS impact_per_notional,
    uptick_volume / nullif(downtick_volume, 0) AS uptick_downtick_volume_ratio,
    uptick_count / nullif(downtick_count, 0) AS uptick_downtick_count_ratio,
    {_tick_shares()},
    (buy_run_max_len - sell_run_max_len) / (buy_run_max_len + sell_run_max_len) AS run_imbalance,
    flip_count / n_trades AS flip_rate,
    sqrt(realised) AS realized_vol,
    (realised - bipower_variation) / nullif(realised, 0) AS jump_ratio
FROM summed JOIN run_sums USING (bar)
ORDER BY time
"""


def trade_bars_duckdb(trades: pl.DataFrame, clock: str, interval: str) -> dict[str, pl.DataFrame]:
    """Compute the six trade datasets; arguments and result as for `trade_bars_python`."""
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
    return {
        dataset: bars.select("time", *names).cast(trade_bar_schema(dataset)) for dataset, names in TRADE_FIELDS.items()
    }
