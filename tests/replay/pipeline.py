"""Mock exchange → capture → normalise → build, and what came out beside what importing the same files gives."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl

from aperiodic.capture.plan import choose_channels
from aperiodic.capture.session import Session
from aperiodic.capture.settings import CaptureSettings
from aperiodic.completeness.gaps import read_gaps
from aperiodic.completeness.recorded import read_recorded
from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.parts import compact_ticks
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Clock, Exchange, Source, Stream
from aperiodic.venues import feed_of, venue_of

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    import pytest

    from aperiodic.mock import MockExchange

__all__ = [
    "Hole",
    "Series",
    "bars_of",
    "begin",
    "capturing",
    "differences",
    "holes_of",
    "lead_to",
    "normalised",
    "numbers_missing",
    "ready_capture",
    "symbols_of",
    "ticks_of",
    "without_arrival",
]

Series = tuple[str, str]
"""Stream and symbol."""

Hole = tuple[Any, Any]
"""The last time before a hole and the first one after it."""

_COMMAND = "from aperiodic.cli import main; import aperiodic.capture.run; input(); main()"
"""`aperiodic capture`, which begins when it is told to: what is killed can be started again at once."""


def lead_to(mock: MockExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let captures of this process, and of those it starts, dial the mock."""
    for name, value in mock.environment().items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def capturing(
    home: Path, exchange: Exchange, natives: Sequence[str], channels: Sequence[str] = (), **settings: Any
) -> AsyncIterator[Session]:
    """Capture in this process until the end of the block."""
    told = CaptureSettings(home=home, capture_disk_floor_bytes=0, **settings)
    feed = feed_of(exchange)
    session = Session(feed, told, choose_channels(feed, channels), natives)
    task = asyncio.create_task(session.run())
    try:
        yield session
    finally:
        session.stop()
        await task


async def ready_capture(home: Path, exchange: Exchange, natives: Sequence[str], channels: Sequence[str]) -> Process:
    """Return `aperiodic capture` as a user would start it; it begins with `begin`."""
    venue = venue_of(exchange)
    symbols = [str(venue.symbol(native)) for native in natives]
    words = ["capture", "--exchange", str(exchange), "--symbols", *symbols, "--channels", *channels]
    environment = {**os.environ, "APERIODIC_HOME": str(home), "APERIODIC_CAPTURE_DISK_FLOOR_BYTES": "0"}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", _COMMAND, *words, env=environment, stdin=PIPE, stderr=DEVNULL
    )


def begin(capture: Process) -> None:
    """Let a capture that is ready begin."""
    assert capture.stdin is not None
    capture.stdin.write(b"\n")


def normalised(home: Path) -> Lake:
    """Make ticks of everything that was captured."""
    lake = Lake.open(Settings(home=home))
    Normaliser(lake, source=Source.RECORDING).run_once()
    compact_ticks(lake)
    return lake


def ticks_of(lake: Lake, exchange: Exchange) -> dict[Series, pl.DataFrame]:
    """Return all ticks by stream and symbol."""
    found: dict[Series, list[pl.DataFrame]] = {}
    for record in lake.current(ObjectKind.TICKS, exchange=exchange):
        frame = lake.store.read_parquet(record.path)
        found.setdefault((record.key.dataset, record.key.symbol), []).append(frame)
    return {series: pl.concat(frames) for series, frames in sorted(found.items())}


def without_arrival(ticks: pl.DataFrame, exchange: Exchange, stream: str) -> pl.DataFrame:
    """Return ticks without what depends on when they arrived, in an order that does not either."""
    arrival = ["local_timestamp"]
    if Stream(stream) in venue_of(exchange).modelled:
        arrival.append("exchange_timestamp")
    kept = ticks.drop(arrival)
    return kept.sort(kept.columns, nulls_last=True)


def differences(
    got: Mapping[Series, pl.DataFrame], wanted: Mapping[Series, pl.DataFrame], exchange: Exchange
) -> dict[Series, tuple[pl.DataFrame, pl.DataFrame]]:
    """Return the ticks that are missing, and those that are too many, of every series in which there are any."""
    result = {}
    for series in sorted(got.keys() | wanted.keys()):
        frames = [
            _numbered(without_arrival(ticks[series], exchange, series[0])) if series in ticks else None
            for ticks in (got, wanted)
        ]
        empty = next(frame for frame in frames if frame is not None).clear()
        have, want = (empty if frame is None else frame for frame in frames)
        missing = want.join(have, on=want.columns, how="anti", nulls_equal=True)
        extra = have.join(want, on=want.columns, how="anti", nulls_equal=True)
        if missing.height or extra.height:
            result[series] = (missing, extra)
    return result


def _numbered(ticks: pl.DataFrame) -> pl.DataFrame:
    """Tell equal ticks apart, so that none can be there twice or once too little unseen."""
    return ticks.with_columns(place=pl.int_range(pl.len()).over(ticks.columns))


def bars_of(lake: Lake, exchange: Exchange) -> dict[tuple[str, str, str, str], pl.DataFrame]:
    """Return all bars of the exchange's clock by dataset, interval, symbol and month."""
    found = {}
    for record in lake.current(ObjectKind.BARS, exchange=exchange, clock=Clock.EXCHANGE):
        key = record.key
        found[key.dataset, key.interval, key.symbol, key.period] = lake.store.read_parquet(record.path)
    return found


def holes_of(lake: Lake, exchange: Exchange, series: Series, ticks: pl.DataFrame) -> list[Hole]:
    """Return the times between which a series was not recorded, as times of the exchange.

    They are those of the last tick that arrived before a hole, and of the first one after it; None where the series
    did not come again.
    """
    stream, symbol = series
    with lake.engine.connect() as connection:
        told = read_recorded(connection, exchange, [symbol], 0, 1 << 60)
    arrival = pl.col("local_timestamp").dt.epoch("us")
    own = told.get((symbol, stream), [])
    edges = [(left.last_time, right.first_time) for left, right in pairwise(own)]
    if own and own[-1].ends:
        edges.append((own[-1].last_time, 1 << 60))
    return [
        (
            ticks.filter(arrival <= left)["exchange_timestamp"].max(),
            ticks.filter(arrival >= right)["exchange_timestamp"].min(),
        )
        for left, right in edges
    ]


def numbers_missing(lake: Lake, exchange: Exchange, series: Series) -> list[tuple[int, int]]:
    """Return after which number and up to which one a series is known to lack events."""
    with lake.engine.connect() as connection:
        rows = read_gaps(connection, exchange, series[1], Stream(series[0]))
    return [(row.after_sequence, row.before_sequence) for row in rows]


def symbols_of(exchange: Exchange, natives: Sequence[str]) -> set[str]:
    """Return our names of instruments."""
    return {str(venue_of(exchange).symbol(native)) for native in natives}
