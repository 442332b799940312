"""Sample statistics of doubles or fractions as exact ratios of integers, rounded once at the end.

Every double is an integer multiple of a power of two, so on the finest scale among them a sample's values, its sums of
powers and its centred moments n·x - Σx are all integers, and no level, however large beside the spread, costs a digit.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Number: TypeAlias = float | int | Fraction


def variance(values: Sequence[Number], unit: int = 1) -> float | None:
    """Sample variance of values that are multiples of 1/unit; null below two."""
    squares = _sum_of_squares(values)
    return None if squares is None else float(squares / ((len(values) - 1) * unit * unit))


def deviation(values: Sequence[Number]) -> float | None:
    """Sample standard deviation; null below two values."""
    squares = variance(values)
    return None if squares is None else math.sqrt(squares)


def skewness(values: Sequence[Number]) -> float | None:
    """Bias-corrected skewness; null below three values or when they are all the same."""
    n = len(values)
    deviations = _deviations(values)[0]
    second, third = sum(d * d for d in deviations), sum(d * d * d for d in deviations)
    if n < 3 or second == 0:
        return None
    # sqrt(n(n-1))/(n-2) · m₃/m₂^1.5 with mₖ = Σdᵏ/n, squared to stay rational.
    return _root(third, Fraction(n * n * (n - 1) * third * third, (n - 2) ** 2 * second**3))


def kurtosis(values: Sequence[Number]) -> float | None:
    """Bias-corrected excess kurtosis; null below four values or when they are all the same."""
    n = len(values)
    deviations = _deviations(values)[0]
    squares = [d * d for d in deviations]
    second, fourth = sum(squares), sum(square * square for square in squares)
    if n < 4 or second == 0:
        return None
    excess = Fraction(n * fourth, second * second) - 3
    return float(((n + 1) * excess + 6) * (n - 1) / ((n - 2) * (n - 3)))


def correlation(first: Sequence[Number], second: Sequence[Number]) -> float | None:
    """Pearson's correlation of pairs; null below two pairs or when either side is constant."""
    ours, theirs = _deviations(first)[0], _deviations(second)[0]
    product = sum(d * e for d, e in zip(ours, theirs, strict=True))
    squares = sum(d * d for d in ours) * sum(e * e for e in theirs)
    return None if squares == 0 else _root(product, Fraction(product * product, squares))


def regression(
    outcomes: Sequence[Number], causes: Sequence[Number], population: Sequence[Number], unit: int = 1
) -> float | None:
    """Sample covariance of (outcome, cause) pairs ÷ sample variance of a population of causes.

    Outcomes are multiples of 1/unit. Null below two pairs, below two of the population, or when the population is
    constant.
    """
    squares = _sum_of_squares(population)
    if len(outcomes) < 2 or not squares:
        return None
    (ours, our_unit), (theirs, their_unit) = _deviations(outcomes), _deviations(causes)
    product = Fraction(sum(d * e for d, e in zip(ours, theirs, strict=True)), our_unit * their_unit)
    return float(product / ((len(outcomes) - 1) * unit) / (squares / (len(population) - 1)))


def _sum_of_squares(values: Sequence[Number]) -> Fraction | None:
    """Exact Σ(x - mean)²; null below two values."""
    if len(values) < 2:
        return None
    deviations, unit = _deviations(values)
    return Fraction(sum(d * d for d in deviations), unit * unit)


def _deviations(values: Sequence[Number]) -> tuple[list[int], int]:
    """Return integers and the number by which they exceed the deviations from the mean."""
    return _deviations_of(tuple(values))


@lru_cache(4)  # the statistics of a sample are asked for one after the other
def _deviations_of(values: tuple[Number, ...]) -> tuple[list[int], int]:
    ratios = [value.as_integer_ratio() for value in values]
    denominators = {denominator for _, denominator in ratios}
    scale = math.lcm(*denominators)
    factors = {denominator: scale // denominator for denominator in denominators}
    scaled = [numerator * factors[denominator] for numerator, denominator in ratios]
    n, total = len(values), sum(scaled)
    return [n * value - total for value in scaled], n * scale


def _root(sign: int, square: Fraction) -> float:
    return math.copysign(math.sqrt(square), sign)
