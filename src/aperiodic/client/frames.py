"""From downloaded files to one frame."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["UnreadableFileError", "assemble", "read_frame"]


class UnreadableFileError(AperiodicDataError):
    """The bytes are not a parquet file."""


def read_frame(body: bytes, schema: pl.Schema, start: date, end: date) -> pl.DataFrame:
    """Read a file and cut it to the days from `start` to `end`, both included.

    Raises:
        UnreadableFileError: The bytes are not a parquet file.
        AperiodicDataError: `unexpected_schema` when its columns are not those of `schema`, `null_time` when a row
            has no time.
    """
    try:
        frame = pl.read_parquet(body)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UnreadableFileError("It is not a readable parquet file.", code="unreadable_file") from error
    _check_schema(frame.schema, schema)
    frame = frame.select(schema.names())
    times = frame.get_column(TIME_COLUMN)
    if times.null_count():
        raise AperiodicDataError("It holds rows without a time.", code="null_time")
    inside = times.is_between(datetime.combine(start, time.min), datetime.combine(end, time.max))
    return frame if inside.all() else frame.filter(inside)


def assemble(frames: Sequence[pl.DataFrame], schema: pl.Schema) -> pl.DataFrame:
    """Join the frames, given in order of time, into one whose time is ascending and unique.

    Where two frames hold the same time, the later frame wins. Without frames the result is empty.
    """
    if not frames:
        return pl.DataFrame(schema=schema)
    frame = pl.concat(frames)
    steps = frame.get_column(TIME_COLUMN).diff().drop_nulls()
    if (steps > timedelta(0)).all():
        return frame
    return frame.unique(TIME_COLUMN, keep="last").sort(TIME_COLUMN)


def _check_schema(found: pl.Schema, expected: pl.Schema) -> None:
    faults = [f"{name} is missing" for name in expected if name not in found]
    faults += [f"{name} is not known" for name in found if name not in expected]
    faults += [
        f"{name} is {found[name]}, not {dtype}"
        for name, dtype in expected.items()
        if name in found and found[name] != dtype
    ]
    if faults:
        raise AperiodicDataError(
            f"Its columns are not those of the dataset: {', '.join(faults)}.",
            code="unexpected_schema",
            hint="A newer version of this package may know them: pip install --upgrade aperiodic.",
        )
