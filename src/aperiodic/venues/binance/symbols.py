"""Binance's names of instruments: base and quote in one word, so the quote has to be known.

`exchangeInfo` tells both; without it a name is split at the longest quote asset that it ends with. Where it ends with
several (`ADAEUR`: ADA-EUR or AD-AEUR), the one that leaves a well-known asset is taken, and if that does not decide,
the name is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aperiodic.market import Exchange
from aperiodic.venues.venue import read_symbol

if TYPE_CHECKING:
    from aperiodic.market import Symbol

__all__ = ["futures_symbol", "spot_symbol"]

_FUTURES_QUOTES: Final = frozenset({"FDUSD", "USDT", "USDC", "BUSD", "USD1", "BTC"})
_SPOT_QUOTES: Final = frozenset(
    {
        *("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USDP", "USDS", "USDSB", "USD1", "USDE", "XUSD", "BFUSD", "RLUSD"),
        *("DAI", "PAX", "VAI", "UST", "AEUR", "EURI", "BIDR", "BKRW", "BVND", "IDRT"),
        *("BTC", "ETH", "BNB", "XRP", "TRX", "SOL", "DOGE", "DOT"),
        *("EUR", "GBP", "AUD", "BRL", "TRY", "RUB", "UAH", "NGN", "ZAR", "PLN", "RON", "ARS", "JPY", "MXN", "CZK"),
        *("COP", "IDR"),
    }
)
_WELL_KNOWN: Final = _SPOT_QUOTES | {
    *("ADA", "AVAX", "BCH", "LTC", "LINK", "ATOM", "MATIC", "POL", "NEAR", "UNI", "ETC", "XLM", "FIL", "APT", "ARB"),
    *("OP", "SUI", "TON", "SHIB", "PEPE", "GALA", "LUNA", "LUNC", "HBAR", "VET", "ALGO", "SAND", "MANA", "AXS", "EOS"),
    *("AAVE", "FTM", "GRT", "CHZ", "THETA", "EGLD", "ICP", "INJ", "RUNE", "WLD", "TIA", "SEI", "FET", "WIF", "BONK"),
    *(
        "FLOKI",
        "NOT",
        "ENA",
        "STRK",
        "JUP",
        "PENDLE",
        "LDO",
        "CRV",
        "DASH",
        "ZEC",
        "XMR",
        "IOTA",
        "NEO",
        "QTUM",
        "WBTC",
    ),
}


def spot_symbol(native: str) -> Symbol:
    """Split a name of Binance spot, in either case: `BTCUSDT`.

    Raises:
        InvalidInputError: `unknown_native_symbol`.
    """
    assets = _split(native.upper(), _SPOT_QUOTES)
    hint = "Give a file with the exchange's answer to /api/v3/exchangeInfo as well."
    return read_symbol(Exchange.BINANCE, native, None if assets is None else _spot(*assets), hint)


def futures_symbol(native: str) -> Symbol:
    """Split a name of Binance USD-M futures, in either case: `BTCUSDT` or `BTCUSDT_260327`.

    Raises:
        InvalidInputError: `unknown_native_symbol`.
    """
    name, _, delivery = native.upper().partition("_")
    assets = _split(name, _FUTURES_QUOTES)
    return read_symbol(Exchange.BINANCE_FUTURES, native, None if assets is None else _futures(*assets, delivery))


def _spot(base: str, quote: str) -> str:
    return f"spot-{base}-{quote}"


def _futures(base: str, quote: str, delivery: str) -> str:
    return f"future-{base}-{quote}:{quote}-20{delivery}" if delivery else f"perpetual-{base}-{quote}:{quote}"


def _split(name: str, quotes: frozenset[str]) -> tuple[str, str] | None:
    fitting = [(name.removesuffix(quote), quote) for quote in quotes if name.endswith(quote) and name != quote]
    if len(fitting) > 1:
        fitting = [assets for assets in fitting if assets[0] in _WELL_KNOWN]
    return fitting[0] if len(fitting) == 1 else None
