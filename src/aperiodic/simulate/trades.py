"""The trades stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from aperiodic.market import SIDE, Stream
from aperiodic.simulate.arrays import decimal, frame

if TYPE_CHECKING:
    from aperiodic.simulate.arrays import IntArray
    from aperiodic.simulate.session import Session

__all__ = ["trades_frame"]

_SHUFFLED_BITS: Final = 50
_SHUFFLE_FACTOR: Final = 0x9E3779B97F4A7C15
_SHUFFLE_SHIFT: Final = 25


def trades_frame(session: Session) -> pl.DataFrame:
    """Return the day's trades in the venue's order; ids count on from the day before where the venue's do."""
    spec, grid, events = session.spec, session.grid, session.events
    sent_us = events.trade_ms * 1_000
    number = session.day_number * spec.trades_per_day + 1 + np.arange(spec.trades_per_day)
    numbered = Stream.TRADES in session.venue.numbered
    sold = (~events.trade_buy).astype(np.uint8)
    return frame(
        Stream.TRADES,
        session.day,
        exchange_us=sent_us,
        local_us=session.arrivals("trades", sent_us),
        values={
            "id": pl.Series(number if numbered else _shuffled(number)),
            "side": pl.Series(sold).cat.to(SIDE),
            "price": decimal(events.trade_ticks, grid.price_decimals),
            "amount": decimal(events.trade_steps, grid.amount_decimals),
        },
        sequence=number if numbered else None,
    )


def _shuffled(number: IntArray) -> IntArray:
    """Map whole numbers below 2^50 one to one onto others without visible order."""
    mask = np.uint64((1 << _SHUFFLED_BITS) - 1)
    value = (number.astype(np.uint64) * np.uint64(_SHUFFLE_FACTOR)) & mask
    value ^= value >> np.uint64(_SHUFFLE_SHIFT)
    value = (value * np.uint64(_SHUFFLE_FACTOR)) & mask
    return value.astype(np.int64)
