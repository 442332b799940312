"""A market made from a seed: tick frames of any instrument and day, for trials, demonstrations and benchmarks."""

from aperiodic.simulate.market import MAX_TRADES_PER_DAY, MarketSpec, simulate_day, streams_of

__all__ = ["MAX_TRADES_PER_DAY", "MarketSpec", "simulate_day", "streams_of"]
