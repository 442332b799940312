"""OKX' names of instruments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aperiodic.market import Exchange
from aperiodic.venues.venue import read_symbol

if TYPE_CHECKING:
    from aperiodic.market import Symbol

__all__ = ["okx_symbol"]

_PARTS: Final = 3


def okx_symbol(native: str) -> Symbol:
    """Split `BTC-USDT-SWAP` or `BTC-USDT-260327`.

    Raises:
        InvalidInputError: `unknown_native_symbol`.
    """
    return read_symbol(Exchange.OKX_PERPS, native, _translate(native))


def _translate(native: str) -> str | None:
    parts = native.split("-")
    if len(parts) != _PARTS:
        return None
    base, quote, last = parts
    settle = base if quote == "USD" else quote
    kind, suffix = ("perpetual", "") if last == "SWAP" else ("future", f"-20{last}")
    return f"{kind}-{base}-{quote}:{settle}{suffix}"
