"""Ticks that are gathered are those that were read, in that order, whatever was told or turned into columns meanwhile."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aperiodic.engine.importing import buffers
from aperiodic.engine.importing.buffers import TickBuffer
from aperiodic.engine.packed_rows import ticks_of
from aperiodic.market import Stream

if TYPE_CHECKING:
    from aperiodic.engine.packed_rows import Piece


def row(stream: Stream, number: int, chance: random.Random) -> list[Any]:
    times = [1_000 * number, 1_000 * number + 7]
    if stream is Stream.TRADES:
        return [*times, str(number), chance.choice(["buy", "sell"]), 100.0 + number, 1.0, number]
    if stream is Stream.MARK_PRICE:
        return [*times, 100.0 + number, None]
    prices = [chance.choice([None, 99.0 + number]), 1.0, 101.0 + number, chance.choice([2.0, float("nan")])]
    return [*times, *prices, number if chance.random() < 0.9 else None]


@pytest.mark.parametrize("stream", [Stream.TRADES, Stream.QUOTES, Stream.MARK_PRICE])
@pytest.mark.parametrize("seed", range(4))
def test_ticks_come_out_as_they_went_in(stream: Stream, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "_MAX_CELLS", 400)
    chance = random.Random(seed)  # noqa: S311 - made-up ticks
    buffer, rows, told = TickBuffer(stream), list[list[Any]](), list["Piece"]()
    out: list[pl.DataFrame] = []
    height = since_drain = told_since = 0
    for number in range(1, 600):
        made = row(stream, number, chance)
        rows.append(made)
        buffer.append(made)  # type: ignore[arg-type]
        since_drain += 1
        what = chance.random()
        if what < 0.2:
            piece = buffer.take_new()
            if piece is not None:
                told.append(piece)
            told_since = buffer.told
            assert buffer.all_told == (told_since == since_drain)
        elif what < 0.4:
            buffer.pack()
        elif what < 0.45:
            since = 1_000 * (number - chance.randrange(50))
            inside = [made[1] for made in rows[height:] if made[1] >= since]
            assert buffer.arrivals(since) == ((inside[0], inside[-1]) if inside else None)
        elif what < 0.48:
            assert buffer.frame().height == since_drain
        elif what < 0.52:
            held = buffer.hold()
            assert held.height == since_drain
            frame = held.frame()
            assert_frame_equal(held.frame(), frame)  # once more, as when a commit is tried again
            out.append(frame)
            height, since_drain = len(rows), 0
            assert (buffer.told, buffer.arrivals(0), buffer.take_new()) == (0, None, None)
    out.append(buffer.drain())
    assert_frame_equal(pl.concat(out), ticks_of(stream, [rows]), check_exact=True)
    assert told, "something was told"


def test_rows_that_became_columns_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "_MAX_CELLS", 70)
    chance, buffer = random.Random(1), TickBuffer(Stream.TRADES)  # noqa: S311 - made-up ticks
    for number in range(1, 4):
        buffer.append(row(Stream.TRADES, number, chance))  # type: ignore[arg-type]
    assert buffer.take_new() is not None
    for number in range(4, 20):
        buffer.append(row(Stream.TRADES, number, chance))  # type: ignore[arg-type]
    buffer.pack()
    assert buffer.take_new() is None
    assert (buffer.told, buffer.all_told) == (3, False)
    assert buffer.drain().height == 19
