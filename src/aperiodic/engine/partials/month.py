"""Fields that look back over the calendar month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aperiodic.engine.partials.compensated import add, split, two_sum
from aperiodic.jit import inlined, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SECOND: Final = 2

__all__ = ["MONTH", "new_month", "past_normalised_product"]

MONTH: Final = np.dtype(
    [
        ("n", np.int64),
        *(
            (f"{name}_{part}", kind)
            for name in ("x", "y")
            for part, kind in (
                ("first", np.float64),
                ("high", np.float64),
                ("low", np.float64),
                ("square", np.float64),
                ("varies", np.bool_),
            )
        ),
    ]
)
"""What is known of the bars of a month so far."""


def new_month() -> NDArray[np.void]:
    """Return what is known before the first bar of a month."""
    return np.zeros(1, MONTH)


@kernel
def past_normalised_product(x: NDArray[np.float64], y: NDArray[np.float64], month: NDArray[Any]) -> NDArray[np.float64]:
    """Return z(x)·z(y) of bars of a month, NaN where undefined.

    z is (value - mean) / sample standard deviation over all bars up to and including this one. Undefined on the
    first bar and where either sample has been constant. On the second bar both z are ±1/√2: exactly ±0.5.

    Args:
        x: One value a bar, in order of time.
        y: The other.
        month: One record of type `MONTH`: what is known of the bars before them, which is brought up to date.
    """
    product = np.full(x.size, np.nan)
    known = month[0]
    n, x_first, y_first = known.n, known.x_first, known.y_first
    x_high, x_low, x_square, x_varies = known.x_high, known.x_low, known.x_square, known.x_varies
    y_high, y_low, y_square, y_varies = known.y_high, known.y_low, known.y_square, known.y_varies
    for i in range(x.size):
        # n·value - sum of the n earlier values = n + 1 times the distance from the new mean.
        x_step = _times_minus(x[i], n, x_high, x_low)
        y_step = _times_minus(y[i], n, y_high, y_low)
        x_high, x_low = add(x_high, x_low, x[i])
        y_high, y_low = add(y_high, y_low, y[i])
        n += 1
        if n == 1:
            x_first, y_first = x[i], y[i]
            continue
        x_varies = x_varies or x[i] != x_first
        y_varies = y_varies or y[i] != y_first
        x_square += x_step / (n - 1) * (x_step / n)
        y_square += y_step / (n - 1) * (y_step / n)
        if not (x_varies and y_varies):
            continue
        if n == _SECOND:
            product[i] = np.copysign(0.5, x_step) * np.copysign(1.0, y_step)
        else:
            x_score = x_step / n / np.sqrt(x_square / (n - 1))
            y_score = y_step / n / np.sqrt(y_square / (n - 1))
            product[i] = x_score * y_score
    known.n, known.x_first, known.y_first = n, x_first, y_first
    known.x_high, known.x_low, known.x_square, known.x_varies = x_high, x_low, x_square, x_varies
    known.y_high, known.y_low, known.y_square, known.y_varies = y_high, y_low, y_square, y_varies
    return product


@inlined
def _times_minus(value: float, n: int, high: float, low: float) -> float:
    """Return n·value - (high + low) with the product exact, for n below 2**26."""
    upper, lower = split(value)
    total, lost = two_sum(upper * n, -high)
    total, lost_more = two_sum(total, lower * n)
    return total + (lost + lost_more - low)
