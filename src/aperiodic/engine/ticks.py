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
from typing import Final

import polars as pl

from aperiodic.engine.errors import ImportSourceError
from aperiodic.lake import Batch, Lake, NewObject, ObjectKey, ObjectKind
from aperiodic.lake.lake import parquet_bytes
from aperiodic.market import BOOK_DEPTH, Exchange, Source, Stream, Symbol, book_columns, tick_schema

__all__ = ["merge_frames", "merge_ticks"]

_TIMES: Final = ("exchange_timestamp", "local_timestamp")
_SHALLOW: Final = 5
"""Levels of the shallower of the two kinds of book snapshots that can be imported."""

_STATES: Final = frozenset({Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST})


def merge_ticks(
    lake: Lake, batch: Batch, stream: Stream, exchange: Exchange, symbol: Symbol, frame: pl.DataFrame, source: Source
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

    Raises:
        ImportSourceError: `source_conflict` when a day holds ticks of another source, or any day simulated ones where
            these are not (or the other way round); when there are single trades where these are aggregated, or book snapshots of 5 levels where these have 25 (or the other way round).
    """
    for held in lake.current(ObjectKind.TICKS, dataset=stream, exchange=exchange, symbol=str(symbol)):
        if (held.source == Source.SIMULATED) != (source is Source.SIMULATED):
            raise _conflict(held.key, f"{held.source} ticks", f"{source} ticks")
    days = frame["exchange_timestamp"].dt.date()
    for day in days.unique().sort():
        _merge_day(
            lake, batch, stream, ObjectKey.ticks(stream, exchange, symbol, day), frame.filter(days == day), source
        )


def _merge_day(lake: Lake, batch: Batch, stream: Stream, key: ObjectKey, part: pl.DataFrame, source: Source) -> None:
    held = lake.find(key)
    if held is None:
        merged = merge_frames(stream, [part])
    else:
        if held.source != source:
            raise _conflict(key, f"{held.source} ticks", f"{source} ticks")
        before = lake.store.read_parquet(held.path)
        kinds = _kind(stream, before, source), _kind(stream, part, source)
        if kinds[0] != kinds[1]:
            raise _conflict(key, *kinds)
        merged = merge_frames(stream, [before, part])
    data = parquet_bytes(merged)
    first_exchange, last_exchange, first_local, last_local = _bounds(merged)
    batch.put(
        NewObject(
            key=key,
            rows=merged.height,
            source=source,
            fingerprint=hashlib.sha256(data).hexdigest(),
            reason="first import" if held is None else "merged with another file",
            first_exchange=first_exchange,
            last_exchange=last_exchange,
            first_local=first_local,
            last_local=last_local,
        ),
        data,
    )


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


def _bounds(ticks: pl.DataFrame) -> tuple[int, int, int, int]:
    times = [pl.col(name).to_physical() for name in _TIMES]
    return ticks.select(
        *(bound for time in times for bound in (time.min().name.prefix("first_"), time.max().name.prefix("last_")))
    ).row(0)


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
