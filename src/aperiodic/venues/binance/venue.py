"""Binance as venues: USD-margined futures and spot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from aperiodic.market import Exchange, Stream, Symbol
from aperiodic.venues.binance.archives import FUTURES_ARCHIVES, SPOT_ARCHIVES
from aperiodic.venues.binance.instruments import read_listed, read_symbols
from aperiodic.venues.binance.protocol import FUTURES_FEED, SPOT_FEED
from aperiodic.venues.binance.symbols import futures_symbol, spot_symbol
from aperiodic.venues.venue import DerivativeHabits, Habits, Instruments, Venue, not_traded

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.market.instrument import Instrument
    from aperiodic.venues.binance.mapper import BinanceMapper
    from aperiodic.venues.book import Book
    from aperiodic.venues.events import Sink

__all__ = ["BINANCE", "BINANCE_FUTURES"]

_LISTING: Final = b'"baseAsset"'
_NUMBERED: Final = frozenset({Stream.TRADES, Stream.QUOTES, Stream.BOOK})


class _Binance(Venue):
    """What both markets have in common."""

    numbered = _NUMBERED
    forms = (frozenset({"stream", "data"}), frozenset({"e", "E", "s"}))

    def mapper(
        self,
        sink: Sink,
        instruments: Instruments,
        *,
        recorded_before: Callable[[Symbol, int], bool] = lambda _symbol, _local: False,
        on_book: Callable[[Symbol, int, Book], None] | None = None,
    ) -> BinanceMapper:
        """Begin a recording; the first trades after a subscription are no backlog here."""
        from aperiodic.venues.binance.mapper import BinanceMapper  # noqa: PLC0415 (it loads what compiles its kernels)

        del recorded_before
        return BinanceMapper(self.exchange, sink, instruments, on_book=on_book)

    def response_frame(self, url: str, body: bytes) -> bytes | None:
        """Return an answer to `depth` with its symbol, and those to `exchangeInfo` and `openInterest` as they are."""
        address = urlsplit(url)
        if address.path.endswith(("/exchangeInfo", "/openInterest")):
            return body
        if not self.answers_book(url):
            return None
        name = parse_qs(address.query).get("symbol", [""])[0].lower()
        return msgspec.json.encode({"stream": f"{name}@depthSnapshot", "data": msgspec.Raw(body)})

    def answers_book(self, url: str) -> bool:
        """Whether it is one of `depth`."""
        return urlsplit(url).path.endswith("/depth")

    def instruments(self, body: bytes) -> Instruments | None:
        """Read an answer to `exchangeInfo`."""
        return read_symbols(body, spot=self._spot) if _LISTING in body else None

    def listed(self, body: bytes) -> list[Instrument] | None:
        """Read an answer to `exchangeInfo`."""
        return read_listed(body, spot=self._spot) if _LISTING in body else None

    @property
    def _spot(self) -> bool:
        return self.exchange is Exchange.BINANCE


class _Futures(_Binance):
    exchange = Exchange.BINANCE_FUTURES
    label = "Binance USD-M futures"
    streams = tuple(Stream)
    tardis = "binance-futures"
    feed = FUTURES_FEED
    archives = FUTURES_ARCHIVES
    habits = Habits(3_500.0, derivatives=DerivativeHabits(1_000, 1_000, 8, one_message=True))

    def symbol(self, native: str) -> Symbol:
        """Split `BTCUSDT` or `BTCUSDT_260327`."""
        return futures_symbol(native)

    def native(self, symbol: Symbol) -> str:
        """Write `BTCUSDT` or `BTCUSDT_260327`."""
        if symbol.kind == "spot" or symbol.inverse:
            raise not_traded(self.exchange, symbol)
        return f"{symbol.base}{symbol.quote}" + (f"_{symbol.delivery:%y%m%d}" if symbol.delivery else "")


class _Spot(_Binance):
    exchange = Exchange.BINANCE
    label = "Binance spot"
    streams = (Stream.TRADES, Stream.QUOTES, Stream.BOOK)
    modelled = frozenset({Stream.QUOTES})
    tardis = "binance"
    feed = SPOT_FEED
    archives = SPOT_ARCHIVES
    habits = Habits(4_000.0, extra_spread=4.0, tick_refinement=1)

    def symbol(self, native: str) -> Symbol:
        """Split `BTCUSDT`."""
        return spot_symbol(native)

    def native(self, symbol: Symbol) -> str:
        """Write `BTCUSDT`."""
        if symbol.kind != "spot":
            raise not_traded(self.exchange, symbol)
        return f"{symbol.base}{symbol.quote}"


BINANCE_FUTURES: Final = _Futures()
BINANCE: Final = _Spot()
