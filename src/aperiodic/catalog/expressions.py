"""Small words that field expressions are written with. None of them ever yields NaN or an infinity."""

from __future__ import annotations

import polars as pl

__all__ = ["entropy", "ratio"]


def ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """Numerator over denominator; null where the denominator is zero."""
    return pl.when(denominator != 0).then(numerator / denominator)


def entropy(*parts: pl.Expr) -> pl.Expr:
    """Shannon entropy, in nats, of the shares of `parts` in their sum; a zero part contributes nothing."""
    total = pl.sum_horizontal(parts)
    terms = [pl.when(part > 0).then(-(part / total) * (part / total).log()).otherwise(0.0) for part in parts]
    return pl.when(total > 0).then(pl.sum_horizontal(terms))
