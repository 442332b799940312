"""Centred moments of samples, and how the moments of two samples join.

Sums of powers lose every digit that matters when values are large beside their spread. So a sample is kept as its
double-double sum and the sums of powers of its deviations from the mean; two samples join by the difference of their
means, which the exact sums give without cancellation. A constant sample has moments of exactly zero.
Source: Pébay (2008), "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
statistical moments".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aperiodic.engine.partials.bars import start_of
from aperiodic.engine.partials.compensated import SUM, add_pair, add_to, split, two_sum
from aperiodic.jit import Record, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "MOMENTS",
    "PAIRS",
    "fold_moments",
    "join_pairs",
    "mean_gap",
    "merge_moments",
    "put_pair",
    "put_pairs",
    "with_one_more",
]

MOMENTS: Final = np.dtype(
    [
        ("start", np.int64),
        ("n", np.int64),
        ("sum", SUM),
        ("second", np.float64),
        ("third", np.float64),
        ("fourth", np.float64),
        ("lowest", np.float64),
        ("highest", np.float64),
    ]
)
"""A bar's values: their number and sum, the sums of powers of their deviations from the mean, and the extremes."""

PAIRS: Final = np.dtype(
    [
        ("n", np.float64),
        ("x_sum", SUM),
        ("y_sum", SUM),
        ("xx", np.float64),
        ("yy", np.float64),
        ("xy", np.float64),
    ]
)
"""A sample of pairs (x, y): how many, the sums of x and y, and the sums of products of their deviations."""


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
    values: NDArray[np.float64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    sums: NDArray[Any],
    bars: NDArray[Any],
    used: int,
) -> int:
    """Fill bars, from row `used` on, with the moments of consecutive bars; return how many rows are filled.

    Args:
        values: Of all these bars, one after the other.
        starts: Start of each bar, µs.
        ends: Where each bar ends in the values; no bar is empty, and each is whole: deviations are from its mean.
        sums: Sum of each bar's values, settled.
        bars: Room for them; what is there is written over.
        used: Rows to leave as they are.
    """
    begin = 0
    for row in range(ends.size):
        end = ends[row]
        bar = bars[used + row]
        first = values[begin]
        offset = mean_gap(1.0, first, 0.0, float(end - begin), sums[row].high, sums[row].low)
        second, third, fourth, lowest, highest = 0.0, 0.0, 0.0, first, first
        for i in range(begin, end):
            lowest = min(lowest, values[i])
            highest = max(highest, values[i])
            deviation = (values[i] - first) - offset
            square = deviation * deviation
            second += square
            third += square * deviation
            fourth += square * square
        bar.start, bar.n = starts[row], end - begin
        bar.sum.high, bar.sum.low = sums[row].high, sums[row].low
        bar.second, bar.third, bar.fourth = second, third, fourth
        bar.lowest, bar.highest = lowest, highest
        begin = end
    return used + ends.size


@kernel
def merge_moments(shorter: NDArray[Any], length_us: int, bars: NDArray[Any], used: int) -> int:
    """Merge bars into bars of `length_us`, of which `used` are filled; return how many then are."""
    row = used - 1
    for i in range(shorter.size):
        other = shorter[i]
        start = start_of(other.start, length_us)
        if row < 0 or bars[row].start != start:
            row += 1
            bars[row] = other
            bars[row].start = start
        else:
            _join(bars[row], other)
    return row + 1


@kernel
def put_pair(sample: Record, x: float, x_low: float, y: float, y_low: float) -> None:
    """Make a sample of a single pair of double-doubles."""
    sample.n = 1.0
    sample.x_sum.high, sample.x_sum.low = x, x_low
    sample.y_sum.high, sample.y_sum.low = y, y_low
    sample.xx, sample.yy, sample.xy = 0.0, 0.0, 0.0


@kernel
def put_pairs(sample: Record, xs: NDArray[Any], ys: NDArray[Any]) -> None:
    """Compute the products of deviations of pairs whose sums the sample holds; there is at least one.

    Args:
        sample: Of type `PAIRS`.
        xs: Of type `SUM`.
        ys: Likewise, as many.
    """
    n = float(xs.size)
    x_first, x_first_low, y_first, y_first_low = xs[0].high, xs[0].low, ys[0].high, ys[0].low
    x_offset = mean_gap(1.0, x_first, x_first_low, n, sample.x_sum.high, sample.x_sum.low)
    y_offset = mean_gap(1.0, y_first, y_first_low, n, sample.y_sum.high, sample.y_sum.low)
    x_square, y_square, cross = 0.0, 0.0, 0.0
    for i in range(xs.size):
        x = ((xs[i].high - x_first) - x_offset) + (xs[i].low - x_first_low)
        y = ((ys[i].high - y_first) - y_offset) + (ys[i].low - y_first_low)
        x_square += x * x
        y_square += y * y
        cross += x * y
    sample.n, sample.xx, sample.yy, sample.xy = n, x_square, y_square, cross


@kernel
def join_pairs(sample: Record, other: Record) -> None:
    """Add the pairs of another sample to a sample; either may be empty."""
    n, m = sample.n, other.n
    if m == 0.0:
        return
    if n == 0.0:
        put_pair(sample, other.x_sum.high, other.x_sum.low, other.y_sum.high, other.y_sum.low)
        sample.n, sample.xx, sample.yy, sample.xy = m, other.xx, other.yy, other.xy
        return
    x_gap = mean_gap(n, sample.x_sum.high, sample.x_sum.low, m, other.x_sum.high, other.x_sum.low)
    y_gap = mean_gap(n, sample.y_sum.high, sample.y_sum.low, m, other.y_sum.high, other.y_sum.low)
    weight = n * m / (n + m)
    sample.n = n + m
    sample.xx += other.xx + x_gap * x_gap * weight
    sample.yy += other.yy + y_gap * y_gap * weight
    sample.xy += other.xy + x_gap * y_gap * weight
    add_to(sample.x_sum, other.x_sum.high, other.x_sum.low)
    add_to(sample.y_sum, other.y_sum.high, other.y_sum.low)


@kernel
def with_one_more(n: float, high: float, low: float, moment: float, value: float, value_low: float) -> float:
    """Return the second moment of a sample, given its size, sum and second moment, and one value more."""
    if n == 0.0:
        return 0.0
    gap = mean_gap(n, high, low, 1.0, value, value_low)
    return moment + gap * gap * n / (n + 1.0)


@kernel
def _times(high: float, low: float, n: float) -> tuple[float, float]:
    """Return a double-double times a whole number below 2**26, its high part without rounding."""
    upper, lower = split(high)
    total, lost = two_sum(upper * n, lower * n)
    return total, lost + low * n


@kernel
def _join(bar: Record, other: Record) -> None:
    n, m = float(bar.n), float(other.n)
    gap = mean_gap(n, bar.sum.high, bar.sum.low, m, other.sum.high, other.sum.low)
    total = n + m
    share, weight = gap / total, gap * gap * n * m / total
    second, third = bar.second, bar.third
    bar.fourth += (
        other.fourth
        + weight * share * share * (n * n - n * m + m * m)
        + 6.0 * share * share * (n * n * other.second + m * m * second)
        + 4.0 * share * (n * other.third - m * third)
    )
    bar.third += other.third + weight * share * (n - m) + 3.0 * share * (n * other.second - m * second)
    bar.second += other.second + weight
    bar.lowest, bar.highest = min(bar.lowest, other.lowest), max(bar.highest, other.highest)
    bar.n += other.n
    add_to(bar.sum, other.sum.high, other.sum.low)
