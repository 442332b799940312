"""Small recordings of every venue with all of its streams, from which frames can be withheld."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Final

from aperiodic.market import Exchange, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FIRST: Final = date(2025, 5, 6)
DAYS: Final = 3
DAY_MS: Final = 86_400_000
MINUTE_MS: Final = 60_000
BEGIN_MS: Final = int(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC).timestamp()) * 1000
SYMBOLS: Final = {
    Exchange.BINANCE: Symbol.parse("spot-BTC-USDT"),
    Exchange.BINANCE_FUTURES: Symbol.parse("perpetual-BTC-USDT:USDT"),
    Exchange.OKX_PERPS: Symbol.parse("perpetual-BTC-USDT:USDT"),
    Exchange.HYPERLIQUID_PERPS: Symbol.parse("perpetual-BTC-USDC:USDC"),
}

_CADENCE_MS: Final = 300_000
_FIRST_NUMBER: Final = 1_000
_OKX: Final = "BTC-USDT-SWAP"
INSTRUMENTS: Final = {"instId": _OKX, "instType": "SWAP", "ctVal": "0.01", "ctMult": "1", "ctType": "linear"}


@dataclass(frozen=True, slots=True)
class Frame:
    """A line of a recording: when it arrives, ms since the first midnight, and which streams it is about."""

    at: int
    streams: frozenset[Stream]
    line: bytes

    @property
    def day(self) -> date:
        """The UTC day of its arrival."""
        return FIRST + timedelta(days=self.at // DAY_MS)


def record(exchange: Exchange, seed: int, *, quotes: bool = True) -> list[Frame]:
    """Record three whole days of one instrument with every stream of the venue.

    Args:
        exchange: Venue.
        seed: Decides when frames come.
        quotes: Whether the venue's own quotes are recorded; else they have to be made from the book.
    """
    random = Random(seed)  # noqa: S311 - made-up times
    frames: list[Frame] = []
    for streams, make in _CHANNELS[exchange].items():
        if streams == _QUOTES and not quotes:
            continue
        numbers = count(_FIRST_NUMBER)
        frames += [
            Frame(at, frozenset(streams), _line(at, frame))
            for at in _times(random)
            for frame in make(BEGIN_MS + at - 20, next(numbers))
        ]
    return sorted(frames, key=lambda frame: frame.at)


def _times(random: Random) -> Iterator[int]:
    at = random.randrange(100, 5_000)
    while at < DAYS * DAY_MS:
        yield at
        at += random.randrange(_CADENCE_MS // 2, _CADENCE_MS * 3 // 2)


def _line(at: int, frame: object) -> bytes:
    return f"{(BEGIN_MS + at) * 1000} {json.dumps(frame, separators=(',', ':'))}\n".encode()


def _price(number: int) -> str:
    return f"{50_000 + number % 97}.5"


def _binance(channel: str, event: str, at: int, **data: Any) -> dict[str, Any]:
    return {"stream": f"btcusdt@{channel}", "data": {"e": event, "E": at, "s": "BTCUSDT", **data}}


def _binance_trade(spot: dict[str, Any]) -> Callable[[int, int], list[Any]]:
    return lambda at, number: [
        _binance("trade", "trade", at, t=number, T=at, p=_price(number), q="1", m=number % 2 == 0, **spot)
    ]


def _binance_depth(*, spot: bool) -> Callable[[int, int], list[Any]]:
    def make(at: int, number: int) -> list[Any]:
        chain = {} if spot else {"pu": number - 1, "T": at}
        levels = {"b": [[str(40_000 + number % 31), str(1 + number)]], "a": []}
        frames: list[Any] = [_binance("depth@100ms", "depthUpdate", at, U=number, u=number, **chain, **levels)]
        book = {"bids": [["39000", "1"], *levels["b"]], "asks": [["60000", "1"]]}
        if number == _FIRST_NUMBER:
            frames.insert(0, {"stream": "btcusdt@depthSnapshot", "data": {"lastUpdateId": number - 1, **book}})
        elif number % 10 == 0:
            frames.append({"stream": "btcusdt@depthSnapshot", "data": {"lastUpdateId": number, **book}})
        return frames

    return make


def _binance_quote(at: int, number: int) -> list[Any]:
    sides = {"b": "40000", "B": str(number), "a": "60000", "A": "1"}
    return [_binance("bookTicker", "bookTicker", at, u=number, T=at, **sides)]


def _spot_quote(_at: int, number: int) -> list[Any]:
    sides = {"b": "40000", "B": str(number), "a": "60000", "A": "1"}
    return [{"stream": "btcusdt@bookTicker", "data": {"u": number, "s": "BTCUSDT", **sides}}]


def _binance_mark(at: int, number: int) -> list[Any]:
    rate = {"r": f"0.0001{number % 10}", "T": at + DAY_MS}
    return [_binance("markPrice@1s", "markPriceUpdate", at, p=_price(number), i=_price(number + 1), **rate)]


def _binance_interest(at: int, number: int) -> list[Any]:
    return [{"stream": "btcusdt@openInterest", "data": {"symbol": "BTCUSDT", "openInterest": str(number), "time": at}}]


def _okx(channel: str, name: str = _OKX, **fields: str) -> Callable[[int, int], list[Any]]:
    def make(at: int, number: int) -> list[Any]:
        row = {"instId": name, "ts": str(at)} | {key: text.format(number=number, at=at) for key, text in fields.items()}
        return [{"arg": {"channel": channel, "instId": name}, "data": [row]}]

    return make


def _okx_book(at: int, number: int) -> list[Any]:
    def frame(action: str, previous: int) -> dict[str, Any]:
        levels = {"bids": [["40000", str(number), "0", "1"]], "asks": [["60000", "1", "0", "1"]]}
        numbers = {"seqId": number, "prevSeqId": previous, "checksum": 0, "ts": str(at)}
        return {"arg": {"channel": "books", "instId": _OKX}, "action": action, "data": [levels | numbers]}

    return [frame("snapshot", -1)] if number % 10 == 0 else [frame("update", number - 1)]


def _hyperliquid(channel: str, make: Callable[[int, int], Any]) -> Callable[[int, int], list[Any]]:
    return lambda at, number: [{"channel": channel, "data": make(at, number)}]


def _levels(number: int) -> list[Any]:
    return [{"px": "40000", "sz": str(number), "n": 1}, {"px": "60000", "sz": "1", "n": 1}]


_TRADES: Final = (Stream.TRADES,)
_QUOTES: Final = (Stream.QUOTES,)
_BOOK: Final = (Stream.BOOK,)
_MARK: Final = (Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.FUNDING_RATE)
_CHANNELS: Final[Mapping[Exchange, Mapping[tuple[Stream, ...], Callable[[int, int], list[Any]]]]] = {
    Exchange.BINANCE: {
        _TRADES: _binance_trade({"M": True}),
        _QUOTES: _spot_quote,
        _BOOK: _binance_depth(spot=True),
    },
    Exchange.BINANCE_FUTURES: {
        _TRADES: _binance_trade({"X": "MARKET"}),
        _QUOTES: _binance_quote,
        _BOOK: _binance_depth(spot=False),
        _MARK: _binance_mark,
        (Stream.OPEN_INTEREST,): _binance_interest,
    },
    Exchange.OKX_PERPS: {
        _TRADES: _okx("trades-all", tradeId="{number}", px="50000", sz="{number}", side="buy"),
        _QUOTES: lambda at, number: [
            {
                "arg": {"channel": "bbo-tbt", "instId": _OKX},
                "data": [
                    {
                        "bids": [["40000", str(number), "0", "1"]],
                        "asks": [["60000", "1", "0", "1"]],
                        "ts": str(at),
                        "seqId": number,
                    }
                ],
            }
        ],
        _BOOK: _okx_book,
        (Stream.MARK_PRICE,): _okx("mark-price", markPx="5{number}"),
        (Stream.INDEX_PRICE,): _okx("index-tickers", "BTC-USDT", idxPx="5{number}"),
        (Stream.FUNDING_RATE,): _okx("funding-rate", fundingRate="0.000{number}", fundingTime="{at}"),
        (Stream.OPEN_INTEREST,): _okx("open-interest", oiCcy="{number}"),
    },
    Exchange.HYPERLIQUID_PERPS: {
        _TRADES: _hyperliquid(
            "trades",
            lambda at, number: [
                {
                    "coin": "BTC",
                    "side": "A",
                    "px": _price(number),
                    "sz": "1",
                    "time": at,
                    "tid": number * 7919 % 100_003,
                }
            ],
        ),
        _QUOTES: _hyperliquid("bbo", lambda at, number: {"coin": "BTC", "time": at, "bbo": _levels(number)}),
        _BOOK: _hyperliquid(
            "l2Book",
            lambda at, number: {"coin": "BTC", "time": at, "levels": [[level] for level in _levels(number)]},
        ),
        (*_MARK, Stream.OPEN_INTEREST): _hyperliquid(
            "activeAssetCtx",
            lambda _at, number: {
                "coin": "BTC",
                "ctx": {
                    "markPx": _price(number),
                    "oraclePx": _price(number),
                    "funding": f"0.0000{number}",
                    "openInterest": str(number),
                },
            },
        ),
    },
}
