"""How Binance writes: USD-M futures and spot.

| simulated tick | streams |
|---|---|
| trade | `@trade`, `@aggTrade` |
| quote | `@bookTicker` |
| book | `@depth@0ms` (spot: none), `@depth@100ms`, `@depth` |
| mark price, index price, funding rate | `@markPrice@1s`, `@markPrice`; `!markPrice@arr@1s` with rows of COIN-M beside it |
| open interest | REST only |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from aperiodic.market import Exchange, Stream
from aperiodic.mock.messages import BookChange
from aperiodic.mock.wire.ladders import Ladders
from aperiodic.mock.wire.model import Said, write
from aperiodic.simulate.instrument import grid_of
from aperiodic.venues import venue_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aperiodic.mock.messages import Times
    from aperiodic.simulate import MarketSpec

__all__ = ["BinanceWire"]

_OPENING: Final = b'{"stream":"'
_TIME_FIELDS: Final = re.compile(rb'"(E|T)":(\d{13,16})\b')
_BOOK_NUMBERS: Final = re.compile(rb'"(U|u|lastUpdateId|pu)":(\d+)')
_NEW_NUMBERS: Final = re.compile(rb'"(U|u|lastUpdateId)":(\d+)')
_DEPTH_CHANNELS: Final = ("depth", "depth@0ms", "depth@100ms", "depth@250ms", "depth@500ms")
_NUMBER: Final = {
    "trade": re.compile(rb'"t":(\d+)'),
    "aggTrade": re.compile(rb'"a":(\d+)'),
    "bookTicker": re.compile(rb'"u":(\d+)'),
    **dict.fromkeys(_DEPTH_CHANNELS, re.compile(rb'"u":(\d+)')),
}
_MATCH_TIME: Final = re.compile(rb'"T":(\d{13,16})\b')
_EVENT_TIME: Final = re.compile(rb'"E":(\d{13,16})\b')
_SPOT_DECIMALS: Final = 8
_LISTED: Final = 1_569_398_400_000
_FAR: Final = 4_133_404_800_000


class _Depth(msgspec.Struct):
    first: int = msgspec.field(name="U")
    last: int = msgspec.field(name="u")
    bids: list[tuple[str, ...]] = msgspec.field(name="b")
    asks: list[tuple[str, ...]] = msgspec.field(name="a")
    event_time: int = msgspec.field(name="E")
    time: int | None = msgspec.field(name="T", default=None)
    previous: int | None = msgspec.field(name="pu", default=None)


class _Combined(msgspec.Struct):
    data: _Depth


class _Whole(msgspec.Struct):
    number: int = msgspec.field(name="lastUpdateId")
    bids: list[tuple[str, ...]]
    asks: list[tuple[str, ...]]
    time: int = msgspec.field(name="T", default=0)


_DEPTH: Final = msgspec.json.Decoder(_Combined)
_WHOLE: Final = msgspec.json.Decoder(_Whole)


class BinanceWire:
    """How one of Binance's markets writes."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._spot = exchange is Exchange.BINANCE
        self._last_depth = ""

    def read(self, frame: bytes) -> Said | None:
        """Tell what a recorded frame is."""
        if frame.startswith(b'{"lastUpdateId"'):
            # Recorders write an answer as it came: it is of the instrument whose changes they record.
            return self._answer(self._last_depth, frame) if self._last_depth else None
        if not frame.startswith(_OPENING):
            return None
        name = frame[len(_OPENING) : frame.index(b'"', len(_OPENING))].decode()
        head, _, channel = name.partition("@")
        native = head.upper()
        found = pattern.search(frame) if (pattern := _NUMBER.get(channel)) else None
        when = (_EVENT_TIME if channel.startswith("markPrice") else _MATCH_TIME).search(frame)
        when = when or _EVENT_TIME.search(frame)
        change = None
        if channel in _DEPTH_CHANNELS:
            self._last_depth = native
            change = self._change(_DEPTH.decode(frame).data)
        number = int(found[1]) if found else None
        return Said(name, native, frame, number, int(when[1]) if when else 0, change)

    def assume(self, native: str) -> None:
        """Take of which instrument answers to `depth` are that name none."""
        self._last_depth = native

    def read_answer(self, url: str, body: bytes) -> Said | None:
        """Tell what a recorded answer to `depth` does."""
        address = urlsplit(url)
        if not address.path.endswith("/depth"):
            return None
        return self._answer(parse_qs(address.query).get("symbol", [""])[0].upper(), body)

    def move(self, frame: bytes, times: Times) -> bytes:
        """Return a frame with `E` and `T` moved, the time of the next funding among them."""
        return _TIME_FIELDS.sub(lambda found: b'"%b":%d' % (found[1], times.exchange(int(found[2]))), frame)

    def lower(self, frame: bytes, by: int) -> bytes:
        """Return a frame with lower `U`, `u`, `pu` and `lastUpdateId`."""
        return _BOOK_NUMBERS.sub(_lowered(by), frame)

    def lower_first(self, frame: bytes, by: int) -> bytes:
        """Return a frame with lower `U` and `u`."""
        return _NEW_NUMBERS.sub(_lowered(by), frame)

    def counts_book(self, stream: str) -> bool:
        """Whether the numbers of a stream are those of the book."""
        return "@depth" in stream or "@bookTicker" in stream

    def encoder(self, spec: MarketSpec) -> BinanceEncoder:
        """Begin to write a simulated instrument."""
        return BinanceEncoder(spec)

    def instruments(self, specs: Sequence[MarketSpec]) -> dict[str, bytes]:
        """Return the answer to `exchangeInfo`."""
        return {"exchangeInfo": write({"timezone": "UTC", "symbols": [self._listed(spec) for spec in specs]})}

    def _answer(self, native: str, body: bytes) -> Said:
        whole = _WHOLE.decode(body)
        change = BookChange(None, whole.number, whole.bids, whole.asks, whole=True, time=whole.time)
        return Said("", native, body, whole.number, whole.time, change)

    def _change(self, depth: _Depth) -> BookChange:
        after = depth.first - 1 if depth.previous is None else depth.previous
        return BookChange(after, depth.last, depth.bids, depth.asks, time=depth.time or depth.event_time)

    def _listed(self, spec: MarketSpec) -> dict[str, Any]:
        symbol, grid = spec.symbol, grid_of(spec.exchange, spec.symbol)
        native = venue_of(spec.exchange).native(symbol)
        tick, step = 10.0**-grid.price_decimals, 10.0**-grid.amount_decimals
        decimals = (_SPOT_DECIMALS, _SPOT_DECIMALS) if self._spot else (grid.price_decimals, grid.amount_decimals)
        listed: dict[str, Any] = {
            "symbol": native,
            "status": "TRADING",
            "baseAsset": symbol.base,
            "quoteAsset": symbol.quote,
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": f"{tick:.{decimals[0]}f}"},
                {"filterType": "LOT_SIZE", "stepSize": f"{step:.{decimals[1]}f}", "minQty": f"{step:.{decimals[1]}f}"},
            ],
        }
        if self._spot:
            return listed | {"isSpotTradingAllowed": True, "permissions": ["SPOT"]}
        return listed | {
            "pair": native,
            "contractType": "PERPETUAL",
            "marginAsset": symbol.settle,
            "underlyingType": "COIN",
            "onboardDate": _LISTED,
            "deliveryDate": _FAR,
        }


