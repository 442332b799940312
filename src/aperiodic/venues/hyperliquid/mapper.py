"""Hyperliquid frames → ticks.

| channel | field | meaning | becomes | source |
|---|---|---|---|---|
| `trades` | `tid` | names a fill; not in order | `id`, no `sequence` | Hyperliquid, WsTrade; recordings |
| | `side` | `B`: the taker bought, `A`: sold | `side` | the same |
| | `px`, `sz`, `time` | price, base units, ms | `price`, `amount`, `exchange_timestamp` | the same |
| `l2Book` | `levels`, `time` | the best 20 bids and asks, whole | the best 25 levels, `depth` 25 | Hyperliquid, WsBook |
| | `fast` | true: a form of its own, the best 5 ten times as often | the best 5 levels, `depth` 5 | measured, 2026 |
| `bbo` | `bbo`, `time` | best bid and ask, null if there is none | the quote | Hyperliquid, WsBbo |
| `activeAssetCtx` | `markPx`, `oraclePx` | no time: the arrival time stands in | `mark_price`, `index_price` | Hyperliquid, WsActiveAssetCtx |
| | `funding` | per hour; when it is settled is not told | `funding_rate` | the same |
| | `openInterest` | base units | `open_interest` | the same |

The first frame of trades after a subscription tells of trades made before it (recordings: 30 trades, up to 49 s).
Coins named `@1` or `PURR/USDC` are spot and left out.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET

from aperiodic.market import BOOK_DEPTH, InvalidInputError, Stream, shown_levels
from aperiodic.venues.book import Book
from aperiodic.venues.events import Levels, RejectedFrameError, venue_time_us
from aperiodic.venues.hyperliquid import messages as wire
from aperiodic.venues.hyperliquid.symbols import coin_symbol

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.market import Symbol
    from aperiodic.venues.events import Row, Sink

__all__ = ["HyperliquidMapper"]

_MAX_REMEMBERED: Final = 100_000
_LEVELS: Final = 20
_FAST_LEVELS: Final = 5
_IGNORED_CHANNELS: Final = frozenset(
    {
        *("subscriptionResponse", "pong", "error", "allMids", "candle", "notification", "activeSpotAssetCtx"),
        *("allDexsAssetCtxs", "fastAssetCtxs", "webData2", "webData3", "explorerBlock", "explorerTxs", "post", "l2"),
        "outcomeMetaUpdates",
    }
)


class _Trades:
    """What is remembered of one coin's trades: the latest ids, to know a fill that is told again."""

    __slots__ = ("_order", "_seen", "append")

    def __init__(self, append: Callable[[Row], None]) -> None:
        self.append = append
        self._seen: set[int] = set()
        self._order: deque[int] = deque()

    def is_new(self, number: int) -> bool:
        """Return whether a fill is told for the first time, and remember it."""
        if number in self._seen:
            return False
        self._seen.add(number)
        self._order.append(number)
        if len(self._order) > _MAX_REMEMBERED:
            self._seen.remove(self._order.popleft())
        return True


class _Books:
    """What is remembered of one coin's book, and the quotes that stand in where no others were recorded."""

    __slots__ = ("append", "best", "quote", "top")

    def __init__(self, append: Callable[[Row], None], quote: Callable[[Row], None]) -> None:
        self.append = append
        self.quote = quote
        nothing: tuple[float | None, ...] = (None,) * (4 * BOOK_DEPTH)
        self.best = {_FAST_LEVELS: nothing, BOOK_DEPTH: nothing}
        self.top: tuple[float | None, ...] = (None,) * 4


