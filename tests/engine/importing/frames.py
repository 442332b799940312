"""Lines of small recordings, made up one by one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

T = 1_680_652_700_000
"""2023-04-04 23:58:20 UTC, ms."""


def line(number: int, frame: object) -> bytes:
    """A line received `number` ms after T, with its line break."""
    return f"{(T + number) * 1000 + 7} {json.dumps(frame, separators=(',', ':'))}\n".encode()


def trade(number: int, *, symbol: str = "BTCUSDT", **changes: object) -> bytes:
    data = {"e": "trade", "E": T, "T": T + number, "s": symbol, "t": number, "p": "100.5", "q": "2", "X": "MARKET"}
    return line(number, {"stream": f"{symbol.lower()}@trade", "data": data | {"m": True} | changes})


def aggregate(number: int, first: int, last: int) -> bytes:
    data = {"e": "aggTrade", "E": T, "T": T + last, "s": "BTCUSDT", "a": number, "f": first, "l": last}
    return line(last, {"stream": "btcusdt@aggTrade", "data": data | {"p": "100.5", "q": "2", "m": True}})


def quote(number: int, *, symbol: str = "BTCUSDT") -> bytes:
    data = {"e": "bookTicker", "u": number, "s": symbol, "b": "100", "B": str(number), "a": "101", "A": "1"}
    return line(number, {"stream": f"{symbol.lower()}@bookTicker", "data": data | {"T": T + number, "E": T + number}})


def mark(number: int) -> bytes:
    data = {"e": "markPriceUpdate", "E": T + number, "s": "BTCUSDT", "p": "100.5", "i": "100.25", "r": "0.0001"}
    return line(number, {"stream": "btcusdt@markPrice@1s", "data": data | {"T": T + 10_000}})


def depth(number: int, *, symbol: str = "BTCUSDT", amount: int | None = None) -> bytes:
    """The update with number `number`; each follows the one before."""
    data = {"e": "depthUpdate", "E": T, "T": T + number, "s": symbol, "U": number, "u": number, "pu": number - 1}
    levels = {"b": [[str(50 + number % 20), str(number if amount is None else amount)]], "a": []}
    return line(number, {"stream": f"{symbol.lower()}@depth@0ms", "data": data | levels})


def snapshot(number: int) -> bytes:
    """The whole book after update `number`."""
    levels = [[str(price), "1"] for price in range(40, 10, -1)]
    return line(number, {"lastUpdateId": number, "bids": levels, "asks": [["200", "1"]]})


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(lines))
    return path
