"""A market at any rate, for load: the same book again and again, but for the size of the best bid; and quotes and trades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from aperiodic.market import Exchange, InvalidInputError
from aperiodic.mock.messages import BookChange, Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["LoadSource"]

_LEVEL_BYTES: Final = 20
_SIZES: Final = 5
"""Of the best bid, which come in turn: every update is a tick."""

_MIX: Final = ("quote", "trade", "quote", "book", "quote", "quote", "trade", "quote", "quote", "book")
"""Frames of an instrument in turn, in about the shares in which a busy market sends them."""
_STREAMS: Final = {"book": "depth@0ms", "quote": "bookTicker", "trade": "trade"}

_SECOND_US: Final = 1_000_000
_FIRST: Final = 1_000_000


class LoadSource:
    """Frames of Binance's futures, of as many instruments as wanted.

    Attributes:
        exchange: `binance-futures`.
        waits: True: the plan begins when somebody listens.
    """

    waits = True

    def __init__(
        self, plan: Sequence[tuple[float, float]], *, symbols: int = 50, size: int = 2_000, mixed: bool = False
    ) -> None:
        """Prepare a load.

        Args:
            plan: Seconds and frames a second, one after the other.
            symbols: Instruments that take turns.
            size: Bytes of a depth update, about.
            mixed: Whether quotes and trades come too, eight of ten frames.

        Raises:
            InvalidInputError: `bad_load` for a time or a rate that is not positive.
        """
        if not plan or any(seconds <= 0 or rate <= 0 for seconds, rate in plan) or symbols < 1:
            raise InvalidInputError(
                "A load needs times and rates above 0.", code="bad_load", hint="For example [(60, 5000), (10, 30000)]."
            )
        self.exchange = Exchange.BINANCE_FUTURES
        self._plan = list(plan)
        self._kinds = _MIX if mixed else ("book",)
        self._natives = [f"LOAD{number:03}USDT" for number in range(symbols)]
        levels = max(2, size // (2 * _LEVEL_BYTES) - 4)
        self._bids = [[f"{60_000 - level * 0.1:.2f}", f"{1 + level % 7}.000"] for level in range(levels)]
        self._asks = [[f"{60_000.1 + level * 0.1:.2f}", f"{1 + level % 5}.000"] for level in range(levels)]

    def prepare(self) -> None:
        """Do nothing."""

    def instruments(self) -> Mapping[str, bytes]:
        """Return the answer to `exchangeInfo`."""
        symbols = [
            {"symbol": native, "pair": native, "contractType": "PERPETUAL", "status": "TRADING", "filters": []}
            | {"baseAsset": native.removesuffix("USDT"), "quoteAsset": "USDT", "marginAsset": "USDT"}
            for native in self._natives
        ]
        return {"exchangeInfo": msgspec.json.encode({"symbols": symbols})}

    def natives(self) -> frozenset[str]:
        """Return the instruments."""
        return frozenset(self._natives)

    def streams(self) -> frozenset[str]:
        """Return the streams that are told."""
        named = {_STREAMS[kind] for kind in self._kinds}
        return frozenset(f"{native.lower()}@{name}" for native in self._natives for name in named)

    def begin(self, now: int) -> Iterator[Message]:
        """Tell all that the plan says."""
        for native in self._natives:
            whole = BookChange(None, _FIRST, self._bids, self._asks, whole=True, time=now // 1_000)
            yield Message(now, "", native, b"", _FIRST, 0, whole)
        bests = [[self._bids[0][0], f"{size}.000"] for size in range(1, _SIZES + 1)]
        levels = [msgspec.json.encode({"b": [best, *self._bids[1:]], "a": self._asks})[1:-1] for best in bests]
        heads = [
            (
                native,
                f"{native.lower()}@depth@0ms",
                b'{"stream":"%b@depth@0ms","data":{"e":"depthUpdate","s":"%b","ps":"%b","st":1,'
                % (native.lower().encode(), native.encode(), native.encode()),
            )
            for native in self._natives
        ]
        numbers, trades = [_FIRST] * len(heads), [0] * len(heads)
        turn, count, begin = 0, 0, float(now)
        for seconds, rate in self._plan:
            step = _SECOND_US / rate
            for frame in range(int(seconds * rate)):
                due = int(begin + frame * step)
                (native, stream, head), time = heads[turn], due // 1_000
                kind = self._kinds[count // len(heads) % len(self._kinds)]
                count += 1
                if kind == "quote":
                    yield _quote(native, due, count)
                elif kind == "trade":
                    trades[turn] += 1
                    yield _trade(native, due, trades[turn])
                else:
                    before = numbers[turn]
                    number = numbers[turn] = before + 1
                    tail = b'"E":%d,"T":%d,"U":%d,"u":%d,"pu":%d,' % (time, time, number, number, before)
                    size = number % _SIZES
                    change = BookChange(before, number, [bests[size]], (), time=time)
                    yield Message(due, stream, native, head + tail + levels[size] + b"}}", number, time, change)
                turn = (turn + 1) % len(heads)
            begin += seconds * _SECOND_US


def _quote(native: str, due: int, number: int) -> Message:
    time, amount = due // 1_000, 1 + number % _SIZES
    data = (
        f'"e":"bookTicker","u":{number},"s":"{native}","b":"60000.00","B":"{amount}.000","a":"60000.10","A":"1.000",'
        f'"T":{time},"E":{time}'
    )
    return _message("quote", native, due, number, data)


def _trade(native: str, due: int, number: int) -> Message:
    time, amount, sold = due // 1_000, 1 + number % _SIZES, "true" if number % 2 else "false"
    data = (
        f'"e":"trade","E":{time},"T":{time},"s":"{native}","t":{number},"p":"60000.00","q":"{amount}.000",'
        f'"X":"MARKET","m":{sold}'
    )
    return _message("trade", native, due, number, data)


def _message(kind: str, native: str, due: int, number: int, data: str) -> Message:
    stream = f"{native.lower()}@{_STREAMS[kind]}"
    payload = f'{{"stream":"{stream}","data":{{{data}}}}}'
    return Message(due, stream, native, payload.encode(), number, due // 1_000)
