"""Putting ticks into a lake and getting published bars out, the way the program does it."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.engine.build import build
from aperiodic.lake import Lake, NewObject, ObjectKey, ObjectKind
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Clock, Exchange, Interval, Source, Stream, Symbol, tick_schema
from aperiodic.server.settings import PreviewEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

SOAK: Final = int(os.environ.get("APERIODIC_SOAK", "1"))
"""How many times longer than usual the random tests run (`make soak`)."""

BTC: Final = Symbol.parse("perpetual-BTC-USDT:USDT")
VENUE: Final = Exchange.BINANCE_FUTURES


def preview_of(metrics: Iterable[str], first: date, last: date) -> tuple[PreviewEntry, ...]:
    """Return preview entries of datasets of that instrument, 5m on the exchange clock."""
    return tuple(
        PreviewEntry(
            metric=metric,
            timestamp=Clock.EXCHANGE,
            interval=Interval.M5,
            exchange=VENUE,
            symbol=str(BTC),
            start_date=first,
            end_date=last,
        )
        for metric in metrics
    )


def put_trades(lake: Lake, trades: pl.DataFrame, *, exchange: Exchange = VENUE, symbol: Symbol = BTC) -> None:
    """Write trades, in file order, as tick objects of their UTC days."""
    put_ticks(lake, Stream.TRADES, trades, exchange=exchange, symbol=symbol)


def put_ticks(
    lake: Lake, stream: Stream, ticks: pl.DataFrame, *, exchange: Exchange = VENUE, symbol: Symbol = BTC
) -> None:
    """Write ticks, in file order, as tick objects of their UTC days."""
    batch = lake.batch()
    days = ticks["exchange_timestamp"].dt.date()
    for day in days.unique(maintain_order=True):
        part = ticks.filter(days == day).cast(tick_schema(stream))
        data = parquet_bytes(part)
        key = ObjectKey.ticks(stream, exchange, symbol, day)
        new = NewObject.of_ticks(key, part, Source.SIMULATED, hashlib.sha256(data).hexdigest(), "test")
        batch.put(new, data)
    batch.commit()


def published(lake: Lake, dataset: str, clock: str, interval: str) -> pl.DataFrame:
    """All published rows of one instrument's dataset, months joined."""
    records = lake.current(ObjectKind.BARS, dataset=dataset, clock=clock, interval=interval)
    return pl.concat([lake.store.read_parquet(record.path) for record in records])


def hashes(lake: Lake, *kinds: ObjectKind) -> dict[str, str]:
    """Digest of every current object of these kinds (default: ticks and bars) by its path without the digest."""
    wanted = kinds or (ObjectKind.TICKS, ObjectKind.DAY_BARS, ObjectKind.BARS)
    return {record.key.path("-" * 16): record.sha256 for kind in wanted for record in lake.current(kind)}


def built(lake: Lake, trades: pl.DataFrame) -> Iterator[tuple[Clock, Interval]]:
    """Put trades, build, and yield every clock and interval to look at."""
    put_trades(lake, trades)
    build(lake)
    for clock in Clock:
        for interval in clock.intervals:
            yield clock, interval
