"""The options of a client's methods, as types: what they mean stands with `get_metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Required, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.client.types import Day, Exchange, Fill, Interval, OnIncomplete, Shape, TimestampType

__all__ = ["BarsOptions", "PandasOptions", "PandasRawOptions", "RangeOptions", "RawOptions"]


class RangeOptions(TypedDict, total=False):
    """Which bars.

    Attributes:
        timestamp: Clock: "exchange" (by default) or "true".
        interval: Bar length, "1s" to "1d".
        exchange: Venue, or several.
        symbol: Instrument in the Atlas symbology, or several.
        start_date: First UTC day.
        end_date: Last UTC day, included.
        columns: Columns beside the time; by default all.
        preview: Ask for the free sample.
    """

    timestamp: TimestampType
    interval: Required[Interval | str]
    exchange: Required[Exchange | str | Sequence[Exchange | str]]
    symbol: Required[str | Sequence[str]]
    start_date: Required[Day]
    end_date: Required[Day]
    columns: Sequence[str] | None
    preview: bool


class BarsOptions(RangeOptions, total=False):
    """Which bars, and how to deliver them.

    Attributes:
        shape: "long" (by default) or "wide": how several series become one frame.
        fill: "none" (by default), "null" or "forward": what to do about intervals without a row.
        show_progress: Draw a progress bar; by default as the client says.
        on_incomplete: "warn" (by default), "raise" or "ignore": what to do when data is missing.
    """

    shape: Shape
    fill: Fill
    show_progress: bool
    on_incomplete: OnIncomplete


class RawOptions(TypedDict, total=False):
    """Which ticks, and how to deliver them.

    Attributes:
        exchange: Venue.
        symbol: Instrument in the Atlas symbology.
        start_date: First UTC day of exchange time.
        end_date: Last UTC day, included.
        preview: Ask for the free sample.
        show_progress: Draw a progress bar.
        on_incomplete: "warn" (by default), "raise" or "ignore".
    """

    exchange: Required[Exchange | str]
    symbol: Required[str]
    start_date: Required[Day]
    end_date: Required[Day]
    preview: bool
    show_progress: bool
    on_incomplete: OnIncomplete


class PandasRawOptions(RawOptions, total=False):
    """The same, delivered as a pandas frame."""

    output: Required[Literal["pandas"]]


class PandasOptions(BarsOptions, total=False):
    """The same, delivered as a pandas frame."""

    output: Required[Literal["pandas"]]
