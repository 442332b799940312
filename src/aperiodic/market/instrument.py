"""What a venue says of an instrument: how it is called, counted and priced, and since when it is traded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal
    from fractions import Fraction

    from aperiodic.market.symbol import Symbol

__all__ = ["Instrument", "ListingStatus"]


class ListingStatus(StrEnum):
    """Whether an instrument can be traded."""

    PENDING = "pending"
    TRADING = "trading"
    HALTED = "halted"
    SETTLING = "settling"
    DELISTED = "delisted"


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument as a venue lists it.

    Attributes:
        native: The venue's name of it.
        symbol: The name here.
        contract_size: Size of one contract, in base units, for an inverse symbol in quote units; None where amounts
            are sent in base units already, or where the venue does not tell.
        tick_size: Prices are multiples of it, quote units; None where there is no such step.
        lot_size: Amounts are multiples of it, in the venue's own count (contracts or base units); None if not told.
        listed_from: Since when it is traded, µs; None where the venue does not tell.
        delisted_at: When it ceases to be traded, µs; None while no such day is known.
        status: Whether it can be traded now.
    """

    native: str
    symbol: Symbol
    contract_size: Fraction | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    listed_from: int | None = None
    delisted_at: int | None = None
    status: ListingStatus = ListingStatus.TRADING
