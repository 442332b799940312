"""Hyperliquid: perpetuals (`hyperliquid-perps`)."""

from aperiodic.venues.hyperliquid.venue import HYPERLIQUID_PERPS

__all__ = ["HYPERLIQUID_PERPS"]
