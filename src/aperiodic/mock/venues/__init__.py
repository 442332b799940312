"""How each venue treats its clients: subscriptions, errors, limits and REST."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.market import Exchange
from aperiodic.mock.venues.binance import BinanceSession
from aperiodic.mock.venues.binance_rest import BinanceRest
from aperiodic.mock.venues.hyperliquid import HyperliquidSession
from aperiodic.mock.venues.hyperliquid_rest import HyperliquidRest
from aperiodic.mock.venues.okx import OkxSession
from aperiodic.mock.venues.okx_rest import OkxRest

if TYPE_CHECKING:
    from aperiodic.mock.rest import Rest
    from aperiodic.mock.session import Session
    from aperiodic.mock.venue import VenueServer

__all__ = ["rest_of", "session_of"]


def session_of(exchange: Exchange) -> type[Session]:
    """Return what treats the WebSockets of a venue."""
    if exchange is Exchange.OKX_PERPS:
        return OkxSession
    return HyperliquidSession if exchange is Exchange.HYPERLIQUID_PERPS else BinanceSession


def rest_of(server: VenueServer) -> Rest:
    """Return what answers the REST requests of a venue."""
    if server.exchange is Exchange.OKX_PERPS:
        return OkxRest(server)
    return HyperliquidRest(server) if server.exchange is Exchange.HYPERLIQUID_PERPS else BinanceRest(server)
