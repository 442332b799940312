"""The known gaps of streams as a list, with the numbers that are missing where the venue numbers its events."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select

from aperiodic.completeness.held_days import days_held
from aperiodic.completeness.judgement import Judgement
from aperiodic.lake.schema import gaps
from aperiodic.market import DAY_US
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date

    from sqlalchemy import Connection, Select

    from aperiodic.market import Exchange

__all__ = ["GapList", "KnownGap", "judge_all_days", "read_known_gaps"]


@dataclass(frozen=True, slots=True)
class KnownGap:
    """An interval in which ticks of a stream are known to be missing.

    Attributes:
        stream: Tick stream.
        cause: Cause of a gap, or the code of another cause; see `completeness.causes`.
        first_time: Last event or arrival before it, µs.
        last_time: First event or arrival after it, µs.
        first_missing: The first number missing; None where the venue does not number the events one by one.
        last_missing: The last one.
    """

    stream: str
    cause: str
    first_time: int
    last_time: int
    first_missing: int | None = None
    last_missing: int | None = None


class GapList(NamedTuple):
    """Some gaps of one or several streams, ascending in time, and how many there are in all."""

    gaps: list[KnownGap]
    total: int

    @classmethod
    def joined(cls, lists: Iterable[GapList], most: int) -> GapList:
        """Return the first gaps of several lists."""
        given = list(lists)
        together = sorted((gap for item in given for gap in item.gaps), key=_order)
        return cls(together[:most], sum(item.total for item in given))


def judge_all_days(
    connection: Connection,
    exchange: Exchange,
    symbols: Collection[str],
    streams: Collection[str],
    days: tuple[date, date],
) -> Judgement:
    """Judge all days with ticks of some series, and some days besides.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbols: Atlas symbols.
        streams: Tick streams.
        days: The first and the last UTC day to judge in any case.
    """
    held = days_held(connection, exchange, symbols, streams).values()
    first = min([days[0], *(item.first for item in held)])
    last = max([days[1], *(item.last for item in held)])
    return Judgement(connection, exchange, symbols, streams, first, last)


def read_known_gaps(
    connection: Connection, exchange: Exchange, judgement: Judgement, most: int, *, newest: bool = False
) -> dict[tuple[str, str], GapList]:
    """Return the gaps of all streams of a judgement, those without numbers between the first and last day with ticks.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        judgement: Of all days of the streams.
        most: How many to name of a stream.
        newest: Whether to name the newest ones, not the oldest.
    """
    numbered: defaultdict[tuple[str, str], list[KnownGap]] = defaultdict(list)
    totals: dict[tuple[str, str], int] = {}
    for row in connection.execute(_numbered(exchange, judgement.symbols, judgement.streams, most, newest=newest)):
        times, numbers = (row.first_time, row.last_time), (row.after_sequence + 1, row.before_sequence)
        numbered[row.symbol, row.stream].append(KnownGap(row.stream, row.cause, *times, *numbers))
        totals[row.symbol, row.stream] = row.total
    result = {}
    for symbol, stream in judgement.held.keys() | numbered.keys():
        days = judgement.held.get((symbol, stream))
        begin, end = (0, 0) if days is None else (day_start_us(days.first), day_start_us(days.last) + DAY_US)
        holes = [
            KnownGap(stream, str(item.detail or item.code), max(item.first_time, begin), min(item.last_time, end))
            for item in judgement.missing(symbol, stream)
            if item.count and not item.numbered and item.touches(begin, end)
        ]
        ordered = sorted([*numbered[symbol, stream], *holes], key=_order)
        shown = ordered[-most:] if newest else ordered[:most]
        result[symbol, stream] = GapList(shown, totals.get((symbol, stream), 0) + len(holes))
    return result


def _order(gap: KnownGap) -> tuple[int, int, str]:
    return gap.first_time, gap.last_time, gap.stream


def _numbered(
    exchange: str, symbols: Collection[str], streams: Collection[str], most: int, *, newest: bool
) -> Select[Any]:
    order = (gaps.c.first_time.desc(), gaps.c.id.desc()) if newest else (gaps.c.first_time, gaps.c.id)
    series = (gaps.c.symbol, gaps.c.stream)
    ranked = (
        select(
            gaps,
            func.row_number().over(partition_by=series, order_by=order).label("place"),
            func.count().over(partition_by=series).label("total"),
        )
        .where(gaps.c.exchange == exchange, gaps.c.symbol.in_(symbols), gaps.c.stream.in_(streams))
        .subquery()
    )
    return select(ranked).where(ranked.c.place <= most)
