"""Bars of quotes and of order books in plain Python."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tests.oracle.others.contract import BOOK_SUMS
from tests.oracle.others.exact import (
    Value,
    by_interval,
    in_order,
    known,
    length_us,
    mean,
    ratio,
    to_frames,
    weighted_mean,
)

if TYPE_CHECKING:
    import polars as pl


class Quote(NamedTuple):
    time: int
    bid_price: float
    bid_amount: float
    ask_price: float
    ask_amount: float


class Snapshot(NamedTuple):
    time: int
    bids: list[float]
    asks: list[float]
    shown: int


def quotes_that_count(quotes: pl.DataFrame, clock: str) -> list[Quote]:
    """Quotes whose four numbers are all above 0, in the clock's order."""
    return [
        Quote(*row)
        for row in in_order(quotes, clock, "bid_price", "bid_amount", "ask_price", "ask_amount")
        if all(value is not None and value > 0 for value in row[1:])
    ]


def quote_bars(quotes: pl.DataFrame, clock: str, interval: str) -> dict[str, pl.DataFrame]:
    """Compute l1_price, l1_imbalance and l1_liquidity.

    Args:
        quotes: Ticks in file order, of any number of days.
        clock: "exchange" or "true".
        interval: An interval's name, "1s" to "1d".

    Returns:
        One frame a dataset, columns and types as `other_bar_schema` says.
    """
    bars: list[tuple[int, dict[str, Value]]] = []
    for start, bar in by_interval(quotes_that_count(quotes, clock), interval):
        states = [_imbalance(quote) | _liquidity(quote) for quote in bar]
        averages = {f"{name}_avg": mean([state[name] for state in states]) for name in states[0]}
        bars.append((start, _prices(bar, start + length_us(interval)) | states[-1] | averages))
    return to_frames(bars, "l1_price", "l1_imbalance", "l1_liquidity")


def _prices(bar: list[Quote], end: int) -> dict[str, Value]:
    last = bar[-1]
    depth = last.bid_amount + last.ask_amount
    times = [quote.time for quote in bar]
    bid_prices, ask_prices = [quote.bid_price for quote in bar], [quote.ask_price for quote in bar]
    held = [after - before for before, after in pairwise([*times, end])]
    return {
        "ask_price": last.ask_price,
        "bid_price": last.bid_price,
        "ask_amount": last.ask_amount,
        "bid_amount": last.bid_amount,
        "midprice": (last.bid_price + last.ask_price) / 2,
        "weighted_midprice": (last.bid_price * last.ask_amount + last.ask_price * last.bid_amount) / depth,
        "ask_price_twap": weighted_mean(ask_prices, held),
        "bid_price_twap": weighted_mean(bid_prices, held),
        "ask_price_vwap": weighted_mean(ask_prices, [quote.ask_amount for quote in bar]),
        "bid_price_vwap": weighted_mean(bid_prices, [quote.bid_amount for quote in bar]),
        "quote_update_frequency": len(bar),
        "avg_update_interval": ratio(times[-1] - times[0], (len(bar) - 1) * 1_000_000),
    }


def _imbalance(quote: Quote) -> dict[str, float]:
    depth = quote.bid_amount + quote.ask_amount
    return {
        "imbalance": quote.bid_amount - quote.ask_amount,
        "imbalance_ratio": (quote.bid_amount - quote.ask_amount) / depth,
        "bid_ask_ratio": quote.bid_amount / quote.ask_amount,
        "bid_percentage": quote.bid_amount / depth,
        "ask_percentage": quote.ask_amount / depth,
    }


def _liquidity(quote: Quote) -> dict[str, float]:
    spread = quote.ask_price - quote.bid_price
    depth = quote.bid_amount + quote.ask_amount
    bid_notional, ask_notional = quote.bid_price * quote.bid_amount, quote.ask_price * quote.ask_amount
    return {
        "spread": spread,
        "spread_bps": spread / ((quote.bid_price + quote.ask_price) / 2) * 10_000,
        "spread_depth_ratio": spread / depth,
        "total_depth": depth,
        "dollar_depth_bid": bid_notional,
        "dollar_depth_ask": ask_notional,
        "total_dollar_depth": bid_notional + ask_notional,
    }


def book_bars(book: pl.DataFrame, clock: str, interval: str) -> dict[str, pl.DataFrame]:
    """Compute l2_imbalance and l2_liquidity; arguments and result as for `quote_bars`.

    Every snapshot that could show as many levels counts, one-sided and empty ones included. The last snapshot's fields are null where its side is
    empty, even if an earlier one's was not.
    """
    bars: list[tuple[int, dict[str, Value]]] = []
    for start, bar in by_interval(_snapshots(book, clock), interval):
        fields: dict[str, Value] = {}
        for n in BOOK_SUMS:
            states = [_book_state(snapshot, n) for snapshot in bar if snapshot.shown >= n]
            states = states or [_book_state(Snapshot(0, [], [], 0), n)]
            fields |= states[-1]
            fields |= {f"{name}_avg": mean(known(state[name] for state in states)) for name in states[0]}
        bars.append((start, fields))
    return to_frames(bars, "l2_imbalance", "l2_liquidity")


def _snapshots(book: pl.DataFrame, clock: str) -> list[Snapshot]:
    amounts = [f"{side}_amount_{level:02d}" for side in ("bid", "ask") for level in range(1, 26)]
    return [
        Snapshot(time, known(levels[:25]), known(levels[25:]), shown)
        for time, *levels, shown in in_order(book, clock, *amounts, "depth")
    ]


def _book_state(snapshot: Snapshot, n: int) -> dict[str, float | None]:
    bid = math.fsum(snapshot.bids[:n]) if snapshot.bids else None
    ask = math.fsum(snapshot.asks[:n]) if snapshot.asks else None
    imbalance, depth = (None, None) if bid is None or ask is None else (bid - ask, bid + ask)
    return {
        f"bid_agg_{n}": bid,
        f"ask_agg_{n}": ask,
        f"imbalance_{n}": imbalance,
        f"imbalance_ratio_{n}": ratio(imbalance, depth),
        f"bid_ask_ratio_{n}": ratio(bid, ask),
    }
