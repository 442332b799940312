"""What the tools expect of a frame, checked before they work on it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.market import Interval, InvalidInputError
from aperiodic.market.errors import unknown_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["SERIES_KEYS", "check_unique", "parse_frame", "parse_length", "parse_names", "series_keys"]

SERIES_KEYS: Final = ("exchange", "symbol")
"""Columns that tell the series of a long frame apart."""


def parse_frame(name: str, frame: object, column: str = TIME_COLUMN) -> pl.DataFrame:
    """Return the frame if its times can be worked with.

    Args:
        name: What the caller calls it.
        frame: What was given.
        column: The one that holds its times.

    Raises:
        InvalidInputError: `bad_frame` when it is none, or has no times in microseconds; `null_time`.
    """
    if not isinstance(frame, pl.DataFrame):
        hint = "Collect it first." if isinstance(frame, pl.LazyFrame) else "A frame of pandas: pl.from_pandas(frame)."
        raise InvalidInputError(
            f"{name} has to be a Polars DataFrame, not {type(frame).__name__}.", code="bad_frame", hint=hint
        )
    dtype = frame.schema.get(column)
    if not isinstance(dtype, pl.Datetime) or dtype.time_unit != "us":
        what = "no such column" if dtype is None else f"{dtype}"
        raise InvalidInputError(
            f"{name} needs the column {column!r} with times in microseconds; it has {what}.",
            code="bad_frame",
            hint=f'Cast them: pl.col("{column}").cast(pl.Datetime("us")).' if dtype is not None else None,
        )
    if frame.get_column(column).null_count():
        raise InvalidInputError(f"{name} holds rows without a {column}.", code="null_time", hint="Drop them first.")
    return frame


def parse_length(name: str, value: object) -> timedelta:
    """Return a length of time: one of the bar lengths by name, or any above zero.

    Raises:
        InvalidInputError: `unknown_interval`, or `bad_<name>`.
    """
    if isinstance(value, str):
        return timedelta(seconds=Interval.parse(value).seconds)
    if not isinstance(value, timedelta) or value <= timedelta(0):
        raise InvalidInputError(
            f"{name} is {value!r}.", code=f"bad_{name}", hint='Give a bar length such as "1m", or a timedelta.'
        )
    return value


def parse_names(kind: str, names: Iterable[str], columns: Sequence[str]) -> list[str]:
    """Return names that are columns, each once.

    Raises:
        InvalidInputError: `unknown_<kind>` with the nearest one.
    """
    given = [names] if isinstance(names, str) else list(names)
    for name in given:
        if name not in columns:
            raise unknown_value(kind, str(name), columns)
    return list(dict.fromkeys(given))


def series_keys(frame: pl.DataFrame) -> list[str]:
    """Return the columns that tell the series of a frame apart."""
    return [name for name in SERIES_KEYS if name in frame.columns]


def check_unique(name: str, frame: pl.DataFrame, keys: Sequence[str]) -> None:
    """Refuse a frame of which a series has two rows of the same time.

    Raises:
        InvalidInputError: `duplicate_times`.
    """
    twice = frame.select(*keys, TIME_COLUMN).is_duplicated()
    if twice.any():
        row = frame.filter(twice).row(0, named=True)
        of = "".join(f" of {row[key]}" for key in keys)
        raise InvalidInputError(
            f"{name} has several rows of {row[TIME_COLUMN]}{of}.",
            code="duplicate_times",
            hint="Give one series, or a long frame with the columns exchange and symbol.",
        )
