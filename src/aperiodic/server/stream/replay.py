"""What a reader has missed: rows from the files of open days and months, then those that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.engine.live import LiveRow
from aperiodic.lake import ObjectKind
from aperiodic.market import DAY_US, Interval
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aperiodic.lake import Lake
    from aperiodic.server.stream.channels import Channel

__all__ = ["MOST_ROWS", "missed_rows"]

MOST_ROWS: Final = 200_000
"""Rows that are told again at most; who has missed more fetches files."""

_encode: Final = msgspec.json.Encoder().encode


def missed_rows(lake: Lake, channel: Channel, since: int, most: int = MOST_ROWS) -> list[LiveRow]:
    """Return the bars of a channel that are in files and start at or after a time, µs, in order of time.

    Args:
        lake: What holds them.
        channel: Of which series and symbols.
        since: From when on.
        most: No more than these, the newest.

    Raises:
        LakeError: An object cannot be read.
    """
    dataset, exchange, interval, clock = channel.series
    first = day_at(since // DAY_US)
    rows: list[LiveRow] = []
    for kind, least in ((ObjectKind.BARS, f"{first:%Y-%m}"), (ObjectKind.OPEN_BARS, first.isoformat())):
        for record in lake.current(kind, dataset=dataset, exchange=exchange, clock=clock, interval=interval):
            if record.key.period < least or (
                channel.symbols is not None and str(record.key.symbol) not in channel.symbols
            ):
                continue
            frame = lake.store.read_parquet(record.path)
            frame = frame.filter(pl.col(TIME_COLUMN).to_physical() >= since)
            rows += _rows(channel, str(record.key.symbol), frame)
    rows.sort(key=lambda row: row.time)
    return rows[-most:]


def _rows(channel: Channel, symbol: str, frame: pl.DataFrame) -> Iterator[LiveRow]:
    dataset, exchange, interval, clock = channel.series
    length = Interval(interval).microseconds
    for time, values in zip(
        frame[TIME_COLUMN].to_physical(), frame.drop(TIME_COLUMN).iter_rows(named=True), strict=True
    ):
        told = {"symbol": symbol, "interval": interval, "time": time}
        data = _encode(told | values)
        yield LiveRow(dataset, exchange, interval, clock, symbol, time, time + length, 0, 0, complete=True, data=data)
