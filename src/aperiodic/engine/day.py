"""One task of the engine: the bars of one instrument and UTC day, all intervals, both clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from aperiodic.engine.partials.trades import to_frame, trade_bars
from aperiodic.market import DAY_US, Clock, Exchange, Interval, Source, Stream, Symbol, tick_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aperiodic.lake import Store

__all__ = ["DayTask", "compute_day", "day_number", "select_bars"]

_CLOCK_CODES: Final = {Clock.EXCHANGE: 0, Clock.TRUE: 1}

_EPOCH: Final = date(1970, 1, 1)
_COLUMNS: Final = ("exchange_timestamp", "local_timestamp", "side", "price", "amount", "sequence")
_NO_TICKS: Final = pl.DataFrame(schema=tick_schema(Stream.TRADES)).select(_COLUMNS)


@dataclass(frozen=True, slots=True)
class DayTask:
    """What to compute and from what.

    Attributes:
        exchange: Venue.
        symbol: Instrument.
        day: UTC day.
        own: Path of the tick file of that exchange-time day; None when there is none.
        before: Paths of earlier tick files that hold events which arrived on this day, in order of days.
        after: The same for later tick files.
        source: Where the ticks came from.
        fingerprint: Digest of inputs and engine.
    """

    exchange: Exchange
    symbol: Symbol
    day: date
    own: str | None
    before: tuple[str, ...]
    after: tuple[str, ...]
    source: Source
    fingerprint: str


def day_number(day: date) -> int:
    """Days since the Unix epoch."""
    return (day - _EPOCH).days


def compute_day(store: Store, task: DayTask) -> pl.DataFrame:
    """Return the partials of a day: `clock`, `interval` (seconds), `time` and one column a partial.

    Rows are ordered by clock, interval and time.
    """
    own = _read(store, task.own)
    before, after = ([_read(store, path) for path in paths] for paths in (task.before, task.after))
    arrived = _in_venue_order([_arrived(ticks, task.day) for ticks in (*before, own, *after)])
    frames = []
    for clock, ticks in ((Clock.EXCHANGE, own), (Clock.TRUE, arrived)):
        for interval, bars in trade_bars(*_sorted_arrays(ticks, clock)).items():
            frames.append(
                to_frame(bars).select(
                    pl.lit(_CLOCK_CODES[clock], pl.Int8).alias("clock"),
                    pl.lit(interval.seconds, pl.Int32).alias("interval"),
                    pl.all(),
                )
            )
    return pl.concat(frames)


def select_bars(bars: pl.LazyFrame, clock: Clock, intervals: list[Interval]) -> pl.LazyFrame:
    """The rows of day bars of one clock and some intervals."""
    seconds = [interval.seconds for interval in intervals]
    return bars.filter(pl.col("clock") == _CLOCK_CODES[clock], pl.col("interval").is_in(seconds))


def _read(store: Store, path: str | None) -> pl.DataFrame:
    return _NO_TICKS if path is None else store.read_parquet(path, _COLUMNS)


def _arrived(ticks: pl.DataFrame, day: date) -> pl.DataFrame:
    begin = day_number(day) * DAY_US
    arrival = pl.col("local_timestamp").to_physical()
    return ticks.filter(arrival.is_between(begin, begin + DAY_US, closed="left"))


def _in_venue_order(files: list[pl.DataFrame]) -> pl.DataFrame:
    """Join ticks of several days; numbered events are put in the order of their numbers, as within one file."""
    filled = [ticks for ticks in files if ticks.height]
    if len(filled) == 1:
        return filled[0]
    joined = pl.concat([_NO_TICKS, *filled])
    return joined if joined["sequence"].has_nulls() else joined.sort("sequence", maintain_order=True)


def _sorted_arrays(
    ticks: pl.DataFrame, clock: Clock
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    times = ticks[clock.column].to_physical().to_numpy()
    sides = ticks["side"].to_physical().cast(pl.UInt8).to_numpy()
    prices, amounts = ticks["price"].to_numpy(), ticks["amount"].to_numpy()
    if np.all(times[1:] >= times[:-1]):
        return times, sides, prices, amounts
    order = np.argsort(times, kind="stable")
    return times[order], sides[order], prices[order], amounts[order]
