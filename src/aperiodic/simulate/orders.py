"""Taker orders and their fills: which side, how many fills, how much, and which of them empty a price level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aperiodic.simulate.arrays import SECOND_MS, path_at
from aperiodic.simulate.arrivals import order_times

if TYPE_CHECKING:
    from aperiodic.simulate.arrays import BoolArray, FloatArray, IntArray
    from aperiodic.simulate.instrument import Grid
    from aperiodic.simulate.price import Climate

__all__ = ["Orders", "draw_orders"]

# With these two, half of all trades are the only fill of their order.
_SPLIT_SHARE: Final = 0.25
_MORE_FILLS_STOP: Final = 0.5

_SIDE_FLIP_SHARE: Final = 0.3
_TREND_SECONDS: Final = 20
_MOST_INFORMED: Final = 0.6
_INFORMED_SHARE_AT_USUAL_MOVE: Final = 0.4

_MEDIAN_NOTIONAL: Final = 250.0
_ORDER_SPREAD: Final = 1.5
_FILL_SPREAD: Final = 1.0

_DEPLETION_NOTIONAL: Final = 15_000.0
_DEPLETION_FLOOR: Final = 0.03
_WALK_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Orders:
    """The taker orders of a day in time order, and their fills, order after order.

    Attributes:
        time_ms: Time of each order, milliseconds of the day.
        buy: Whether the order buys.
        fills: Trades that each order makes, at least one.
        steps: Amount of each fill in steps, at least one.
        depletes: Whether the fill takes the last of its price level.
    """

    time_ms: IntArray
    buy: BoolArray
    fills: IntArray
    steps: IntArray
    depletes: BoolArray


def draw_orders(rng: np.random.Generator, climate: Climate, grid: Grid, trades: int) -> Orders:
    """Draw a day's orders that make exactly `trades` fills."""
    fills = _fill_counts(rng, trades)
    time_ms = order_times(rng, climate.activity, len(fills))
    buy = _sides(rng, time_ms, climate.log_price)
    spread = np.repeat(_ORDER_SPREAD * rng.standard_normal(len(fills)), fills)
    notional = _MEDIAN_NOTIONAL * np.exp(spread + _FILL_SPREAD * rng.standard_normal(trades))
    price = np.repeat(np.exp(path_at(climate.log_price, time_ms)), fills)
    steps = np.maximum(np.rint(notional / price * 10.0**grid.amount_decimals), 1.0).astype(np.int64)
    chance = _DEPLETION_FLOOR + notional / (notional + _DEPLETION_NOTIONAL)
    # Every fill but an order's last has another after it, so it is likelier to have used its level up.
    followed = np.ones(trades, dtype=np.bool_)
    followed[np.cumsum(fills) - 1] = False
    depletes = rng.random(trades) < chance + _WALK_SHARE * followed
    return Orders(time_ms=time_ms, buy=buy, fills=fills, steps=steps, depletes=depletes)


def _fill_counts(rng: np.random.Generator, trades: int) -> IntArray:
    split = rng.random(trades) < _SPLIT_SHARE
    counts = 1 + np.where(split, rng.geometric(_MORE_FILLS_STOP, trades), 0)
    total = np.cumsum(counts)
    orders = int(np.searchsorted(total, trades)) + 1
    counts = counts[:orders]
    counts[-1] -= total[orders - 1] - trades
    return counts


def _sides(rng: np.random.Generator, time_ms: IntArray, log_price: FloatArray) -> BoolArray:
    """Draw sides that persist from order to order and lean with the trend, part of which is yet to come."""
    persistent = np.cumsum(rng.random(len(time_ms)) < _SIDE_FLIP_SHARE) % 2 == rng.integers(2)
    second = time_ms // SECOND_MS
    last = len(log_price) - 1
    move = log_price[np.minimum(second + _TREND_SECONDS, last)] - log_price[np.maximum(second - _TREND_SECONDS, 0)]
    usual = np.mean(np.abs(move))
    leaning = np.minimum(_INFORMED_SHARE_AT_USUAL_MOVE * np.abs(move), _MOST_INFORMED * usual)
    informed = rng.random(len(time_ms)) * usual < leaning
    return np.where(informed, move > 0, persistent)
