"""A market made from a seed: tick frames of any instrument and day, for trials, demonstrations and benchmarks."""

from aperiodic.simulate.lake_writer import simulate_into
from aperiodic.simulate.market import simulate_day, streams_of
from aperiodic.simulate.session import DEFAULT_TRADES_PER_DAY, MAX_TRADES_PER_DAY, MarketSpec

__all__ = [
    "DEFAULT_TRADES_PER_DAY",
    "MAX_TRADES_PER_DAY",
    "MarketSpec",
    "simulate_day",
    "simulate_into",
    "streams_of",
]
