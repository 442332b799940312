"""Joins of bars that never look ahead."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.market import InvalidInputError
from aperiodic.research.frames import check_unique, parse_frame, parse_length, parse_names, series_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.client.types import Interval

__all__ = ["align"]

_KNOWN: Final = " known"  # columns that exist while joining; no field has a space in its name
_ROW: Final = " row"
_KEY: Final = " key "
_MOMENT: Final = timedelta(0)


def align(
    left: pl.DataFrame,
    right: pl.DataFrame,
    *,
    interval_left: Interval | str | timedelta | None,
    interval_right: Interval | str | timedelta | None,
    tolerance: timedelta | str | None = None,
    by: Sequence[str] | None = None,
    suffix: str = "_right",
) -> pl.DataFrame:
    """Join to each row of one frame the latest row of another that was over by then.

    A bar of [t, t + i) is known at its end, t + i: to a row of `left` comes the last bar of `right` whose end is not
    after that row's own end. The bar of `right` that is still running at that moment is never used.

    Args:
        left: Bars, one row for each row of the result.
        right: Bars to look up.
        interval_left: Length of the bars of `left`: "1s" to "1d", a timedelta, or None for events, which are known at
            their `time`.
        interval_right: Length of the bars of `right`, likewise.
        tolerance: How long before the end of a row of `left` the bar of `right` may have ended, such as "5m"; by
            default any time.
        by: Columns that have to be equal; by default `exchange` and `symbol`, where both frames have them.
        suffix: Ends the names of columns of `right` that `left` has too, and of its `time`.

    Returns:
        The rows of `left` in their order, with the columns of `right` (null where no bar was over, or only one older
        than the tolerance); `time_right` is the start of the bar that was joined.

    Raises:
        InvalidInputError: `bad_frame`, `null_time`, `unknown_interval`, `bad_tolerance`, `unknown_column`;
            `duplicate_times` when several rows of `right` are of the same time, as where only `right` tells symbols
            apart; `duplicate_columns`, `different_times` when only one of the frames has a time zone.

    Example:
        The hour from 09:00 is the last that was over at 10:01; that from 10:00 still runs.

        >>> from datetime import datetime
        >>> import polars as pl
        >>> import aperiodic
        >>> minutes = pl.DataFrame({"time": [datetime(2025, 5, 1, 10)], "close": [100.5]})
        >>> hours = pl.DataFrame({"time": [datetime(2025, 5, 1, 9), datetime(2025, 5, 1, 10)], "flow": [1.0, 2.0]})
        >>> aperiodic.align(minutes, hours, interval_left="1m", interval_right="1h")["flow"].to_list()
        [1.0]
    """
    parse_frame("left", left)
    parse_frame("right", right)
    lengths = [
        _MOMENT if value is None else parse_length(name, value)
        for name, value in (("interval_left", interval_left), ("interval_right", interval_right))
    ]
    limit = None if tolerance is None else parse_length("tolerance", tolerance)
    keys = [key for key in series_keys(left) if key in right.columns] if by is None else _parse_keys(by, left, right)
    if left.schema[TIME_COLUMN] != right.schema[TIME_COLUMN]:
        raise InvalidInputError(
            "The times of one frame have a time zone that the other's do not have.",
            code="different_times",
            hint='Bars are in UTC without a zone: pl.col("time").dt.convert_time_zone("UTC").dt.replace_time_zone(None).',
        )
    check_unique("right", right, keys)
    renamed = _renamed(left, right, keys, suffix)
    # Keys are compared as text: one frame may have them as categories.
    names = [f"{_KEY}{key}" for key in keys]
    texts = [pl.col(key).cast(pl.String).alias(name) for key, name in zip(keys, names, strict=True)]
    looked_up = right.select(
        (pl.col(TIME_COLUMN) + lengths[1]).alias(_KNOWN),
        *texts,
        *(pl.col(name).alias(new) for name, new in renamed.items()),
    ).sort(_KNOWN)
    rows = left.with_columns((pl.col(TIME_COLUMN) + lengths[0]).alias(_KNOWN), *texts).with_row_index(_ROW).sort(_KNOWN)
    joined = rows.join_asof(
        looked_up,
        on=_KNOWN,
        by=names or None,
        tolerance=limit,
        check_sortedness=False,  # both were just sorted; within groups it cannot be checked
    )
    return joined.sort(_ROW).select(*left.columns, *renamed.values())


def _parse_keys(by: Sequence[str], left: pl.DataFrame, right: pl.DataFrame) -> list[str]:
    parse_names("column", by, right.columns)
    return parse_names("column", by, left.columns)


def _renamed(left: pl.DataFrame, right: pl.DataFrame, keys: Sequence[str], suffix: str) -> dict[str, str]:
    """Return what the columns of `right` are called in the result."""
    renamed = {
        name: f"{name}{suffix}" if name in left.columns or name == TIME_COLUMN else name
        for name in right.columns
        if name not in keys
    }
    names = [*left.columns, *renamed.values()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInputError(
            f"The result would have two columns {twice[0]!r}.",
            code="duplicate_columns",
            hint="Give another suffix, or rename columns first.",
        )
    return renamed
