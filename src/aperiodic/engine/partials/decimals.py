"""Returns of decimal prices.

Prices are multiples of a decimal step, and the doubles that hold them are not: near 9,700 their difference is off by
1e-10 of a tick, and what is left of nearly equal returns when they are subtracted by far more. So two prices are taken
as whole numbers of a common step 10⁻ᵏ, whose difference is exact, and the return is the quotient of two whole numbers.

A double has at most one decimal of up to 15 digits that it is the nearest to. So whichever k holds both prices in 15
digits, the two decimals are the same, and so is the correctly rounded quotient: the return depends on the two prices
alone, not on the step that was tried first. Prices without such a step (more than 12 decimals or 15 digits) are taken as
the doubles they are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from aperiodic.engine.partials.compensated import split, two_sum
from aperiodic.jit import inlined, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["log_return", "simple_return", "simple_returns", "without_step"]

_MOST_DECIMALS: Final = 12
_LARGEST: Final = 1e15
_HALF_LOST: Final = -0.5
_NEAR: Final = 1e-3
"""Returns smaller than this are computed to more digits than a double has: nearly equal ones are subtracted.

Low parts have 26 bits: sums of equal returns, up to 2**26 of them, are then exact, and a constant sample has no variance."""


@inlined
def _is_whole(price: float, scale: float) -> bool:
    units = np.rint(price * scale)
    return bool(units <= _LARGEST and units / scale == price)


@kernel
def common_scale(before: float, after: float) -> float:
    """Return the least power of ten that makes two prices whole; 0 where there is none."""
    scale = 1.0
    for _ in range(_MOST_DECIMALS + 1):
        if _is_whole(before, scale) and _is_whole(after, scale):
            return scale
        scale *= 10.0
    return 0.0


@inlined
def simple_return(before: float, after: float, scale: float) -> tuple[float, float, float]:
    """Return the simple return from one price to another as a double-double, and the scale to try next.

    Args:
        before: Positive.
        after: Positive.
        scale: The power of ten to try first, 1 if none was tried yet. It decides how soon the result is found, not what
            it is.
    """
    units, units_after = np.rint(before * scale), np.rint(after * scale)
    if units > _LARGEST or units_after > _LARGEST or units / scale != before or units_after / scale != after:
        found = common_scale(before, after)
        if found > 0.0:
            scale = found
            units, units_after = np.rint(before * scale), np.rint(after * scale)
        else:
            units, units_after = before, after
    difference = units_after - units
    high, low = difference / units, 0.0
    if abs(high) < _NEAR:
        low, _ = split(_remainder(difference, high, units) / units)
    return high, low, scale


@inlined
def log_return(high: float, low: float, before: float, after: float) -> tuple[float, float]:
    """Return the log return from one price to another as a double-double.

    Args:
        high: Their simple return,
        low: and its low part.
        before: Positive.
        after: Positive.
    """
    if abs(high) < _NEAR:
        series = 1.0 / 4.0 - high * (1.0 / 5.0 - high * (1.0 / 6.0 - high * (1.0 / 7.0)))
        total, lost = two_sum(high, -(high * high * (0.5 - high * (1.0 / 3.0 - high * series))))
        low, _ = split(lost + low)
        return total, low
    # A return near -1 has lost the digits of the price that is left.
    return math.log1p(high) if high > _HALF_LOST else math.log(after / before), 0.0


@kernel
def simple_returns(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the simple returns from one series of prices to another."""
    returns = np.zeros(before.size)
    scale = 1.0
    for i in range(before.size):
        if before[i] != after[i]:
            returns[i], _, scale = simple_return(before[i], after[i], scale)
    return returns


@kernel
def without_step(prices: NDArray[np.float64]) -> int:
    """Return how many prices have no decimal step, so that their returns are those of the doubles."""
    count, scale = 0, 1.0
    for price in prices:
        if _is_whole(price, scale):
            continue
        found = common_scale(price, price)
        count += int(found == 0.0)
        scale = max(scale, found)
    return count


@inlined
def _remainder(difference: float, quotient: float, divisor: float) -> float:
    """Return what is left of a difference after quotient times divisor; exact, as a quotient's remainder is a double."""
    upper, lower = split(quotient)
    divisor_upper, divisor_lower = split(divisor)
    product = quotient * divisor
    lost = ((upper * divisor_upper - product) + upper * divisor_lower + lower * divisor_upper) + lower * divisor_lower
    return (difference - product) - lost
