"""OKX frames → ticks.

| channel | field | meaning | becomes | source |
|---|---|---|---|---|
| `trades`, `trades-all` | `tradeId` | counts up by one; the last one of an aggregate | `id`, `sequence` | OKX, Trades channel |
| | `count` | fills told as one; `trades-all` has none | the numbers seen | the same |
| | `ts` | time of the fill, ms | `exchange_timestamp` | the same |
| | `px`, `sz`, `side` | price; contracts; the taker's side | `price`, `amount`, `side` | the same |
| `books…` | see `book` | | the best 25 levels | OKX, Order book channel |
| `bbo-tbt` | `bids`, `asks` | best level of each side | the quote | the same |
| | `seqId` | number of the book's state | `sequence` | the same |
| `mark-price` | `markPx`, `ts` | | `mark_price` | OKX, Mark price channel |
| `index-tickers` | `idxPx`, `ts` | of the index that the swap is named after | `index_price` | OKX, Index tickers channel |
| `funding-rate` | `fundingRate`, `fundingTime` | settled at that time | `funding_rate`, `next_funding_time` | OKX, Funding rate channel |
| | `ts` | absent until 2023: then the arrival time stands in | `exchange_timestamp` | recordings |
| `open-interest` | `oiCcy`, `ts` | base units | `open_interest` | OKX, Open interest channel |
| REST `instruments` | `ctVal`, `ctMult`, `ctType` | size of a contract | see `contracts` | OKX, Get instruments |

The first frame of trades after a subscription tells of trades made before it (recordings: up to 10 s). Instruments
other than swaps are left out, as are tickers and candles: a ticker is not sent for every change of the best quote.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET

from aperiodic.market import BOOK_DEPTH, InvalidInputError, Stream
from aperiodic.venues.book import Book
from aperiodic.venues.contracts import Contract, UnknownContractError
from aperiodic.venues.events import Numbering, RejectedFrameError, venue_time_us
from aperiodic.venues.okx import messages as wire
from aperiodic.venues.okx.book import BookSync, Outcome
from aperiodic.venues.okx.contracts import instruments_answer, read_contracts
from aperiodic.venues.okx.symbols import okx_symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aperiodic.market import Symbol
    from aperiodic.venues.events import Levels, Row, Sink, SpanRecorder

__all__ = ["OkxMapper"]

_SWAP: Final = "-SWAP"
_ACKNOWLEDGEMENTS: Final = frozenset({"subscribe", "unsubscribe", "login"})
_BOOK_CHANNELS: Final = ("books", "books-l2-tbt", "books50-l2-tbt")
_IGNORED_CHANNELS: Final = (
    *(
        "tickers",
        "books5",
        "books-rpi",
        "candle",
        "mark-price-candle",
        "index-candle",
        "instruments",
        "status",
        "price-limit",
    ),
    *("estimated-price", "opt-summary", "liquidation-orders", "adl-warning", "economic-calendar", "option-trades"),
    *("block-", "public-", "structure-block-", "sprd-", "call-auction-details"),
)


class _Trades:
    """What is remembered of the trades of one channel."""

    __slots__ = ("append", "backlog", "numbering", "see")

    def __init__(self, append: Callable[[Row], None], see: SpanRecorder) -> None:
        self.append = append
        self.see = see
        self.numbering = Numbering()
        self.backlog = (-1, 0)
        """Highest number and latest time of the trades from before the subscription."""


class _Quotes:
    """What is remembered of one swap's best quote."""

    __slots__ = ("append", "contract", "numbering")

    def __init__(self, append: Callable[[Row], None], contract: Contract) -> None:
        self.append = append
        self.contract = contract
        self.numbering = Numbering()


class _Books:
    """One swap's book and the quotes that stand in where no others were recorded."""

    __slots__ = (
        *(
            "append",
            "channel",
            "contract",
            "missed",
            "name",
            "quote",
            "restarts",
            "see",
            "symbol",
            "sync",
            "top",
            "wait",
        ),
        "unknown",
    )

    def __init__(self, channel: str, name: str, contract: Contract, sync: BookSync, sink: Sink) -> None:
        symbol = _symbol(name)
        self.channel = channel
        self.name = name
        self.symbol = symbol
        self.contract = contract
        self.sync = sync
        self.append = sink.rows(Stream.BOOK, symbol)
        self.see = sink.spans(Stream.BOOK, symbol)
        self.quote = sink.rows(Stream.QUOTES, symbol, aggregated=True)
        self.top: tuple[float | None, ...] = (None,) * 4
        self.missed = self.unknown = False
        self.restarts = 0
        self.wait: Callable[[int, bytes], None] | None = None


