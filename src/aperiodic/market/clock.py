"""The two clocks on which every dataset exists."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from aperiodic.market.errors import unknown_value
from aperiodic.market.interval import Interval

__all__ = ["Clock"]


class Clock(StrEnum):
    """Which time orders the events and decides the interval each falls into.

    `EXCHANGE` is the matching engine's event time; `TRUE` is the arrival time at the capture host.

    Attributes:
        column: The tick column that holds this clock's time.
        intervals: The intervals whose bars exist on this clock, from the shortest to the longest; below a minute on
            `TRUE` only.
    """

    column: Literal["exchange_timestamp", "local_timestamp"]
    intervals: tuple[Interval, ...]

    EXCHANGE = "exchange"
    TRUE = "true"

    def __init__(self, name: str) -> None:
        is_true = name == "true"
        self.column = "local_timestamp" if is_true else "exchange_timestamp"
        self.intervals = tuple(interval for interval in Interval if is_true or not interval.sub_minute)

    @classmethod
    def parse(cls, value: str) -> Self:
        """Return the clock of that name.

        Raises:
            InvalidInputError: `unknown_timestamp`, naming the nearest valid one.
        """
        try:
            return cls(value)
        except ValueError:
            raise unknown_value("timestamp", value, cls) from None
