"""Binance trades, single and aggregated → ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.market import Stream
from aperiodic.venues.binance import messages as wire
from aperiodic.venues.binance.market import COIN_MARGINED, Series, check_positive
from aperiodic.venues.events import RejectedFrameError, venue_time_us

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from aperiodic.venues.binance.market import Market
    from aperiodic.venues.events import Row, SpanRecorder

__all__ = ["TradeReader"]


class _AggregatedSeries(Series):
    """Aggregates count up by one; the trade ids in them may skip an off-book trade between two aggregates."""

    __slots__ = ("last_trade",)

    def __init__(self, append: Callable[[Row], None], see: SpanRecorder) -> None:
        super().__init__(append, see)
        self.last_trade = -1


class TradeReader:
    """Reads `trade` and `aggTrade`."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._trades: dict[str, Series] = {}
        self._aggregated: dict[str, _AggregatedSeries] = {}

    def trade(self, local: int, raw: bytes | msgspec.Raw) -> None:
        """Read one fill."""
        trade = wire.TRADE.decode(raw)
        series = self._trades.get(trade.symbol)
        if (series is None or trade.margin == COIN_MARGINED) and self._market.leaves_out(trade):
            return
        self._check_venue(trade)
        if series is None:
            sink, symbol = self._market.sink, self._market.symbol(trade.symbol)
            series = Series(sink.rows(Stream.TRADES, symbol), sink.spans(Stream.TRADES, symbol))
            self._trades[trade.symbol] = series
        time, number = venue_time_us(trade.time), trade.number
        series.see(number - 1, number, time, self._market.begins(series, number, time))
        if trade.kind != "MARKET":
            raise RejectedFrameError("off_book_trade", f"X is {trade.kind[:40]!r}, not 'MARKET'")
        side = "sell" if trade.buyer_is_maker else "buy"
        check_positive(trade.price, trade.amount)
        series.append((time, local, str(number), side, trade.price, trade.amount, number))

    def aggregated(self, local: int, raw: bytes | msgspec.Raw) -> None:
        """Read several fills that are told as one."""
        trade = wire.AGGREGATED_TRADE.decode(raw)
        if self._market.leaves_out(trade):
            return
        self._check_venue(trade)
        series = self._aggregated.get(trade.symbol)
        if series is None:
            sink, symbol = self._market.sink, self._market.symbol(trade.symbol)
            series = _AggregatedSeries(
                sink.rows(Stream.TRADES, symbol, aggregated=True), sink.spans(Stream.TRADES, symbol, aggregated=True)
            )
            self._aggregated[trade.symbol] = series
        time, number = venue_time_us(trade.time), trade.number
        follows = number == series.numbering.last + 1
        begins = self._market.begins(series, number, time)
        series.see(series.last_trade if follows else trade.first - 1, trade.last, time, begins)
        if number == series.numbering.last:
            series.last_trade = trade.last
        side = "sell" if trade.buyer_is_maker else "buy"
        check_positive(trade.price, trade.amount)
        series.append((time, local, str(number), side, trade.price, trade.amount, trade.last))

    def _check_venue(self, trade: wire.Trade | wire.AggregatedTrade) -> None:
        if trade.best_match is not None and not self._market.spot:
            raise RejectedFrameError("other_venue", "a futures trade has no field M: this is a spot trade")
        if trade.best_match is None and self._market.spot:
            raise RejectedFrameError("other_venue", "a spot trade has a field M: this is a futures trade")
