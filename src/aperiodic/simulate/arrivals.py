"""When things happen: taker orders in bursts, market makers' requotes in answer to them and on their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from aperiodic.simulate.arrays import DAY_MS

if TYPE_CHECKING:
    from aperiodic.simulate.arrays import FloatArray, IntArray

__all__ = ["most_requotes", "order_times", "requote_times"]

_ORDERS_A_BURST: Final = 3
_BURST_INEQUALITY: Final = 1.5
_AFTERSHOCK_TAIL: Final = 0.9
_AFTERSHOCK_MS: Final = 300.0
_LONGEST_AFTERSHOCK_MS: Final = 60_000.0

_REQUOTES_A_TRADE: Final = 2
_QUIET_REQUOTES: Final = 5_000
_ANSWER_SHARE: Final = 0.6
_ANSWER_MS: Final = 80.0


def order_times(rng: np.random.Generator, activity: FloatArray, count: int) -> IntArray:
    """Return the times of `count` taker orders in milliseconds of the day, ascending, none at midnight itself.

    Bursts begin at the rhythm of `activity`; each draws aftershocks whose waiting times have a heavy tail. A few
    bursts are far larger than the rest, as in a self-exciting process near criticality.
    """
    bursts = max(1, count // _ORDERS_A_BURST)
    begins = _scatter(rng, activity, bursts)
    chosen = (bursts * rng.random(count) ** _BURST_INEQUALITY).astype(np.int64)
    delay = np.minimum(rng.pareto(_AFTERSHOCK_TAIL, count) * _AFTERSHOCK_MS, _LONGEST_AFTERSHOCK_MS)
    time = begins[chosen] + delay.astype(np.int64)
    # What would fall past midnight is mirrored back, which keeps both the count and the clustering.
    time = np.where(time < DAY_MS, time, 2 * DAY_MS - 1 - time)
    ordered: IntArray = np.sort(np.maximum(time, 1))
    return ordered


def most_requotes(trades: int) -> int:
    """Return a bound on the requotes of a day: about two for each trade, and a few thousand in a quiet market."""
    return _REQUOTES_A_TRADE * trades + _QUIET_REQUOTES


def requote_times(rng: np.random.Generator, activity: FloatArray, orders: IntArray, trades: int) -> IntArray:
    """Return the times at which market makers requote, in milliseconds of the day, strictly ascending from 0.

    Args:
        rng: Source of randomness.
        activity: Relative intensity of each minute.
        orders: Times of the taker orders, which a part of the requotes follow closely.
        trades: Trades of the day, which decide how many requotes there are.
    """
    count = most_requotes(trades) - 1
    answers = int(_ANSWER_SHARE * count)
    causes = orders[rng.integers(len(orders), size=answers)]
    answer_times = causes + 1 + rng.exponential(_ANSWER_MS, answers).astype(np.int64)
    times = np.unique(np.concatenate(([0], answer_times, _scatter(rng, activity, count - answers))))
    within: IntArray = times[: np.searchsorted(times, DAY_MS)]
    return within


def _scatter(rng: np.random.Generator, activity: FloatArray, count: int) -> IntArray:
    """Draw unordered times from the density that `activity` gives, constant within each minute."""
    mass = np.concatenate(([0.0], np.cumsum(activity)))
    edges = np.linspace(0.0, DAY_MS, len(mass))
    drawn = np.interp(rng.random(count) * mass[-1], mass, edges).astype(np.int64)
    within: IntArray = np.minimum(drawn, DAY_MS - 1)
    return within
