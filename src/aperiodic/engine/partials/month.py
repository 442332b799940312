"""Fields that look back over the calendar month."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aperiodic.engine.partials.compensated import add, split, two_sum
from aperiodic.jit import inlined, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["past_normalised_product"]


@kernel
def past_normalised_product(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return z(x)·z(y) of every bar of a month, NaN where undefined.

    z is (value - mean) / sample standard deviation over all bars up to and including this one. Undefined on the
    first bar and where either sample has been constant. On the second bar both z are ±1/√2: exactly ±0.5.

    Args:
        x: One value a bar, in order of time.
        y: The other.
    """
    product = np.full(x.size, np.nan)
    x_high, x_low, x_square, x_varies = 0.0, 0.0, 0.0, False
    y_high, y_low, y_square, y_varies = 0.0, 0.0, 0.0, False
    for i in range(x.size):
        # n·value - sum of the n earlier values = n + 1 times the distance from the new mean.
        x_step = _times_minus(x[i], i, x_high, x_low)
        y_step = _times_minus(y[i], i, y_high, y_low)
        x_high, x_low = add(x_high, x_low, x[i])
        y_high, y_low = add(y_high, y_low, y[i])
        if i == 0:
            continue
        x_varies = x_varies or x[i] != x[0]
        y_varies = y_varies or y[i] != y[0]
        x_square += x_step / i * (x_step / (i + 1))
        y_square += y_step / i * (y_step / (i + 1))
        if not (x_varies and y_varies):
            continue
        if i == 1:
            product[i] = np.copysign(0.5, x_step) * np.copysign(1.0, y_step)
        else:
            x_score = x_step / (i + 1) / np.sqrt(x_square / i)
            y_score = y_step / (i + 1) / np.sqrt(y_square / i)
            product[i] = x_score * y_score
    return product


@inlined
def _times_minus(value: float, n: int, high: float, low: float) -> float:
    """Return n·value - (high + low) with the product exact, for n below 2**26."""
    upper, lower = split(value)
    total, lost = two_sum(upper * n, -high)
    total, lost_more = two_sum(total, lower * n)
    return total + (lost + lost_more - low)
