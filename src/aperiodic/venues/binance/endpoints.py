"""Where Binance is reached."""

from __future__ import annotations

from datetime import date
from typing import Final

from aperiodic.venues.feed import Endpoint

__all__ = ["FUTURES_ENDPOINTS", "SPOT_ENDPOINTS"]

_SPLIT: Final = date(2026, 3, 6)
"""Since then the futures' sockets are split by class; the former address sends what `public` does (`important
WebSocket change notice`)."""

FUTURES_ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("public", "wss://fstream.binance.com/public", since=_SPLIT),
    Endpoint("market", "wss://fstream.binance.com/market", since=_SPLIT),
    Endpoint("rest", "https://fapi.binance.com"),
)

# The mirrors for market data answer where the main hosts refuse the country.
SPOT_ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("ws", "wss://data-stream.binance.vision"),
    Endpoint("ws", "wss://stream.binance.com:9443"),
    Endpoint("ws", "wss://stream.binance.com:443"),
    Endpoint("rest", "https://data-api.binance.vision"),
    Endpoint("rest", "https://api.binance.com"),
)
