"""Bars of slippage in plain Python."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from tests.oracle.others.exact import (
    LOOK_BACK_US,
    Value,
    by_interval,
    in_order,
    mean,
    percentile,
    ratio,
    sample_std,
    to_frames,
    weighted_mean,
)
from tests.oracle.others.quotes import quotes_that_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl


class Cost(NamedTuple):
    """What one trade cost beyond the quote before it: in quote units, and in basis points of that quote's mid."""

    time: int
    side: str
    amount: float
    cost: float
    bps: float


def slippage_bars(trades: pl.DataFrame, quotes: pl.DataFrame, clock: str, interval: str) -> dict[str, pl.DataFrame]:
    """Compute slippage.

    Args:
        trades: Ticks in file order, of any number of days.
        quotes: Ticks in file order; those without two sides are passed over.
        clock: "exchange" or "true".
        interval: An interval's name, "1s" to "1d".

    Returns:
        One frame under the dataset's name, columns and types as `other_bar_schema` says.
    """
    bars = [(start, _fields(bar)) for start, bar in by_interval(_costs(trades, quotes, clock), interval)]
    return to_frames(bars, "slippage")


def _costs(trades: pl.DataFrame, quotes: pl.DataFrame, clock: str) -> Iterator[Cost]:
    candidates = quotes_that_count(quotes, clock)
    times = [quote.time for quote in candidates]
    for time, side, price, amount in in_order(trades, clock, "side", "price", "amount"):
        earlier = bisect_left(times, time)
        if earlier == 0 or time - times[earlier - 1] > LOOK_BACK_US:
            continue
        quote = candidates[earlier - 1]
        cost = price - quote.ask_price if side == "buy" else quote.bid_price - price
        mid = (quote.bid_price + quote.ask_price) / 2
        yield Cost(time, side, amount, cost, cost / mid * 10_000)


def _fields(bar: list[Cost]) -> dict[str, Value]:
    costs = [cost.bps for cost in bar]
    buys, sells = (mean([cost.bps for cost in bar if cost.side == side]) for side in ("buy", "sell"))
    return {
        "slippage_mean": mean([cost.cost for cost in bar]),
        "slippage_bps_mean": mean(costs),
        "slippage_bps_std": sample_std(costs),
        "slippage_bps_median": percentile(costs, 50),
        "slippage_bps_p95": percentile(costs, 95),
        "slippage_bps_vwap": weighted_mean(costs, [cost.amount for cost in bar]),
        "slippage_bps_buy_mean": buys,
        "slippage_bps_sell_mean": sells,
        "slippage_bps_buy_sell_ratio": ratio(buys, sells),
        "slippage_bps_sell_buy_ratio": ratio(sells, buys),
    }
