"""Frames of several series made into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.client.frames import join

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aperiodic.client.request import DataRequest

__all__ = ["combine"]

_SEPARATOR: Final = "|"


def combine(
    requests: Sequence[DataRequest], frames: Sequence[pl.DataFrame], keys: Sequence[str], *, wide: bool
) -> pl.DataFrame:
    """Make one frame.

    Args:
        requests: What the frames hold; datasets of one instrument follow each other.
        frames: One for each request, ascending in time.
        keys: Columns that tell instruments apart.
        wide: Whether to put instruments beside each other.

    Returns:
        Long: the keys (categories), `time`, then the columns of all datasets, null where one has no row; in the order
        of the requests, each ascending in time. Wide: `time`, then `column|symbol` (`column|exchange|symbol`) of each
        instrument, ascending in time. A column that two datasets have is called `column|dataset` from the second on.
    """
    parts: dict[tuple[str, str], list[tuple[str, pl.DataFrame]]] = {}
    for request, frame in zip(requests, frames, strict=True):
        parts.setdefault((request.exchange, str(request.symbol)), []).append((request.metric, frame))
    joined = {series: _beside(each) for series, each in parts.items()}
    if wide and keys:
        return _wide(joined, keys)
    named = [
        _keyed(frame, dict(zip(("exchange", "symbol"), series, strict=True)), keys) for series, frame in joined.items()
    ]
    return named[0] if len(named) == 1 else join(named, named[0].schema)


def _beside(frames: Sequence[tuple[str, pl.DataFrame]]) -> pl.DataFrame:
    """Put datasets of one instrument beside each other: a row for every time that any of them has."""
    if len(frames) == 1:
        return frames[0][1]
    taken = {TIME_COLUMN}
    renamed = []
    for dataset, frame in frames:
        names = {
            name: f"{name}{_SEPARATOR}{dataset}" for name in frame.columns if name in taken and name != TIME_COLUMN
        }
        renamed.append(frame.rename(names))
        taken.update(renamed[-1].columns)
    return _on_times(renamed)


def _wide(frames: Mapping[tuple[str, str], pl.DataFrame], keys: Sequence[str]) -> pl.DataFrame:
    renamed = []
    for (exchange, symbol), frame in frames.items():
        values = [exchange] * ("exchange" in keys) + [symbol] * ("symbol" in keys)
        names = {name: _SEPARATOR.join([name, *values]) for name in frame.columns if name != TIME_COLUMN}
        renamed.append(frame.rename(names))
    return _on_times(renamed)


def _on_times(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    times = pl.concat([frame.select(TIME_COLUMN) for frame in frames]).unique().sort(TIME_COLUMN)
    beside = [
        times.join(frame, on=TIME_COLUMN, how="left", maintain_order="left").drop(TIME_COLUMN) for frame in frames
    ]
    return pl.concat([times, *beside], how="horizontal")


def _keyed(frame: pl.DataFrame, values: Mapping[str, str], keys: Sequence[str]) -> pl.DataFrame:
    columns = (pl.lit(values[name]).cast(pl.Categorical).alias(name) for name in keys)
    return frame.select(*columns, *frame.columns)
