"""Sums in double-double arithmetic: a pair (high, low) whose high part is the correctly rounded sum.

Plain float sums of buys and sells that are equal would differ in the last digits, and their difference would not be
zero. With about 106 bits the high part agrees with `math.fsum`. Source: Dekker (1971), Knuth TAOCP 4.2.2.
"""

from __future__ import annotations

from aperiodic.engine.partials.jit import inlined

__all__ = ["add", "add_pair", "two_sum"]


@inlined
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return the rounded sum of two numbers and what rounding lost."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


@inlined
def add(high: float, low: float, x: float) -> tuple[float, float]:
    """Add a number to a pair."""
    total, lost = two_sum(high, x)
    lost += low
    rounded = total + lost
    return rounded, lost - (rounded - total)


@inlined
def add_pair(high: float, low: float, other_high: float, other_low: float) -> tuple[float, float]:
    """Add two pairs."""
    total, lost = two_sum(high, other_high)
    lost += low + other_low
    rounded = total + lost
    return rounded, lost - (rounded - total)
