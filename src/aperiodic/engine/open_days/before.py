"""The latest event before a day, which the first bars of the day look back on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.lake import ObjectKind, ObjectReader
from aperiodic.lake.objects import objects_between
from aperiodic.market import DAY_US, Clock, Exchange, Stream, Symbol, tick_schema
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aperiodic.engine.partials.kernel import FamilyKernel
    from aperiodic.lake import Lake, ObjectRecord

__all__ = ["latest_before"]

_TRIED: Final = 3
"""So many files, those that end last, are looked into."""


def latest_before(
    lake: Lake, exchange: Exchange, symbol: Symbol, clock: Clock, begin: int, kernel: FamilyKernel
) -> Mapping[Stream, pl.DataFrame]:
    """Return the latest usable event before a day, `time` and the kernel's columns, for each stream it looks back on.

    Args:
        lake: What holds the ticks.
        exchange: Venue.
        symbol: Instrument.
        clock: Which time counts.
        begin: Begin of the day, µs.
        kernel: What the events are for.

    Raises:
        LakeError: `object_missing` or `object_damaged`.
    """
    found = {}
    for stream, limit in kernel.looks_back.items():
        columns = kernel.columns[stream]
        usable = kernel.usable.get(stream, pl.lit(value=True))
        time = pl.col(clock.column).to_physical().alias("time")
        earliest = begin - (DAY_US if limit is None else limit)
        latest = pl.DataFrame(schema=tick_schema(stream)).select(time, *columns)
        with ObjectReader(lake.store) as files:
            for record in _candidates(lake, exchange, symbol, stream, clock, begin):
                event = (
                    files.scan(record.path)
                    .filter(time.is_between(earliest, begin, closed="left") & usable)
                    .select(time, *columns)
                    .sort("time", maintain_order=True)
                    .tail(1)
                    .collect()
                )
                if event.height and (latest.is_empty() or event["time"].item() > latest["time"].item()):
                    latest = event
        found[stream] = latest
    return found


def _candidates(
    lake: Lake, exchange: Exchange, symbol: Symbol, stream: Stream, clock: Clock, begin: int
) -> list[ObjectRecord]:
    """Return the files that can hold it, those that end last first."""
    earliest, latest = (day_at(begin // DAY_US + days).isoformat() for days in (-2, 0))
    with lake.engine.connect() as connection:
        held = [
            record
            for kind in (ObjectKind.TICKS, ObjectKind.TICK_PARTS)
            for record in objects_between(connection, kind, exchange, str(symbol), [stream], earliest, f"{latest}-~")
        ]
    exchange_time = clock is Clock.EXCHANGE

    def first(record: ObjectRecord) -> int | None:
        return record.first_exchange if exchange_time else record.first_local

    def last(record: ObjectRecord) -> int:
        return min((record.last_exchange if exchange_time else record.last_local) or 0, begin)

    before = [record for record in held if (at := first(record)) is not None and at < begin]
    return sorted(before, key=last, reverse=True)[:_TRIED]
