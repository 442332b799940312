"""The venues whose data the platform holds."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from aperiodic.market.errors import unknown_value

__all__ = ["Exchange"]


class Exchange(StrEnum):
    """A venue, named as in the REST API."""

    BINANCE_FUTURES = "binance-futures"
    OKX_PERPS = "okx-perps"
    HYPERLIQUID_PERPS = "hyperliquid-perps"
    BINANCE = "binance"

    @classmethod
    def parse(cls, value: str) -> Self:
        """Return the exchange of that name.

        Raises:
            InvalidInputError: `unknown_exchange`, naming the nearest valid one.
        """
        try:
            return cls(value)
        except ValueError:
            raise unknown_value("exchange", value, cls) from None

    @property
    def sequential_trade_ids(self) -> bool:
        """Whether trade ids count up by one, so that they order trades and prove that none is missing."""
        return self in {Exchange.BINANCE_FUTURES, Exchange.BINANCE, Exchange.OKX_PERPS}

    @property
    def quotes_have_exchange_time(self) -> bool:
        """Whether the best-quote stream carries the venue's own time (Binance spot's does not)."""
        return self is not Exchange.BINANCE
