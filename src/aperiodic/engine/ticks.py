"""Writing newly imported ticks into the days that the lake holds; `merging` says what is one event."""

from __future__ import annotations

import hashlib
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from aperiodic.completeness.gaps import remove_spans
from aperiodic.completeness.recorded import remove_recorded
from aperiodic.engine.errors import ImportSourceError
from aperiodic.engine.merging import STATES, merge_frames
from aperiodic.lake import Batch, Lake, LakeError, NewObject, ObjectKey, ObjectKind
from aperiodic.lake.errors import UNUSABLE
from aperiodic.lake.imports import forget_imports
from aperiodic.lake.objects import first_ticks
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import BOOK_DEPTH, DAY_US, Exchange, Source, Stream, Symbol, book_columns
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aperiodic.lake import ObjectRecord

__all__ = ["Received", "give_up_day", "merge_ticks", "put_ticks", "require_day_source", "require_source"]

Received: TypeAlias = "tuple[Sequence[tuple[int, int]], Sequence[tuple[int, int]]]"
"""When the recordings merged before received anything, and when the one at hand did: first and last arrival, µs."""

_SHALLOW: Final = 5
"""Levels of the shallower of the two kinds of book snapshots that can be imported."""


def merge_ticks(
    lake: Lake,
    batch: Batch,
    stream: Stream,
    exchange: Exchange,
    symbol: Symbol,
    frame: pl.DataFrame,
    source: Source,
    *,
    received: Received | None = None,
    replace_unusable: bool = False,
) -> int:
    """Add ticks of one series to the tick objects of their UTC days (of exchange time).

    Parts of an open day become one object with ticks that tell a state: equal messages are counted over the whole day.

    Args:
        lake: Where the current tick objects are read from.
        batch: Receives the new ones; one batch must see a series only once.
        stream: Which ticks.
        exchange: Venue.
        symbol: Instrument.
        frame: The ticks, in the order they were recorded, with the columns of `tick_schema(stream)`.
        source: Where they come from.
        received: When this recording and earlier ones received anything; see `merge_frames`.
        replace_unusable: Whether these ticks take the place of a day that is missing or damaged. What else that day
            held is given up: the files that it may have come from count as not imported, and its numbers as not held.

    Returns:
        How many of the ticks are messages of a state that another recording has as well.

    Raises:
        LakeError: `object_missing` or `object_damaged` when a day cannot be read that would have to be merged.
        ImportSourceError: `source_conflict` when a day holds ticks of another source, or any day simulated ones where
            these are not (or the other way round); when there are single trades where these are aggregated, or book snapshots of 5 levels where these have 25 (or the other way round).
    """
    require_source(lake, stream, exchange, symbol, source)
    days = frame["exchange_timestamp"].dt.date()
    repeated = 0
    for day in days.unique().sort():
        repeated += _merge_day(
            lake,
            batch,
            stream,
            ObjectKey.ticks(stream, exchange, symbol, day),
            frame.filter(days == day),
            source,
            received,
            replace_unusable=replace_unusable,
        )
    return repeated


def _merge_day(
    lake: Lake,
    batch: Batch,
    stream: Stream,
    key: ObjectKey,
    part: pl.DataFrame,
    source: Source,
    received: Received | None,
    *,
    replace_unusable: bool,
) -> int:
    held, both = lake.find(key), part.height
    if held is not None and held.source != source:
        raise _conflict(key, f"{held.source} ticks", f"{source} ticks")
    reason = "first import" if held is None else "merged with another file"
    try:
        before = None if held is None else lake.store.read_parquet(held.path)
    except LakeError as error:
        if held is None or error.code not in UNUSABLE or not replace_unusable:
            raise
        before, reason = None, "took the place of what could not be read"
        give_up_day(lake, batch, held)
    if stream in STATES:
        before = _take_in_parts(lake, batch, stream, key, before, source)
    if before is None:
        merged = merge_frames(stream, [part])
    else:
        kinds = _kind(stream, before, source), _kind(stream, part, source)
        if kinds[0] != kinds[1]:
            raise _conflict(key, *kinds)
        merged = merge_frames(stream, [before, part], received)
        both += before.height
    put_ticks(lake, batch, key, merged, source, reason)
    return both - merged.height if stream in STATES else 0


def _take_in_parts(
    lake: Lake, batch: Batch, stream: Stream, key: ObjectKey, before: pl.DataFrame | None, source: Source
) -> pl.DataFrame | None:
    """Return what an open day holds in parts as well, and let those go: equal messages are counted over the whole day.

    Parts that cannot be read stay as they are.
    """
    frames = [] if before is None else [before]
    for record in _parts_of(lake, key):
        if record.source != source:
            continue
        try:
            frames.append(lake.store.read_parquet(record.path))
        except LakeError as error:
            if error.code not in UNUSABLE:
                raise
            continue
        batch.retire(record.key)
    return merge_frames(stream, frames) if frames else None


