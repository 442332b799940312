"""Sums in double-double arithmetic: a pair (high, low) whose high part is the correctly rounded sum.

Plain float sums of buys and sells that are equal would differ in the last digits, and their difference would not be
zero. With about 106 bits the high part agrees with `math.fsum`. Source: Dekker (1971), Knuth TAOCP 4.2.2.

Every kernel keeps such a sum as a record of type `SUM`. While numbers are collected into it (`collect`), its value is the
total of both parts; `settled` gives the pair that double-double arithmetic goes on with, and that is itself once settled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aperiodic.jit import Record, inlined

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "SUM",
    "add",
    "add_pair",
    "add_to",
    "collect",
    "rounded",
    "settled",
    "split",
    "two_sum",
]

SUM: Final = np.dtype([("high", np.float64), ("low", np.float64)])
"""A double-double number."""

_SPLITTER: Final = 134_217_729.0  # 2**27 + 1 (Veltkamp)


@inlined
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return the rounded sum of two numbers and what rounding lost."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


@inlined
def split(a: float) -> tuple[float, float]:
    """Return two numbers of at most 26 bits whose sum is this one, so that products of them are exact."""
    scaled = a * _SPLITTER
    upper = scaled - (scaled - a)
    return upper, a - upper


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


@inlined
def collect(total: Record, x: float) -> None:
    """Add a number to a sum and what rounding loses to its low part: as exact as `add` for one bar, and quicker."""
    high, lost = two_sum(total.high, x)
    total.high = high
    total.low += lost


@inlined
def settled(total: Record) -> tuple[float, float]:
    """Return the double-double of a sum that numbers were collected into."""
    return two_sum(total.high, total.low)


@inlined
def add_to(total: Record, high: float, low: float) -> None:
    """Add a pair to a settled sum."""
    total.high, total.low = add_pair(total.high, total.low, high, low)


def rounded(totals: NDArray[Any]) -> NDArray[np.float64]:
    """Return the values of sums, settled or not, each rounded once.

    Args:
        totals: An array of type `SUM`.
    """
    values: NDArray[np.float64] = totals["high"] + totals["low"]
    return values
