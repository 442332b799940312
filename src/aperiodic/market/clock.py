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
    """

    EXCHANGE = "exchange"
    TRUE = "true"

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

    @property
    def column(self) -> Literal["exchange_timestamp", "local_timestamp"]:
        """The tick column that holds this clock's time."""
        return "exchange_timestamp" if self is Clock.EXCHANGE else "local_timestamp"

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The intervals whose bars exist on this clock, from the shortest to the longest; below a minute on `TRUE` only."""
        return tuple(interval for interval in Interval if self is Clock.TRUE or not interval.sub_minute)
