"""Merging newly imported ticks with those that the lake holds.

What an event is, so that the same one is kept once however many files hold it:

| ticks | the same event | kept |
|---|---|---|
| numbered by the venue | same `sequence` | the row that arrived first |
| other trades (ids that order nothing) | same `id` | the row that arrived first |
| mark price, index price, funding rate, open interest | same exchange time and values | the row that arrived first |
| others | all columns equal; equal rows of one file are counted | as many as the file with the most of them |

The result is the same, byte for byte, whatever order files are imported in.
"""

from __future__ import annotations

import hashlib
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.completeness.gaps import remove_spans
from aperiodic.completeness.recorded import remove_recorded
from aperiodic.engine.errors import ImportSourceError
from aperiodic.lake import Batch, Lake, LakeError, NewObject, ObjectKey, ObjectKind
from aperiodic.lake.errors import UNUSABLE
from aperiodic.lake.imports import forget_imports
from aperiodic.lake.lake import parquet_bytes
from aperiodic.market import BOOK_DEPTH, DAY_US, Exchange, Source, Stream, Symbol, book_columns, tick_schema
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from aperiodic.lake import ObjectRecord

__all__ = ["merge_frames", "merge_ticks"]

_TIMES: Final = ("exchange_timestamp", "local_timestamp")
_SHALLOW: Final = 5
"""Levels of the shallower of the two kinds of book snapshots that can be imported."""

_STATES: Final = frozenset({Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST})


def merge_ticks(
    lake: Lake,
    batch: Batch,
    stream: Stream,
    exchange: Exchange,
    symbol: Symbol,
    frame: pl.DataFrame,
    source: Source,
    *,
    replace_unusable: bool = False,
) -> None:
    """Add ticks of one series to the tick objects of their UTC days (of exchange time).

    Args:
        lake: Where the current tick objects are read from.
        batch: Receives the new ones; one batch must see a series only once.
        stream: Which ticks.
        exchange: Venue.
        symbol: Instrument.
        frame: The ticks, in the order they were recorded, with the columns of `tick_schema(stream)`.
        source: Where they come from.
        replace_unusable: Whether these ticks take the place of a day that is missing or damaged. What else that day
            held is given up: the files that it may have come from count as not imported, and its numbers as not held.

    Raises:
        LakeError: `object_missing` or `object_damaged` when a day cannot be read that would have to be merged.
        ImportSourceError: `source_conflict` when a day holds ticks of another source, or any day simulated ones where
            these are not (or the other way round); when there are single trades where these are aggregated, or book snapshots of 5 levels where these have 25 (or the other way round).
    """
    for held in lake.current(ObjectKind.TICKS, dataset=stream, exchange=exchange, symbol=str(symbol)):
        if (held.source == Source.SIMULATED) != (source is Source.SIMULATED):
            raise _conflict(held.key, f"{held.source} ticks", f"{source} ticks")
    days = frame["exchange_timestamp"].dt.date()
    for day in days.unique().sort():
        _merge_day(
            lake,
            batch,
            stream,
            ObjectKey.ticks(stream, exchange, symbol, day),
            frame.filter(days == day),
            source,
            replace_unusable=replace_unusable,
        )


def _merge_day(
    lake: Lake,
    batch: Batch,
    stream: Stream,
    key: ObjectKey,
    part: pl.DataFrame,
    source: Source,
    *,
    replace_unusable: bool,
) -> None:
    held = lake.find(key)
    if held is not None and held.source != source:
        raise _conflict(key, f"{held.source} ticks", f"{source} ticks")
    reason = "first import" if held is None else "merged with another file"
    try:
        before = None if held is None else lake.store.read_parquet(held.path)
    except LakeError as error:
        if held is None or error.code not in UNUSABLE or not replace_unusable:
            raise
        before, reason = None, "took the place of what could not be read"
        _give_up(lake, batch, held)
    if before is None:
        merged = merge_frames(stream, [part])
    else:
        kinds = _kind(stream, before, source), _kind(stream, part, source)
        if kinds[0] != kinds[1]:
            raise _conflict(key, *kinds)
        merged = merge_frames(stream, [before, part])
    data = parquet_bytes(merged)
    batch.put(NewObject.of_ticks(key, merged, source, hashlib.sha256(data).hexdigest(), reason), data)


def _give_up(lake: Lake, batch: Batch, day: ObjectRecord) -> None:
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


def merge_frames(stream: Stream, frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the ticks of several files as one frame in the venue's own order, each event once."""
    schema = tick_schema(stream)
    values = [name for name in schema if name not in {*_TIMES, "sequence"}]
    together = pl.concat(frames)
    if together["sequence"].null_count() == 0:
        ordered = together.sort("sequence", "local_timestamp", "exchange_timestamp", *values)
        merged = ordered.unique("sequence", keep="first", maintain_order=True)
    elif stream in _STATES:
        ordered = together.sort("local_timestamp", "exchange_timestamp", *values)
        merged = ordered.unique(["exchange_timestamp", *values], keep="first", maintain_order=True)
    else:
        merged = _merge_unnumbered(frames, list(schema))
        if stream is Stream.TRADES and not merged["id"].null_count():
            merged = merged.unique("id", keep="first", maintain_order=True)
    return merged.select(schema.names()).rechunk()


def _merge_unnumbered(frames: list[pl.DataFrame], columns: list[str]) -> pl.DataFrame:
    """Keep the n-th of equal rows once, and rows that arrived in the same microsecond as they were recorded."""
    placed = [
        frame.sort("local_timestamp", maintain_order=True).with_columns(
            pl.int_range(pl.len()).over("local_timestamp").alias("_place"),
            pl.int_range(pl.len()).over(columns).alias("_nth"),
        )
        for frame in frames
    ]
    merged = pl.concat(placed).group_by(*columns, "_nth").agg(pl.col("_place").max())
    return merged.sort("local_timestamp", "_place", *columns, "_nth")


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
        hint="Import them into another APERIODIC_HOME, or leave this file out.",
    )
