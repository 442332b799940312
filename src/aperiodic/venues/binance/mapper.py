"""Binance frames → ticks.

| channel | field | meaning | becomes | source |
|---|---|---|---|---|
| `@trade` | `t` | trade id, counting up by one | `id`, `sequence` | recordings of 2023 and 2024: no id skipped |
| | `T` | matching engine's time, ms | `exchange_timestamp` | Binance, Trade Streams |
| | `p`, `q` | price; amount in base units | `price`, `amount` | the same |
| | `m` | true: the buyer was the maker | `side` = sell | the same |
| | `X` | `MARKET`, or off the book: `INSURANCE_FUND`, `ADL`, `NA` | off-book ones are rejected | recordings |
| `@aggTrade` | `a` | aggregate id | `id` | Binance, Aggregate Trade Streams |
| | `f`, `l` | first and last trade id | `sequence` = `l` | the same |
| `@bookTicker` | `u` | update id of the order book | `sequence` | Binance, Individual Symbol Book Ticker Streams |
| | `b`, `B`, `a`, `A` | best bid price, amount; best ask price, amount | the quote | the same |
| | `T` | matching engine's time, ms; absent on spot | `exchange_timestamp` | the same |
| `@depth` | `U`, `u`, `pu` | first, last, previous last update id | `sequence` = `u` | see `depth` |
| | `T` (spot: `E`) | matching engine's (event) time, ms | `exchange_timestamp` | Binance, Diff. Book Depth Streams |
| | `b`, `a` | absolute amounts by price; 0 removes | the best 25 levels | the same |
| `@markPrice` | `E` | event time, ms | `exchange_timestamp` | Binance, Mark Price Stream |
| | `p`, `i` | mark price, index price | `mark_price`, `index_price` | the same |
| | `r`, `T` | funding rate, *next funding time* | `funding_rate`, `next_funding_time` | the same |
| REST `depth` | `lastUpdateId` | last update contained | seeds the book | Binance, Order Book |
| REST `openInterest` | `time` | ms | `exchange_timestamp` | Binance, Open Interest |
| | `openInterest` | base units | `open_interest` | the same |

`@depth5`, `@depth10` and `@depth20` carry the same event name as `@depth` but are no changes: they are left out, as
are tickers, candles and liquidations.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from msgspec import UNSET

from aperiodic.market import Exchange, InvalidInputError, Stream
from aperiodic.venues.binance import messages as wire
from aperiodic.venues.binance.depth import DepthChange, DepthSync, Outcome
from aperiodic.venues.binance.symbols import futures_symbol, read_exchange_info, spot_symbol
from aperiodic.venues.events import (
    LARGEST,
    RESTART_SLACK_US,
    SMALLEST,
    Numbering,
    RejectedFrameError,
    venue_time_us,
)
from aperiodic.venues.venue import Instruments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aperiodic.market import Symbol
    from aperiodic.venues.book import Book, Level
    from aperiodic.venues.events import Row, Sink, SpanRecorder

    Handler: TypeAlias = Callable[[int, bytes | msgspec.Raw], None]

__all__ = ["BinanceMapper"]

_MODELLED_SLACK_US: Final = 60_000_000
"""As `RESTART_SLACK_US`, where the arrival time stands in: two recorders may be this far apart."""

_INF: Final = float("inf")
_MAX_STREAM_NAMES: Final = 10_000
_IGNORED_CHANNELS: Final = (
    *("kline_", "continuousKline_", "indexPriceKline_", "markPriceKline_", "ticker", "miniTicker", "avgPrice"),
    *("depth5", "depth10", "depth20", "rpiDepth", "forceOrder", "compositeIndex", "contractInfo", "assetIndex"),
    *("tradingSession", "blockTrade", "referencePrice"),
)
_IGNORED_EVENTS: Final = frozenset(
    {
        *("kline", "continuous_kline", "indexPrice_kline", "markPrice_kline", "24hrTicker", "24hrMiniTicker"),
        *("1hTicker", "4hTicker", "1dTicker", "avgPrice", "forceOrder", "compositeIndex", "contractInfo"),
        *("assetIndexUpdate", "serverShutdown"),
    }
)


class _Series:
    """What is remembered of one numbered series."""

    __slots__ = ("append", "numbering", "see")

    def __init__(self, append: Callable[[Row], None], see: SpanRecorder, slack: int = RESTART_SLACK_US) -> None:
        self.append = append
        self.see = see
        self.numbering = Numbering(slack)


class _AggregatedSeries(_Series):
    """Aggregates count up by one; the trade ids in them may skip an off-book trade between two aggregates."""

    __slots__ = ("last_trade",)

    def __init__(self, append: Callable[[Row], None], see: SpanRecorder) -> None:
        super().__init__(append, see)
        self.last_trade = -1


class _BookSeries(_Series):
    """A numbered series with the book that it keeps."""

    __slots__ = ("missed", "restarts", "symbol", "sync", "unknown", "wait")

    def __init__(self, append: Callable[[Row], None], see: SpanRecorder, symbol: Symbol, sync: DepthSync) -> None:
        super().__init__(append, see)
        self.symbol = symbol
        self.sync = sync
        self.missed = self.unknown = False
        self.restarts = 0
        self.wait: Callable[[int, bytes], None] | None = None


class BinanceMapper:
    """Reads the frames of one recording, in the order they were received."""

    def __init__(
        self,
        exchange: Exchange,
        sink: Sink,
        instruments: Instruments | None = None,
        *,
        on_book: Callable[[Symbol, int, Book], None] | None = None,
    ) -> None:
        """Begin a recording.

        Args:
            exchange: `binance-futures` or `binance`.
            sink: Receives the ticks.
            instruments: What is known of instruments beforehand; the recording may tell more.
            on_book: Called with symbol, update id and book after every update that was applied to a book.
        """
        self._spot = exchange is Exchange.BINANCE
        self._sink = sink
        self._instruments = Instruments()
        if instruments is not None:
            self._instruments.update(instruments)
        self._on_book = on_book
        self._trades: dict[str, _Series] = {}
        self._aggregated: dict[str, _AggregatedSeries] = {}
        self._quotes: dict[str, _Series] = {}
        self._books: dict[str, _BookSeries] = {}
        self._states: dict[tuple[Stream, str], Callable[[Row], None]] = {}
        self._by_stream: dict[str, Handler] = {}
        self._by_channel: dict[str, Handler] = {
            "trade": self._trade,
            "aggTrade": self._aggregated_trade,
            "bookTicker": self._quote,
            "depth": self._depth,
            "markPrice": self._mark_price,
            "!markPrice": self._mark_prices,
            "openInterest": self._open_interest,
        }
        self._by_event: dict[str, Handler] = {
            "trade": self._trade,
            "aggTrade": self._aggregated_trade,
            "bookTicker": self._quote,
            "depthUpdate": self._depth,
            "markPriceUpdate": self._mark_price,
            **{event: partial(self._ignore, event) for event in _IGNORED_EVENTS},
        }

    def read(self, local: int, frame: bytes) -> None:
        """Read one frame.

        Args:
            local: Arrival time, µs.
            frame: JSON text as it was received.

        Raises:
            RejectedFrameError: The frame makes no tick because it is malformed, unknown or off the book.
        """
        try:
            envelope = wire.ENVELOPE.decode(frame)
            if envelope.data is not UNSET and envelope.stream:
                handler = self._by_stream.get(envelope.stream)
                if handler is None:
                    handler = self._route(envelope.stream)
                handler(local, envelope.data)
            else:
                self._bare(envelope)(local, frame)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RejectedFrameError("malformed", str(error)[:200]) from None

    def books(self) -> Iterator[tuple[Symbol, int, Book]]:
        """Yield every book that is known, with its symbol and the number of its last update."""
        for series in self._books.values():
            if series.sync.book is not None:
                yield series.symbol, series.sync.last, series.sync.book

    def _route(self, stream: str) -> Handler:
        head, _, rest = stream.partition("@")
        channel = head if head.startswith("!") else rest.partition("@")[0]
        name = channel.removeprefix("!")
        handler = self._by_channel.get(channel) or (self._quote if channel == "!bookTicker" else None)
        if handler is None and channel == "depthSnapshot":
            handler = partial(self._snapshot, native=head.upper())
        elif handler is None and name.startswith(_IGNORED_CHANNELS):
            handler = partial(self._ignore, channel)
        if handler is None:
            raise RejectedFrameError("unknown_channel", f"the channel {channel[:100]!r} is not known")
        if len(self._by_stream) >= _MAX_STREAM_NAMES:
            self._by_stream.clear()
        self._by_stream[stream] = handler
        return handler

    def _bare(self, envelope: wire.Envelope) -> Handler:
        if envelope.event:
            handler = self._by_event.get(envelope.event)
        elif envelope.last_update_id is not UNSET:
            handler = self._snapshot
        elif envelope.open_interest is not UNSET:
            handler = self._open_interest
        elif envelope.best_bid_amount is not UNSET:
            handler = self._quote
        elif envelope.symbols is not UNSET:
            handler = self._learn
        elif envelope.request_id is not UNSET:
            handler = partial(self._ignore, "acknowledgement")
        else:
            handler = None
        if handler is None:
            raise RejectedFrameError("unknown_frame", f"the event {envelope.event[:100]!r} is not known")
        return handler

    def _ignore(self, kind: str, _local: int, _raw: bytes | msgspec.Raw) -> None:
        self._sink.count("ignored", kind)

    def _learn(self, _local: int, raw: bytes | msgspec.Raw) -> None:
        self._instruments.update(read_exchange_info(raw, spot=self._spot))
        self._sink.count("ignored", "instruments")

    def _begins(self, series: _Series, number: int, time: int) -> str:
        """Return why a run of numbers that begins with this event does not begin earlier."""
        if not series.numbering.restarts(number, time):
            return "not_recorded"
        self._sink.note("sequence_reset")
        return "sequence_reset"

    def _trade(self, local: int, raw: bytes | msgspec.Raw) -> None:
        trade = wire.TRADE.decode(raw)
        self._check_venue(trade)
        series = self._trades.get(trade.symbol)
        if series is None:
            symbol = self._symbol(trade.symbol)
            series = _Series(self._sink.rows(Stream.TRADES, symbol), self._sink.spans(Stream.TRADES, symbol))
            self._trades[trade.symbol] = series
        time, number = venue_time_us(trade.time), trade.number
        series.see(number - 1, number, time, self._begins(series, number, time))
        if trade.kind != "MARKET":
            raise RejectedFrameError("off_book_trade", f"X is {trade.kind[:40]!r}, not 'MARKET'")
        side = "sell" if trade.buyer_is_maker else "buy"
        _check_positive(trade.price, trade.amount)
        series.append((time, local, str(number), side, trade.price, trade.amount, number))

    def _aggregated_trade(self, local: int, raw: bytes | msgspec.Raw) -> None:
        trade = wire.AGGREGATED_TRADE.decode(raw)
        self._check_venue(trade)
        series = self._aggregated.get(trade.symbol)
        if series is None:
            symbol = self._symbol(trade.symbol)
            series = _AggregatedSeries(
                self._sink.rows(Stream.TRADES, symbol, aggregated=True),
                self._sink.spans(Stream.TRADES, symbol, aggregated=True),
            )
            self._aggregated[trade.symbol] = series
        time, number = venue_time_us(trade.time), trade.number
        follows = number == series.numbering.last + 1
        begins = self._begins(series, number, time)
        series.see(series.last_trade if follows else trade.first - 1, trade.last, time, begins)
        if number == series.numbering.last:
            series.last_trade = trade.last
        side = "sell" if trade.buyer_is_maker else "buy"
        _check_positive(trade.price, trade.amount)
        series.append((time, local, str(number), side, trade.price, trade.amount, trade.last))

    def _quote(self, local: int, raw: bytes | msgspec.Raw) -> None:
        try:
            quote = wire.BOOK_TICKER.decode(raw)
        except msgspec.ValidationError:
            quote = wire.book_ticker_with_gaps(raw)
        series = self._quotes.get(quote.symbol)
        if series is None:
            symbol = self._symbol(quote.symbol)
            slack = _MODELLED_SLACK_US if self._spot else RESTART_SLACK_US
            series = _Series(self._sink.rows(Stream.QUOTES, symbol), _no_spans, slack)
            self._quotes[quote.symbol] = series
        if self._spot:
            if quote.time is not None or quote.event_time is not None:
                raise RejectedFrameError("other_venue", "a spot quote has no time: this is a futures quote")
            time = local
            self._sink.note("modelled_exchange_time")
        elif quote.time is not None:
            time = venue_time_us(quote.time)
        else:
            raise RejectedFrameError("malformed", "a futures quote has a time, T")
        values = (quote.bid_price, quote.bid_amount, quote.ask_price, quote.ask_amount)
        for value in values:
            if value is not None and value != 0 and not SMALLEST <= value <= LARGEST:
                raise RejectedFrameError("bad_number", "a price or amount is negative or beyond any market's")
        highest = series.numbering.last
        if self._begins(series, quote.number, time) == "not_recorded" and quote.number <= highest:
            self._sink.count("duplicate" if quote.number == highest else "late", Stream.QUOTES)
        series.append((time, local, *values, quote.number))

    def _depth(self, local: int, raw: bytes | msgspec.Raw) -> None:
        try:
            update = wire.DEPTH_UPDATE.decode(raw)
        except msgspec.ValidationError:
            update = wire.DEPTH_UPDATE.decode(wire.with_pairs(raw))
        after, stamp = (update.first - 1, update.event_time) if self._spot else (update.previous, update.time)
        if after is None or stamp is None or (self._spot and update.previous is not None):
            raise RejectedFrameError("other_venue", "the update follows the rules of another Binance market")
        time = venue_time_us(stamp)
        _check_levels(update.bids)
        _check_levels(update.asks)
        series = self._book_series(update.symbol)
        sync = series.sync
        outcome = sync.update(DepthChange(update.first, after, update.last, update.bids, update.asks, time))
        if series.restarts != sync.restarts:
            series.restarts = sync.restarts
            series.wait = None
            self._sink.note("sequence_reset")
            series.see(update.last, update.last, time, "sequence_reset")
        if outcome is Outcome.REPEATED:
            self._sink.count("duplicate" if update.last == sync.last else "late", Stream.BOOK)
        elif outcome in {Outcome.UNKNOWN, Outcome.BREAK} or sync.book is None:
            self._not_applied(series, local, after, raw, lost=outcome is Outcome.BREAK)
        else:
            self._applied(series, local, time, after, update.last, sync.book, changed=outcome is Outcome.CHANGED)

    def _not_applied(
        self, series: _BookSeries, local: int, after: int, raw: bytes | msgspec.Raw, *, lost: bool
    ) -> None:
        if not series.missed and series.sync.last < 0:
            series.wait = self._sink.wait(series.symbol, after)
        if series.wait is not None:
            series.wait(local, bytes(raw))
        self._sink.book_unknown(series.symbol, local, "sequence_break" if lost else "no_snapshot")
        series.missed = series.unknown = True
        self._sink.count("ignored", "update_of_unknown_book")

    def _applied(
        self, series: _BookSeries, local: int, time: int, after: int, last: int, book: Book, *, changed: bool
    ) -> None:
        if series.unknown:
            series.unknown = False
            self._sink.book_known(series.symbol, local)
        series.wait = None
        series.see(after, last, time, "no_snapshot" if series.missed else "not_recorded")
        if changed:
            series.append((time, local, *book.best, last))
            if book.beyond_floor:
                self._sink.note("book_beyond_snapshot_depth")

    def _snapshot(self, local: int, raw: bytes | msgspec.Raw, *, native: str | None = None) -> None:
        try:
            answer = wire.DEPTH_SNAPSHOT.decode(raw)
        except msgspec.ValidationError:
            answer = wire.DEPTH_SNAPSHOT.decode(wire.with_pairs(raw))
        _check_levels(answer.bids)
        _check_levels(answer.asks)
        series = self._book_series(native or self._owner(answer.number))
        series.sync.snapshot(answer)
        if series.unknown and series.sync.book is not None:
            series.unknown = False
            self._sink.book_known(series.symbol, local)
        self._sink.count("ignored", "snapshot")

    def _owner(self, number: int) -> str:
        """Find whose book a bare REST answer is: it names no instrument."""
        names = self._sink.find_all(wire.depth_name)
        if len(names) == 1:
            return next(iter(names))
        fitting = [name for name, series in self._books.items() if series.sync.continues(number)]
        # An instrument that has not been heard of yet might fit as well.
        if len(fitting) == 1 and all(name in self._books and self._books[name].sync.seen for name in names):
            return fitting[0]
        raise RejectedFrameError("unattributed_snapshot", "the answer names no instrument and fits none or several")

    def _mark_price(self, local: int, raw: bytes | msgspec.Raw) -> None:
        self._mark(local, wire.MARK_PRICE.decode(raw))

    def _mark_prices(self, local: int, raw: bytes | msgspec.Raw) -> None:
        refusals = []
        for message in wire.MARK_PRICES.decode(raw):
            try:
                self._mark(local, message)
            except RejectedFrameError as refusal:
                refusals.append(refusal)
        if refusals:
            raise refusals[0]

    def _mark(self, local: int, message: wire.MarkPrice) -> None:
        if self._spot:
            raise RejectedFrameError("other_venue", "spot has no mark price: this is a futures frame")
        time = venue_time_us(message.event_time)
        _check_positive(message.mark_price)
        index = _optional_number(message.index_price)
        rate = _optional_number(message.funding_rate)
        if index is not None:
            _check_positive(index)
        name = message.symbol
        self._state(Stream.MARK_PRICE, name)((time, local, message.mark_price, None))
        if index is not None:
            self._state(Stream.INDEX_PRICE, name)((time, local, index, None))
        if rate is not None and message.next_funding_time > 0:
            next_time = venue_time_us(message.next_funding_time)
            self._state(Stream.FUNDING_RATE, name)((time, local, rate, next_time, None))

    def _open_interest(self, local: int, raw: bytes | msgspec.Raw) -> None:
        answer = wire.OPEN_INTEREST.decode(raw)
        if self._spot:
            raise RejectedFrameError("other_venue", "spot has no open interest: this is a futures answer")
        time = venue_time_us(answer.time)
        if not 0 <= answer.open_interest <= LARGEST:
            raise RejectedFrameError("bad_number", "the open interest is negative or beyond any market's")
        self._state(Stream.OPEN_INTEREST, answer.symbol)((time, local, answer.open_interest, None))

    def _state(self, stream: Stream, native: str) -> Callable[[Row], None]:
        append = self._states.get((stream, native))
        if append is None:
            append = self._states[stream, native] = self._sink.rows(stream, self._symbol(native))
        return append

    def _book_series(self, native: str) -> _BookSeries:
        series = self._books.get(native)
        if series is None:
            symbol = self._symbol(native)
            sync = DepthSync(
                restore=partial(self._sink.checkpoint, symbol),
                applied=None if self._on_book is None else partial(self._on_book, symbol),
            )
            sink = self._sink
            series = _BookSeries(sink.rows(Stream.BOOK, symbol), sink.spans(Stream.BOOK, symbol), symbol, sync)
            self._books[native] = series
        return series

    def _symbol(self, native: str) -> Symbol:
        known = self._instruments.symbols.get(native)
        if known is not None:
            return known
        try:
            return spot_symbol(native) if self._spot else futures_symbol(native)
        except InvalidInputError as error:
            raise RejectedFrameError("unknown_symbol", error.message) from None

    def _check_venue(self, trade: wire.Trade | wire.AggregatedTrade) -> None:
        if trade.best_match is not None and not self._spot:
            raise RejectedFrameError("other_venue", "a futures trade has no field M: this is a spot trade")
        if trade.best_match is None and self._spot:
            raise RejectedFrameError("other_venue", "a spot trade has a field M: this is a futures trade")


def _no_spans(_after: int, _last: int, _time: int, _begins: str) -> None:
    """Quotes are numbered, but not one by one: nothing can be told from the numbers between two."""


def _check_positive(*values: float) -> None:
    for value in values:
        if not 0 < value < _INF:
            raise RejectedFrameError("not_positive", "a price or amount is not a positive, finite number")
        if not SMALLEST <= value <= LARGEST:
            raise RejectedFrameError("bad_number", "a price or amount is beyond any market's")


def _check_levels(levels: Sequence[Level]) -> None:
    for price, amount in levels:
        if not (SMALLEST <= price <= LARGEST and 0 <= amount <= LARGEST):
            raise RejectedFrameError("bad_number", "a level of the book is negative or beyond any market's")


def _optional_number(text: str) -> float | None:
    if not text:
        return None
    value = msgspec.convert(text, float, strict=False)
    if not -LARGEST <= value <= LARGEST:
        raise RejectedFrameError("bad_number", "a price or rate is beyond any market's")
    return value