class HyperliquidMapper:
    """Reads the frames of one recording, in the order they were received."""

    def __init__(
        self, sink: Sink, *, recorded_before: Callable[[Symbol, int], bool] = lambda _symbol, _local: False
    ) -> None:
        """Begin a recording.

        Args:
            sink: Receives the ticks.
            recorded_before: Whether trades of a symbol were recorded before some arrival time (µs): then the first
                ones of this recording carry on from those and are no backlog.
        """
        self._sink = sink
        self._recorded_before = recorded_before
        self._trades: dict[str, _Trades] = {}
        self._books: dict[str, _Books] = {}
        self._states: dict[tuple[Stream, str], Callable[[Row], None]] = {}
        self._handlers: dict[str, Callable[[int, msgspec.Raw], None]] = {
            "trades": self._trade,
            "l2Book": self._book,
            "bbo": self._quote,
            "activeAssetCtx": self._context,
        }

    def read(self, local: int, frame: bytes) -> None:
        """Read one frame.

        Args:
            local: Arrival time, µs.
            frame: JSON text as it was received.

        Raises:
            RejectedFrameError: The frame makes no tick because it is malformed or unknown.
        """
        try:
            envelope = wire.ENVELOPE.decode(frame)
            handler = self._handlers.get(envelope.channel)
            if handler is not None and envelope.data is not UNSET:
                handler(local, envelope.data)
            elif envelope.channel in _IGNORED_CHANNELS:
                self._sink.count("ignored", envelope.channel)
            else:
                raise RejectedFrameError("unknown_channel", f"the channel {envelope.channel[:100]!r} is not known")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RejectedFrameError("malformed", str(error)[:200]) from None

    @staticmethod
    def books() -> tuple[()]:
        """No book: every frame tells a whole one, so there is nothing to carry on from."""
        return ()

    def _trade(self, local: int, raw: msgspec.Raw) -> None:
        trades = wire.TRADES.decode(raw)
        begins = {trade.coin for trade in trades} - self._trades.keys()
        backlog = {coin for coin in begins if not _is_spot(coin) and self._begin(coin, local)}
        for trade in trades:
            if _is_spot(trade.coin):
                self._sink.count("ignored", "other_instrument")
                continue
            series = self._trades[trade.coin]
            if not series.is_new(trade.number):
                self._sink.count("duplicate", Stream.TRADES)
            elif trade.coin in backlog:
                self._sink.count("ignored", "backlog_trade")
            else:
                side = "buy" if trade.side == "B" else "sell"
                time = venue_time_us(trade.time)
                series.append((time, local, str(trade.number), side, trade.price, trade.amount, None))

    def _begin(self, coin: str, local: int) -> bool:
        """Begin the trades of a coin; return whether the first frame of them is a backlog."""
        symbol = _symbol(coin)
        self._trades[coin] = _Trades(self._sink.rows(Stream.TRADES, symbol))
        if self._recorded_before(symbol, local):
            return False
        # Once a recording from before is imported, importing this one again keeps them.
        self._sink.note(f"backlog_dropped:{symbol}:{local}")
        return True

    def _book(self, local: int, raw: msgspec.Raw) -> None:
        frame = wire.BOOK.decode(raw)
        if _is_spot(frame.coin):
            self._sink.count("ignored", "other_instrument")
            return
        series = self._books.get(frame.coin)
        if series is None:
            symbol, sink = _symbol(frame.coin), self._sink
            series = _Books(sink.rows(Stream.BOOK, symbol), sink.rows(Stream.QUOTES, symbol, aggregated=True))
            self._books[frame.coin] = series
        time = venue_time_us(frame.time)
        bids, asks = ([(level.price, level.amount) for level in side] for side in frame.levels)
        book = Book(Levels(bids, asks))
        best, depth = book.best, _FAST_LEVELS if frame.fast else shown_levels(_LEVELS)
        if best != series.best[depth]:
            series.best[depth] = best
            series.append((time, local, *best, depth, None))
        top = book.top
        if top != series.top:
            series.top = top
            series.quote((time, local, *top, None))

    def _quote(self, local: int, raw: msgspec.Raw) -> None:
        quote = wire.BEST_QUOTE.decode(raw)
        append = self._state(Stream.QUOTES, quote.coin)
        if append is not None:
            bid, ask = (*quote.levels, None, None)[:2]
            values = [value for level in (bid, ask) for value in _price_and_amount(level)]
            append((venue_time_us(quote.time), local, *values, None))

    def _context(self, local: int, raw: msgspec.Raw) -> None:
        asset = wire.ASSET_CONTEXT.decode(raw)
        if _is_spot(asset.coin):
            self._sink.count("ignored", "other_instrument")
            return
        self._sink.note("modelled_exchange_time")
        context = asset.context
        told: tuple[tuple[Stream, float | None, tuple[None, ...]], ...] = (
            (Stream.MARK_PRICE, context.mark_price, ()),
            (Stream.INDEX_PRICE, context.oracle_price, ()),
            (Stream.FUNDING_RATE, context.funding, (None,)),
            (Stream.OPEN_INTEREST, context.open_interest, ()),
        )
        for stream, value, further in told:
            append = None if value is None else self._state(stream, asset.coin)
            if append is not None:
                append((local, local, value, *further, None))

    def _state(self, stream: Stream, coin: str) -> Callable[[Row], None] | None:
        if _is_spot(coin):
            self._sink.count("ignored", "other_instrument")
            return None
        append = self._states.get((stream, coin))
        if append is None:
            append = self._states[stream, coin] = self._sink.rows(stream, _symbol(coin))
        return append


def _is_spot(coin: str) -> bool:
    return coin.startswith("@") or "/" in coin


def _price_and_amount(level: wire.Level | None) -> tuple[float | None, float | None]:
    return (None, None) if level is None else (level.price, level.amount)


def _symbol(coin: str) -> Symbol:
    try:
        return coin_symbol(coin)
    except InvalidInputError as error:
        raise RejectedFrameError("unknown_symbol", error.message) from None
