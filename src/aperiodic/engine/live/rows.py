"""One bar as it goes to readers: what it is of, and its fields as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.engine.merging import times_of
from aperiodic.market import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import polars as pl

    from aperiodic.catalog import Dataset
    from aperiodic.market import Clock, Exchange, Symbol

__all__ = ["ALL_SECONDS", "LiveRow", "LiveSeries", "Seconds", "newest_times", "rows_of"]

FIRST: Final = 0
"""Revision of a bar that is told the first time."""

_encode: Final = msgspec.json.Encoder().encode


LiveSeries = tuple[str, str, str, str]
"""Dataset, exchange, interval and clock."""

Seconds = frozenset[tuple[str, ...]]
"""Dataset and interval of bars below a minute, which are made only where somebody reads them."""

ALL_SECONDS: Final[Seconds] = frozenset(
    (dataset, str(interval)) for dataset in DATASETS for interval in Interval if interval.sub_minute
)
"""All that there are."""


class LiveRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A bar that is over.

    Attributes:
        dataset: Name of its dataset.
        exchange: Venue.
        interval: Its length.
        clock: Which time it is of.
        symbol: Instrument.
        time: Its start, µs.
        end: Its end, µs.
        told_at: When it was made, µs.
        revision: 0 the first time, then counted up: a correction.
        complete: Whether nothing is known to be missing of the ticks it was made from.
        data: The row as a JSON object: symbol, interval, time, every field (null where it is undefined), complete and
            revision.
    """

    dataset: str
    exchange: str
    interval: str
    clock: str
    symbol: str
    time: int
    end: int
    told_at: int
    revision: int
    complete: bool
    data: bytes

    @property
    def series(self) -> LiveSeries:
        """What it is a bar of, but for the symbol."""
        return self.dataset, self.exchange, self.interval, self.clock


def newest_times(rows: Iterable[LiveRow]) -> dict[str, int]:
    """Return the start of the newest of some bars, µs, by symbol."""
    newest: dict[str, int] = {}
    for row in rows:
        newest[row.symbol] = max(newest.get(row.symbol, 0), row.time)
    return newest


def rows_of(
    dataset: Dataset,
    clock: Clock,
    interval: Interval,
    owners: Sequence[tuple[Exchange, Symbol]],
    frame: pl.DataFrame,
    verdicts: Sequence[tuple[int, bool]],
    now: int,
) -> Iterator[LiveRow]:
    """Encode rows of a dataset.

    Args:
        dataset: Which.
        clock: Of the bars.
        interval: Their length.
        owners: Venue and instrument of each row.
        frame: The rows, with the dataset's schema.
        verdicts: Revision, and whether it is complete, of each row.
        now: The time, µs.
    """
    times = times_of(frame, TIME_COLUMN).tolist()
    fields = frame.drop(TIME_COLUMN).to_dicts()
    for (exchange, symbol), time, values, (revision, complete) in zip(owners, times, fields, verdicts, strict=True):
        # JSON knows no infinity; msgspec writes null for it, as for what is not a number.
        told = {"symbol": str(symbol), "interval": str(interval), "time": time}
        data = _encode(told | values | {"complete": complete, "revision": revision})
        yield LiveRow(
            dataset=dataset.id,
            exchange=exchange,
            interval=interval,
            clock=clock,
            symbol=str(symbol),
            time=time,
            end=time + interval.microseconds,
            told_at=now,
            revision=revision,
            complete=complete,
            data=data,
        )
