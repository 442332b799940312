"""How Hyperliquid writes. A stream is named `type:coin`, the fast book `l2Book.fast:coin`.

| simulated tick | streams |
|---|---|
| trade | `trades` |
| quote | `bbo` |
| book | `l2Book` every 5.4 s with 20 levels, `l2Book … fast` at every tick (0.5 s) with 5 |
| mark price, index price, funding rate, open interest | `activeAssetCtx`, at every mark price |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from aperiodic.market import Exchange, Stream
from aperiodic.mock.messages import BookChange
from aperiodic.mock.wire.ladders import Ladders
from aperiodic.mock.wire.model import Said, write
from aperiodic.simulate.instrument import grid_of
from aperiodic.venues import venue_of
from aperiodic.venues.hyperliquid.channels import FAST_BOOK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aperiodic.mock.messages import Times
    from aperiodic.simulate import MarketSpec

__all__ = ["HyperliquidWire"]

_TIME: Final = re.compile(rb'"time":(\d{13})\b')
_TRADE_ID: Final = re.compile(rb'"tid":(\d+)')
_SLOW_EVERY_MS: Final = 5_400
_SLOW_LEVELS: Final = 20
_FAST_LEVELS: Final = 5


class _Level(msgspec.Struct):
    price: str = msgspec.field(name="px")
    amount: str = msgspec.field(name="sz")
    orders: int = msgspec.field(name="n", default=1)


class _Data(msgspec.Struct):
    coin: str = ""
    levels: tuple[list[_Level], list[_Level]] | None = None
    fast: bool = False
    time: int = 0


class _Channel(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw()


class _Trade(msgspec.Struct):
    coin: str


_CHANNEL: Final = msgspec.json.Decoder(_Channel)
_DATA: Final = msgspec.json.Decoder(_Data)
_TRADES: Final = msgspec.json.Decoder(list[_Trade])
_OF_A_COIN: Final = frozenset({"l2Book", "bbo", "activeAssetCtx"})


class HyperliquidWire:
    """How Hyperliquid writes."""

    exchange = Exchange.HYPERLIQUID_PERPS

    def read(self, frame: bytes) -> Said | None:
        """Tell what a recorded frame is."""
        outside = _CHANNEL.decode(frame)
        name, raw = outside.channel, outside.data
        when = max(map(int, _TIME.findall(frame)), default=0)
        if not bytes(raw):
            return None
        if name == "trades":
            trades = _TRADES.decode(raw)
            ids = _TRADE_ID.findall(frame)
            return Said(f"trades:{trades[0].coin}", trades[0].coin, frame, int(ids[-1]), when) if trades else None
        if name not in _OF_A_COIN:
            return None
        data = _DATA.decode(raw)
        stream = f"{FAST_BOOK if data.fast else name}:{data.coin}"
        change = None
        if data.levels is not None and not data.fast:
            bids, asks = ([(level.price, level.amount, str(level.orders)) for level in side] for side in data.levels)
            change = BookChange(None, None, bids, asks, whole=True, time=data.time)
        return Said(stream, data.coin, frame, None, when, change)

    def assume(self, native: str) -> None:
        """Do nothing: every answer names its instrument."""

    def read_answer(self, url: str, body: bytes) -> Said | None:
        """Return None: books come whole with every frame, answers add nothing."""
        del url, body
        return None

    def move(self, frame: bytes, times: Times) -> bytes:
        """Return a frame with `time` moved."""
        return _TIME.sub(lambda found: b'"time":%d' % times.exchange(int(found[1])), frame)

    def lower(self, frame: bytes, by: int) -> bytes:
        """Return the frame: there are no numbers."""
        del by
        return frame

    def lower_first(self, frame: bytes, by: int) -> bytes:
        """Return the frame: there are no numbers."""
        del by
        return frame

    def counts_book(self, stream: str) -> bool:
        """Whether the numbers of a stream are those of the book."""
        del stream
        return False

    def encoder(self, spec: MarketSpec) -> HyperliquidEncoder:
        """Begin to write a simulated instrument."""
        return HyperliquidEncoder(spec)

    def instruments(self, specs: Sequence[MarketSpec]) -> dict[str, bytes]:
        """Return the answer to `meta`."""
        universe = [
            {
                "name": venue_of(spec.exchange).native(spec.symbol),
                "szDecimals": grid_of(spec.exchange, spec.symbol).amount_decimals,
                "maxLeverage": 40,
                "marginTableId": 40,
            }
            for spec in specs
        ]
        return {"meta": write({"universe": universe, "marginTables": []})}


class HyperliquidEncoder:
    """Writes one simulated instrument as Hyperliquid does."""

    def __init__(self, spec: MarketSpec) -> None:
        grid = grid_of(spec.exchange, spec.symbol)
        self._coin = venue_of(spec.exchange).native(spec.symbol)
        self._prices, self._amounts = grid.price_decimals, grid.amount_decimals
        self._ladders = Ladders(self._prices, self._amounts)
        self._slow_at = -1
        self._context: dict[str, str] = {}

    def write(self, stream: Stream, row: dict[str, Any]) -> Iterator[Said]:
        """Yield the frames that tell of a tick."""
        time = row["exchange_timestamp"] // 1_000
        if stream is Stream.TRADES:
            number = int(row["id"])
            trade = {
                "coin": self._coin,
                "side": "B" if row["side"] == "buy" else "A",
                "px": self._price(row["price"]),
                "sz": f"{row['amount']:.{self._amounts}f}",
                "time": time,
                "hash": f"0x{number:064x}",
                "tid": number,
                "users": [f"0x{0:040x}", f"0x{1:040x}"],
            }
            yield self._said(f"trades:{self._coin}", {"channel": "trades", "data": [trade]}, time, number)
        elif stream is Stream.QUOTES:
            bbo = [self._level(self._price(row[f"{side}_price"]), row[f"{side}_amount"]) for side in ("bid", "ask")]
            data = {"coin": self._coin, "time": time, "bbo": bbo}
            yield self._said(f"bbo:{self._coin}", {"channel": "bbo", "data": data}, time)
        elif stream is Stream.BOOK:
            yield from self._book(row, time)
        else:
            yield from self._state(stream, row)

    def _price(self, value: float) -> str:
        return f"{value:.{max(self._prices, 1)}f}"

    def _level(self, price: str, amount: float) -> dict[str, Any]:
        return {"px": price, "sz": f"{amount:.{self._amounts}f}", "n": 1}

    def _said(
        self, stream: str, frame: dict[str, Any], time: int, number: int | None = None, change: BookChange | None = None
    ) -> Said:
        return Said(stream, self._coin, write(frame), number, time, change)

    def _book(self, row: dict[str, Any], time: int) -> Iterator[Said]:
        texts = [list(self._ladders.levels(row, side).items()) for side in ("bid", "ask")]
        sides = [[{"px": price, "sz": amount, "n": 1} for price, amount in side] for side in texts]
        data = {"coin": self._coin, "time": time, "levels": [side[:_FAST_LEVELS] for side in sides], "fast": True}
        yield self._said(f"{FAST_BOOK}:{self._coin}", {"channel": "l2Book", "data": data}, time)
        bids, asks = ([(price, amount, "1") for price, amount in side[:_SLOW_LEVELS]] for side in texts)
        change = BookChange(None, None, bids, asks, whole=True, time=time)
        if time // _SLOW_EVERY_MS == self._slow_at:
            yield Said("", self._coin, b"", None, time, change)
            return
        self._slow_at = time // _SLOW_EVERY_MS
        data = {"coin": self._coin, "time": time, "levels": [side[:_SLOW_LEVELS] for side in sides]}
        yield self._said(f"l2Book:{self._coin}", {"channel": "l2Book", "data": data}, time, change=change)

    def _state(self, stream: Stream, row: dict[str, Any]) -> Iterator[Said]:
        context = self._context
        if stream is Stream.INDEX_PRICE:
            context["oraclePx"] = f"{row['index_price']:.{self._prices + 2}f}"
        elif stream is Stream.FUNDING_RATE:
            context["funding"] = f"{row['funding_rate']:.10f}"
        elif stream is Stream.OPEN_INTEREST:
            context["openInterest"] = f"{row['open_interest']:.{self._amounts}f}"
        elif stream is Stream.MARK_PRICE:
            context["markPx"] = f"{row['mark_price']:.{self._prices + 2}f}"
            told = {"prevDayPx": context["markPx"], "dayNtlVlm": "0.0", "premium": "0.0", "midPx": context["markPx"]}
            data = {"coin": self._coin, "ctx": {**context, **told}}
            name = "activeAssetCtx"
            yield self._said(f"{name}:{self._coin}", {"channel": name, "data": data}, 0)
