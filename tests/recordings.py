"""Small recordings of Binance USD-M frames, made up but consistent: ids run on, and depth updates chain."""

from __future__ import annotations

import gzip
import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

MIDNIGHT_MS = 1_746_057_600_000
"""2025-05-01 00:00 UTC: a month's edge."""


class Market:
    """Yields frames of one symbol second by second; two recordings of one market follow one another."""

    def __init__(self, seed: int, symbol: str = "BTCUSDT") -> None:
        self._random = random.Random(seed)  # noqa: S311 - made-up prices
        self._symbol = symbol
        self._update = 1_000
        self._trade = 500
        self._price = 940_000

    def record(self, path: Path, first_second: int, seconds: int, *, snapshot: bool, broken_lines: int = 0) -> Path:
        """Write the frames of `seconds` seconds, counted from midnight, as a gzip recording, then lines of no use."""
        lines: list[str] = []
        for second in range(first_second, first_second + seconds):
            at = MIDNIGHT_MS + second * 1000
            if snapshot and second == first_second:
                lines.append(self._line(at, self._snapshot()))
            lines += [self._line(at + offset, frame) for offset, frame in self._second(at)]
        last = MIDNIGHT_MS + (first_second + seconds) * 1000
        lines += [f"{last * 1000 - 1} {{\n"] * broken_lines
        with gzip.open(path, "wt", compresslevel=1) as file:
            file.writelines(lines)
        return path

    def _second(self, at: int) -> list[tuple[int, dict[str, Any]]]:
        frames = []
        for _ in range(self._random.randrange(4)):
            self._price += self._random.randrange(-3, 4)
            self._trade += 1
            offset = self._random.randrange(900)
            trade = {"t": self._trade, "p": self._text(self._price), "q": "0.01", "X": "MARKET", "T": at + offset}
            frames.append((offset, self._frame("trade", "trade", trade | {"m": self._random.random() < 0.5})))
        frames.sort(key=lambda frame: frame[0])
        for number, (offset, frame) in enumerate(frames):
            frame["data"]["t"] = self._trade - len(frames) + 1 + number
            frame["data"]["T"] = at + offset
        quote = {"b": self._text(self._price - 1), "B": "1.5", "a": self._text(self._price + 1), "A": "2.5"}
        frames.append((910, self._frame("bookTicker", "bookTicker", quote | {"u": self._update, "T": at + 910})))
        before = self._update
        self._update += self._random.randrange(1, 50)
        level = [self._text(self._price - self._random.randrange(2, 20)), str(self._random.randrange(5))]
        depth = {"U": before + 1, "u": self._update, "pu": before, "b": [level], "a": [], "T": at + 920}
        frames.append((920, self._frame("depth@0ms", "depthUpdate", depth)))
        mark = {"p": self._text(self._price), "i": self._text(self._price + 2), "r": "0.0001", "T": MIDNIGHT_MS}
        frames.append((930, self._frame("markPrice@1s", "markPriceUpdate", mark)))
        for offset, frame in frames:
            frame["data"]["E"] = at + offset
        return frames

    def _snapshot(self) -> dict[str, Any]:
        bids = [[self._text(self._price - level), "1"] for level in range(2, 60)]
        asks = [[self._text(self._price + level), "1"] for level in range(2, 60)]
        return {"lastUpdateId": self._update, "bids": bids, "asks": asks}

    def _frame(self, stream: str, event: str, data: dict[str, Any]) -> dict[str, Any]:
        data = {"e": event, "E": 0, "s": self._symbol, **data}
        return {"stream": f"{self._symbol.lower()}@{stream}", "data": data}

    @staticmethod
    def _text(price: int) -> str:
        return f"{price / 10:.2f}"

    @staticmethod
    def _line(at_ms: int, frame: dict[str, Any]) -> str:
        return f"{at_ms * 1000 + 7_000} {json.dumps(frame, separators=(',', ':'))}\n"
