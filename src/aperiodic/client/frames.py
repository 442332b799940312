"""From downloaded files to one frame."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["UnreadableFileError", "assemble", "join_ticks", "read_frame", "read_ticks"]

TICK_TIME: Final = "exchange_timestamp"
_OPTIONAL: Final = "sequence"
_LAST_MOMENT: Final = timedelta(days=1, microseconds=-1)


class UnreadableFileError(AperiodicDataError):
    """The bytes are not a parquet file."""


def read_frame(body: bytes, schema: pl.Schema, start: date, end: date) -> pl.DataFrame:
    """Read a file of bars and cut it to the days from `start` to `end`, both included.

    Raises:
        UnreadableFileError: The bytes are not a parquet file.
        AperiodicDataError: `unexpected_schema` when its columns are not those of `schema`, `null_time` when a row
            has no time.
    """
    frame = _read(body)
    _refuse([*_faults(frame.schema, schema), *(f"{name} is not known" for name in frame.schema if name not in schema)])
    return _cut(frame.select(schema.names()), TIME_COLUMN, datetime.combine(start, time.min), end - start)


def read_ticks(body: bytes, schema: pl.Schema, start: date, end: date) -> pl.DataFrame:
    """Read a file of ticks and cut it to the days from `start` to `end` of exchange time, both included.

    The rows stay in the file's order. `sequence` may be absent, and further columns are kept.

    Raises:
        As `read_frame`.
    """
    frame = _read(body)
    _refuse(_faults(frame.schema, pl.Schema({name: schema[name] for name in schema if name != _OPTIONAL})))
    return _cut(frame, TICK_TIME, datetime.combine(start, time.min, UTC), end - start)


def assemble(frames: Sequence[pl.DataFrame], schema: pl.Schema) -> pl.DataFrame:
    """Join the frames, given in order of time, into one whose time is ascending and unique.

    Where two frames hold the same time, the later frame wins. Without frames the result is empty.
    """
    if not frames:
        return pl.DataFrame(schema=schema)
    frame = pl.concat(frames)
    shortest = frame.get_column(TIME_COLUMN).diff().min()
    if shortest is None or shortest > timedelta(0):  # type: ignore[operator]  # of a time column it is a timedelta
        return frame
    return frame.unique(TIME_COLUMN, keep="last").sort(TIME_COLUMN)


def join_ticks(frames: Sequence[pl.DataFrame], schema: pl.Schema) -> pl.DataFrame:
    """Join frames of ticks, given in order of time; without frames the result is empty.

    Raises:
        AperiodicDataError: `unexpected_schema` when they have different columns.
    """
    if not frames:
        return pl.DataFrame(schema=schema)
    if any(frame.schema != frames[0].schema for frame in frames):
        raise AperiodicDataError(
            "The files of this range have different columns.",
            code="unexpected_schema",
            hint="Fetch the days before and after the change separately, or use download_raw.",
        )
    return pl.concat(frames)


def _read(body: bytes) -> pl.DataFrame:
    try:
        return pl.read_parquet(body)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UnreadableFileError("It is not a readable parquet file.", code="unreadable_file") from error


def _cut(frame: pl.DataFrame, column: str, first: datetime, days: timedelta) -> pl.DataFrame:
    times = frame.get_column(column)
    if times.null_count():
        raise AperiodicDataError("It holds rows without a time.", code="null_time")
    inside = times.is_between(first, first + days + _LAST_MOMENT)
    return frame if inside.all() else frame.filter(inside)


def _faults(found: pl.Schema, expected: pl.Schema) -> list[str]:
    missing = [f"{name} is missing" for name in expected if name not in found]
    return missing + [
        f"{name} is {found[name]}, not {dtype}"
        for name, dtype in expected.items()
        if name in found and found[name] != dtype
    ]


def _refuse(faults: list[str]) -> None:
    if faults:
        raise AperiodicDataError(
            f"Its columns are not those of the dataset: {', '.join(faults)}.",
            code="unexpected_schema",
            hint="A newer version of this package may know them: pip install --upgrade aperiodic.",
        )
