"""Binance's list of instruments, REST `exchangeInfo`.

| field | market | meaning | becomes |
|---|---|---|---|
| `symbol`, `baseAsset`, `quoteAsset` | both | | `native`, `symbol` |
| `contractType` | futures | `PERPETUAL`, `TRADIFI_PERPETUAL` (shares, metals), else a dated future | `symbol` |
| `marginAsset` | futures | the base asset: coin-margined, listed here since June 2026 | left out |
| `onboardDate` | futures | since when it is traded, ms; spot has none | `listed_from` |
| `deliveryDate` | futures | last day, ms; of a perpetual 2100-12-25 until it is to be delisted | `delisted_at` |
| `status` | both | see `_STATUS` | `status` |
| `PRICE_FILTER.tickSize`, `LOT_SIZE.stepSize` | both | | `tick_size`, `lot_size` |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import DecodeError, Struct, field
from msgspec.json import Decoder

from aperiodic.market import InvalidInputError, Symbol
from aperiodic.market.instrument import Instrument, ListingStatus
from aperiodic.venues.events import RejectedFrameError
from aperiodic.venues.listing import step, time_or_none
from aperiodic.venues.venue import Instruments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msgspec import Raw

__all__ = ["read_listed", "read_symbols"]

_STATUS: Final = {
    "TRADING": ListingStatus.TRADING,
    "PENDING_TRADING": ListingStatus.PENDING,
    "PRE_TRADING": ListingStatus.PENDING,
    "HALT": ListingStatus.HALTED,
    "BREAK": ListingStatus.HALTED,
    "AUCTION_MATCH": ListingStatus.HALTED,
    "CANCEL_ONLY": ListingStatus.HALTED,
    "POST_TRADING": ListingStatus.HALTED,
    "END_OF_DAY": ListingStatus.HALTED,
    "PRE_SETTLE": ListingStatus.SETTLING,
    "SETTLING": ListingStatus.SETTLING,
    "PRE_DELIVERING": ListingStatus.SETTLING,
    "DELIVERING": ListingStatus.SETTLING,
    "DELIVERED": ListingStatus.DELISTED,
    "CLOSE": ListingStatus.DELISTED,
}


class _Filter(Struct):
    kind: str = field(name="filterType", default="")
    tick_size: str = field(name="tickSize", default="")
    step_size: str = field(name="stepSize", default="")


class _Listed(Struct):
    name: str = field(name="symbol")
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    margin: str = field(name="marginAsset", default="")
    kind: str = field(name="contractType", default="")
    status: str = ""
    onboard_date: int | None = field(name="onboardDate", default=None)
    delivery_date: int | None = field(name="deliveryDate", default=None)
    filters: list[_Filter] = field(default_factory=list)

    @property
    def symbol_text(self) -> str:
        """Atlas symbol of a future."""
        delivery = self.name.partition("_")[2]
        if not delivery:
            return f"perpetual-{self.base}-{self.quote}:{self.quote}"
        return f"future-{self.base}-{self.quote}:{self.quote}-20{delivery}"


class _ExchangeInfo(Struct):
    symbols: list[_Listed]


_EXCHANGE_INFO: Final = Decoder(_ExchangeInfo)


def read_listed(body: bytes | Raw, *, spot: bool) -> list[Instrument]:
    """Read an answer to `exchangeInfo`; instruments whose names cannot be translated are left out.

    Raises:
        RejectedFrameError: `malformed` when it is no such answer.
    """
    try:
        listed = _EXCHANGE_INFO.decode(body).symbols
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedFrameError("malformed", str(error)[:200]) from None
    return list(_instruments(listed, spot=spot))


def read_symbols(body: bytes | Raw, *, spot: bool) -> Instruments:
    """Read the symbols out of an answer to `exchangeInfo`.

    Raises:
        RejectedFrameError: `malformed` when it is no such answer.
    """
    return Instruments({each.native: each.symbol for each in read_listed(body, spot=spot)})


def _instruments(listed: list[_Listed], *, spot: bool) -> Iterator[Instrument]:
    for each in listed:
        if not spot and each.margin == each.base != each.quote:
            continue
        try:
            symbol = Symbol.parse(f"spot-{each.base}-{each.quote}" if spot else each.symbol_text)
        except InvalidInputError:
            continue
        filters = {rule.kind: rule for rule in each.filters}
        price, lot = filters.get("PRICE_FILTER", _Filter()), filters.get("LOT_SIZE", _Filter())
        yield Instrument(
            each.name,
            symbol,
            tick_size=step(price.tick_size),
            lot_size=step(lot.step_size),
            listed_from=time_or_none(each.onboard_date),
            delisted_at=time_or_none(each.delivery_date),
            status=_STATUS.get(each.status, ListingStatus.HALTED),
        )
