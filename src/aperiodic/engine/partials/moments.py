"""Centred moments of samples, and how the moments of two samples join.

Sums of powers lose every digit that matters when values are large beside their spread. So a sample is kept as its
double-double sum and the sums of powers of its deviations from the mean; two samples join by the difference of their
means, which the exact sums give without cancellation. A constant sample has moments of exactly zero.
Source: Pébay (2008), "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
statistical moments".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from aperiodic.engine.partials.compensated import add_pair, two_sum
from aperiodic.engine.partials.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CROSS",
    "FOURTH",
    "HIGHEST",
    "LOWEST",
    "PAIRS",
    "PAIR_COLUMNS",
    "SECOND",
    "SECOND_X",
    "SECOND_Y",
    "SUM_X",
    "SUM_Y",
    "THIRD",
    "fold_moments",
    "join_pairs",
    "mean_gap",
    "merge_moments",
    "put_pair",
    "put_pairs",
]

# Columns of moments: sums of the second to fourth power of the deviations from the mean, and the extremes.
SECOND: Final = 0
THIRD: Final = 1
FOURTH: Final = 2
LOWEST: Final = 3
HIGHEST: Final = 4
_MOMENTS: Final = 5

# Columns of a sample of pairs (x, y): how many, double-double sums of x and y, sums of products of deviations.
PAIRS: Final = 0
SUM_X: Final = 1
SUM_Y: Final = 3
SECOND_X: Final = 5
SECOND_Y: Final = 6
CROSS: Final = 7
PAIR_COLUMNS: Final = 8

_SPLITTER: Final = 134_217_729.0  # 2**27 + 1: splits a double into two halves of at most 26 bits (Veltkamp)


@kernel
def mean_gap(n: float, high: float, low: float, other_n: float, other_high: float, other_low: float) -> float:
    """Return the mean of another sample less the mean of this one, given their sizes and double-double sums.

    Exactly zero for equal samples. Sizes must be below 2**26.
    """
    mine_high, mine_low = _times(high, low, other_n)
    other_high, other_low = _times(other_high, other_low, n)
    gap, _ = add_pair(other_high, other_low, -mine_high, -mine_low)
    return gap / (n * other_n)


@kernel
def fold_moments(
    values: NDArray[np.float64], ends: NDArray[np.int64], sums: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the moments of consecutive bars, one row each.

    Args:
        values: Of all bars, one after the other.
        ends: Where each bar ends in them; no bar is empty.
        sums: Double-double sum of each bar's values.
    """
    moments = np.empty((ends.size, _MOMENTS))
    begin = 0
    for row in range(ends.size):
        end = ends[row]
        first = values[begin]
        offset = mean_gap(1.0, first, 0.0, float(end - begin), sums[row, 0], sums[row, 1])
        second, third, fourth, lowest, highest = 0.0, 0.0, 0.0, first, first
        for i in range(begin, end):
            lowest = min(lowest, values[i])
            highest = max(highest, values[i])
            deviation = (values[i] - first) - offset
            square = deviation * deviation
            second += square
            third += square * deviation
            fourth += square * square
        moments[row, SECOND] = second
        moments[row, THIRD] = third
        moments[row, FOURTH] = fourth
        moments[row, LOWEST] = lowest
        moments[row, HIGHEST] = highest
        begin = end
    return moments


