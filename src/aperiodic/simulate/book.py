"""The book stream: the best levels of both sides, at most once in each short slice of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aperiodic.market import Stream, book_columns, shown_levels
from aperiodic.simulate.arrays import decimal, frame, last_of_each
from aperiodic.simulate.quotes import update_ids

if TYPE_CHECKING:
    import polars as pl

    from aperiodic.simulate.arrays import FloatArray, IntArray
    from aperiodic.simulate.session import Session

__all__ = ["book_frame", "book_ticks"]


def book_ticks(session: Session) -> IntArray:
    """Return which quotes of the day are book ticks: the last one of every slice of time that has one."""
    return np.flatnonzero(last_of_each(session.events.quote_ms // session.venue.habits.book_every_ms))


def book_frame(session: Session, part: slice = slice(None)) -> pl.DataFrame:
    """Return the day's book ticks: the state after the last quote of every slice that has one.

    The best level is that quote. Hyperliquid shows 20 levels; the rest are null.

    Args:
        session: The day.
        part: Only these of the ticks, for those who have no room for a day of them.
    """
    habits, grid, events = session.venue.habits, session.grid, session.events
    ticks = book_ticks(session)
    arrived_us = session.arrivals("book", events.quote_ms[ticks] * 1_000)[part]
    rows = ticks[part]
    requote = events.quote_requote[rows]
    values: dict[str, FloatArray | IntArray] = {"depth": np.full(rows.size, shown_levels(habits.book_levels))}
    for name, side in (("bid", events.bid), ("ask", events.ask)):
        best = side.level[rows]
        columns = zip(book_columns(name, "price"), book_columns(name, "amount"), strict=True)
        for depth, (price, amount) in enumerate(columns):
            if depth == habits.book_levels:
                break
            steps = side.ladder.resting_steps(requote, best + depth) if depth else side.steps[rows]
            values[price] = decimal(side.ladder.price_ticks(requote, best + depth), grid.price_decimals)
            values[amount] = decimal(steps, grid.amount_decimals)
    sent_us = events.quote_ms[rows] * 1_000
    sequence = update_ids(session)
    return frame(
        Stream.BOOK,
        session.day,
        exchange_us=sent_us,
        local_us=arrived_us,
        values=values,
        sequence=None if sequence is None else sequence[rows],
    )
