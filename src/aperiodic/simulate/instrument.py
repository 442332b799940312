"""What an instrument costs and on which grids its prices and amounts lie.

Prices are invented levels of a plausible size, not quotations. Grids follow from the level, so that one tick is
about a millionth of the price and one step is worth a few units of the quote asset, as venues choose them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aperiodic.simulate.randomness import uniform
from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from aperiodic.market import Exchange, Symbol

__all__ = ["Grid", "dollar_price", "grid_of", "is_dollar"]

_DOLLARS: Final = frozenset({"USD", "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "USDS", "USD1", "DAI"})

_DOLLAR_PRICES: Final = {
    "BTC": 94_000.0,
    "ETH": 3_400.0,
    "BNB": 650.0,
    "SOL": 170.0,
    "LTC": 90.0,
    "LINK": 16.0,
    "HYPE": 25.0,
    "AVAX": 24.0,
    "DOT": 5.0,
    "XRP": 2.2,
    "EUR": 1.1,
    "ADA": 0.75,
    "TRX": 0.25,
    "DOGE": 0.2,
    "kPEPE": 0.01,
}
# Assets not listed fall between these powers of ten.
_LOWEST_EXPONENT: Final = -2.0
_HIGHEST_EXPONENT: Final = 2.5

_TICKS_EXPONENT: Final = 6
_MAX_PRICE_DECIMALS: Final = 14
_STEP_NOTIONAL: Final = 10.0
_MAX_AMOUNT_DECIMALS: Final = 8


@dataclass(frozen=True, slots=True)
class Grid:
    """The decimal grids of an instrument.

    Attributes:
        level: The price about which the instrument trades, in quote units.
        price_decimals: Digits after the point of a price; a tick is the last of them.
        amount_decimals: Digits after the point of an amount; a step is the last of them.
    """

    level: float
    price_decimals: int
    amount_decimals: int


def is_dollar(asset: str) -> bool:
    """Whether the asset is held to be worth one dollar at all times."""
    return asset in _DOLLARS


def dollar_price(asset: str) -> float:
    """Return the level of the asset's price in dollars: listed above, else a fixed number drawn from its name."""
    if is_dollar(asset):
        return 1.0
    if asset in _DOLLAR_PRICES:
        return _DOLLAR_PRICES[asset]
    exponent = _LOWEST_EXPONENT + (_HIGHEST_EXPONENT - _LOWEST_EXPONENT) * uniform("level", asset)
    return math.pow(10.0, exponent)


def grid_of(exchange: Exchange, symbol: Symbol) -> Grid:
    """Return the grids of an instrument: Binance spot has finer ticks than its futures, Hyperliquid coarser ones."""
    level = dollar_price(symbol.base) / dollar_price(symbol.quote)
    digits = round(_TICKS_EXPONENT - math.log10(level)) + venue_of(exchange).habits.tick_refinement
    return Grid(
        level=level,
        price_decimals=min(max(digits, 0), _MAX_PRICE_DECIMALS),
        amount_decimals=min(max(math.ceil(math.log10(level / _STEP_NOTIONAL)), 0), _MAX_AMOUNT_DECIMALS),
    )
