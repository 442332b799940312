"""Where Hyperliquid is reached."""

from __future__ import annotations

from typing import Final

from aperiodic.venues.feed import Endpoint

__all__ = ["ENDPOINTS"]

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("ws", "wss://api.hyperliquid.xyz/ws"),
    Endpoint("ws", "wss://api-ui.hyperliquid.xyz/ws"),
    Endpoint("rest", "https://api.hyperliquid.xyz"),
    Endpoint("rest", "https://api-ui.hyperliquid.xyz"),
)
