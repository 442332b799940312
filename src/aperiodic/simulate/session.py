"""What is simulated: one instrument, one seed, one day, and everything that its streams have in common."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from aperiodic.market import Exchange, InvalidInputError, Symbol
from aperiodic.market.time import day_number
from aperiodic.simulate.day_events import DayEvents, make_events
from aperiodic.simulate.instrument import Grid, grid_of
from aperiodic.simulate.latency import arrivals
from aperiodic.simulate.price import Climate, basis_path, climate_of
from aperiodic.simulate.randomness import generator
from aperiodic.venues import Venue, venue_of

if TYPE_CHECKING:
    from datetime import date

    import numpy as np

    from aperiodic.simulate.arrays import FloatArray, IntArray

__all__ = ["DEFAULT_TRADES_PER_DAY", "MAX_TRADES_PER_DAY", "MarketSpec", "Session"]

DEFAULT_TRADES_PER_DAY: Final = 20_000

MAX_TRADES_PER_DAY: Final = 20_000_000
"""The most trades a simulated day may have; its quotes are about three times as many."""


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """One simulated instrument.

    Attributes:
        exchange: The venue whose habits to imitate.
        symbol: A spot or perpetual instrument that the venue trades.
        seed: Which of endlessly many markets. Instruments with the same base asset and seed share one price path.
        trades_per_day: Trades of every day, exactly, so that trade ids run on from day to day.

    Raises:
        InvalidInputError: `symbol_not_on_exchange`, `symbol_not_simulated` (a dated future) or
            `trades_per_day_out_of_range` (below 1, or above `MAX_TRADES_PER_DAY`).
    """

    exchange: Exchange
    symbol: Symbol
    seed: int
    trades_per_day: int = DEFAULT_TRADES_PER_DAY

    def __post_init__(self) -> None:
        venue_of(self.exchange).native(self.symbol)
        if self.symbol.kind == "future":
            raise InvalidInputError(
                f"{self.symbol} has a delivery date, and dated futures cannot be simulated.",
                code="symbol_not_simulated",
                hint="Choose a spot or a perpetual instrument.",
            )
        if not 1 <= self.trades_per_day <= MAX_TRADES_PER_DAY:
            raise InvalidInputError(
                f"{self.trades_per_day} trades per day cannot be simulated.",
                code="trades_per_day_out_of_range",
                hint=f"Give a number from 1 to {MAX_TRADES_PER_DAY:,}.",
            )


@dataclass(frozen=True)
class Session:
    """One day of one instrument; what its streams share is made when first asked for.

    Attributes:
        spec: The instrument.
        day: The UTC day, 1970-01-01 or later.
    """

    spec: MarketSpec
    day: date

    @property
    def venue(self) -> Venue:
        """The venue whose habits are imitated."""
        return venue_of(self.spec.exchange)

    @property
    def day_number(self) -> int:
        """Days since 1970-01-01, from which ids count."""
        return day_number(self.day)

    def random(self, purpose: str) -> np.random.Generator:
        """Return this day's generator for one purpose, at its beginning."""
        spec = self.spec
        return generator(spec.seed, str(spec.exchange), str(spec.symbol), self.day_number, purpose)

    def arrivals(self, connection: str, sent_us: IntArray) -> IntArray:
        """Return when frames sent at `sent_us` over this connection arrive, in microseconds since midnight."""
        return arrivals(self.random(f"latency of {connection}"), self.spec.exchange, sent_us)

    @cached_property
    def grid(self) -> Grid:
        """The instrument's tick and step."""
        return grid_of(self.spec.exchange, self.spec.symbol)

    @cached_property
    def climate(self) -> Climate:
        """The price path and activity shared by all venues."""
        return climate_of(self.spec.symbol, self.spec.seed, self.day)

    @cached_property
    def basis(self) -> FloatArray:
        """The venue's log distance from the shared path at each whole second."""
        return basis_path(self.spec.exchange, self.spec.symbol, self.spec.seed, self.day)

    @cached_property
    def events(self) -> DayEvents:
        """The day's trades and quotes."""
        spec = self.spec
        return make_events(self.random, spec.exchange, self.grid, self.climate, self.basis, spec.trades_per_day)
