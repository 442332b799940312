"""Hyperliquid: perpetuals (`hyperliquid-perps`)."""

from aperiodic.venues.hyperliquid.mapper import HyperliquidMapper

__all__ = ["HyperliquidMapper"]
