"""How each venue writes: recorded frames are read, moved in time and renumbered here, simulated ticks are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.market import Exchange, InvalidInputError
from aperiodic.mock.wire.binance import BinanceWire
from aperiodic.mock.wire.hyperliquid import HyperliquidWire
from aperiodic.mock.wire.okx import OkxWire

if TYPE_CHECKING:
    from aperiodic.mock.wire.model import Wire

__all__ = ["wire_of"]


def wire_of(exchange: Exchange) -> Wire:
    """Return how a venue writes.

    Raises:
        InvalidInputError: `exchange_not_mocked`.
    """
    if exchange in {Exchange.BINANCE, Exchange.BINANCE_FUTURES}:
        return BinanceWire(exchange)
    if exchange is Exchange.OKX_PERPS:
        return OkxWire()
    if exchange is Exchange.HYPERLIQUID_PERPS:
        return HyperliquidWire()
    raise InvalidInputError(
        f"There is no mock of {exchange}.",
        code="exchange_not_mocked",
        hint="Choose binance-futures, binance, okx-perps or hyperliquid-perps.",
    )
