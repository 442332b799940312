"""Binance: USD-margined futures (`binance-futures`) and spot (`binance`)."""

from aperiodic.venues.binance.venue import BINANCE, BINANCE_FUTURES

__all__ = ["BINANCE", "BINANCE_FUTURES"]
