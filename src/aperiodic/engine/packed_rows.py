"""Rows of ticks on their way to frames: those of numbers alone as bytes, which are a tenth of the size and the work."""

from __future__ import annotations

import struct
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aperiodic.market import tick_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aperiodic.market import Stream

__all__ = ["Piece", "height_of", "latest_of", "pack", "ticks_of"]

Piece = list[Any] | bytes
"""Rows with the columns of `tick_schema(stream)`, times in µs; as bytes each value takes eight."""


def pack(stream: Stream, rows: list[Any]) -> Piece:
    """Return rows as bytes if all of their values are there and are numbers, else as they are."""
    form = _form_of(stream)
    if form is None:
        return rows
    try:
        return b"".join([form.pack(*row) for row in rows])
    except struct.error:
        return rows


def latest_of(stream: Stream, piece: Piece) -> int:
    """Return the latest event of some rows, µs of the exchange clock; 0 where there is none."""
    if isinstance(piece, bytes):
        return int(np.frombuffer(piece, np.int64)[:: len(_plain_schema(stream))].max())
    return max((row[0] or 0 for row in piece), default=0)


def height_of(stream: Stream, piece: Piece) -> int:
    """Return how many rows there are."""
    return len(piece) // (8 * len(_plain_schema(stream))) if isinstance(piece, bytes) else len(piece)


def ticks_of(stream: Stream, pieces: Sequence[Piece]) -> pl.DataFrame:
    """Return rows as a frame with the columns of `tick_schema(stream)`."""
    plain = _plain_schema(stream)
    packed = [piece for piece in pieces if isinstance(piece, bytes)]
    if len(packed) == len(pieces):
        series = _columns_of_bytes(plain, b"".join(packed))
    else:
        columns = zip(*chain.from_iterable(_rows(stream, pieces)), strict=True)
        series = [
            pl.Series(name, values, dtype=dtype) for (name, dtype), values in zip(plain.items(), columns, strict=True)
        ]
    for place, dtype in _times_of(stream).items():
        series[place] = series[place].cast(dtype)
    return pl.DataFrame(series)


def _columns_of_bytes(schema: pl.Schema, data: bytes) -> list[pl.Series]:
    columns = np.frombuffer(data, np.int64).reshape(-1, len(schema)).T.copy()
    return [
        pl.Series(name, column if dtype == pl.Int64() else column.view(np.float64))
        for (name, dtype), column in zip(schema.items(), columns, strict=True)
    ]


def _rows(stream: Stream, pieces: Sequence[Piece]) -> Iterable[Iterable[Any]]:
    form = _form_of(stream)
    for piece in pieces:
        yield form.iter_unpack(piece) if isinstance(piece, bytes) and form is not None else piece


@cache
def _times_of(stream: Stream) -> Mapping[int, pl.DataType]:
    """Return the places of times in a row, and what they are in a frame."""
    return {place: dtype for place, dtype in enumerate(tick_schema(stream).values()) if isinstance(dtype, pl.Datetime)}


@cache
def _plain_schema(stream: Stream) -> pl.Schema:
    """Return the schema of rows, whose times are numbers."""
    times = _times_of(stream)
    named = enumerate(tick_schema(stream).items())
    return pl.Schema({name: pl.Int64() if place in times else dtype for place, (name, dtype) in named})


@cache
def _form_of(stream: Stream) -> struct.Struct | None:
    """Return how a row is packed; None where a column is no number."""
    dtypes = _plain_schema(stream).values()
    if any(not isinstance(dtype, pl.Int64 | pl.Float64) for dtype in dtypes):
        return None
    return struct.Struct("=" + "".join("q" if isinstance(dtype, pl.Int64) else "d" for dtype in dtypes))
