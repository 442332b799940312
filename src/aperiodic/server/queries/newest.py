"""The newest bars of instruments: from the files of open days and of months, and from what was told live since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.lake import ObjectKind
from aperiodic.lake.objects import Series, read_periods
from aperiodic.lake.reader import ObjectReader
from aperiodic.market import DAY_US
from aperiodic.market.time import day_at
from aperiodic.server.queries.verdicts import with_verdicts
from aperiodic.server.stream.channels import Channel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from aperiodic.catalog import Dataset
    from aperiodic.engine.live import LiveRow
    from aperiodic.lake import Lake
    from aperiodic.market import Clock, Exchange, Interval, Symbol

__all__ = ["NewestBars", "newest_bars"]

_OPEN_DAYS: Final = 8
_MONTHS: Final = 240
"""How far back bars are looked for."""

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True)
class NewestBars:
    """Which bars.

    Attributes:
        dataset: Of which dataset.
        exchange: Venue.
        interval: Their length.
        clock: Their clock.
        most: How many of each instrument.
    """

    dataset: Dataset
    exchange: Exchange
    interval: Interval
    clock: Clock
    most: int

    @property
    def schema(self) -> pl.Schema:
        """Columns of the answer: `symbol`, those of the published file, and `complete`."""
        columns = {"symbol": pl.String(), **self.dataset.schema, "complete": pl.Boolean()}
        return pl.Schema(columns)

    def channel(self, symbols: Iterable[Symbol]) -> Channel:
        """Return the channel of the live stream that tells these bars of some instruments."""
        series = (self.dataset.id, str(self.exchange), str(self.interval), str(self.clock))
        return Channel("", series, frozenset(map(str, symbols)))


def newest_bars(
    lake: Lake, asked: NewestBars, symbols: Sequence[Symbol], told: Iterable[LiveRow], now: int
) -> pl.DataFrame:
    """Return the newest bars that have closed.

    Args:
        lake: What holds the files.
        asked: Which bars.
        symbols: Of which instruments.
        told: Live rows of these bars and instruments, as `NewestBars.channel` names them, in the order in which they were told; they are newer than those in files.
        now: The time, µs.

    Returns:
        By instrument, in the order of `symbols`, then by time: the columns of `NewestBars.schema`. `complete` is whether
        nothing is known to be missing from the ticks behind the bar.

    Raises:
        LakeError: The ledger or an object cannot be read.
    """
    rows: dict[str, dict[int, LiveRow]] = {str(symbol): {} for symbol in symbols}
    for row in told:
        rows[row.symbol][row.time] = row  # a correction takes the place of what was told before
    with lake.engine.connect() as connection, ObjectReader(lake.store) as reader:
        stored = {
            str(symbol): _stored(connection, reader, asked, str(symbol), len(rows[str(symbol)]), now)
            for symbol in symbols
        }
        of = asked.dataset, asked.exchange, asked.interval, asked.clock
        stored = dict(with_verdicts(connection, *of, list(stored.items())))
    found = []
    for symbol, frame in stored.items():
        live = [_decode(row.data) for row in rows[symbol].values()]
        for each in live:
            each.pop("interval", None)
            each.pop("revision", None)
        of_live = pl.DataFrame(live, schema=asked.schema)
        frames = [frame.filter(~pl.col(TIME_COLUMN).is_in(of_live[TIME_COLUMN].implode())), of_live]
        found.append(pl.concat(frames).sort(TIME_COLUMN).tail(asked.most))
    return pl.concat(found) if found else pl.DataFrame(schema=asked.schema)


def _stored(
    connection: Connection, reader: ObjectReader, asked: NewestBars, symbol: str, had: int, now: int
) -> pl.DataFrame:
    """Return the newest bars of an instrument that are in files, `complete` null; at least `most` and what was told."""
    series = Series(ObjectKind.OPEN_BARS, asked.dataset.id, asked.exchange, symbol, asked.clock, asked.interval)
    today = day_at(now // DAY_US)
    oldest_day = day_at(now // DAY_US - _OPEN_DAYS)
    oldest = today.year * 12 + today.month - 1 - _MONTHS
    months = [f"{oldest // 12:04}-{oldest % 12 + 1:02}", f"{today:%Y-%m}"]
    records = [
        *reversed(read_periods(connection, series, [oldest_day.isoformat(), today.isoformat()])),
        *reversed(read_periods(connection, replace(series, kind=ObjectKind.BARS), months)),
    ]
    found: list[pl.DataFrame] = []
    for record in records:
        missing = asked.most + had - sum(frame.height for frame in found)
        if missing <= 0:
            break
        frame = reader.scan(record.path).tail(missing).collect()
        found.append(_with_columns(frame, symbol, asked.schema))
    if not found:
        return pl.DataFrame(schema=asked.schema)
    return pl.concat(found).unique(TIME_COLUMN, keep="first").sort(TIME_COLUMN)


def _with_columns(frame: pl.DataFrame, symbol: str, schema: pl.Schema) -> pl.DataFrame:
    """Return bars of a file with the columns of today: null where the file, an older one, lacks them."""
    known = frame.with_columns(pl.lit(symbol).alias("symbol"))
    return known.select(
        (pl.col(name) if name in known.columns else pl.lit(None).alias(name)).cast(dtype)
        for name, dtype in schema.items()
    )
