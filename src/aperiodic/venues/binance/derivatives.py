"""What only Binance's futures have, mark price, index price, funding rate and open interest → ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.market import Stream
from aperiodic.venues.binance import messages as wire
from aperiodic.venues.binance.market import check_positive, optional_number
from aperiodic.venues.events import LARGEST, RejectedFrameError, venue_time_us

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from aperiodic.venues.binance.market import Market
    from aperiodic.venues.events import Row

__all__ = ["DerivativeReader"]


class DerivativeReader:
    """Reads `markPriceUpdate`, single and of the whole market, and REST `openInterest`."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._series: dict[tuple[Stream, str], Callable[[Row], None]] = {}

    def mark_price(self, local: int, raw: bytes | msgspec.Raw) -> None:
        """Read the prices of one instrument."""
        self._read(local, wire.MARK_PRICE.decode(raw))

    def mark_prices(self, local: int, raw: bytes | msgspec.Raw) -> None:
        """Read the prices of many; those that are in order become ticks even if others are refused."""
        refusals = []
        for message in wire.MARK_PRICES.decode(raw):
            try:
                self._read(local, message)
            except RejectedFrameError as refusal:
                refusals.append(refusal)
        if refusals:
            raise refusals[0]

    def open_interest(self, local: int, raw: bytes | msgspec.Raw) -> None:
        """Read an answer to `openInterest`."""
        answer = wire.OPEN_INTEREST.decode(raw)
        if self._market.spot:
            raise RejectedFrameError("other_venue", "spot has no open interest: this is a futures answer")
        if self._market.leaves_out(answer):
            return
        time = venue_time_us(answer.time)
        if not 0 <= answer.open_interest <= LARGEST:
            raise RejectedFrameError("bad_number", "the open interest is negative or beyond any market's")
        self._ticks(Stream.OPEN_INTEREST, answer.symbol)((time, local, answer.open_interest, None))

    def _read(self, local: int, message: wire.MarkPrice) -> None:
        if self._market.spot:
            raise RejectedFrameError("other_venue", "spot has no mark price: this is a futures frame")
        if self._market.leaves_out(message):
            return
        time = venue_time_us(message.event_time)
        check_positive(message.mark_price)
        index = optional_number(message.index_price)
        rate = optional_number(message.funding_rate)
        if index is not None:
            check_positive(index)
        name = message.symbol
        self._ticks(Stream.MARK_PRICE, name)((time, local, message.mark_price, None))
        if index is not None:
            self._ticks(Stream.INDEX_PRICE, name)((time, local, index, None))
        if rate is not None and message.next_funding_time > 0:
            next_time = venue_time_us(message.next_funding_time)
            self._ticks(Stream.FUNDING_RATE, name)((time, local, rate, next_time, None))

    def _ticks(self, stream: Stream, native: str) -> Callable[[Row], None]:
        append = self._series.get((stream, native))
        if append is None:
            append = self._series[stream, native] = self._market.sink.rows(stream, self._market.symbol(native))
        return append