@kernel
def merge_moments(
    counts: NDArray[np.int64], sums: NDArray[np.float64], moments: NDArray[np.float64], into: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Merge the moments of bars into those of longer bars.

    Args:
        counts: Values in each bar.
        sums: Double-double sum of each bar's values.
        moments: Of each bar.
        into: Row of the longer bar that each bar belongs to: ascending from 0 without a gap.
    """
    merged = np.empty((into[-1] + 1 if into.size else 0, _MOMENTS))
    n, high, low = 0.0, 0.0, 0.0
    for i in range(into.size):
        row = into[i]
        if i == 0 or row != into[i - 1]:
            merged[row, :] = moments[i, :]
            n, high, low = float(counts[i]), sums[i, 0], sums[i, 1]
            continue
        m = float(counts[i])
        gap = mean_gap(n, high, low, m, sums[i, 0], sums[i, 1])
        _join(merged[row], n, moments[i], m, gap)
        n += m
        high, low = add_pair(high, low, sums[i, 0], sums[i, 1])
    return merged


@kernel
def put_pair(sample: NDArray[np.float64], x: float, y: float) -> None:
    """Make a sample of a single pair."""
    sample[:] = 0.0
    sample[PAIRS], sample[SUM_X], sample[SUM_Y] = 1.0, x, y


@kernel
def put_pairs(sample: NDArray[np.float64], xs: NDArray[np.float64], ys: NDArray[np.float64]) -> None:
    """Compute the products of deviations of pairs whose double-double sums the sample holds; there is at least one."""
    n = float(xs.size)
    x_offset = mean_gap(1.0, xs[0], 0.0, n, sample[SUM_X], sample[SUM_X + 1])
    y_offset = mean_gap(1.0, ys[0], 0.0, n, sample[SUM_Y], sample[SUM_Y + 1])
    x_square, y_square, cross = 0.0, 0.0, 0.0
    for i in range(xs.size):
        x = (xs[i] - xs[0]) - x_offset
        y = (ys[i] - ys[0]) - y_offset
        x_square += x * x
        y_square += y * y
        cross += x * y
    sample[PAIRS], sample[SECOND_X], sample[SECOND_Y], sample[CROSS] = n, x_square, y_square, cross


@kernel
def join_pairs(sample: NDArray[np.float64], other: NDArray[np.float64]) -> None:
    """Add the pairs of another sample to a sample; either may be empty."""
    n, m = sample[PAIRS], other[PAIRS]
    if m == 0.0:
        return
    if n == 0.0:
        sample[:] = other
        return
    x_gap = mean_gap(n, sample[SUM_X], sample[SUM_X + 1], m, other[SUM_X], other[SUM_X + 1])
    y_gap = mean_gap(n, sample[SUM_Y], sample[SUM_Y + 1], m, other[SUM_Y], other[SUM_Y + 1])
    weight = n * m / (n + m)
    sample[PAIRS] = n + m
    sample[SECOND_X] += other[SECOND_X] + x_gap * x_gap * weight
    sample[SECOND_Y] += other[SECOND_Y] + y_gap * y_gap * weight
    sample[CROSS] += other[CROSS] + x_gap * y_gap * weight
    for k in (SUM_X, SUM_Y):
        sample[k], sample[k + 1] = add_pair(sample[k], sample[k + 1], other[k], other[k + 1])


@kernel
def _times(high: float, low: float, n: float) -> tuple[float, float]:
    """Return a double-double times a whole number below 2**26, its high part without rounding."""
    scaled = high * _SPLITTER
    upper = scaled - (scaled - high)
    total, lost = two_sum(upper * n, (high - upper) * n)
    return total, lost + low * n


@kernel
def _join(moments: NDArray[np.float64], n: float, other: NDArray[np.float64], m: float, gap: float) -> None:
    total = n + m
    share, weight = gap / total, gap * gap * n * m / total
    second, third = moments[SECOND], moments[THIRD]
    moments[FOURTH] += (
        other[FOURTH]
        + weight * share * share * (n * n - n * m + m * m)
        + 6.0 * share * share * (n * n * other[SECOND] + m * m * second)
        + 4.0 * share * (n * other[THIRD] - m * third)
    )
    moments[THIRD] += other[THIRD] + weight * share * (n - m) + 3.0 * share * (n * other[SECOND] - m * second)
    moments[SECOND] += other[SECOND] + weight
    moments[LOWEST] = min(moments[LOWEST], other[LOWEST])
    moments[HIGHEST] = max(moments[HIGHEST], other[HIGHEST])
