"""Where orders meet quotes: the day's trades and best quotes as one consistent story.

Every order meets the quote in force strictly before its millisecond and causes a quote in that same millisecond.
A requote in the same millisecond comes after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aperiodic.simulate.arrays import path_at
from aperiodic.simulate.arrivals import requote_times
from aperiodic.simulate.ladder import Ladder, Shapes, eat
from aperiodic.simulate.orders import draw_orders
from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.market import Exchange
    from aperiodic.simulate.arrays import BoolArray, FloatArray, IntArray
    from aperiodic.simulate.instrument import Grid
    from aperiodic.simulate.orders import Orders
    from aperiodic.simulate.price import Climate

__all__ = ["DayEvents", "QuotedSide", "make_events"]

_REPRICED_SHARE: Final = 0.5
_BEST_NOTIONAL: Final = 12_000.0
_BEST_SPREAD: Final = 1.2


@dataclass(frozen=True, slots=True)
class QuotedSide:
    """One side of the day's quotes.

    Attributes:
        ladder: The ladders behind the quotes.
        level: Level of the ladder that is best at each quote.
        steps: Amount there.
    """

    ladder: Ladder
    level: IntArray
    steps: IntArray


@dataclass(frozen=True, slots=True)
class DayEvents:
    """A day's trades and quotes, both in the venue's order; times in milliseconds of the day.

    Attributes:
        trade_ms: Time of each trade.
        trade_buy: Whether the taker bought.
        trade_ticks: Its price in ticks.
        trade_steps: Its amount in steps.
        quote_ms: Time of each quote.
        quote_requote: The requote whose ladders each quote stands on.
        bid: The bid side of the quotes.
        ask: The ask side of the quotes.
    """

    trade_ms: IntArray
    trade_buy: BoolArray
    trade_ticks: IntArray
    trade_steps: IntArray
    quote_ms: IntArray
    quote_requote: IntArray
    bid: QuotedSide
    ask: QuotedSide


def make_events(
    random: Callable[[str], np.random.Generator],
    exchange: Exchange,
    grid: Grid,
    climate: Climate,
    basis: FloatArray,
    trades: int,
) -> DayEvents:
    """Simulate a day's trades and quotes.

    Args:
        random: Gives the day's generator for a purpose.
        exchange: The venue, which decides how wide quotes are.
        grid: Tick and step.
        climate: The day's shared path and activity.
        basis: The venue's log distance from the shared path at each whole second.
        trades: How many trades to make.
    """
    orders = draw_orders(random("orders"), climate, grid, trades)
    rng = random("requotes")
    requote_ms = requote_times(rng, climate.activity, orders.time_ms, trades)
    bids, asks = _ladders(rng, exchange, grid, climate.log_price + basis, requote_ms)
    met = np.searchsorted(requote_ms, orders.time_ms, side="left") - 1
    merge = _Merge.of(requote_ms, orders.time_ms)
    bid, sell_ticks = _trade_side(bids, orders, ~orders.buy, met, merge)
    ask, buy_ticks = _trade_side(asks, orders, orders.buy, met, merge)
    trade_buy = np.repeat(orders.buy, orders.fills)
    trade_ticks = np.empty(trades, dtype=np.int64)
    trade_ticks[trade_buy] = buy_ticks
    trade_ticks[~trade_buy] = sell_ticks
    return DayEvents(
        trade_ms=np.repeat(orders.time_ms, orders.fills),
        trade_buy=trade_buy,
        trade_ticks=trade_ticks,
        trade_steps=orders.steps,
        bid=bid,
        ask=ask,
        quote_ms=merge.join(requote_ms, orders.time_ms),
        quote_requote=merge.join(np.arange(len(requote_ms)), met),
    )


def _ladders(
    rng: np.random.Generator, exchange: Exchange, grid: Grid, log_fair: FloatArray, requote_ms: IntArray
) -> tuple[Ladder, Ladder]:
    count = len(requote_ms)
    shapes = Shapes.draw(rng, grid)
    # A requote that does not reprice refills the ladders where they stood.
    repriced = rng.random(count) < _REPRICED_SHARE
    repriced[0] = True
    priced_at = np.maximum.accumulate(np.where(repriced, np.arange(count), 0))
    fair = np.exp(path_at(log_fair, requote_ms)) * 10.0**grid.price_decimals
    spread = 1 + rng.exponential(venue_of(exchange).habits.extra_spread, count).astype(np.int64)
    bid = np.floor(fair - (spread - 1) / 2).astype(np.int64)[priced_at]
    ask = bid + spread[priced_at]

    def side(ticks: IntArray, direction: int) -> Ladder:
        notional = _BEST_NOTIONAL * np.exp(_BEST_SPREAD * rng.standard_normal(count))
        steps = np.maximum(np.rint(notional / grid.level * 10.0**grid.amount_decimals), 1.0).astype(np.int64)
        return Ladder(
            ticks=ticks,
            direction=direction,
            shape=Shapes.choose(rng, count)[priced_at],
            best_steps=steps,
            shapes=shapes,
        )

    return side(bid, -1), side(ask, +1)


@dataclass(frozen=True, slots=True)
class _Merge:
    """Where requotes and the quotes that orders cause fall in the day's sequence of quotes."""

    requotes: IntArray
    orders: IntArray

    @classmethod
    def of(cls, requote_ms: IntArray, order_ms: IntArray) -> _Merge:
        return cls(
            requotes=np.arange(len(requote_ms)) + np.searchsorted(order_ms, requote_ms, side="right"),
            orders=np.arange(len(order_ms)) + np.searchsorted(requote_ms, order_ms, side="left"),
        )

    def join(self, of_requotes: IntArray, of_orders: IntArray) -> IntArray:
        joined = np.empty(len(self.requotes) + len(self.orders), dtype=np.int64)
        joined[self.requotes] = of_requotes
        joined[self.orders] = of_orders
        return joined


def _trade_side(
    ladder: Ladder, orders: Orders, taking: BoolArray, met: IntArray, merge: _Merge
) -> tuple[QuotedSide, IntArray]:
    """Let the orders `taking` from this side do so: return the side's quotes and the prices of the fills, in ticks."""
    fills = np.repeat(taking, orders.fills)
    requote = np.repeat(met[taking], orders.fills[taking])
    state = eat(ladder, requote, orders.steps[fills], orders.depletes[fills])

    # Each order's quote shows this side as the last order that took from it left it, unless a requote came between.
    count = len(taking)
    latest = np.maximum.accumulate(np.where(taking, np.arange(count), -1))
    touched = (latest >= 0) & (met[latest] == met)
    last_fill = np.full(count, -1)
    last_fill[taking] = np.cumsum(orders.fills[taking]) - 1
    after = last_fill[latest[touched]]
    level = np.zeros(count, dtype=np.int64)
    level[touched] = state.level_after[after]
    steps = state.steps_put_up[met]
    steps[touched] = state.steps_after[after]
    quoted = QuotedSide(
        ladder=ladder,
        level=merge.join(np.zeros(len(merge.requotes), dtype=np.int64), level),
        steps=merge.join(state.steps_put_up, steps),
    )
    return quoted, ladder.price_ticks(requote, state.level)
