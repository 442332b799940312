"""Rows of ticks on their way to frames: those of numbers alone as bytes, which are a tenth of the size and the work."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from aperiodic.market import tick_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from aperiodic.market import Stream

__all__ = ["Piece", "arrivals_of", "cut", "height_of", "joined", "latest_of", "pack", "ticks_of"]

_BYTES: Final = 8
_ARRIVAL: Final = 1
"""Place of the arrival time in a row."""
_NAN: Final = float("nan")

Piece = list[Any] | bytes
"""Rows with the columns of `tick_schema(stream)`, times in µs; as bytes each value takes eight, and the last byte says what
stands for a number that is missing."""

_WHOLE: Final = b"\0"
"""No value is missing; what is not a number is just that."""
_NAN_IS_NULL: Final = b"\1"
"""What is not a number is a value that is missing."""


def pack(stream: Stream, rows: list[Any]) -> Piece:
    """Return rows as bytes if all of their values are numbers, or missing ones among fractions; else as they are."""
    form = _form_of(stream)
    if form is None:
        return rows
    try:
        return b"".join([*[form.pack(*row) for row in rows], _WHOLE])
    except struct.error:
        pass
    if any(value != value for row in rows for value in row):  # noqa: PLR0124 - only what is not a number differs
        return rows
    try:
        return b"".join([*[form.pack(*_filled(row)) for row in rows], _NAN_IS_NULL])
    except struct.error:  # a time or a count is missing
        return rows


def latest_of(stream: Stream, piece: Piece) -> int:
    """Return the latest event of some rows, µs of the exchange clock; 0 where there is none."""
    if isinstance(piece, bytes):
        values = np.frombuffer(piece, np.int64, len(piece) // _BYTES)
        return int(values[:: len(_plain_schema(stream))].max())
    return max((row[0] or 0 for row in piece), default=0)


def arrivals_of(stream: Stream, piece: Piece) -> NDArray[np.int64]:
    """Return when each row arrived, µs."""
    if isinstance(piece, bytes):
        return np.frombuffer(piece, np.int64, len(piece) // _BYTES)[_ARRIVAL :: len(_plain_schema(stream))]
    return np.array([row[_ARRIVAL] for row in piece], np.int64)


def cut(stream: Stream, piece: Piece, time: int) -> tuple[Piece, Piece]:
    """Return the rows that arrived before a time, µs, and the others; all in the first where rows are not in order of arrival."""
    arrivals = arrivals_of(stream, piece)
    if not arrivals.size or arrivals[-1] < time or (arrivals[1:] < arrivals[:-1]).any():
        return piece, piece[:0]
    place = int(np.searchsorted(arrivals, time))
    if not isinstance(piece, bytes):
        return piece[:place], piece[place:]
    end = place * len(_plain_schema(stream)) * _BYTES
    return (piece[:end] + piece[-1:] if place else b""), piece[end:]


def joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Return pieces of one series with those made one that can be."""
    packed = [piece for piece in pieces if isinstance(piece, bytes)]
    if len(packed) < len(pieces) or len({piece[-1:] for piece in packed}) != 1:
        return list(pieces)
    return [b"".join([*[piece[:-1] for piece in packed], packed[0][-1:]])] if len(packed) > 1 else list(pieces)


def height_of(stream: Stream, piece: Piece) -> int:
    """Return how many rows there are."""
    return len(piece) // (_BYTES * len(_plain_schema(stream))) if isinstance(piece, bytes) else len(piece)


def ticks_of(stream: Stream, pieces: Sequence[Piece]) -> pl.DataFrame:
    """Return rows as a frame with the columns of `tick_schema(stream)`."""
    plain = _plain_schema(stream)
    packed = [piece for piece in pieces if isinstance(piece, bytes)]
    series = _columns_of_bytes(plain, packed) if len(packed) == len(pieces) else None
    if series is None:
        columns = zip(*_rows(stream, pieces), strict=True)
        series = [
            pl.Series(name, values, dtype=dtype) for (name, dtype), values in zip(plain.items(), columns, strict=True)
        ]
    for place, dtype in _times_of(stream).items():
        series[place] = series[place].cast(dtype)
    return pl.DataFrame(series)


def _columns_of_bytes(schema: pl.Schema, pieces: list[bytes]) -> list[pl.Series] | None:
    """Return the columns of rows; None where what is not a number is a value of some rows and is missing in others."""
    columns = np.frombuffer(b"".join([piece[:-1] for piece in pieces]), np.int64).reshape(-1, len(schema)).T.copy()
    marks = {piece[-1:] for piece in pieces}
    if len(marks) > 1 and any(
        piece[-1:] == _WHOLE and bool(np.isnan(np.frombuffer(piece, np.float64, len(piece) // _BYTES)).any())
        for piece in pieces
    ):
        return None
    missing = _NAN_IS_NULL in marks
    return [
        pl.Series(name, column)
        if dtype == pl.Int64()
        else pl.Series(name, column.view(np.float64), nan_to_null=missing)
        for (name, dtype), column in zip(schema.items(), columns, strict=True)
    ]


def _filled(row: Iterable[Any]) -> list[Any]:
    return [_NAN if value is None else value for value in row]


def _unfilled(row: Iterable[Any]) -> list[Any]:
    return [None if value != value else value for value in row]  # noqa: PLR0124 - only what is not a number differs


def _rows(stream: Stream, pieces: Sequence[Piece]) -> Iterator[Iterable[Any]]:
    form = _form_of(stream)
    for piece in pieces:
        if not isinstance(piece, bytes):
            yield from piece
        elif form is not None:
            for row in form.iter_unpack(piece[:-1]):
                yield _unfilled(row) if piece.endswith(_NAN_IS_NULL) else row


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
