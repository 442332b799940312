"""Hyperliquid as a venue: perpetuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aperiodic.market import Exchange, Stream, Symbol
from aperiodic.venues.hyperliquid.archives import HYPERLIQUID_ARCHIVES
from aperiodic.venues.hyperliquid.instruments import read_listed
from aperiodic.venues.hyperliquid.protocol import FEED
from aperiodic.venues.hyperliquid.symbols import coin_symbol
from aperiodic.venues.venue import DerivativeHabits, Habits, Instruments, Venue, not_traded

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.market.instrument import Instrument
    from aperiodic.venues.book import Book
    from aperiodic.venues.events import Sink
    from aperiodic.venues.hyperliquid.mapper import HyperliquidMapper

__all__ = ["HYPERLIQUID_PERPS"]


class _Hyperliquid(Venue):
    exchange = Exchange.HYPERLIQUID_PERPS
    label = "Hyperliquid perpetuals"
    streams = tuple(Stream)
    numbered = frozenset[Stream]()
    modelled = frozenset({Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST})
    tardis = "hyperliquid"
    archives = HYPERLIQUID_ARCHIVES
    forms = (frozenset({"channel", "data"}),)
    feed = FEED
    habits = Habits(
        60_000.0,
        book_every_ms=500,
        book_levels=20,
        extra_spread=0.2,
        tick_refinement=-1,
        derivatives=DerivativeHabits(3_000, 3_000, 1, one_message=True),
    )

    def symbol(self, native: str) -> Symbol:
        """Read `BTC`."""
        return coin_symbol(native)

    def native(self, symbol: Symbol) -> str:
        """Write `BTC`."""
        if symbol.kind != "perpetual":
            raise not_traded(self.exchange, symbol)
        return symbol.base

    def mapper(
        self,
        sink: Sink,
        instruments: Instruments,
        *,
        recorded_before: Callable[[Symbol, int], bool] = lambda _symbol, _local: False,
        on_book: Callable[[Symbol, int, Book], None] | None = None,
    ) -> HyperliquidMapper:
        """Begin a recording; every frame tells a whole book, so there is none to be watched."""
        from aperiodic.venues.hyperliquid.mapper import HyperliquidMapper  # noqa: PLC0415 (it loads what compiles its kernels)

        del instruments, on_book
        return HyperliquidMapper(sink, recorded_before=recorded_before)

    def listed(self, body: bytes) -> list[Instrument] | None:
        """Read an answer to `meta` or `metaAndAssetCtxs`."""
        return read_listed(body) if b'"universe"' in body else None


HYPERLIQUID_PERPS: Final = _Hyperliquid()
