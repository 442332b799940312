"""Complete grids of frames that are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.catalog.carrying import carried_names
from aperiodic.client.grid import CARRIED_FOR, Grid
from aperiodic.client.request import parse_choice, parse_days
from aperiodic.market import Interval
from aperiodic.research.frames import check_unique, parse_frame, parse_length, parse_names, series_keys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from aperiodic.client.types import Day
    from aperiodic.client.types import Interval as IntervalName

__all__ = ["fill"]

How = Literal["null", "forward"]


def fill(
    frame: pl.DataFrame,
    interval: IntervalName | str,
    how: How = "forward",
    *,
    start_date: Day | None = None,
    end_date: Day | None = None,
    columns: Sequence[str] | None = None,
    limit: timedelta | str | None = CARRIED_FOR,
) -> pl.DataFrame:
    """Add a row for every interval that has none.

    A row is made up where nothing happened as well as where data is missing: neither is zero. Nulls in rows that were
    there stay nulls.

    Args:
        frame: Bars as `get_metrics` returns them, long or wide; `exchange` and `symbol` tell series apart.
        interval: Their length, "1s" to "1d".
        how: "null", or "forward": columns that are states (prices, amounts on offer, rates, open interest) hold what
            they were in the bar before; sums, counts, averages and changes are null. Open, high and low of a candle
            are its last close.
        start_date: First UTC day to complete; by default from the first row of the frame on.
        end_date: Last UTC day, included, but no bar that is not over yet; by default to the last row of the frame.
        columns: Columns that are states, instead of those that the catalog knows.
        limit: For how long after its bar a value is carried: a length such as "1h", or None for ever. By default 24
            hours, as wherever the platform joins streams.

    Returns:
        A frame of the same columns, in the order of its series, each ascending in time. Rows outside of the days are
        kept.

    Raises:
        InvalidInputError: `bad_frame`, `null_time`, `duplicate_times`, `off_grid` (a bar begins between two bars of
            this length), `unknown_interval`, `unknown_how`, `unknown_column`, `bad_limit`, `grid_too_large`, or of the
            days as of `get_metrics`.

    Example:
        >>> from datetime import datetime
        >>> import polars as pl
        >>> import aperiodic
        >>> times = [datetime(2025, 5, 1, 0, 0), datetime(2025, 5, 1, 0, 2)]
        >>> bars = pl.DataFrame({"time": times, "midprice": [10.0, 11.0], "volume_delta": [1.0, 2.0]})
        >>> aperiodic.fill(bars, "1m").drop("time").rows()
        [(10.0, 1.0), (10.0, None), (11.0, 2.0)]
    """
    parse_frame("frame", frame)
    length = Interval.parse(interval)
    parse_choice("how", how, get_args(How))
    keys = series_keys(frame)
    carried = (
        _states(frame) if columns is None else {name: name for name in parse_names("column", columns, frame.columns)}
    )
    span = None if limit is None else parse_length("limit", limit)
    if frame.is_empty():
        return frame
    check_unique("frame", frame, keys)
    series = frame.partition_by(keys, maintain_order=True) if keys else [frame]
    grid = _grid(frame, length, start_date, end_date).limited(len(series))
    filled = []
    for one in series:
        rows = grid.fill(one.sort(TIME_COLUMN), carried if how == "forward" else {}, span)
        values = (pl.lit(one.item(0, key), one.schema[key]).alias(key) for key in keys)
        filled.append(rows.with_columns(*values))
    return pl.concat(filled)


def _grid(frame: pl.DataFrame, length: Interval, start_date: Day | None, end_date: Day | None) -> Grid:
    times = frame.get_column(TIME_COLUMN)
    first, last = times.min(), times.max()
    start, end = parse_days(first if start_date is None else start_date, last if end_date is None else end_date)
    days = Grid.of_days(length, start, end)
    physical = times.to_physical()
    return Grid(
        length,
        int(physical.min()) if start_date is None else days.first_us,  # type: ignore[arg-type]  # there are rows
        int(physical.max()) + length.microseconds if end_date is None else days.end_us,  # type: ignore[arg-type]
    )


def _states(frame: pl.DataFrame) -> dict[str, str]:
    """Return the states of a frame: `close`, and `close|perpetual-BTC-USDT:USDT` of a wide one."""
    known = carried_names()
    found = {}
    for column in frame.columns:
        name, bar, series = column.partition("|")
        if name in known:
            found[column] = f"{known[name]}{bar}{series}"
    return found
