"""From downloaded files to one frame."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.client.forks import note_use
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

__all__ = ["UnreadableFileError", "column_faults", "join", "read_frame", "unexpected_columns", "unique_times"]

_LAST_MOMENT: Final = timedelta(days=1, microseconds=-1)


class UnreadableFileError(AperiodicDataError):
    """The bytes are not a parquet file."""


def read_frame(
    source: bytes | Path, column: str, start: datetime, days: timedelta, columns: Collection[str] | None = None
) -> pl.DataFrame:
    """Read a file and cut it to whole days; columns that are not known here are kept.

    Args:
        source: The file, or where it lies.
        column: The one that holds the times.
        start: Midnight of the first day, with or without a zone as the column has it.
        days: From there to the midnight of the last day, which is included.
        columns: Columns to read, those that the file has of them; None for all.

    Raises:
        UnreadableFileError: The bytes are not a parquet file.
        AperiodicDataError: `unexpected_schema` when it has no such times, `null_time` when a row has none.
    """
    note_use()
    try:
        there = None if columns is None else [name for name in pl.read_parquet_schema(source) if name in columns]
        frame = pl.read_parquet(source, columns=there)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UnreadableFileError(
            "It is not a readable parquet file.",
            code="unreadable_file",
            hint="Try again; if it stays so, tell the operator of the server.",
        ) from error
    faults = column_faults(frame.schema, {column: pl.Datetime("us", None if start.tzinfo is None else "UTC")})
    if faults:
        raise unexpected_columns(faults)
    times = frame.get_column(column)
    if times.null_count():
        raise AperiodicDataError(
            "It holds rows without a time.", code="null_time", hint="Tell the operator of the server."
        )
    inside = times.is_between(start, start + days + _LAST_MOMENT)
    return frame if inside.all() else frame.filter(inside)


def column_faults(found: Mapping[str, pl.DataType], expected: Mapping[str, pl.DataType]) -> list[str]:
    """Say how a file's columns are not those that are expected; it may have others beside them."""
    missing = [f"{name} is missing" for name in expected if name not in found]
    return missing + [
        f"{name} is {found[name]}, not {dtype}"
        for name, dtype in expected.items()
        if name in found and dtype not in {found[name], pl.Unknown()}
    ]


def unexpected_columns(faults: Sequence[str]) -> AperiodicDataError:
    """Build the error for a file whose columns are neither those known here nor those that the server declares."""
    return AperiodicDataError(
        f"Its columns are not those of the dataset: {', '.join(faults)}.",
        code="unexpected_schema",
        hint="The server has not published this file anew since its catalog changed (its operator runs "
        "`aperiodic build`), or it is not an Aperiodic server.",
    )


def join(frames: Sequence[pl.DataFrame], schema: pl.Schema) -> pl.DataFrame:
    """Join frames, given in order of time: known columns first, then the others; null where a frame lacks one.

    Without frames the result is empty and has all known columns.

    Raises:
        AperiodicDataError: `unexpected_schema` when a column has different types.
    """
    if not frames:
        return pl.DataFrame(schema={name: _or_null(dtype) for name, dtype in schema.items()})
    try:
        frame = pl.concat(frames, how="diagonal")
    except pl.exceptions.PolarsError as error:
        raise AperiodicDataError(
            f"The files of this range have columns of different types: {str(error)[:200]}",
            code="unexpected_schema",
            hint="Fetch the days before and after the change separately.",
        ) from error
    known = [name for name in schema if name in frame.columns]
    return frame.select(*known, *(name for name in frame.columns if name not in schema))


def unique_times(frame: pl.DataFrame) -> pl.DataFrame:
    """Return bars in ascending order of time, of which each occurs once: of equal times the last row stays."""
    shortest = frame.get_column(TIME_COLUMN).diff().min()
    if shortest is None or shortest > timedelta(0):  # type: ignore[operator]  # of a time column it is a timedelta
        return frame
    return frame.unique(TIME_COLUMN, keep="last").sort(TIME_COLUMN)


def _or_null(dtype: pl.DataType) -> pl.DataType:
    return pl.Null() if dtype == pl.Unknown() else dtype
