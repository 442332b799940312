"""Bar lengths: ten intervals, half-open, aligned to the Unix epoch in UTC."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self

from aperiodic.market.errors import unknown_value

__all__ = ["DAY_US", "Interval"]

DAY_US: Final = 86_400_000_000
"""Microseconds in a UTC day."""

_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Interval(StrEnum):
    """A bar length; iterates from the shortest to the longest, each a multiple of the one before.

    Attributes:
        seconds: Length in seconds.
        microseconds: Length in microseconds.
        sub_minute: Whether the interval is shorter than a minute (Prime plan, `true` clock only).
    """

    seconds: int
    microseconds: int
    sub_minute: bool

    S1 = "1s"
    S15 = "15s"
    S30 = "30s"
    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    def __init__(self, name: str) -> None:
        # Worked out once: live rows ask for them some hundred thousand times a second.
        self.seconds = int(name[:-1]) * _UNIT_SECONDS[name[-1]]
        self.microseconds = self.seconds * 1_000_000
        self.sub_minute = self.seconds < _UNIT_SECONDS["m"]

    @classmethod
    def parse(cls, value: str) -> Self:
        """Return the interval of that name.

        Raises:
            InvalidInputError: `unknown_interval`, naming the nearest valid one.
        """
        try:
            return cls(value)
        except ValueError:
            raise unknown_value("interval", value, cls) from None
