"""Frames read into ticks, against a plain way to keep an order book."""

from __future__ import annotations

import gzip
import json
import os
import time
from heapq import nlargest, nsmallest
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import msgspec

from aperiodic.market import BOOK_DEPTH, Exchange
from aperiodic.venues import RejectedFrameError
from aperiodic.venues.binance.mapper import BinanceMapper
from benchmarks.measure import Pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aperiodic.market import Stream, Symbol
    from aperiodic.venues import Levels, Row
    from aperiodic.venues.events import SpanRecorder

__all__ = ["all_frames", "depth_frames"]

_RECORDING: Final = "binance-usdm/ws_raw/btcusdt_20240808.gz"
_MADE_UP: Final = 3_000
_DEPTH_FRAMES: Final = 3_000
_ALL_FRAMES: Final = 40_000
_LEVELS: Final = 31
_QUOTES: Final = 10
_TRADES: Final = 3
_SEED: Final = 7
_T: Final = 1_723_161_256_000

Frames = list[tuple[int, bytes]]


class _Sink:
    """Keeps ticks as an import does until it packs them; they are let go now and then."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def rows(self, stream: Stream, symbol: Symbol, *, aggregated: bool = False) -> Callable[[Row], None]:
        del stream, symbol, aggregated
        return self._rows.append

    def spans(self, stream: Stream, symbol: Symbol, *, aggregated: bool = False) -> SpanRecorder:
        del stream, symbol, aggregated
        return lambda _after, _last, _time, _begins: None

    def book_unknown(self, symbol: Symbol, local: int, cause: str) -> None:
        del symbol, local, cause

    def book_known(self, symbol: Symbol, local: int) -> None:
        del symbol, local

    def count(self, what: str, kind: str) -> None:
        del what, kind

    def note(self, code: str) -> None:
        del code

    def checkpoint(self, symbol: Symbol, sequence: int) -> Levels | None:
        del symbol, sequence
        return None

    def wait(self, symbol: Symbol, after: int) -> Callable[[int, bytes], None] | None:
        del symbol, after
        return None

    def find_all(self, read: Callable[[bytes], str | None]) -> frozenset[str]:
        del read
        return frozenset({"BTCUSDT"})


class _Update(msgspec.Struct):
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]


class _Wrapped(msgspec.Struct):
    data: msgspec.Raw


class _PlainBook:
    """What a first version looks like: a dictionary a side, and its best levels sorted out at every frame."""

    def __init__(self) -> None:
        self._sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self._wrapped = msgspec.json.Decoder(_Wrapped)
        self._update = msgspec.json.Decoder(_Update, strict=False)
        self._any = msgspec.json.Decoder(dict[str, Any])
        self._rows: list[object] = []

    def read(self, local: int, frame: bytes) -> None:
        data = self._wrapped.decode(frame).data
        if b"depthUpdate" not in frame:
            self._rows.append((local, self._any.decode(data)))
            return
        update = self._update.decode(data)
        for side, levels in zip(self._sides, (update.b, update.a), strict=True):
            for price, amount in levels:
                if amount:
                    side[price] = amount
                else:
                    side.pop(price, None)
        bids, asks = self._sides
        best = (*nlargest(BOOK_DEPTH, bids.items()), *nsmallest(BOOK_DEPTH, asks.items()))
        self._rows.append((local, best))


def depth_frames(pairs: int) -> tuple[Pairs, bool]:
    """Seconds of processor time a depth frame, of ours and of a plain book; and whether the frames are recorded ones."""
    frames, recorded = _frames()
    return _compared([each for each in frames if b"@depth" in each[1][:40]][:_DEPTH_FRAMES], pairs), recorded


def all_frames(pairs: int) -> tuple[Pairs, bool]:
    """The same for frames of all channels as they were sent."""
    frames, recorded = _frames()
    return _compared([each for each in frames if each[1].startswith(b'{"stream"')][:_ALL_FRAMES], pairs), recorded


def _compared(frames: Frames, pairs: int) -> Pairs:
    def ours() -> float:
        mapper = BinanceMapper(Exchange.BINANCE_FUTURES, _Sink())
        mapper.read(frames[0][0], _empty_snapshot(frames))
        return _timed(mapper.read, frames)

    def plain() -> float:
        return _timed(_PlainBook().read, frames)

    ours()
    plain()
    return Pairs.of((ours(), plain()) for _ in range(pairs))


def _timed(read: Callable[[int, bytes], None], frames: Frames) -> float:
    begin = time.process_time()
    for local, frame in frames:
        try:
            read(local, frame)
        except RejectedFrameError:
            continue
    return (time.process_time() - begin) / len(frames)


def _empty_snapshot(frames: Frames) -> bytes:
    """The book from which the first update carries on."""
    first = next(frame for _, frame in frames if b"depthUpdate" in frame)
    number = json.loads(first)["data"]["pu"]
    answer = {"lastUpdateId": number, "bids": [], "asks": []}
    return json.dumps({"stream": "btcusdt@depthSnapshot", "data": answer}).encode()


def _frames() -> tuple[Frames, bool]:
    recording = Path(os.environ.get("APERIODIC_REAL_DATA", "")) / _RECORDING
    if not recording.is_file():
        return list(_made_up()), False
    with gzip.open(recording) as lines:
        parts = (line.rstrip(b"\n").partition(b" ") for line in lines)
        return [(int(stamp) // 1_000, frame) for stamp, _, frame in parts], True


def _made_up() -> Iterator[tuple[int, bytes]]:
    """Frames of the size and in the proportion of recorded ones, around a price that walks."""
    random, middle, number = Random(_SEED), 617_000, 1  # noqa: S311 - nothing is secret

    def frame(at: int, channel: str, **data: object) -> tuple[int, bytes]:
        text = json.dumps({"stream": f"btcusdt@{channel}", "data": data}, separators=(",", ":"))
        return (_T + at) * 1_000, text.encode()

    def side(direction: int) -> list[tuple[str, str]]:
        steps = sorted({int(random.expovariate(1 / 150)) for _ in range(_LEVELS)})
        amounts = (random.choice((0.0, random.random())) for _ in steps)
        return [
            (f"{(middle + direction * step) / 10:.2f}", f"{amount:.3f}")
            for step, amount in zip(steps, amounts, strict=True)
        ]

    for at in range(_MADE_UP):
        middle += random.choice((-3, -1, 0, 0, 1, 3))
        now, symbol = _T + at, {"s": "BTCUSDT"}
        numbers = {"U": number + 1, "u": number + 9, "pu": number}
        number += 9
        yield frame(at, "depth@0ms", e="depthUpdate", E=now, T=now, **symbol, **numbers, b=side(-1), a=side(1))
        best = {"b": f"{middle / 10:.2f}", "B": "1.250", "a": f"{(middle + 1) / 10:.2f}", "A": "0.750"}
        for _ in range(_QUOTES):
            yield frame(at, "bookTicker", e="bookTicker", u=number, **symbol, **best, T=now, E=now)
        for trade in range(_TRADES):
            told = {"t": at * _TRADES + trade, "p": best["b"], "q": "0.010", "X": "MARKET", "m": True}
            yield frame(at, "trade", e="trade", E=now, T=now, **symbol, **told)
