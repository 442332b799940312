"""Where a second ends: its ticks are passed on and become rows then, and nothing that takes time is begun meanwhile."""

from __future__ import annotations

from typing import Final

from aperiodic.market import Interval

__all__ = ["has_just_ended", "is_about_to_end"]

_BEFORE_US: Final = 120_000
_AFTER_US: Final = 250_000
_AFTER_MINUTE_US: Final = 450_000
"""For so long the rows of a second are at work, and those of a minute."""


def is_about_to_end(time: int) -> bool:
    """Whether the second that a time, µs, lies in is so nearly over that what takes time would last until its end."""
    return time % Interval.S1.microseconds >= Interval.S1.microseconds - _BEFORE_US


def has_just_ended(time: int) -> bool:
    """Whether a second ended so short a time before, µs, that its rows are at work, or those of a minute."""
    is_minute = time % Interval.M1.microseconds < Interval.S1.microseconds
    return time % Interval.S1.microseconds < (_AFTER_MINUTE_US if is_minute else _AFTER_US)
