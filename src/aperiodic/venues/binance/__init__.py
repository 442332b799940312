"""Binance: USD-margined futures (`binance-futures`) and spot (`binance`)."""

from aperiodic.venues.binance.depth import DepthSync
from aperiodic.venues.binance.mapper import BinanceMapper

__all__ = ["BinanceMapper", "DepthSync"]
