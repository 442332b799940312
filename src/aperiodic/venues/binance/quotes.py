"""Binance's best quotes → ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from aperiodic.market import Stream
from aperiodic.venues.binance import messages as wire
from aperiodic.venues.binance.market import COIN_MARGINED, Series
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
        series = self._quotes.get(quote.symbol)
        if (series is None or quote.margin == COIN_MARGINED) and market.leaves_out(quote):
            return
        if series is None:
            series = self._begin(quote.symbol)
        if market.spot:
            time = self._modelled_time(local, quote)
        elif quote.time is not None:
            time = venue_time_us(quote.time)
        else:
            raise RejectedFrameError("malformed", "a futures quote has a time, T")
        bid, bids, ask, asks = quote.bid_price, quote.bid_amount, quote.ask_price, quote.ask_amount
        for value in (bid, bids, ask, asks):
            if value is not None and value != 0 and not SMALLEST <= value <= LARGEST:
                raise RejectedFrameError("bad_number", "a price or amount is negative or beyond any market's")
        number, highest = quote.number, series.numbering.last
        if series.numbering.restarts(number, time):
            market.sink.note("sequence_reset")
        elif number <= highest:
            market.sink.count("duplicate" if number == highest else "late", Stream.QUOTES)
        series.append((time, local, bid, bids, ask, asks, number))

    def _modelled_time(self, local: int, quote: wire.BookTicker) -> int:
        if quote.time is not None or quote.event_time is not None:
            raise RejectedFrameError("other_venue", "a spot quote has no time: this is a futures quote")
        self._market.sink.note("modelled_exchange_time")
        return local

    def _begin(self, native: str) -> Series:
        symbol = self._market.symbol(native)
        slack = _MODELLED_SLACK_US if self._market.spot else RESTART_SLACK_US
        series = self._quotes[native] = Series(self._market.sink.rows(Stream.QUOTES, symbol), _no_spans, slack)
        return series


def _no_spans(_after: int, _last: int, _time: int, _begins: str) -> None:
    """Quotes are numbered, but not one by one: nothing can be told from the numbers between two."""