def _parts_of(lake: Lake, key: ObjectKey) -> list[ObjectRecord]:
    """Return the parts of a day."""
    series = {"dataset": key.dataset, "exchange": key.exchange, "symbol": key.symbol}
    parts = lake.current(ObjectKind.TICK_PARTS, **series)
    return [part for part in parts if part.key.period.startswith(key.period)]


def require_source(lake: Lake, stream: Stream, exchange: Exchange, symbol: Symbol, source: Source) -> None:
    """Refuse to mix simulated ticks of a series with others.

    Raises:
        ImportSourceError: `source_conflict`.
    """
    with lake.engine.connect() as connection:
        held = first_ticks(connection, exchange, str(symbol), stream)  # the others are of the same kind
    for record in held:
        if (record.source == Source.SIMULATED) != (source is Source.SIMULATED):
            raise _conflict(record.key, f"{record.source} ticks", f"{source} ticks")


def require_day_source(lake: Lake, key: ObjectKey, source: Source) -> None:
    """Refuse to take the place of ticks of another source, those that were appended to the open day included.

    Args:
        lake: Where the ticks are held.
        key: The day.
        source: Where the ticks at hand come from.

    Raises:
        ImportSourceError: `source_conflict`.
    """
    held = lake.find(key)
    if held is not None and held.source != source:
        raise _conflict(key, f"{held.source} ticks", f"{source} ticks")
    for part in _parts_of(lake, key):
        if part.source != source:
            raise _conflict(key, f"{part.source} ticks", f"{source} ticks")


def put_ticks(lake: Lake, batch: Batch, key: ObjectKey, ticks: pl.DataFrame, source: Source, reason: str) -> None:
    """Write the ticks of a day in place of those that it holds.

    Raises:
        ImportSourceError: `source_conflict` when the day holds ticks of another source.
    """
    held = lake.find(key)
    if held is not None and held.source != source:
        raise _conflict(key, f"{held.source} ticks", f"{source} ticks")
    data = parquet_bytes(ticks)
    batch.put(NewObject.of_ticks(key, ticks, source, hashlib.sha256(data).hexdigest(), reason), data)


def give_up_day(lake: Lake, batch: Batch, day: ObjectRecord) -> None:
    """Let the ledger say of a day that cannot be read that it is not held, and that its files can be imported again."""
    key = day.key
    if day.first_local is not None and day.last_local is not None:
        received = day.first_local, day.last_local
        batch.change(lambda connection: forget_imports(connection, key.exchange, *received))
        batch.change(lambda connection: remove_recorded(connection, key.exchange, key.symbol, key.dataset, *received))
    begin = day_start_us(date.fromisoformat(key.period))
    batch.change(
        partial(
            remove_spans,
            exchange=key.exchange,
            symbol=key.symbol,
            stream=key.dataset,
            begin=begin,
            end=begin + DAY_US,
            number_before=_number(lake, key, before=True),
            number_after=_number(lake, key, before=False),
        )
    )


def _number(lake: Lake, key: ObjectKey, *, before: bool) -> int | None:
    """Return the last number of the venue on the days before a day, or the first on those after it."""
    days = lake.current(ObjectKind.TICKS, dataset=key.dataset, exchange=key.exchange, symbol=key.symbol)
    near = [day for day in days if (day.key.period < key.period if before else day.key.period > key.period)]
    for day in reversed(near) if before else near:
        try:
            ticks = lake.store.read_parquet(day.path, ["exchange_timestamp", "sequence"])
        except LakeError as error:
            if error.code not in UNUSABLE:
                raise
            continue
        number: int | None = ticks.sort("exchange_timestamp", maintain_order=True)["sequence"][-1 if before else 0]
        return number
    return None


def _kind(stream: Stream, ticks: pl.DataFrame, source: Source) -> str:
    """Say what is counted as one event, where a source has more than one way to count."""
    if stream is Stream.TRADES:
        # An aggregate is numbered by its last trade, but has an id of its own.
        single = (ticks["id"] == ticks["sequence"].cast(pl.String)).all()
        return "single trades" if single else "aggregated trades"
    if stream is Stream.BOOK and source is Source.TARDIS:
        deep = [name for side in ("bid", "ask") for name in book_columns(side, "price")[_SHALLOW:]]
        shallow = all(ticks[name].null_count() == ticks.height for name in deep)
        return f"snapshots of {_SHALLOW if shallow else BOOK_DEPTH} levels"
    return ""


def _conflict(key: ObjectKey, held: str, given: str) -> ImportSourceError:
    return ImportSourceError(
        f"{key.symbol} {key.dataset} of {key.period} on {key.exchange} are already held as {held}; "
        f"they cannot be mixed with {given}.",
        code="source_conflict",
        hint="Import them into another APERIODIC_HOME, or leave this file out."
        + (" What a mock exchange sent is read by: aperiodic normalise --simulated." if "simulated" in held else ""),
    )