class OkxMapper:
    """Reads the frames of one recording, in the order they were received."""

    def __init__(
        self,
        sink: Sink,
        contracts: Mapping[str, Contract],
        *,
        recorded_before: Callable[[Symbol, int], bool] = lambda _symbol, _local: False,
        on_book: Callable[[Symbol, int, Book], None] | None = None,
    ) -> None:
        """Begin a recording.

        Args:
            sink: Receives the ticks.
            contracts: Sizes of contracts by OKX' name; the recording may tell more.
            recorded_before: Whether trades of a symbol were recorded before some arrival time (µs): then the first
                ones of this recording carry on from those and are no backlog.
            on_book: Called with symbol, `seqId` (-1 if there is none) and book, in contracts, after every frame that
                was applied to a book.
        """
        self._sink = sink
        self._contracts = dict(contracts)
        self._recorded_before = recorded_before
        self._on_book = on_book
        self._trades: dict[tuple[str, str], _Trades] = {}
        self._quotes: dict[str, _Quotes] = {}
        self._books: dict[str, _Books] = {}
        self._states: dict[tuple[Stream, str], Callable[[Row], None]] = {}
        self._whole_market: dict[str, Callable[[int, msgspec.Raw], None]] = {
            "mark-price": self._mark_prices,
            "index-tickers": self._index_prices,
            "funding-rate": self._funding_rates,
            "open-interest": self._open_interests,
        }

    def read(self, local: int, frame: bytes) -> None:
        """Read one frame.

        Args:
            local: Arrival time, µs.
            frame: Text as it was received.

        Raises:
            RejectedFrameError: The frame makes no tick because it is malformed or unknown.
            UnknownContractError: A swap's amounts cannot be told, because the size of its contract is not known.
        """
        if frame.rstrip() == b"pong":
            self._sink.count("ignored", "pong")
            return
        try:
            envelope = wire.ENVELOPE.decode(frame)
            if envelope.event:
                kind = "acknowledgement" if envelope.event in _ACKNOWLEDGEMENTS else envelope.event[:100]
                self._sink.count("ignored", kind)
            elif envelope.data is UNSET and envelope.code:
                self._sink.count("ignored", "error")
            elif envelope.data is UNSET:
                raise RejectedFrameError("unknown_frame", "the frame has no data")
            elif envelope.channel is None:
                self._learn(envelope.data)
            else:
                self._channel(local, envelope.channel, envelope.action, envelope.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise RejectedFrameError("malformed", str(error)[:200]) from None

    def books(self) -> Iterator[tuple[Symbol, int, Book]]:
        """Yield every numbered book that is known, with its symbol and the number of its last frame."""
        for series in self._books.values():
            if series.sync.book is not None and series.sync.last is not None:
                yield series.symbol, series.sync.last, series.sync.book

    @property
    def verified(self) -> dict[str, int]:
        """Book frames whose checksum agreed, by OKX' name of the swap."""
        return {name: series.sync.verified for name, series in self._books.items()}

    def _learn(self, data: msgspec.Raw) -> None:
        self._contracts |= read_contracts(data)
        self._sink.count("ignored", "instruments")

    def _channel(self, local: int, channel: wire.Channel, action: str, data: msgspec.Raw) -> None:
        kind, name = channel.name, channel.instrument
        whole_market = self._whole_market.get(kind)
        if whole_market is not None:
            whole_market(local, data)
        elif kind not in {"trades", "trades-all", "bbo-tbt", *_BOOK_CHANNELS}:
            if not kind.startswith(_IGNORED_CHANNELS):
                raise RejectedFrameError("unknown_channel", f"the channel {kind[:100]!r} is not known")
            self._sink.count("ignored", kind[:100])
        elif not name.endswith(_SWAP):
            self._sink.count("ignored", "other_instrument")
        elif kind == "bbo-tbt":
            self._quote(local, name, data)
        elif kind in _BOOK_CHANNELS:
            self._book(local, kind, name, action, data)
        else:
            self._trade(local, kind, name, data)

    def _trade(self, local: int, kind: str, name: str, data: msgspec.Raw) -> None:
        trades = wire.TRADES.decode(data)
        contract = self._contract(name)
        series = self._trades.get((kind, name))
        if series is None:
            symbol, aggregated = _symbol(name), kind == "trades"
            series = self._trades[kind, name] = _Trades(
                self._sink.rows(Stream.TRADES, symbol, aggregated=aggregated),
                self._sink.spans(Stream.TRADES, symbol, aggregated=aggregated),
            )
            if not self._recorded_before(symbol, local):
                # Once a recording from before is imported, importing this one again keeps them.
                self._sink.note(f"backlog_dropped:{symbol}:{local}")
                series.backlog = max(((trade.number, trade.time) for trade in trades), default=(-1, 0))
        for trade in trades:
            if trade.number <= series.backlog[0] and trade.time <= series.backlog[1]:
                self._sink.count("ignored", "backlog_trade")
                continue
            time, number = venue_time_us(trade.time), trade.number
            restarts = series.numbering.restarts(number, time)
            if restarts:
                self._sink.note("sequence_reset")
            series.see(number - trade.count, number, time, "sequence_reset" if restarts else "not_recorded")
            amount = contract.base(trade.contracts, trade.price)
            series.append((time, local, str(number), trade.side, trade.price, amount, number))

    def _quote(self, local: int, name: str, data: msgspec.Raw) -> None:
        frames = wire.BOOK.decode(data)
        series = self._quotes.get(name)
        if series is None:
            series = _Quotes(self._sink.rows(Stream.QUOTES, _symbol(name)), self._contract(name))
            self._quotes[name] = series
        for frame in frames:
            best = [value for side in (frame.bids, frame.asks) for value in (side[0][:2] if side else (None, None))]
            time = venue_time_us(frame.time)
            if frame.number is not None:
                highest = series.numbering.last
                if series.numbering.restarts(frame.number, time):
                    self._sink.note("sequence_reset")
                elif frame.number == highest:
                    self._sink.count("duplicate", Stream.QUOTES)
            row = (time, local, *series.contract.base_levels(best), frame.number)
            series.append(row)

    def _book(self, local: int, kind: str, name: str, action: str, data: msgspec.Raw) -> None:
        series = self._books.get(name)
        frames = wire.BOOK.decode(data)
        if series is None:
            sync = BookSync(restore=partial(self._restore, name))
            series = self._books[name] = _Books(kind, name, self._contract(name), sync, self._sink)
        if series.channel != kind:
            # Each channel numbers its own frames: their chains cannot be mixed.
            self._sink.count("ignored", "other_book_channel")
            return
        if action == "answer":
            for frame in frames:
                series.sync.seed(frame)
            self._sink.count("ignored", "snapshot")
            return
        if action not in {"snapshot", "update"}:
            raise RejectedFrameError("unknown_frame", f"the action {action[:100]!r} is not known")
        begins = action == "snapshot"
        checked = series.sync.checks or (begins and any(frame.checksum for frame in frames))
        texts = wire.BOOK_TEXTS.decode(data) if checked else [None] * len(frames)
        unknown = False
        for frame, text in zip(frames, texts, strict=True):
            time = venue_time_us(frame.time)
            outcome = series.sync.snapshot(frame, text) if begins else series.sync.update(frame, text)
            unknown |= not self._applied(local, time, series, frame, outcome) and outcome is Outcome.UNKNOWN
        if unknown and series.wait is not None:
            series.wait(local, _book_frame(kind, name, action, data))

    def _restore(self, name: str, number: int) -> Levels | None:
        series = self._books[name]
        levels = self._sink.checkpoint(series.symbol, number)
        if levels is not None:
            book = Book(levels)
            series.top = book.top
        return levels

    def _applied(self, local: int, time: int, series: _Books, frame: wire.BookFrame, outcome: Outcome) -> bool:
        sync = series.sync
        book = sync.book
        if book is None or outcome not in {Outcome.CHANGED, Outcome.APPLIED}:
            self._not_applied(local, series, frame, outcome)
            return False
        if series.unknown:
            series.unknown = False
            self._sink.book_known(series.symbol, local)
        number = frame.number
        if number is not None:
            self._number(series, number, frame.previous, time)
        series.wait = None
        if outcome is Outcome.CHANGED:
            series.append((time, local, *series.contract.base_levels(book.best), BOOK_DEPTH, number))
        top = book.top
        if top != series.top:
            series.top = top
            series.quote((time, local, *series.contract.base_levels(top), number))
        if self._on_book is not None:
            self._on_book(series.symbol, -1 if number is None else number, book)
        return True

    def _number(self, series: _Books, number: int, previous: int | None, time: int) -> None:
        restarts = series.restarts != series.sync.restarts
        if restarts:
            # The frame carries on from the one before, but its number does not.
            series.restarts, previous = series.sync.restarts, None
            self._sink.note("sequence_reset")
        begins = "sequence_reset" if restarts else "no_snapshot" if series.missed else "not_recorded"
        series.see(number - 1 if previous is None or previous < 0 else previous, number, time, begins)

    def _not_applied(self, local: int, series: _Books, frame: wire.BookFrame, outcome: Outcome) -> None:
        if outcome is Outcome.HEARTBEAT:
            self._sink.count("ignored", "heartbeat")
        elif outcome is Outcome.REPEATED:
            self._sink.count("duplicate", Stream.BOOK)
        elif outcome is Outcome.MISMATCH:
            series.missed = series.unknown = True
            self._sink.book_unknown(series.symbol, local, "checksum_mismatch")
            self._sink.count("ignored", "checksum_mismatch")
            self._sink.note("checksum_mismatch")
        else:
            if not series.missed and outcome is Outcome.UNKNOWN and frame.previous is not None:
                series.wait = self._sink.wait(series.symbol, frame.previous)
                if series.wait is not None:
                    series.wait(0, instruments_answer(series.name, series.contract))
            self._sink.book_unknown(
                series.symbol, local, "sequence_break" if outcome is Outcome.BREAK else "no_snapshot"
            )
            series.missed = series.unknown = True
            self._sink.count("ignored", "update_of_unknown_book")

    def _mark_prices(self, local: int, data: msgspec.Raw) -> None:
        for mark in wire.MARK_PRICES.decode(data):
            if (append := self._state(Stream.MARK_PRICE, mark.instrument)) is not None:
                append((venue_time_us(mark.time), local, mark.price, None))

    def _index_prices(self, local: int, data: msgspec.Raw) -> None:
        for index in wire.INDEX_PRICES.decode(data):
            name = index.index + _SWAP
            if self._contracts and name not in self._contracts:
                # Not every index has a swap.
                self._sink.count("ignored", "other_instrument")
            elif (append := self._state(Stream.INDEX_PRICE, name)) is not None:
                append((venue_time_us(index.time), local, index.price, None))

    def _funding_rates(self, local: int, data: msgspec.Raw) -> None:
        for funding in wire.FUNDING_RATES.decode(data):
            append = self._state(Stream.FUNDING_RATE, funding.instrument)
            if append is None:
                continue
            if not funding.rate:
                self._sink.count("ignored", "funding_without_rate")
                continue
            rate = msgspec.convert(funding.rate, float, strict=False)
            if not -1 < rate < 1:
                raise RejectedFrameError("bad_number", "the funding rate is not between -1 and 1")
            if funding.time is None:
                self._sink.note("modelled_exchange_time")
            time = local if funding.time is None else venue_time_us(funding.time)
            append((time, local, rate, venue_time_us(funding.funding_time), None))

    def _open_interests(self, local: int, data: msgspec.Raw) -> None:
        for interest in wire.OPEN_INTERESTS.decode(data):
            if (append := self._state(Stream.OPEN_INTEREST, interest.instrument)) is not None:
                append((venue_time_us(interest.time), local, interest.amount, None))

    def _state(self, stream: Stream, name: str) -> Callable[[Row], None] | None:
        if not name.endswith(_SWAP):
            self._sink.count("ignored", "other_instrument")
            return None
        append = self._states.get((stream, name))
        if append is None:
            append = self._states[stream, name] = self._sink.rows(stream, _symbol(name))
        return append

    def _contract(self, name: str) -> Contract:
        contract = self._contracts.get(name)
        if contract is None:
            raise UnknownContractError(name)
        return contract


def _book_frame(kind: str, name: str, action: str, data: msgspec.Raw) -> bytes:
    return msgspec.json.encode({"arg": {"channel": kind, "instId": name}, "action": action, "data": data})


def _symbol(name: str) -> Symbol:
    try:
        return okx_symbol(name)
    except InvalidInputError as error:
        raise RejectedFrameError("unknown_symbol", error.message) from None
