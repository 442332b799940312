"""Where OKX is reached; accounts of the US and of the EEA have hosts of their own, which settings can name."""

from __future__ import annotations

from typing import Final

from aperiodic.venues.feed import Endpoint

__all__ = ["ENDPOINTS"]

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("public", "wss://ws.okx.com:8443/ws/v5/public"),
    Endpoint("public", "wss://wseea.okx.com:8443/ws/v5/public"),
    Endpoint("public", "wss://wsus.okx.com:8443/ws/v5/public"),
    Endpoint("business", "wss://ws.okx.com:8443/ws/v5/business"),
    Endpoint("business", "wss://wseea.okx.com:8443/ws/v5/business"),
    Endpoint("business", "wss://wsus.okx.com:8443/ws/v5/business"),
    Endpoint("rest", "https://www.okx.com"),
    Endpoint("rest", "https://eea.okx.com"),
    Endpoint("rest", "https://us.okx.com"),
)
