"""Returns of decimal prices to 60 digits."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from typing import Final

_DIGITS: Final = 60
_UNIT: Final = 10**80
"""Returns are rounded to a common unit, so that sums and products are of integers."""


@lru_cache(1 << 18)
def simple_return(before: float, after: float) -> Fraction:
    """(after - before) / before of the decimals that two prices are; of the doubles where they have no common step."""
    ratio = _ratio(before, after)
    return Fraction(round(ratio * _UNIT), _UNIT)


@lru_cache(1 << 18)
def log_return(before: float, after: float) -> Fraction:
    """The logarithm of 1 + the simple return."""
    with localcontext(prec=_DIGITS + 30):
        ratio = 1 + _ratio(before, after)
        logarithm = (Decimal(ratio.numerator) / Decimal(ratio.denominator)).ln()
        return Fraction(int(logarithm * _UNIT), _UNIT)


def _ratio(before: float, after: float) -> Fraction:
    units = [Decimal(repr(price)).normalize() for price in (before, after)]
    places = max(0, *(-exponent for number in units if isinstance(exponent := number.as_tuple().exponent, int)))
    if places <= 12 and max(units).scaleb(places) <= 10**15:
        return (Fraction(units[1]) - Fraction(units[0])) / Fraction(units[0])
    return Fraction(after - before) / Fraction(before)
