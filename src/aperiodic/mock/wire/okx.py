"""How OKX writes: perpetual swaps. A stream is named `channel:instrument`.

| simulated tick | streams |
|---|---|
| trade | `trades-all`, `trades` |
| quote | `bbo-tbt` |
| book | `books` |
| mark price, index price, funding rate, open interest | `mark-price`, `index-tickers`, `funding-rate`, `open-interest` |

Amounts are in contracts, each a hundred of the simulation's smallest steps. Recordings of `books-l2-tbt`, which needs
a login now, are also sent as `books`, and those of `trades` as `trades-all`: see `ALIASES`.
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
    from collections.abc import Iterator, Sequence

    from aperiodic.market import Symbol
    from aperiodic.mock.messages import Times
    from aperiodic.simulate import MarketSpec

__all__ = ["ALIASES", "BOOK_CHANNELS", "OkxWire", "renamed"]

BOOK_CHANNELS: Final = frozenset({"books", "books-l2-tbt", "books50-l2-tbt"})

ALIASES: Final = {"books": ("books-l2-tbt",), "trades-all": ("trades",)}
"""What else is sent to those who asked for a channel that a recording does not have."""

_CONTRACT_STEPS: Final = 100
_CONTRACT_DECIMALS: Final = 2
_LISTED: Final = "1611916828000"
_NUMBER: Final = {"trades": re.compile(rb'"tradeId":"(\d+)"'), "books": re.compile(rb'"seqId":(\d+)')}
_TIME: Final = re.compile(rb'"ts":"(\d{13})"')
_TIME_FIELDS: Final = re.compile(rb'"(ts|fundingTime|nextFundingTime)":"(\d{13})"')
_BOOK_NUMBERS: Final = re.compile(rb'"(seqId|prevSeqId)":(\d+)')
_NEW_NUMBERS: Final = re.compile(rb'"(seqId)":(\d+)')


class _Channel(msgspec.Struct):
    channel: str
    instrument: str = msgspec.field(name="instId", default="")


class _Envelope(msgspec.Struct):
    arg: _Channel | None = None
    data: msgspec.Raw = msgspec.Raw()
    action: str = ""
    event: str = ""


class _Book(msgspec.Struct):
    bids: list[tuple[str, ...]]
    asks: list[tuple[str, ...]]
    time: str = msgspec.field(name="ts")
    number: int | None = msgspec.field(name="seqId", default=None)
    previous: int | None = msgspec.field(name="prevSeqId", default=None)


class _BookAnswer(msgspec.Struct):
    data: list[_Book]


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_BOOKS: Final = msgspec.json.Decoder(list[_Book])
_ANSWER: Final = msgspec.json.Decoder(_BookAnswer)


class OkxWire:
    """How OKX writes."""

    exchange = Exchange.OKX_PERPS

    def read(self, frame: bytes) -> Said | None:
        """Tell what a recorded frame is."""
        envelope = _ENVELOPE.decode(frame)
        if envelope.arg is None or envelope.event or not bytes(envelope.data):
            return None
        channel, native = envelope.arg.channel, envelope.arg.instrument
        numbers = _NUMBER["trades"] if channel.startswith("trades") else _NUMBER["books"]
        number, when = numbers.findall(frame), _TIME.search(frame)
        change = None
        if channel in BOOK_CHANNELS:
            change = _change(_BOOKS.decode(envelope.data)[-1], whole=envelope.action == "snapshot")
        last = int(number[-1]) if number else None
        return Said(f"{channel}:{native}", native, frame, last, int(when[1]) if when else 0, change)

    def assume(self, native: str) -> None:
        """Do nothing: every answer names its instrument."""

    def read_answer(self, url: str, body: bytes) -> Said | None:
        """Tell what a recorded answer to `books` does."""
        address = urlsplit(url)
        if not address.path.endswith("/market/books"):
            return None
        native = parse_qs(address.query).get("instId", [""])[0]
        book = _ANSWER.decode(body).data[0]
        change = BookChange(None, book.number, book.bids, book.asks, whole=True, time=int(book.time))
        return Said("", native, body, book.number, change.time, change)

    def move(self, frame: bytes, times: Times) -> bytes:
        """Return a frame with `ts` and the times of funding moved."""
        return _TIME_FIELDS.sub(lambda found: b'"%b":"%d"' % (found[1], times.exchange(int(found[2]))), frame)

    def lower(self, frame: bytes, by: int) -> bytes:
        """Return a frame with lower `seqId` and `prevSeqId`."""
        return _BOOK_NUMBERS.sub(lambda found: b'"%b":%d' % (found[1], int(found[2]) - by), frame)

    def lower_first(self, frame: bytes, by: int) -> bytes:
        """Return a frame with a lower `seqId`."""
        return _NEW_NUMBERS.sub(lambda found: b'"%b":%d' % (found[1], int(found[2]) - by), frame)

    def counts_book(self, stream: str) -> bool:
        """Whether the numbers of a stream are those of the book."""
        return stream.partition(":")[0] in BOOK_CHANNELS | {"bbo-tbt"}

    def encoder(self, spec: MarketSpec) -> OkxEncoder:
        """Begin to write a simulated instrument."""
        return OkxEncoder(spec)

    def instruments(self, specs: Sequence[MarketSpec]) -> dict[str, bytes]:
        """Return the answer to `instruments` for swaps."""
        return {"SWAP": write({"code": "0", "msg": "", "data": [_listed(spec) for spec in specs]})}


class OkxEncoder:
    """Writes one simulated instrument as OKX does."""

    def __init__(self, spec: MarketSpec) -> None:
        grid = grid_of(spec.exchange, spec.symbol)
        self._native = venue_of(spec.exchange).native(spec.symbol)
        self._index = f"{spec.symbol.base}-{spec.symbol.quote}"
        self._prices = grid.price_decimals
        self._base_decimals = max(grid.amount_decimals - _CONTRACT_DECIMALS, 0) + _CONTRACT_DECIMALS
        self._contract = _contract_value(spec)
        self._ladders = Ladders(grid.price_decimals, _CONTRACT_DECIMALS, self._contracts)
        self._last: int | None = None

    def write(self, stream: Stream, row: dict[str, Any]) -> Iterator[Said]:
        """Yield the frames that tell of a tick."""
        time = row["exchange_timestamp"] // 1_000
        ts = str(time)
        if stream is Stream.TRADES:
            yield from self._trade(row, time)
        elif stream is Stream.QUOTES:
            yield self._quote(row, time)
        elif stream is Stream.BOOK:
            yield self._book(row, time)
        elif stream is Stream.MARK_PRICE:
            price = f"{row['mark_price']:.{self._prices + 2}f}"
            yield self._state("mark-price", self._native, {"markPx": price, "ts": ts}, time)
        elif stream is Stream.INDEX_PRICE:
            price = f"{row['index_price']:.{self._prices + 2}f}"
            day = dict.fromkeys(("high24h", "low24h", "open24h", "sodUtc0", "sodUtc8"), price)
            data = {"instId": self._index, "idxPx": price, **day, "ts": ts}
            yield self._frame("index-tickers", self._index, {"data": [data]}, None, time)
        elif stream is Stream.FUNDING_RATE:
            yield self._funding(row, time)
        elif stream is Stream.OPEN_INTEREST:
            base = row["open_interest"]
            data = {"oi": f"{self._contracts(base):.{_CONTRACT_DECIMALS}f}", "oiCcy": f"{base:.{self._base_decimals}f}"}
            yield self._state("open-interest", self._native, {**data, "oiUsd": "0", "ts": ts}, time)

    def _contracts(self, base: float) -> float:
        return base / self._contract

    def _frame(
        self,
        channel: str,
        instrument: str,
        rest: dict[str, Any],
        number: int | None,
        time: int,
        change: BookChange | None = None,
    ) -> Said:
        payload = write({"arg": {"channel": channel, "instId": instrument}, **rest})
        return Said(f"{channel}:{instrument}", self._native, payload, number, time, change)

    def _state(self, channel: str, instrument: str, data: dict[str, Any], time: int) -> Said:
        data = {"instType": "SWAP", "instId": self._native, **data}
        return self._frame(channel, instrument, {"data": [data]}, None, time)

    def _trade(self, row: dict[str, Any], time: int) -> Iterator[Said]:
        data = {
            "instId": self._native,
            "tradeId": str(row["sequence"]),
            "px": f"{row['price']:.{self._prices}f}",
            "sz": f"{self._contracts(row['amount']):.{_CONTRACT_DECIMALS}f}",
            "side": row["side"],
            "source": "0",
            "ts": str(time),
        }
        yield self._frame("trades-all", self._native, {"data": [data]}, row["sequence"], time)
        data |= {"count": "1"}
        yield self._frame("trades", self._native, {"data": [data]}, row["sequence"], time)

    def _quote(self, row: dict[str, Any], time: int) -> Said:
        bid, ask = (
            [f"{row[f'{side}_price']:.{self._prices}f}", f"{self._contracts(row[f'{side}_amount']):.2f}", "0", "1"]
            for side in ("bid", "ask")
        )
        data = {"asks": [ask], "bids": [bid], "ts": str(time), "seqId": row["sequence"]}
        return self._frame("bbo-tbt", self._native, {"data": [data]}, row["sequence"], time)

    def _book(self, row: dict[str, Any], time: int) -> Said:
        number, before = row["sequence"], self._last
        self._last = number
        bids, asks = (
            [[price, amount, "0", "0" if float(amount) == 0 else "1"] for price, amount in side]
            for side in self._ladders.changes(row)
        )
        if before is None:
            whole = BookChange(None, number, bids, asks, whole=True, time=time)
            return Said("", self._native, b"", number, time, whole)
        data = {"asks": asks, "bids": bids, "ts": str(time), "checksum": 0, "seqId": number, "prevSeqId": before}
        change = BookChange(before, number, bids, asks, time=time)
        return self._frame("books", self._native, {"action": "update", "data": [data]}, number, time, change)

    def _funding(self, row: dict[str, Any], time: int) -> Said:
        due = row["next_funding_time"] // 1_000
        data = {
            "fundingRate": f"{row['funding_rate']:.8f}",
            "fundingTime": str(due),
            "nextFundingRate": "",
            "nextFundingTime": str(due + 28_800_000),
            "method": "current_period",
            "formulaType": "withRate",
            "settState": "settled",
            "ts": str(time),
        }
        return self._state("funding-rate", self._native, data, time)


def renamed(frame: bytes, channel: str, other: str) -> bytes:
    """Return a frame of a channel as one of another."""
    return frame.replace(b'"channel":"%b"' % channel.encode(), b'"channel":"%b"' % other.encode(), 1)


def _change(book: _Book, *, whole: bool) -> BookChange:
    previous = None if whole and book.previous is None else book.previous
    return BookChange(previous, book.number, book.bids, book.asks, whole=whole, time=int(book.time))


def _contract_value(spec: MarketSpec) -> float:
    return _CONTRACT_STEPS / 10.0 ** grid_of(spec.exchange, spec.symbol).amount_decimals


def _listed(spec: MarketSpec) -> dict[str, str]:
    symbol: Symbol = spec.symbol
    grid = grid_of(spec.exchange, symbol)
    tick = f"{10.0**-grid.price_decimals:.{grid.price_decimals}f}"
    return {
        "instType": "SWAP",
        "instId": venue_of(spec.exchange).native(symbol),
        "instFamily": f"{symbol.base}-{symbol.quote}",
        "uly": f"{symbol.base}-{symbol.quote}",
        "ctType": "linear",
        "ctVal": f"{_contract_value(spec):.{max(grid.amount_decimals - _CONTRACT_DECIMALS, 0)}f}",
        "ctMult": "1",
        "ctValCcy": symbol.base,
        "settleCcy": symbol.settle or symbol.quote,
        "tickSz": tick,
        "lotSz": "0.01",
        "minSz": "0.01",
        "listTime": _LISTED,
        "expTime": "",
        "state": "live",
        "ruleType": "normal",
    }
