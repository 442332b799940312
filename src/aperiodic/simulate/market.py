"""The simulator's front door: which streams a venue has, and a day of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aperiodic.market import InvalidInputError, Stream
from aperiodic.simulate.book import book_frame
from aperiodic.simulate.derivatives import (
    funding_rate_frame,
    index_price_frame,
    mark_price_frame,
    open_interest_frame,
)
from aperiodic.simulate.quotes import quotes_frame
from aperiodic.simulate.session import Session
from aperiodic.simulate.trades import trades_frame
from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import date

    import polars as pl

    from aperiodic.market import Exchange
    from aperiodic.simulate.session import MarketSpec

__all__ = ["frames_of", "simulate_day", "streams_of"]

_FIRST_YEAR: Final = 1970

_FRAMES: Final[dict[Stream, Callable[[Session], pl.DataFrame]]] = {
    Stream.TRADES: trades_frame,
    Stream.QUOTES: quotes_frame,
    Stream.BOOK: book_frame,
    Stream.MARK_PRICE: mark_price_frame,
    Stream.INDEX_PRICE: index_price_frame,
    Stream.FUNDING_RATE: funding_rate_frame,
    Stream.OPEN_INTEREST: open_interest_frame,
}


def streams_of(exchange: Exchange) -> tuple[Stream, ...]:
    """Return the streams that the venue has: three for spot, all seven for perpetuals."""
    return venue_of(exchange).streams


def simulate_day(spec: MarketSpec, day: date, streams: Collection[Stream]) -> dict[Stream, pl.DataFrame]:
    """Simulate streams of one instrument for one UTC day.

    A frame depends on the spec and the day alone, not on which other streams or days are made, or in what order.
    Frames follow `tick_schema`, their rows in tick-file order; exchange times lie within the day, while arrival times
    may fall into the next. Exchange times are whole milliseconds, except where the venue sends none (Binance spot
    quotes, Hyperliquid derivatives) and the arrival time stands in.

    Memory grows with the trades: about 600 MB for the trades and quotes of a million trades, and as much again for the
    book, whose size is bounded by the day's slices of time.

    Args:
        spec: The instrument.
        day: The day, 1970-01-01 or later.
        streams: What to make.

    Returns:
        A frame for each stream asked for.

    Raises:
        InvalidInputError: `stream_not_on_exchange`, or `day_out_of_range` for a day before 1970.
    """
    offered = streams_of(spec.exchange)
    missing = [stream for stream in streams if stream not in offered]
    if missing:
        raise InvalidInputError(
            f"{spec.exchange} has no {missing[0]} stream.",
            code="stream_not_on_exchange",
            hint=f"Its streams: {', '.join(offered)}.",
        )
    if day.year < _FIRST_YEAR:
        raise InvalidInputError(
            f"{day} is before {_FIRST_YEAR}.", code="day_out_of_range", hint=f"Give a day from {_FIRST_YEAR}-01-01 on."
        )
    return frames_of(Session(spec, day), [stream for stream in offered if stream in streams])


def frames_of(session: Session, streams: Collection[Stream]) -> dict[Stream, pl.DataFrame]:
    """Return streams of a day whose common ground was made before; see `simulate_day`."""
    return {stream: _FRAMES[stream](session) for stream in streams}
