"""Binance's best quotes → ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from aperiodic.market import Stream
from aperiodic.venues.binance import messages as wire
from aperiodic.venues.binance.market import Series
from aperiodic.venues.events import LARGEST, RESTART_SLACK_US, SMALLEST, RejectedFrameError, venue_time_us

if TYPE_CHECKING:
    from aperiodic.venues.binance.market import Market

__all__ = ["QuoteReader"]

_MODELLED_SLACK_US: Final = 60_000_000
"""As `RESTART_SLACK_US`, where the arrival time stands in: two recorders may be this far apart."""


class QuoteReader:
    """Reads `bookTicker`."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._quotes: dict[str, Series] = {}

    def quote(self, local: int, raw: bytes | msgspec.Raw) -> None:
        """Read one quote."""
        market = self._market
        try:
            quote = wire.BOOK_TICKER.decode(raw)
        except msgspec.ValidationError:
            quote = wire.book_ticker_with_gaps(raw)
        if market.leaves_out(quote):
            return
        series = self._quotes.get(quote.symbol)
        if series is None:
            symbol = market.symbol(quote.symbol)
            slack = _MODELLED_SLACK_US if market.spot else RESTART_SLACK_US
            series = Series(market.sink.rows(Stream.QUOTES, symbol), _no_spans, slack)
            self._quotes[quote.symbol] = series
        if market.spot:
            if quote.time is not None or quote.event_time is not None:
                raise RejectedFrameError("other_venue", "a spot quote has no time: this is a futures quote")
            time = local
            market.sink.note("modelled_exchange_time")
        elif quote.time is not None:
            time = venue_time_us(quote.time)
        else:
            raise RejectedFrameError("malformed", "a futures quote has a time, T")
        values = (quote.bid_price, quote.bid_amount, quote.ask_price, quote.ask_amount)
        for value in values:
            if value is not None and value != 0 and not SMALLEST <= value <= LARGEST:
                raise RejectedFrameError("bad_number", "a price or amount is negative or beyond any market's")
        highest = series.numbering.last
        if market.begins(series, quote.number, time) == "not_recorded" and quote.number <= highest:
            market.sink.count("duplicate" if quote.number == highest else "late", Stream.QUOTES)
        series.append((time, local, *values, quote.number))


def _no_spans(_after: int, _last: int, _time: int, _begins: str) -> None:
    """Quotes are numbered, but not one by one: nothing can be told from the numbers between two."""
