"""Sample statistics from centred moments: sums of powers or products of the deviations of n values from their means."""

from __future__ import annotations

from typing import Final

import polars as pl

__all__ = ["correlation", "covariance", "kurtosis", "skewness", "variance"]

_FEWEST_FOR_VARIANCE: Final = 2
_FEWEST_FOR_SKEWNESS: Final = 3
_FEWEST_FOR_KURTOSIS: Final = 4


def variance(n: pl.Expr, second: pl.Expr) -> pl.Expr:
    """Sample variance; null below two values."""
    return pl.when(n >= _FEWEST_FOR_VARIANCE).then(second / (n - 1))


def covariance(n: pl.Expr, cross: pl.Expr) -> pl.Expr:
    """Sample covariance of n pairs; null below two."""
    return variance(n, cross)


def correlation(cross: pl.Expr, second: pl.Expr, other_second: pl.Expr) -> pl.Expr:
    """Pearson's correlation of pairs; null where either side is constant (a single pair is)."""
    varies = (second > 0) & (other_second > 0)
    return pl.when(varies).then((cross / second.sqrt() / other_second.sqrt()).clip(-1, 1))


def skewness(n: pl.Expr, second: pl.Expr, third: pl.Expr) -> pl.Expr:
    """Bias-corrected sample skewness; null below three values or when they are all the same."""
    n = n.cast(pl.Float64)
    varies = (n >= _FEWEST_FOR_SKEWNESS) & (second > 0)
    # One division after the other: powers of the second moment of tiny values would vanish.
    return pl.when(varies).then(n * (n - 1).sqrt() / (n - 2) * (third / second / second.sqrt()))


def kurtosis(n: pl.Expr, second: pl.Expr, fourth: pl.Expr) -> pl.Expr:
    """Bias-corrected sample excess kurtosis; null below four values or when they are all the same."""
    n = n.cast(pl.Float64)
    varies = (n >= _FEWEST_FOR_KURTOSIS) & (second > 0)
    excess = n * (fourth / second / second) - 3
    return pl.when(varies).then((n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * excess + 6))
