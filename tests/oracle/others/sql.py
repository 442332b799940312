"""Bars of quotes, books, slippage and derivatives in DuckDB SQL, for inputs too large for plain Python.

An as-of join sees one row a time: the file's last among equal times, chosen beforehand, because DuckDB leaves the
choice among ties open.
"""

from __future__ import annotations

from typing import Final

import duckdb
import polars as pl
from tests.oracle.contract import CLOCK_COLUMN, INTERVAL_SECONDS
from tests.oracle.others.contract import BOOK_SUMS, OTHER_FIELDS, other_bar_schema
from tests.oracle.others.exact import LOOK_BACK_US
from tests.oracle.sql import _sum as exact_sum

_PLACED: Final = "clock_us - clock_us % $length AS bar, row_number() OVER (ORDER BY clock_us, position) AS rank"

_QUOTES_THAT_COUNT: Final = "bid_price > 0 AND bid_amount > 0 AND ask_price > 0 AND ask_amount > 0"


def _last(*columns: str) -> str:
    return ",\n".join(f"last({column} ORDER BY rank) AS {column}" for column in columns)


def _last_and_average(*columns: str) -> str:
    return ",\n".join(f"{_last(column)}, favg({column}) AS {column}_avg" for column in columns)


_QUOTE_STATES: Final = tuple(
    field
    for dataset in ("l1_imbalance", "l1_liquidity")
    for field in OTHER_FIELDS[dataset]
    if not field.endswith("_avg")
)

_QUOTES: Final = f"""
WITH placed AS (
    SELECT {_PLACED}, * FROM quotes WHERE {_QUOTES_THAT_COUNT}
),
measured AS (
    SELECT
        *,
        coalesce(lead(clock_us) OVER neighbours, bar + $length) - clock_us AS held,
        clock_us - lag(clock_us) OVER neighbours AS waited,
        (bid_price + ask_price) / 2 AS midprice,
        bid_amount + ask_amount AS total_depth,
        (bid_price * ask_amount + ask_price * bid_amount) / total_depth AS weighted_midprice,
        bid_amount - ask_amount AS imbalance,
        imbalance / total_depth AS imbalance_ratio,
        bid_amount / ask_amount AS bid_ask_ratio,
        bid_amount / total_depth AS bid_percentage,
        ask_amount / total_depth AS ask_percentage,
        ask_price - bid_price AS spread,
        spread / midprice * 10000 AS spread_bps,
        spread / total_depth AS spread_depth_ratio,
        bid_price * bid_amount AS dollar_depth_bid,
        ask_price * ask_amount AS dollar_depth_ask,
        dollar_depth_bid + dollar_depth_ask AS total_dollar_depth
    FROM placed
    WINDOW neighbours AS (PARTITION BY bar ORDER BY rank)
)
SELECT
    make_timestamp(bar) AS time,
    {_last("ask_price", "bid_price", "ask_amount", "bid_amount", "midprice", "weighted_midprice")},
    fsum(ask_price * held) / sum(held) AS ask_price_twap,
    fsum(bid_price * held) / sum(held) AS bid_price_twap,
    fsum(ask_price * ask_amount) / fsum(ask_amount) AS ask_price_vwap,
    fsum(bid_price * bid_amount) / fsum(bid_amount) AS bid_price_vwap,
    count(*) AS quote_update_frequency,
    avg(waited) / 1000000 AS avg_update_interval,
    {_last_and_average(*_QUOTE_STATES)}
FROM measured
GROUP BY bar
ORDER BY bar
"""


def _amounts(side: str) -> str:
    levels = ", ".join(f"{side}_amount_{level:02d}" for level in range(1, 26))
    return f"list_filter([{levels}], lambda amount: amount IS NOT NULL)"


def _book_states(n: int) -> str:
    return f"""
        CASE WHEN shown >= {n} THEN list_sum(bids[1:{n}]) END AS bid_agg_{n},
        CASE WHEN shown >= {n} THEN list_sum(asks[1:{n}]) END AS ask_agg_{n},
        bid_agg_{n} - ask_agg_{n} AS imbalance_{n},
        imbalance_{n} / nullif(bid_agg_{n} + ask_agg_{n}, 0) AS imbalance_ratio_{n},
        bid_agg_{n} / nullif(ask_agg_{n}, 0) AS bid_ask_ratio_{n}
    """


def _book_values(n: int) -> str:
    names = (f"{name}_{n}" for name in ("bid_agg", "ask_agg", "imbalance", "imbalance_ratio", "bid_ask_ratio"))
    return ",\n".join(
        f"last({name} ORDER BY rank) FILTER (shown >= {n}) AS {name}, favg({name}) AS {name}_avg" for name in names
    )


_BOOKS: Final = f"""
WITH placed AS (
    SELECT {_PLACED}, {_amounts("bid")} AS bids, {_amounts("ask")} AS asks, depth AS shown FROM book
),
measured AS (
    SELECT bar, rank, shown, {", ".join(_book_states(n) for n in BOOK_SUMS)} FROM placed
)
SELECT make_timestamp(bar) AS time, {", ".join(_book_values(n) for n in BOOK_SUMS)}
FROM measured
GROUP BY bar
ORDER BY bar
"""

