"""What the price did after large trades, for every bar of every interval of a day in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aperiodic.engine.partials.compensated import SUM, add_to
from aperiodic.engine.partials.decimals import simple_return
from aperiodic.jit import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["mean_reversals"]

_SUCCESSORS: Final = 5

_REVERSALS: Final = np.dtype([("count", np.int64), ("sum", SUM)])


def mean_reversals(
    prices: NDArray[np.float64],
    amounts: NDArray[np.float64],
    ends: Sequence[NDArray[np.int64]],
    thresholds: Sequence[NDArray[np.float64]],
) -> list[NDArray[np.float64]]:
    """Return, for every bar, the mean return from a large trade to the fifth after it; NaN where there is none.

    Args:
        prices: Of the day's trades in order of time.
        amounts: Of the same trades.
        ends: For each interval, shortest first, where its bars end in them; longer bars consist of whole shorter ones.
        thresholds: For each interval and bar the least amount of a large trade. Trades whose fifth successor lies
            outside the bar do not count.
    """
    if not ends:
        return []
    sizes = np.array([part.size for part in ends])
    means = _mean_reversals(prices, amounts, sizes, np.concatenate(ends), np.concatenate(thresholds))
    return np.split(means, np.cumsum(sizes)[:-1])


@kernel
def _mean_reversals(
    prices: NDArray[np.float64],
    amounts: NDArray[np.float64],
    sizes: NDArray[np.int64],
    ends: NDArray[np.int64],
    thresholds: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Walk the shortest bars; `bars` points at the bar of each interval that is being walked through."""
    reversals: NDArray[Any] = np.zeros(ends.size, _REVERSALS)
    bars = np.cumsum(sizes) - sizes
    begin, scale = 0, 1.0
    for row in range(sizes[0]):
        lowest = np.inf
        for k in range(bars.size):
            while ends[bars[k]] <= begin:
                bars[k] += 1
            lowest = min(lowest, thresholds[bars[k]])
        for i in range(begin, min(ends[row], prices.size - _SUCCESSORS)):
            if amounts[i] < lowest:
                continue
            high, low, scale = simple_return(prices[i], prices[i + _SUCCESSORS], scale)
            for bar in bars:
                if amounts[i] >= thresholds[bar] and i + _SUCCESSORS < ends[bar]:
                    reversals[bar].count += 1
                    add_to(reversals[bar].sum, high, low)
        begin = ends[row]
    means = np.full(ends.size, np.nan)
    for bar in range(ends.size):
        if reversals[bar].count:
            means[bar] = reversals[bar].sum.high / reversals[bar].count
    return means
