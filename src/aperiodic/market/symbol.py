"""Instrument names in the Atlas symbology, and the venues' own names for them.

An Atlas symbol reads `<kind>-<base>-<quote>[:<settle>][-<delivery yyyymmdd>]`:
`spot-BTC-USDT`, `perpetual-BTC-USDT:USDT`, `perpetual-UNI-USD:UNI` (inverse), `future-BTC-USDT:USDT-20260327`.
Source of the grammar: https://github.com/aperiodic-io/atlas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal, Self

from aperiodic.market.errors import InvalidInputError
from aperiodic.market.exchange import Exchange

__all__ = ["Symbol"]

# In bytes: a symbol is part of file names, which have at most 255.
_MAX_LENGTH: Final = 100
_ASSET: Final = r"[^\W_]\w*"
_GRAMMAR: Final = re.compile(
    rf"(?P<kind>spot|perpetual|future)-(?P<base>{_ASSET}(?::{_ASSET})?)-(?P<quote>{_ASSET})"
    rf"(?::(?P<settle>{_ASSET}))?(?:-(?P<delivery>20\d{{6}}))?"
)

# Binance writes base and quote in one word, so the quote has to be known; longest match first.
_BINANCE_FUTURES_QUOTES: Final = ("FDUSD", "USDT", "USDC", "BUSD", "USD1", "BTC")
_BINANCE_SPOT_QUOTES: Final = (
    *("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDP", "USDS", "USD1", "BIDR", "BKRW", "IDRT", "DOGE"),
    *("BTC", "ETH", "BNB", "XRP", "TRX", "SOL", "DAI", "PAX", "VAI", "UST", "EUR", "GBP", "AUD", "BRL", "TRY", "RUB"),
    *("UAH", "NGN", "ZAR", "PLN", "RON", "ARS", "JPY", "MXN", "CZK", "COP", "IDR", "DOT"),
)

Kind = Literal["spot", "perpetual", "future"]


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """One instrument.

    Attributes:
        kind: `spot`, `perpetual` or `future`.
        base: The asset that amounts are counted in; keeps the venue's case (`kPEPE`).
        quote: The asset that prices are given in.
        settle: The asset of margin and profit; None for spot.
        delivery: Delivery day of a dated future; None otherwise.
    """

    kind: Kind
    base: str
    quote: str
    settle: str | None = None
    delivery: date | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an Atlas symbol.

        Raises:
            InvalidInputError: `bad_symbol` when the text does not follow the grammar.
        """
        match = _GRAMMAR.fullmatch(text) if len(text.encode(errors="replace")) <= _MAX_LENGTH else None
        if match is None:
            raise _bad_symbol(text)
        kind, settle, delivery = match["kind"], match["settle"], match["delivery"]
        if (settle is None) != (kind == "spot") or (delivery is None) == (kind == "future"):
            raise _bad_symbol(text)
        day = None if delivery is None else _delivery_day(delivery, text)
        return cls(kind=kind, base=match["base"], quote=match["quote"], settle=settle, delivery=day)  # type: ignore[arg-type]

    def __str__(self) -> str:
        settle = "" if self.settle is None else f":{self.settle}"
        delivery = "" if self.delivery is None else f"-{self.delivery:%Y%m%d}"
        return f"{self.kind}-{self.base}-{self.quote}{settle}{delivery}"

    @property
    def inverse(self) -> bool:
        """Whether profit is settled in the base asset, so that contracts are worth a fixed amount of quote."""
        return self.settle == self.base

    @classmethod
    def from_native(cls, exchange: Exchange, native: str) -> Self:
        """Return the symbol that `exchange` calls `native` (Binance names in either case).

        Raises:
            InvalidInputError: `unknown_native_symbol` when the name cannot be split into its assets.
        """
        reader = {
            Exchange.BINANCE_FUTURES: _from_binance_futures,
            Exchange.BINANCE: _from_binance_spot,
            Exchange.OKX_PERPS: _from_okx,
            Exchange.HYPERLIQUID_PERPS: _from_hyperliquid,
        }[exchange]
        try:
            return cls.parse(reader(native[: _MAX_LENGTH + 1]) or "")
        except InvalidInputError:
            raise InvalidInputError(
                f"{exchange} does not trade an instrument named {native[:_MAX_LENGTH]!r} that this version understands.",
                code="unknown_native_symbol",
                hint="Give the venue's own name, for example BTCUSDT, BTC-USDT-SWAP or BTC.",
            ) from None

    def native(self, exchange: Exchange) -> str:
        """Return the name that `exchange` uses for this instrument.

        Raises:
            InvalidInputError: `symbol_not_on_exchange` when the venue does not trade such an instrument.
        """
        perpetual_or_future = self.kind != "spot"
        if exchange is Exchange.BINANCE and self.kind == "spot":
            return f"{self.base}{self.quote}"
        if exchange is Exchange.BINANCE_FUTURES and perpetual_or_future and not self.inverse:
            return f"{self.base}{self.quote}" + (f"_{self.delivery:%y%m%d}" if self.delivery else "")
        if exchange is Exchange.OKX_PERPS and perpetual_or_future:
            return f"{self.base}-{self.quote}-" + (f"{self.delivery:%y%m%d}" if self.delivery else "SWAP")
        if exchange is Exchange.HYPERLIQUID_PERPS and self.kind == "perpetual":
            return self.base
        raise InvalidInputError(
            f"{exchange} does not trade {self}.",
            code="symbol_not_on_exchange",
            hint="Spot symbols belong to 'binance'; the other exchanges hold perpetuals.",
        )


def _bad_symbol(text: str) -> InvalidInputError:
    return InvalidInputError(
        f"{text[:_MAX_LENGTH]!r} is not an Atlas symbol.",
        code="bad_symbol",
        hint="Write spot-BTC-USDT, perpetual-BTC-USDT:USDT or future-BTC-USDT:USDT-20260327.",
    )


def _delivery_day(digits: str, text: str) -> date:
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise _bad_symbol(text) from None


def _split_quote(name: str, quotes: tuple[str, ...]) -> tuple[str, str] | None:
    for quote in quotes:
        if name.endswith(quote) and len(name) > len(quote):
            return name.removesuffix(quote), quote
    return None


def _from_binance_futures(native: str) -> str | None:
    name, _, delivery = native.upper().partition("_")
    assets = _split_quote(name, _BINANCE_FUTURES_QUOTES)
    if assets is None:
        return None
    base, quote = assets
    return f"future-{base}-{quote}:{quote}-20{delivery}" if delivery else f"perpetual-{base}-{quote}:{quote}"


def _from_binance_spot(native: str) -> str | None:
    assets = _split_quote(native.upper(), _BINANCE_SPOT_QUOTES)
    return None if assets is None else f"spot-{assets[0]}-{assets[1]}"


def _from_okx(native: str) -> str | None:
    match native.split("-"):
        case [base, quote, last]:
            settle = base if quote == "USD" else quote
            kind, suffix = ("perpetual", "") if last == "SWAP" else ("future", f"-20{last}")
            return f"{kind}-{base}-{quote}:{settle}{suffix}"
        case _:
            return None


def _from_hyperliquid(native: str) -> str | None:
    return f"perpetual-{native}-USDC:USDC"
