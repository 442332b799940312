"""Merging the ticks of several files into one day: pure functions, the same result in whatever order.

What an event is, so that the same one is kept once however many files hold it:

| ticks | the same event | kept |
|---|---|---|
| numbered by the venue | same `sequence` and exchange time (same `sequence` and values where the time is modelled) | the row that arrived first |
| other trades (ids that order nothing) | same `id` | the row that arrived first |
| mark price, index price, funding rate, open interest | same exchange time and values, in recordings that overlap; equal messages of one recording are counted | the rows that arrived first, as many as the recording with the most of them |
| others | all columns equal; equal rows of one file are counted | as many as the file with the most of them |

Numbered ticks are ordered by number, and by count where the venue begins to count anew; the others as recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from aperiodic.engine.numbering import counts_of, may_count_anew
from aperiodic.market import Stream, tick_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["STATES", "changes", "complete", "merge_frames", "merge_pieces", "merge_rows", "times_of"]

STATES: Final = frozenset({Stream.MARK_PRICE, Stream.INDEX_PRICE, Stream.FUNDING_RATE, Stream.OPEN_INTEREST})
"""Streams that tell a state, of which any two messages may be equal."""

_TIMES: Final = ("exchange_timestamp", "local_timestamp")


def merge_frames(
    stream: Stream,
    frames: Sequence[pl.DataFrame],
    received: Sequence[Sequence[tuple[int, int]]] | None = None,
) -> pl.DataFrame:
    """Return the ticks of several files as one frame in the venue's own order, each event once.

    Args:
        stream: Which ticks.
        frames: Ticks of each file, or of files merged before, in the order they were recorded.
        received: For each frame, when the recordings that it holds received anything (first and last arrival, µs);
            left out: from its first to its last tick. Only states are compared by it.
    """
    schema = tick_schema(stream)
    frames = [complete(stream, frame) for frame in frames]
    together = pl.concat(frames)
    if together.height <= 1:  # as of many instruments that are seldom told of
        return together.rechunk()
    if together["sequence"].null_count() == 0:
        merged = _merge_numbered(together, _values(stream))
    elif stream in STATES:
        merged = _merge_states(stream, frames, received or [_hull(frame) for frame in frames])
    else:
        merged = merge_rows(frames, list(schema))
        if stream is Stream.TRADES:
            named = pl.col("id").is_not_null() & (pl.col("id") != "")
            repeated = named & ~pl.col("id").is_first_distinct()
            merged = merged.filter(~repeated)
    return merged.select(schema.names()).rechunk()


def times_of(ticks: pl.DataFrame, column: str) -> NDArray[np.int64]:
    """Return a column of times as µs; a time that is missing is the least of all numbers."""
    return ticks.get_column(column).to_numpy().astype("datetime64[us]", copy=False).view(np.int64)


def merge_pieces(stream: Stream, pieces: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return what `merge_frames` does, sooner where pieces follow one another as they were recorded, without an event twice.

    Args:
        stream: Which ticks.
        pieces: Frames with the columns of `tick_schema(stream)`.
    """
    # What is made of one frame alone is that frame, and a copy of many columns takes its time.
    together = pieces[0] if len(pieces) == 1 else pl.concat(pieces)
    return together.rechunk() if _follow_one_another(stream, pieces, together) else merge_frames(stream, pieces)


def _follow_one_another(stream: Stream, pieces: Sequence[pl.DataFrame], together: pl.DataFrame) -> bool:
    if together.height <= 1:
        return True
    steps = np.diff(times_of(together, "local_timestamp"))
    if steps.min() < 0:
        return False
    edges = np.cumsum([piece.height for piece in pieces])[:-1] - 1
    if len(edges) and (edges[0] < 0 or steps[edges[edges < len(steps)]].min(initial=1) <= 0):
        return False  # events of the same microsecond may be the same event
    numbers = together["sequence"]
    if numbers.null_count() == 0:
        return bool((np.diff(numbers.to_numpy()) > 0).all()) and not may_count_anew(together)
    return stream is not Stream.TRADES or (
        together["id"].null_count() == 0 and together["id"].n_unique() == together.height
    )


def complete(stream: Stream, ticks: pl.DataFrame) -> pl.DataFrame:
    """Return ticks with all columns of their stream, in order; missing ones are null."""
    schema = tick_schema(stream)
    if ticks.columns == schema.names():
        return ticks
    missing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in ticks.columns]
    return ticks.with_columns(missing).select(schema.names())


def changes(stream: Stream, rows: pl.DataFrame, before: float | None) -> pl.DataFrame:
    """Return the rows in which a state differs from the row before; a new time of funding alone is no change.

    Args:
        stream: Which state.
        rows: Its rows, in order.
        before: The state before the first row; None if there is none.
    """
    value = pl.col(_values(stream)[0])
    return rows.filter(value.ne_missing(value.shift(fill_value=before)))


def merge_rows(frames: Sequence[pl.DataFrame], columns: list[str]) -> pl.DataFrame:
    """Keep the n-th of equal rows once, and rows that arrived in the same microsecond as they were recorded."""
    placed = [_placed(frame).with_columns(pl.int_range(pl.len()).over(columns).alias("_nth")) for frame in frames]
    merged = pl.concat(placed).group_by(*columns, "_nth").agg(pl.col("_place").max())
    return merged.sort("local_timestamp", "_place", *columns, "_nth").select(columns)


def _values(stream: Stream) -> list[str]:
    return [name for name in tick_schema(stream) if name not in {*_TIMES, "sequence"}]


def _merge_numbered(together: pl.DataFrame, values: list[str]) -> pl.DataFrame:
    modelled = bool((together["exchange_timestamp"] == together["local_timestamp"]).fill_null(value=False).all())
    event = ["sequence", *(values if modelled else ["exchange_timestamp"])]
    ordered = together.sort("sequence", "local_timestamp", "exchange_timestamp", *values)
    once = ordered.unique(event, keep="first", maintain_order=True)
    return once.with_columns(counts_of(once)).sort("count", maintain_order=True)


def _merge_states(
    stream: Stream, frames: Sequence[pl.DataFrame], received: Sequence[Sequence[tuple[int, int]]]
) -> pl.DataFrame:
    event = ["exchange_timestamp", *_values(stream)]
    placed = []
    for number, frame in enumerate(frames):
        others = [span for other, spans in enumerate(received) if other != number for span in spans]
        arrival = pl.col("local_timestamp").to_physical()
        overlaps = pl.any_horizontal(pl.lit(value=False), *(arrival.is_between(*span) for span in others))
        placed.append(
            _placed(frame).with_columns(
                pl.int_range(pl.len()).over(event).alias("_nth"),
                pl.lit(number).alias("_frame"),
                overlaps.alias("_overlaps"),
            )
        )
    # Equal messages are one only where two recordings could both have received it.
    shared = pl.col("_overlaps").any().over(event)
    return (
        pl.concat(placed)
        .with_columns(pl.when(shared).then(-1).otherwise("_frame").alias("_frame"))
        .sort("local_timestamp", "_place", *event, "_frame", "_nth")
        .unique([*event, "_frame", "_nth"], keep="first", maintain_order=True)
    )


def _placed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort("local_timestamp", maintain_order=True).with_columns(
        pl.int_range(pl.len()).over("local_timestamp").alias("_place")
    )


def _hull(frame: pl.DataFrame) -> list[tuple[int, int]]:
    if frame.is_empty():
        return []
    arrival = frame["local_timestamp"].to_physical()
    return [(int(arrival.min()), int(arrival.max()))]  # type: ignore[arg-type]
