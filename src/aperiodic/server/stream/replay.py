"""What a reader has missed: rows from the files of open days and months, then those that are kept."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.engine.live import LiveRow
from aperiodic.lake import ObjectKind
from aperiodic.lake.objects import Series, current_symbols, read_periods
from aperiodic.market import DAY_US, Clock, Exchange, Interval
from aperiodic.market.time import day_at
from aperiodic.server.queries.verdicts import with_verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aperiodic.engine.live import LiveSeries
    from aperiodic.lake import Lake, ObjectRecord
    from aperiodic.server.stream.channels import Channel

__all__ = ["MOST_ROWS", "missed_rows", "rows_of_file"]

MOST_ROWS: Final = 200_000
"""Rows that are told again at most; who has missed more fetches files."""

_LAST: Final = "~"
"""A period after all others."""

_encode: Final = msgspec.json.Encoder().encode


def missed_rows(lake: Lake, channel: Channel, since: int, until: int | None = None) -> list[LiveRow]:
    """Return the bars of a channel that are in files and start at or after a time, µs, in order of time.

    Args:
        lake: What holds them.
        channel: Of which series and symbols.
        since: From when on.
        until: Only bars that have closed by then, µs; None for all.

    Raises:
        LakeError: An object cannot be read.
    """
    dataset, exchange, interval, clock = channel.series
    length = Interval(interval).microseconds
    first = day_at(since // DAY_US)
    found: list[tuple[str, pl.DataFrame]] = []
    for kind, least in ((ObjectKind.OPEN_BARS, first.isoformat()), (ObjectKind.BARS, f"{first:%Y-%m}")):
        records: defaultdict[str, list[ObjectRecord]] = defaultdict(list)
        with lake.engine.connect() as connection:
            # Symbol by symbol, for the index leads to the periods of a symbol alone.
            for symbol in channel.symbols or current_symbols(connection, kind, exchange):
                of_symbol = Series(kind, dataset, exchange, symbol, clock, interval)
                for record in read_periods(connection, of_symbol, [least, _LAST]):
                    records[record.key.period].append(record)
        for period in sorted(records, reverse=True):
            if sum(frame.height for _, frame in found) >= MOST_ROWS:
                break  # what is older would not be told
            for record in records[period]:
                frame = lake.store.read_parquet(record.path)
                begins = pl.col(TIME_COLUMN).to_physical()
                wanted = begins >= since
                if until is not None:
                    wanted &= begins + length <= until
                found.append((record.key.symbol, frame.filter(wanted)))
    times = pl.concat([frame[TIME_COLUMN] for _, frame in found]) if found else pl.Series(dtype=pl.Datetime("us"))
    if times.len() > MOST_ROWS:
        oldest = times.sort(descending=True)[MOST_ROWS - 1]
        found = [(symbol, frame.filter(pl.col(TIME_COLUMN) >= oldest)) for symbol, frame in found]
    with lake.engine.connect() as connection:
        of = DATASETS[dataset], Exchange(exchange), Interval(interval), Clock(clock)
        found = with_verdicts(connection, *of, found)
    rows = [row for symbol, frame in found for row in rows_of_file(channel.series, symbol, frame)]
    rows.sort(key=lambda row: row.time)
    return rows[-MOST_ROWS:]


def rows_of_file(series: LiveSeries, symbol: str, frame: pl.DataFrame, told_at: int = 0) -> Iterator[LiveRow]:
    """Yield the bars of a published file as rows.

    Args:
        series: Of which dataset, venue, interval and clock.
        symbol: Of which instrument.
        frame: The bars, with the column `complete` where that is known.
        told_at: When they are told, µs; 0 for not at all before.
    """
    dataset, exchange, interval, clock = series
    length = Interval(interval).microseconds
    for time, values in zip(
        frame[TIME_COLUMN].to_physical(), frame.drop(TIME_COLUMN).iter_rows(named=True), strict=True
    ):
        told = {"symbol": symbol, "interval": interval, "time": time}
        judged = {} if (complete := values.pop("complete", None)) is None else {"complete": complete, "revision": 0}
        data = _encode(told | values | judged)
        yield LiveRow(
            dataset,
            exchange,
            interval,
            clock,
            symbol,
            time,
            time + length,
            told_at,
            0,
            complete=complete is not False,
            data=data,
        )
