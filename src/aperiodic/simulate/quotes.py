"""The quotes stream: the best bid and ask after every change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aperiodic.market import DAY_US, Stream
from aperiodic.simulate.arrays import decimal, frame
from aperiodic.simulate.arrivals import most_requotes

if TYPE_CHECKING:
    import polars as pl

    from aperiodic.simulate.arrays import IntArray
    from aperiodic.simulate.session import Session

__all__ = ["quotes_frame", "update_ids"]


def quotes_frame(session: Session) -> pl.DataFrame:
    """Return the day's quotes in the venue's order.

    Where the venue sends no time with its quotes, the arrival time stands in; quotes that then belong to the next day
    are left out.
    """
    grid, events = session.grid, session.events
    sent_us = events.quote_ms * 1_000
    arrived_us = session.arrivals("quotes", sent_us)
    if Stream.QUOTES in session.venue.modelled:
        sent_us = arrived_us
    rows = slice(int(np.searchsorted(sent_us, DAY_US)))
    values = {}
    for name, side in (("bid", events.bid), ("ask", events.ask)):
        ticks = side.ladder.price_ticks(events.quote_requote, side.level)
        values[f"{name}_price"] = decimal(ticks[rows], grid.price_decimals)
        values[f"{name}_amount"] = decimal(side.steps[rows], grid.amount_decimals)
    sequence = update_ids(session)
    return frame(
        Stream.QUOTES,
        session.day,
        exchange_us=sent_us[rows],
        local_us=arrived_us[rows],
        values=values,
        sequence=None if sequence is None else sequence[rows],
    )


def update_ids(session: Session) -> IntArray | None:
    """Return the venue's number of each quote, ascending from day to day; None where it gives none."""
    spec = session.spec
    if Stream.QUOTES not in session.venue.numbered:
        return None
    most_quotes = most_requotes(spec.trades_per_day) + spec.trades_per_day
    return session.day_number * most_quotes + 1 + np.arange(len(session.events.quote_ms))
