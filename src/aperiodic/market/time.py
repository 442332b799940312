"""Days, months and times as numbers and back. All are UTC, and counted from 1970-01-01."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from aperiodic.market.interval import DAY_US

__all__ = ["day_at", "day_number", "day_start_us", "month_days", "months_between", "now_us", "time_at"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = _EPOCH.date()
_MONTHS: Final = 12


def day_number(day: date) -> int:
    """Return the days since 1970-01-01."""
    return (day - _FIRST).days


def day_at(number: int) -> date:
    """Return the day that is so many days after 1970-01-01."""
    return _FIRST + timedelta(days=number)


def day_start_us(day: date) -> int:
    """Return when a day begins, µs since the epoch."""
    return day_number(day) * DAY_US


def time_at(microseconds: int) -> datetime:
    """Return the time that is so many µs after the epoch."""
    return _EPOCH + timedelta(microseconds=microseconds)


def now_us() -> int:
    """Return the time now, µs since the epoch."""
    return time.time_ns() // 1_000


@lru_cache(maxsize=4096)
def month_days(month: str) -> tuple[date, date]:
    """Return the first and the last day of a month, `YYYY-MM`."""
    first = date.fromisoformat(f"{month}-01")
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def months_between(first: str, last: str) -> list[str]:
    """Return all months from `first` to `last`, both `YYYY-MM` and included, ascending."""
    begin, end = (int(month[:4]) * _MONTHS + int(month[5:]) - 1 for month in (first, last))
    return [f"{month // _MONTHS:04d}-{month % _MONTHS + 1:02d}" for month in range(begin, end + 1)]
