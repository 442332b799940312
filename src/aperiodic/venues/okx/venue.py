"""OKX as a venue: perpetual swaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from aperiodic.market import Exchange, Stream, Symbol
from aperiodic.venues.events import RejectedFrameError
from aperiodic.venues.okx.archives import OKX_ARCHIVES
from aperiodic.venues.okx.contracts import read_contracts
from aperiodic.venues.okx.instruments import read_listed
from aperiodic.venues.okx.protocol import FEED
from aperiodic.venues.okx.symbols import okx_symbol
from aperiodic.venues.venue import DerivativeHabits, Habits, Instruments, Venue, not_traded

if TYPE_CHECKING:
    from collections.abc import Callable

    from aperiodic.market.instrument import Instrument
    from aperiodic.venues.book import Book
    from aperiodic.venues.events import Sink
    from aperiodic.venues.okx.mapper import OkxMapper

__all__ = ["OKX_PERPS"]

_INSTRUMENTS: Final = "/public/instruments"
_BOOK: Final = ("/market/books", "/market/books-full")


class _Body(msgspec.Struct):
    data: msgspec.Raw


_BODY: Final = msgspec.json.Decoder(_Body)


class _Okx(Venue):
    exchange = Exchange.OKX_PERPS
    label = "OKX perpetual swaps"
    streams = tuple(Stream)
    numbered = frozenset({Stream.TRADES, Stream.QUOTES, Stream.BOOK})
    modelled_at_times = frozenset({Stream.FUNDING_RATE})
    tardis = "okex-swap"
    counts_contracts = True
    archives = OKX_ARCHIVES
    forms = (frozenset({"arg", "data"}),)
    feed = FEED
    habits = Habits(7_000.0, derivatives=DerivativeHabits(1_000, 60_000, 8, one_message=False))

    def symbol(self, native: str) -> Symbol:
        """Split `BTC-USDT-SWAP` or `BTC-USDT-260327`."""
        return okx_symbol(native)

    def native(self, symbol: Symbol) -> str:
        """Write `BTC-USDT-SWAP` or `BTC-USDT-260327`."""
        if symbol.kind == "spot":
            raise not_traded(self.exchange, symbol)
        return f"{symbol.base}-{symbol.quote}-" + (f"{symbol.delivery:%y%m%d}" if symbol.delivery else "SWAP")

    def mapper(
        self,
        sink: Sink,
        instruments: Instruments,
        *,
        recorded_before: Callable[[Symbol, int], bool] = lambda _symbol, _local: False,
        on_book: Callable[[Symbol, int, Book], None] | None = None,
    ) -> OkxMapper:
        """Begin a recording."""
        from aperiodic.venues.okx.mapper import OkxMapper  # noqa: PLC0415 (it loads what compiles its kernels)

        return OkxMapper(sink, instruments.contracts, recorded_before=recorded_before, on_book=on_book)

    def response_frame(self, url: str, body: bytes) -> bytes | None:
        """Return an answer to `instruments` as it is, and one to `books` as a frame of the channel."""
        address = urlsplit(url)
        if address.path.endswith(_INSTRUMENTS):
            return body
        if not self.answers_book(url):
            return None
        channel = {"channel": "books", "instId": parse_qs(address.query).get("instId", [""])[0]}
        return msgspec.json.encode({"arg": channel, "action": "answer", "data": _data(body)})

    def answers_book(self, url: str) -> bool:
        """Whether it is one of `books`."""
        return urlsplit(url).path.endswith(_BOOK)

    def instruments(self, body: bytes) -> Instruments | None:
        """Read an answer to `instruments`."""
        return Instruments(contracts=read_contracts(_data(body))) if b'"ctVal"' in body else None

    def listed(self, body: bytes) -> list[Instrument] | None:
        """Read an answer to `instruments`."""
        return read_listed(_data(body)) if b'"ctVal"' in body else None


def _data(body: bytes) -> msgspec.Raw:
    try:
        return _BODY.decode(body).data
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RejectedFrameError("malformed", str(error)[:200]) from None


OKX_PERPS: Final = _Okx()
