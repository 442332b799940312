"""What the readers of the venues' lists of instruments share."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from aperiodic.venues.events import EARLIEST_US, LATEST_US

__all__ = ["step", "time_or_none"]

_SMALLEST: Final = Decimal("1e-18")
_LARGEST: Final = Decimal("1e18")


def step(text: str) -> Decimal | None:
    """Read a step of prices or amounts; None for empty text, zero and what is no number."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and _SMALLEST <= value <= _LARGEST else None


def time_or_none(milliseconds: int | str | None) -> int | None:
    """Return a time in ms as µs; None for none, for zero, and for one after 2100, which stands for never."""
    text = str(milliseconds or "")
    if not text.isascii() or not text.isdecimal():
        return None
    time = int(text[:20]) * 1000
    return time if EARLIEST_US <= time < LATEST_US else None
