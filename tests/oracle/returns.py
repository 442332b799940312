"""Returns of decimal prices to 60 digits."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from typing import Final

UNIT: Final = 10**80
"""Returns are rounded to multiples of 1/UNIT, so that their sums and products are those of integers."""

_DIGITS: Final = 60


def simple_return(before: float, after: float) -> Fraction:
    """(after - before) / before of the decimals that two prices are; of the doubles where they have no common step."""
    return Fraction(simple_units(before, after), UNIT)


def log_return(before: float, after: float) -> Fraction:
    """The logarithm of 1 + the simple return."""
    return Fraction(log_units(before, after), UNIT)


@lru_cache(1 << 18)
def simple_units(before: float, after: float) -> int:
    """How many units the simple return is."""
    return round(_ratio(before, after) * UNIT)


@lru_cache(1 << 18)
def log_units(before: float, after: float) -> int:
    """How many units the log return is."""
    if before == after:
        return 0
    with localcontext(prec=_DIGITS + 30):
        ratio = 1 + _ratio(before, after)
        logarithm = (Decimal(ratio.numerator) / Decimal(ratio.denominator)).ln()
        return int(logarithm * UNIT)


def _ratio(before: float, after: float) -> Fraction:
    units = [Decimal(repr(price)).normalize() for price in (before, after)]
    places = max(0, *(-exponent for number in units if isinstance(exponent := number.as_tuple().exponent, int)))
    if places <= 12 and max(units).scaleb(places) <= 10**15:
        return (Fraction(units[1]) - Fraction(units[0])) / Fraction(units[0])
    return Fraction(after - before) / Fraction(before)
