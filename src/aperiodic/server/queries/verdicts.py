"""Whether bars of files are complete, by what is known now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.completeness.judgement import Judgement
from aperiodic.market import DAY_US, Stream
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from aperiodic.catalog import Dataset
    from aperiodic.market import Clock, Exchange, Interval

__all__ = ["with_verdicts"]


def with_verdicts(
    connection: Connection,
    dataset: Dataset,
    exchange: Exchange,
    interval: Interval,
    clock: Clock,
    bars: Sequence[tuple[str, pl.DataFrame]],
) -> list[tuple[str, pl.DataFrame]]:
    """Return bars with the column `complete`: whether nothing is known to be missing of the ticks behind each.

    Args:
        connection: To the ledger.
        dataset: Of the bars, like the following.
        exchange: Venue.
        interval: Their length.
        clock: Their clock.
        bars: Symbols and frames, ascending in time.
    """
    times = [frame[TIME_COLUMN].to_physical() for _, frame in bars if not frame.is_empty()]
    if not times:
        return [(symbol, frame.with_columns(complete=pl.lit(value=True))) for symbol, frame in bars]
    length = interval.microseconds
    first, last = min(int(some[0]) for some in times), max(int(some[-1]) for some in times) + length - 1
    names = sorted({symbol for symbol, frame in bars if not frame.is_empty()})
    streams: list[Stream] = list(dataset.streams)
    days = day_at(first // DAY_US), day_at(last // DAY_US)
    judgement = Judgement(connection, exchange, names, streams, *days, clock)
    begin = pl.col(TIME_COLUMN).to_physical()
    judged = []
    for symbol, frame in bars:
        whole = pl.lit(value=True)
        for stream in streams if not frame.is_empty() else ():
            for gap in judgement.missing(symbol, stream):
                whole &= ~((begin <= gap.end) & (begin + length > gap.begin))
        judged.append((symbol, frame.with_columns(complete=whole)))
    return judged
