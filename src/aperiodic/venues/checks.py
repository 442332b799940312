"""Which rows of a table of text are refused, and the numbers and times in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from aperiodic.venues.events import EARLIEST_US, LARGEST, LATEST_US, SMALLEST

__all__ = ["Check", "finite", "not_negative", "number", "positive", "time_of"]

_TIME: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Check:
    """Refuses rows.

    Attributes:
        code: Machine-readable reason.
        reason: The same in words.
        fails: True for a row that is refused.
        by_rule: Whether such a row is an event of the venue's that is left out, and not one that cannot be read.
    """

    code: str
    reason: str
    fails: pl.Expr
    by_rule: bool = False


def number(name: str) -> pl.Expr:
    """Read a column as numbers; null where it is none."""
    return pl.col(name).cast(pl.Float64, strict=False)


def time_of(microseconds: pl.Expr) -> pl.Expr:
    """Read whole numbers of µs as times; null where it is no time between 2009 and 2100."""
    inside = microseconds.is_between(EARLIEST_US, LATEST_US, closed="left")
    return pl.when(inside).then(microseconds).cast(_TIME)


def finite(*names: str) -> Check:
    """Refuse texts that are not empty and no number that a market could have."""
    return Check(
        "bad_number",
        "a value is not a number, or beyond any market's",
        pl.any_horizontal(_not_finite(name) for name in names),
    )


def not_negative(*names: str) -> Check:
    """Refuse numbers below zero."""
    fails = pl.any_horizontal((number(name) < 0).fill_null(value=False) for name in names)
    return Check("bad_number", "a price or amount is negative", fails)


def positive(*names: str) -> Check:
    """Refuse what is no number above zero."""
    fails = pl.any_horizontal(~(number(name) >= SMALLEST).fill_null(value=False) for name in names)
    return Check("not_positive", "a price or amount is not a positive number", fails, by_rule=True)


def _not_finite(name: str) -> pl.Expr:
    return (pl.col(name) != "") & ~(number(name).abs() <= LARGEST).fill_null(value=False)
