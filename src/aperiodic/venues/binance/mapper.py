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

from aperiodic.venues.binance import messages as wire
from aperiodic.venues.binance.books import BookReader
from aperiodic.venues.binance.derivatives import DerivativeReader
from aperiodic.venues.binance.instruments import read_symbols
from aperiodic.venues.binance.market import Market
from aperiodic.venues.binance.quotes import QuoteReader
from aperiodic.venues.binance.trades import TradeReader
from aperiodic.venues.events import RejectedFrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aperiodic.market import Exchange, Symbol
    from aperiodic.venues.book import Book
    from aperiodic.venues.events import Sink
    from aperiodic.venues.venue import Instruments

    Handler: TypeAlias = Callable[[int, bytes | msgspec.Raw], None]

__all__ = ["BinanceMapper"]

_MAX_STREAM_NAMES: Final = 10_000
_COMBINED: Final = b'{"stream":"'
_DATA: Final = b'","data":'
_ANY: Final = msgspec.json.Decoder(msgspec.Raw)
_IGNORED_CHANNELS: Final = (
    *("kline_", "continuousKline_", "indexPriceKline_", "markPriceKline_", "ticker", "miniTicker", "avgPrice"),
    *("depth5", "depth10", "depth20", "rpiDepth", "forceOrder", "compositeIndex", "contractInfo", "assetIndex"),
    *("tradingSession", "blockTrade", "referencePrice", "serverShutdown"),
)
_IGNORED_EVENTS: Final = frozenset(
    {
        *("kline", "continuous_kline", "indexPrice_kline", "markPrice_kline", "24hrTicker", "24hrMiniTicker"),
        *("1hTicker", "4hTicker", "1dTicker", "avgPrice", "forceOrder", "compositeIndex", "contractInfo"),
        *("assetIndexUpdate", "serverShutdown", "blockTrade", "referencePrice", "tradingSession"),
    }
)


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
        self._sink = sink
        self._market = market = Market(exchange, sink, instruments)
        self._books = BookReader(market, on_book)
        trades, quotes, derivatives = TradeReader(market), QuoteReader(market), DerivativeReader(market)
        self._by_stream: dict[bytes, Handler] = {}
        self._by_channel: dict[str, Handler] = {
            "trade": trades.trade,
            "aggTrade": trades.aggregated,
            "bookTicker": quotes.quote,
            "!bookTicker": quotes.quote,
            "depth": self._books.depth,
            "markPrice": derivatives.mark_price,
            "!markPrice": derivatives.mark_prices,
            "openInterest": derivatives.open_interest,
        }
        self._by_event: dict[str, Handler] = {
            "trade": trades.trade,
            "aggTrade": trades.aggregated,
            "bookTicker": quotes.quote,
            "depthUpdate": self._books.depth,
            "markPriceUpdate": derivatives.mark_price,
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
            if not self._read_plain(local, frame):
                self._read_any(local, frame)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RejectedFrameError("malformed", str(error)[:200]) from None

    def books(self) -> Iterator[tuple[Symbol, int, Book]]:
        """Yield every book that is known, with its symbol and the number of its last update."""
        return self._books.books()

    def _read_plain(self, local: int, frame: bytes) -> bool:
        """Read a frame `{"stream":"…","data":…}` of a stream seen before; return False if it is another one.

        Readers decode before they do anything else: what cannot be decoded here was left as it is.
        """
        if not frame.startswith(_COMBINED):
            return False
        end = frame.find(b'"', len(_COMBINED))
        handler = self._by_stream.get(frame[len(_COMBINED) : end])
        if handler is None or not frame.startswith(_DATA, end) or not frame.endswith(b"}"):
            return False
        try:
            handler(local, frame[end + len(_DATA) : -1])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return True

    def _read_any(self, local: int, frame: bytes) -> None:
        envelope = wire.ENVELOPE.decode(frame)
        if envelope.data is not UNSET and envelope.stream:
            name = envelope.stream.encode()
            (self._by_stream.get(name) or self._route(envelope.stream, name))(local, envelope.data)
        else:
            self._bare(envelope)(local, frame)

    def _route(self, stream: str, name: bytes) -> Handler:
        head, _, rest = stream.partition("@")
        channel = head if head.startswith("!") else rest.partition("@")[0]
        handler = self._by_channel.get(channel)
        if handler is None and channel == "depthSnapshot":
            handler = partial(self._books.snapshot, native=head.upper())
        elif handler is None and channel.removeprefix("!").startswith(_IGNORED_CHANNELS):
            handler = partial(self._ignore, channel)
        if handler is None:
            raise RejectedFrameError("unknown_channel", f"the channel {channel[:100]!r} is not known")
        if len(self._by_stream) >= _MAX_STREAM_NAMES:
            self._by_stream.clear()
        self._by_stream[name] = handler
        return handler

    def _bare(self, envelope: wire.Envelope) -> Handler:
        handler: Handler | None = None
        if envelope.event:
            handler = self._by_event.get(envelope.event)
        elif envelope.last_update_id is not UNSET:
            handler = self._books.snapshot
        elif envelope.open_interest is not UNSET:
            handler = self._by_channel["openInterest"]
        elif envelope.best_bid_amount is not UNSET:
            handler = self._by_channel["bookTicker"]
        elif envelope.symbols is not UNSET:
            handler = self._learn
        elif envelope.error is not UNSET or envelope.code is not UNSET:
            handler = partial(self._ignore, "error")
        elif envelope.request_id is not UNSET:
            handler = partial(self._ignore, "acknowledgement")
        if handler is None:
            raise RejectedFrameError("unknown_frame", f"the event {envelope.event[:100]!r} is not known")
        return handler

    def _ignore(self, kind: str, _local: int, raw: bytes | msgspec.Raw) -> None:
        _ANY.decode(raw)  # a damaged frame is told all the same
        self._sink.count("ignored", kind)

    def _learn(self, _local: int, raw: bytes | msgspec.Raw) -> None:
        self._market.instruments.update(read_symbols(raw, spot=self._market.spot))
        self._sink.count("ignored", "instruments")
