"""Hyperliquid's names of instruments: those of coins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.market import Exchange
from aperiodic.venues.venue import read_symbol

if TYPE_CHECKING:
    from aperiodic.market import Symbol

__all__ = ["coin_symbol"]


def coin_symbol(coin: str) -> Symbol:
    """Return the perpetual of a coin.

    Raises:
        InvalidInputError: `unknown_native_symbol`.
    """
    return read_symbol(Exchange.HYPERLIQUID_PERPS, coin, f"perpetual-{coin}-USDC:USDC")