class BinanceEncoder:
    """Writes one simulated instrument as Binance does."""

    def __init__(self, spec: MarketSpec) -> None:
        grid = grid_of(spec.exchange, spec.symbol)
        self._spot = spec.exchange is Exchange.BINANCE
        self._native = venue_of(spec.exchange).native(spec.symbol)
        self._name = self._native.lower()
        self._prices = _SPOT_DECIMALS if self._spot else grid.price_decimals
        self._amounts = _SPOT_DECIMALS if self._spot else grid.amount_decimals
        self._ladders = Ladders(self._prices, self._amounts)
        self._last_depth: int | None = None
        self._derivative: dict[Stream, Any] = {}
        self._writers: dict[Stream, Callable[[dict[str, Any]], Iterator[Said]]] = {
            Stream.TRADES: self._trade,
            Stream.QUOTES: self._quote,
            Stream.BOOK: self._book,
            Stream.MARK_PRICE: self._mark,
            Stream.INDEX_PRICE: self._remember_index,
            Stream.FUNDING_RATE: self._remember_funding,
            Stream.OPEN_INTEREST: self._open_interest,
        }

    def write(self, stream: Stream, row: dict[str, Any]) -> Iterator[Said]:
        """Yield the frames that tell of a tick."""
        return self._writers[stream](row)

    def _said(
        self, channel: str, data: dict[str, Any], number: int | None, time: int, change: BookChange | None = None
    ) -> Said:
        name = f"{self._name}@{channel}"
        if not self._spot:
            data["st"] = 1
        return Said(name, self._native, write({"stream": name, "data": data}), number, time, change)

    def _trade(self, row: dict[str, Any]) -> Iterator[Said]:
        time, number = row["exchange_timestamp"] // 1_000, row["sequence"]
        sold = row["side"] == "sell"
        price, amount = f"{row['price']:.{self._prices}f}", f"{row['amount']:.{self._amounts}f}"
        data: dict[str, Any] = {"e": "trade", "E": time + 1, "T": time, "s": self._native, "t": number}
        data |= {"p": price, "q": amount, "m": sold}
        data |= {"M": True} if self._spot else {"X": "MARKET"}
        yield self._said("trade", data, number, time)
        # Every trade is an aggregate of its own.
        data = {"e": "aggTrade", "E": time + 1, "s": self._native, "a": number, "p": price, "q": amount}
        data |= {"f": number, "l": number, "T": time, "m": sold}
        data |= {"M": True} if self._spot else {"nq": amount}
        yield self._said("aggTrade", data, number, time)

    def _quote(self, row: dict[str, Any]) -> Iterator[Said]:
        time, number = row["exchange_timestamp"] // 1_000, row["sequence"]
        values = {
            "b": f"{row['bid_price']:.{self._prices}f}",
            "B": f"{row['bid_amount']:.{self._amounts}f}",
            "a": f"{row['ask_price']:.{self._prices}f}",
            "A": f"{row['ask_amount']:.{self._amounts}f}",
        }
        if self._spot:
            yield self._said("bookTicker", {"u": number, "s": self._native, **values}, number, 0)
            return
        data = {
            "e": "bookTicker",
            "u": number,
            "s": self._native,
            "ps": self._native,
            **values,
            "T": time,
            "E": time + 1,
        }
        yield self._said("bookTicker", data, number, time)

    def _book(self, row: dict[str, Any]) -> Iterator[Said]:
        time, number = row["exchange_timestamp"] // 1_000, row["sequence"]
        bids, asks = self._ladders.changes(row)
        before, self._last_depth = self._last_depth, number
        if before is None:
            whole = BookChange(None, number, bids, asks, whole=True, time=time)
            yield Said("", self._native, b"", number, time, whole)
            return
        data: dict[str, Any] = {"e": "depthUpdate", "E": time, "s": self._native, "U": before + 1, "u": number}
        if not self._spot:
            data |= {"T": time, "ps": self._native, "pu": before}
        data |= {"b": bids, "a": asks}
        change: BookChange | None = BookChange(before, number, bids, asks, time=time)
        channels = ("depth@100ms", "depth") if self._spot else ("depth@0ms", "depth@100ms", "depth")
        for channel in channels:
            yield self._said(channel, data, number, time, change)
            change = None

    def _remember_index(self, row: dict[str, Any]) -> Iterator[Said]:
        self._derivative[Stream.INDEX_PRICE] = row["index_price"]
        return iter(())

    def _remember_funding(self, row: dict[str, Any]) -> Iterator[Said]:
        self._derivative[Stream.FUNDING_RATE] = (row["funding_rate"], row["next_funding_time"])
        return iter(())

    def _mark(self, row: dict[str, Any]) -> Iterator[Said]:
        index, funding = self._derivative.get(Stream.INDEX_PRICE), self._derivative.get(Stream.FUNDING_RATE)
        if index is None or funding is None:
            return
        time = row["exchange_timestamp"] // 1_000
        rate, due = funding
        mark = f"{row['mark_price']:.8f}"
        data = {"e": "markPriceUpdate", "E": time, "s": self._native, "p": mark, "ap": mark, "P": mark}
        data |= {"i": f"{index:.8f}", "r": f"{rate:.8f}", "T": due // 1_000}
        for channel in ("markPrice@1s", "markPrice"):
            yield self._said(channel, dict(data), None, time)
        # COIN-M travels beside it: an inverse contract that must not become a tick.
        foreign = {**data, "s": f"{self._native.removesuffix('USDT')}USD_PERP", "st": 2}
        for rows in ([data | {"st": 1}], [foreign]):
            name = "!markPrice@arr@1s"
            yield Said(name, self._native, write({"stream": name, "data": rows}), None, time)

    def _open_interest(self, row: dict[str, Any]) -> Iterator[Said]:
        time = row["exchange_timestamp"] // 1_000
        data = {"openInterest": f"{row['open_interest']:.{self._amounts}f}", "symbol": self._native, "time": time}
        yield Said(f"openInterest:{self._native}", self._native, write(data), None, time)


def _lowered(by: int) -> Callable[[re.Match[bytes]], bytes]:
    return lambda found: b'"%b":%d' % (found[1], int(found[2]) - by)
