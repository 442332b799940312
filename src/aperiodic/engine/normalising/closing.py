"""What becomes of the parts of a day: many small ones are joined, and those of a closed day become one object."""

from __future__ import annotations

import hashlib
import math
from datetime import date
from typing import TYPE_CHECKING, Final

from aperiodic.engine.merging import merge_frames
from aperiodic.engine.parts import compact_day
from aperiodic.lake import LakeError, NewObject, ObjectKey, ObjectKind, Scope
from aperiodic.lake.delays import JOINED
from aperiodic.lake.objects import last_part, part_counts
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import DAY_US, Exchange, Source, Stream, Symbol
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from aperiodic.lake import Lake, ObjectRecord

__all__ = ["JOINED", "close_days", "join_small_parts"]

_MANY: Final = 100
_SMALL_ROWS: Final = 200_000
_MOST_ROWS: Final = 1_000_000

Key = tuple[str, str, str, str]
"""Exchange, symbol, stream and day."""


def close_days(lake: Lake, until: int, idle: Collection[str]) -> int:
    """Make one object of the parts of every day that is closed; return the number of days.

    Args:
        lake: The installation.
        until: Days that ended before this time, µs, are closed.
        idle: Venues of which everything recorded has been read: of others, no day is closed yet.

    Raises:
        LakeError: `object_missing` or `object_damaged`; a series that another program writes is left for the next time.
    """
    closed = 0
    for exchange, symbol, stream, day in sorted(_counts(lake)):
        if exchange not in idle or day_start_us(date.fromisoformat(day)) + DAY_US > until:
            continue
        try:
            with lake.writing(Scope(exchange, symbol, "ticks")):
                batch = lake.batch()
                where = Stream(stream), Exchange(exchange), Symbol.parse(symbol), date.fromisoformat(day)
                compact_day(lake, batch, *where)
                batch.commit()
        except LakeError as error:
            if error.code != "busy":
                raise
        else:
            closed += 1
    return closed


def join_small_parts(lake: Lake, share: float = 1.0) -> int:
    """Join the small parts of days that have many of them; return the number of parts that went into others.

    Args:
        lake: The installation.
        share: At most this share of all days, those of most parts first, and at least one: the rest is for the next time.
    """
    joined = 0
    days = sorted(_counts(lake).items(), key=lambda item: -item[1])
    for key, count in days[: math.ceil(len(days) * share)]:
        if count < _MANY:
            break
        small = [part for part in _parts(lake, key) if part.rows < _SMALL_ROWS]
        chosen: list[ObjectRecord] = []
        for part in small:
            if sum(each.rows for each in chosen) + part.rows > _MOST_ROWS:
                break
            chosen.append(part)
        if len(chosen) >= _MANY:
            joined += _join(lake, key, chosen)
    return joined


def _counts(lake: Lake) -> dict[Key, int]:
    """Return how many parts each day has."""
    with lake.engine.connect() as connection:
        return part_counts(connection)


def _parts(lake: Lake, key: Key) -> list[ObjectRecord]:
    exchange, symbol, stream, day = key
    parts = lake.current(ObjectKind.TICK_PARTS, exchange=exchange, symbol=symbol, dataset=stream)
    return [part for part in parts if part.key.period.startswith(day)]


def _join(lake: Lake, key: Key, parts: Sequence[ObjectRecord]) -> int:
    exchange, symbol, stream, day = key
    try:
        with lake.writing(Scope(exchange, symbol, "parts"), Scope(exchange, symbol, "ticks")):
            frames = [lake.store.read_parquet(part.path) for part in parts if lake.find(part.key) is not None]
            if len(frames) < len(parts):  # the day was compacted meanwhile
                return 0
            ticks = merge_frames(Stream(stream), frames)
            first = ObjectKey.tick_part(
                Stream(stream), Exchange(exchange), Symbol.parse(symbol), date.fromisoformat(day), 0
            )
            with lake.engine.connect() as connection:
                number = last_part(connection, first) + 1
            period = f"{day}-{number:06d}"
            whole = ObjectKey(first.kind, first.dataset, first.exchange, first.symbol, "", "", period)
            data = parquet_bytes(ticks)
            digest = hashlib.sha256(data).hexdigest()
            batch = lake.batch()
            batch.put(NewObject.of_ticks(whole, ticks, Source(parts[0].source), digest, JOINED), data)
            for part in parts:
                batch.retire(part.key)
            batch.commit()
    except LakeError as error:
        if error.code != "busy":
            raise
        return 0
    return len(parts)