_SLIPPAGE: Final = f"""
WITH placed AS (
    SELECT {_PLACED}, * FROM trades
),
candidates AS (
    SELECT clock_us, last(bid_price ORDER BY position) AS bid, last(ask_price ORDER BY position) AS ask
    FROM quotes
    WHERE {_QUOTES_THAT_COUNT}
    GROUP BY clock_us
),
matched AS (
    SELECT
        bar, side, amount,
        CASE side WHEN 'buy' THEN price - ask ELSE bid - price END AS cost,
        cost / ((bid + ask) / 2) * 10000 AS bps
    FROM placed ASOF JOIN candidates ON placed.clock_us > candidates.clock_us
    WHERE placed.clock_us - candidates.clock_us <= {LOOK_BACK_US}
),
summed AS (
    SELECT
        bar,
        {exact_sum("cost")} / count(*) AS slippage_mean,
        {exact_sum("bps")} / count(*) AS slippage_bps_mean,
        stddev_samp(bps) AS slippage_bps_std,
        quantile_cont(bps, 0.5) AS slippage_bps_median,
        quantile_cont(bps, 0.95) AS slippage_bps_p95,
        {exact_sum("bps * amount")} / {exact_sum("amount")} AS slippage_bps_vwap,
        {exact_sum("bps", "side = 'buy'")} / nullif(count(*) FILTER (WHERE side = 'buy'), 0) AS slippage_bps_buy_mean,
        {exact_sum("bps", "side = 'sell'")} / nullif(count(*) FILTER (WHERE side = 'sell'), 0) AS slippage_bps_sell_mean
    FROM matched
    GROUP BY bar
)
SELECT
    *,
    make_timestamp(bar) AS time,
    slippage_bps_buy_mean / nullif(slippage_bps_sell_mean, 0) AS slippage_bps_buy_sell_ratio,
    slippage_bps_sell_mean / nullif(slippage_bps_buy_mean, 0) AS slippage_bps_sell_buy_ratio
FROM summed
ORDER BY bar
"""


def _pct_change(price: str) -> str:
    first = f"first({price} ORDER BY rank) FILTER (WHERE {price} IS NOT NULL)"
    last = f"last({price} ORDER BY rank) FILTER (WHERE {price} IS NOT NULL)"
    return f"({last} - {first}) / nullif({first}, 0) * 100"


def _of_the_last_day(stream: str, column: str) -> str:
    return f"CASE WHEN placed.clock_us - {stream}.clock_us <= {LOOK_BACK_US} THEN latest_{column} END"


_DERIVATIVES: Final = f"""
WITH placed AS (
    SELECT {_PLACED}, * FROM mark
),
indices AS (
    SELECT clock_us, last(index_price ORDER BY position) AS latest_index_price FROM index GROUP BY clock_us
),
trade_prices AS (
    SELECT clock_us, last(price ORDER BY position) AS latest_last_price FROM trades GROUP BY clock_us
),
joined AS (
    SELECT
        placed.bar, placed.rank, mark_price,
        {_of_the_last_day("indices", "index_price")} AS index_price,
        {_of_the_last_day("trade_prices", "last_price")} AS last_price,
        mark_price - index_price AS basis,
        basis / nullif(index_price, 0) * 10000 AS basis_bps,
        mark_price - last_price AS mark_price_spread,
        mark_price_spread / nullif(last_price, 0) * 10000 AS mark_price_spread_bps
    FROM placed
    ASOF LEFT JOIN indices ON placed.clock_us >= indices.clock_us
    ASOF LEFT JOIN trade_prices ON placed.clock_us >= trade_prices.clock_us
),
summed AS (
    SELECT
        bar,
        favg(basis) AS basis_mean,
        stddev_samp(basis_bps) AS basis_bps_std,
        favg(mark_price_spread) AS mark_price_spread_mean,
        stddev_samp(mark_price_spread_bps) AS mark_price_spread_bps_std,
        {_pct_change("last_price")} AS last_price_pct_change,
        {_pct_change("index_price")} AS index_price_pct_change,
        {_pct_change("mark_price")} AS mark_price_pct_change,
        last(struct_pack(
            last_price, index_price, mark_price, basis, basis_bps, mark_price_spread, mark_price_spread_bps
        ) ORDER BY rank) AS final
    FROM joined
    GROUP BY bar
)
SELECT
    *,
    final.*,
    make_timestamp(bar) AS time,
    mark_price_pct_change / nullif(index_price_pct_change, 0) AS mark_index_pct_change_ratio,
    mark_price_pct_change / nullif(last_price_pct_change, 0) AS mark_last_pct_change_ratio,
    index_price_pct_change / nullif(last_price_pct_change, 0) AS index_last_pct_change_ratio
FROM summed
ORDER BY bar
"""

