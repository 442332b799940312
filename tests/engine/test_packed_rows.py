"""Rows as bytes are the same frames as rows."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aperiodic.engine.packed_rows import cut, height_of, latest_of, pack, ticks_of
from aperiodic.market import Stream, tick_schema

T = 1_790_000_000_000_000
RANDOM = random.Random(7)  # noqa: S311 - the same every time


def value_of(dtype: pl.DataType) -> Any:
    if isinstance(dtype, pl.Datetime | pl.Int64):
        return T + RANDOM.randrange(-(10**9), 10**9)
    if isinstance(dtype, pl.Enum):
        return RANDOM.choice(dtype.categories.to_list())
    if isinstance(dtype, pl.String):
        return RANDOM.choice(["", "7", "zu\u0308g"])
    return RANDOM.choice([RANDOM.random(), -0.0, float("nan"), float("inf"), 5e-324, 2.0**53])


def rows_of(stream: Stream, count: int) -> list[tuple[Any, ...]]:
    return [tuple(value_of(dtype) for dtype in tick_schema(stream).values()) for _ in range(count)]


def plain_frame(stream: Stream, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    schema = tick_schema(stream)
    numbers = {name: pl.Int64() if isinstance(dtype, pl.Datetime) else dtype for name, dtype in schema.items()}
    return pl.DataFrame(rows, schema=numbers, orient="row").cast(schema)


@pytest.mark.parametrize("stream", list(Stream))
def test_packed_or_not_rows_are_the_same_frame(stream: Stream) -> None:
    rows = rows_of(stream, 40)
    pieces = [pack(stream, rows[:1]), pack(stream, rows[1:25]), pack(stream, rows[25:])]
    assert all(isinstance(piece, bytes) for piece in pieces) is (stream is not Stream.TRADES)
    assert_frame_equal(ticks_of(stream, pieces), plain_frame(stream, rows), check_exact=True)
    assert sum(height_of(stream, piece) for piece in pieces) == len(rows)
    assert max(latest_of(stream, piece) for piece in pieces) == max(row[0] for row in rows)


@pytest.mark.parametrize("stream", list(Stream))
@pytest.mark.parametrize("packed", [False, True])
def test_rows_are_cut_at_an_arrival(stream: Stream, *, packed: bool) -> None:
    arrivals = [T, T + 1, T + 1, T + 5]
    rows = [(T, arrival, *row[2:]) for arrival, row in zip(arrivals, rows_of(stream, 4), strict=True)]
    piece = pack(stream, rows) if packed else rows
    for time, count in ((T, 0), (T + 1, 1), (T + 2, 3), (T + 5, 3), (T + 6, 4)):
        parts = cut(stream, piece, time)
        assert [bool(part) for part in parts] == [count > 0, count < len(rows)]
        assert [height_of(stream, part) for part in parts] == [count, len(rows) - count]
        for part, expected in zip(parts, (rows[:count], rows[count:]), strict=True):
            if part:
                assert_frame_equal(ticks_of(stream, [part]), plain_frame(stream, expected), check_exact=True)
    disordered = [rows[3], *rows[:3]]
    first, rest = cut(stream, pack(stream, disordered) if packed else disordered, T + 1)
    assert (height_of(stream, first), height_of(stream, rest)) == (4, 0)


def without_some(stream: Stream, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row that lacks some of its fractions, and has none that is not a number."""
    schema = list(tick_schema(stream).values())
    return tuple(
        (None if RANDOM.random() < 0.5 else 1.5) if isinstance(dtype, pl.Float64) else value
        for value, dtype in zip(row, schema, strict=True)
    )


@pytest.mark.parametrize("stream", [stream for stream in Stream if stream is not Stream.TRADES])
def test_missing_fractions_are_packed_and_stay_missing(stream: Stream) -> None:
    lacking = [without_some(stream, row) for row in rows_of(stream, 30)] + [
        tuple(None if isinstance(dtype, pl.Float64) else T for dtype in tick_schema(stream).values())
    ]
    whole = [tuple(2.5 if isinstance(value, float) else value for value in row) for row in rows_of(stream, 3)]
    strange = [tuple(float("nan") if isinstance(value, float) else value for value in row) for row in whole]
    packed = pack(stream, lacking)
    assert isinstance(packed, bytes)
    assert_frame_equal(ticks_of(stream, [packed]), plain_frame(stream, lacking), check_exact=True)
    for others in (whole, strange):
        pieces = [packed, pack(stream, others), packed]
        assert all(isinstance(piece, bytes) for piece in pieces)
        together = [*lacking, *others, *lacking]
        assert_frame_equal(ticks_of(stream, pieces), plain_frame(stream, together), check_exact=True)
        assert [height_of(stream, piece) for piece in pieces] == [31, 3, 31]
        assert latest_of(stream, packed) == max(row[0] for row in lacking)
    mixed = [*lacking, *strange]
    assert pack(stream, mixed) is mixed, "what is not a number and what is missing are two things"
    assert_frame_equal(ticks_of(stream, [mixed, packed]), plain_frame(stream, [*mixed, *lacking]), check_exact=True)


@pytest.mark.parametrize("stream", list(Stream))
def test_rows_that_lack_a_value_stay_rows_beside_others_that_are_bytes(stream: Stream) -> None:
    whole, lacking = rows_of(stream, 3), [(None, *row[1:-1], None) for row in rows_of(stream, 2)]
    pieces = [pack(stream, whole), pack(stream, lacking), pack(stream, whole[:1])]
    assert pieces[1] == lacking
    assert_frame_equal(ticks_of(stream, pieces), plain_frame(stream, [*whole, *lacking, whole[0]]), check_exact=True)
    assert (height_of(stream, pieces[1]), latest_of(stream, pieces[1])) == (2, 0)


def test_a_number_of_another_kind_is_not_bent() -> None:
    (row,) = rows_of(Stream.MARK_PRICE, 1)
    broken = [(*row[:-1], 1.5)]
    assert pack(Stream.MARK_PRICE, broken) is broken