_FUNDING: Final = f"""
WITH placed AS (
    SELECT
        {_PLACED},
        funding_rate,
        funding_rate IS DISTINCT FROM lag(funding_rate) OVER (ORDER BY clock_us, position) AS changed
    FROM funding
)
SELECT
    make_timestamp(bar) AS time,
    last(funding_rate ORDER BY rank) AS funding_rate,
    count(*) FILTER (WHERE changed) / ($length / 1000000) AS funding_rate_update_frequency,
    $length / 1000000 / nullif(count(*) FILTER (WHERE changed), 0) AS funding_rate_avg_update_interval
FROM placed
GROUP BY bar
ORDER BY bar
"""

_OPEN_INTEREST: Final = f"""
WITH placed AS (
    SELECT {_PLACED}, clock_us, open_interest FROM open_interest WHERE open_interest <> 0
),
marks AS (
    SELECT clock_us, last(mark_price ORDER BY position) AS latest_mark_price FROM mark GROUP BY clock_us
),
joined AS (
    SELECT bar, rank, open_interest, {_of_the_last_day("marks", "mark_price")} AS mark_price
    FROM placed ASOF LEFT JOIN marks ON placed.clock_us >= marks.clock_us
),
moved AS (
    SELECT
        *,
        lag(open_interest) OVER (PARTITION BY bar ORDER BY rank) AS before,
        CASE WHEN open_interest <> before THEN (open_interest - before) / before * 100 END AS pct_change
    FROM joined
),
summed AS (
    SELECT
        bar,
        {_last("open_interest")},
        {_pct_change("open_interest")} AS open_interest_pct_change,
        stddev_samp(pct_change) AS open_interest_volatility,
        first(mark_price ORDER BY rank) AS first_mark,
        last(mark_price ORDER BY rank) AS last_mark
    FROM moved
    GROUP BY bar
)
SELECT
    *,
    make_timestamp(bar) AS time,
    open_interest_pct_change / nullif((last_mark - first_mark) / first_mark * 100, 0) AS oi_price_change_ratio
FROM summed
ORDER BY bar
"""


def quote_bars_duckdb(quotes: pl.DataFrame, clock: str, interval: str) -> dict[str, pl.DataFrame]:
    """Compute l1_price, l1_imbalance and l1_liquidity; arguments and result as for `quote_bars`."""
    return _bars(_QUOTES, {"quotes": quotes}, clock, interval, "l1_price", "l1_imbalance", "l1_liquidity")


def book_bars_duckdb(book: pl.DataFrame, clock: str, interval: str) -> dict[str, pl.DataFrame]:
    """Compute l2_imbalance and l2_liquidity; arguments and result as for `book_bars`."""
    return _bars(_BOOKS, {"book": book}, clock, interval, "l2_imbalance", "l2_liquidity")


def slippage_bars_duckdb(
    trades: pl.DataFrame, quotes: pl.DataFrame, clock: str, interval: str
) -> dict[str, pl.DataFrame]:
    """Compute slippage; arguments and result as for `slippage_bars`."""
    return _bars(_SLIPPAGE, {"trades": trades, "quotes": quotes}, clock, interval, "slippage")


def derivative_bars_duckdb(
    mark: pl.DataFrame, index: pl.DataFrame, trades: pl.DataFrame, clock: str, interval: str
) -> dict[str, pl.DataFrame]:
    """Compute basis and derivative_price; arguments and result as for `derivative_bars`."""
    ticks = {"mark": mark, "index": index, "trades": trades}
    return _bars(_DERIVATIVES, ticks, clock, interval, "basis", "derivative_price")


def funding_bars_duckdb(funding: pl.DataFrame, clock: str, interval: str) -> dict[str, pl.DataFrame]:
    """Compute funding; arguments and result as for `funding_bars`."""
    return _bars(_FUNDING, {"funding": funding}, clock, interval, "funding")


def open_interest_bars_duckdb(
    open_interest: pl.DataFrame, mark: pl.DataFrame, clock: str, interval: str
) -> dict[str, pl.DataFrame]:
    """Compute open_interest; arguments and result as for `open_interest_bars`."""
    return _bars(_OPEN_INTEREST, {"open_interest": open_interest, "mark": mark}, clock, interval, "open_interest")


def _bars(
    query: str, ticks: dict[str, pl.DataFrame], clock: str, interval: str, *datasets: str
) -> dict[str, pl.DataFrame]:
    with duckdb.connect() as connection:
        for stream, frame in ticks.items():
            events = frame.select(
                pl.col(CLOCK_COLUMN[clock]).to_physical().alias("clock_us"),
                pl.int_range(pl.len()).alias("position"),
                pl.exclude("exchange_timestamp", "local_timestamp"),
            )
            connection.register(stream, events.cast({pl.Enum: pl.String}).to_arrow())
        bars = connection.sql(query, params={"length": INTERVAL_SECONDS[interval] * 1_000_000}).pl()
    return {
        dataset: bars.select("time", *OTHER_FIELDS[dataset]).cast(other_bar_schema(dataset)) for dataset in datasets
    }
