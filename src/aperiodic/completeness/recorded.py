"""When each series was being recorded, joined over all files in whatever order they are imported.

Every import adds the intervals of arrival time in which it would have noticed an event of a series, had there been
one. Between two neighbours something may be missing. The empty stream name stands for the instrument: the intervals
in which any of its streams was recorded.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, insert, select

from aperiodic.lake.prepared import Prepared
from aperiodic.lake.schema import recorded
from aperiodic.market import Stream

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Select

__all__ = ["ANY_STREAM", "Recorded", "add_recorded", "join_recorded", "read_recorded", "remove_recorded", "whole_days"]

ANY_STREAM: Final = ""
"""Stream of the intervals in which any stream of an instrument was recorded."""

_MOST_NAMED: Final = 200


@dataclass(frozen=True, slots=True, order=True)
class Recorded:
    """An interval of arrival time, µs, in which a series was recorded without a break.

    Attributes:
        covers_from: Since when nothing can have been missed: `first_time` less the usual wait between two frames.
        covers_to: Until when, likewise.
        first_time: First arrival.
        last_time: Last arrival.
        quiet: How long the series may be silent while its instrument is recorded, without that being a sign of loss.
        begins: Why it does not begin earlier; empty where the recording simply begins.
        ends: Why it does not end later; empty where the recording simply ends. See `completeness.causes` for both.
    """

    covers_from: int
    covers_to: int
    first_time: int
    last_time: int
    quiet: int = 0
    begins: str = ""
    ends: str = ""


_NAMES: Final = tuple(field.name for field in fields(Recorded))
Series = tuple[str, str]
"""Symbol and stream."""


def whole_days(begin: int, end: int) -> Recorded:
    """Return the interval of a source that is known to hold everything from `begin` until before `end`, µs."""
    return Recorded(begin, end, begin, end)


def join_recorded(intervals: Iterable[Recorded]) -> list[Recorded]:
    """Join intervals that touch or overlap, ascending; the result does not depend on their order."""
    joined: list[Recorded] = []
    for interval in sorted(intervals):
        last = joined[-1] if joined else None
        if last is None or interval.covers_from > last.covers_to:
            joined.append(interval)
            continue
        begins = _reason(last.begins, interval.begins) if interval.covers_from == last.covers_from else last.begins
        if interval.covers_to == last.covers_to:
            ends = _reason(last.ends, interval.ends)
        else:
            ends = interval.ends if interval.covers_to > last.covers_to else last.ends
        joined[-1] = replace(
            last,
            covers_to=max(last.covers_to, interval.covers_to),
            first_time=min(last.first_time, interval.first_time),
            last_time=max(last.last_time, interval.last_time),
            quiet=max(last.quiet, interval.quiet),
            begins=begins,
            ends=ends,
        )
    return joined


def _reason(one: str, other: str) -> str:
    """Choose of two reasons for the same edge: any will do, as long as the order of imports does not choose."""
    return min(one, other) if one and other else one or other


def add_recorded(connection: Connection, exchange: str, added: Mapping[Series, Sequence[Recorded]]) -> None:
    """Add intervals to the series of an exchange; only rows that change are written.

    Args:
        connection: Open connection to the ledger, in a transaction.
        exchange: Venue.
        added: Intervals by symbol and stream.
    """
    every = [interval for intervals in added.values() for interval in intervals]
    if not every:
        return
    begin, end = min(interval.covers_from for interval in every), max(interval.covers_to for interval in every)
    symbols = {symbol for symbol, _ in added}
    query = _between(exchange, begin, end, symbols if len(symbols) <= _MOST_NAMED else None)
    held: defaultdict[Series, dict[Recorded, int]] = defaultdict(dict)
    for row in connection.execute(query).mappings():
        held[row["symbol"], row["stream"]][_interval(row)] = row["id"]
    stale: list[int] = []
    new: list[dict[str, Any]] = []
    for series, intervals in added.items():
        before = held.get(series, {})
        after = set(join_recorded([*before, *intervals]))
        stale += [number for interval, number in before.items() if interval not in after]
        named = {"exchange": exchange, "symbol": series[0], "stream": series[1]}
        new += [named | dict(zip(_NAMES, astuple(item), strict=True)) for item in sorted(after - before.keys())]
    for start in range(0, len(stale), _MOST_NAMED):
        connection.execute(delete(recorded).where(recorded.c.id.in_(stale[start : start + _MOST_NAMED])))
    if new:
        connection.execute(insert(recorded), new)


def remove_recorded(connection: Connection, exchange: str, symbol: str, stream: str, begin: int, end: int) -> None:
    """Take the time between two arrivals (µs) out of the intervals of a series.

    Args:
        connection: Open connection to the ledger, in a transaction.
        exchange: Venue.
        symbol: Atlas symbol.
        stream: Tick stream.
        begin: First arrival that is no longer held, µs.
        end: Last one, µs.
    """
    rows = connection.execute(_between(exchange, begin, end, [symbol]).where(recorded.c.stream == stream)).mappings()
    for row in list(rows):
        interval = _interval(row)
        connection.execute(delete(recorded).where(recorded.c.id == row["id"]))
        left = []
        if interval.first_time < begin:
            last = min(interval.last_time, begin - 1)
            left.append(replace(interval, covers_to=begin - 1, last_time=last, ends=""))
        if interval.last_time > end:
            first = max(interval.first_time, end + 1)
            left.append(replace(interval, covers_from=end + 1, first_time=first, begins=""))
        named = {"exchange": exchange, "symbol": symbol, "stream": stream}
        if left:
            connection.execute(
                insert(recorded), [named | dict(zip(_NAMES, astuple(piece), strict=True)) for piece in left]
            )


def read_recorded(
    connection: Connection, exchange: str, symbols: Collection[str], begin: int, end: int
) -> dict[Series, list[Recorded]]:
    """Return the intervals of all streams of some symbols that touch a time, ascending.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbols: Atlas symbols.
        begin: Begin of the time, µs.
        end: End of it, µs.
    """
    found: defaultdict[Series, list[Recorded]] = defaultdict(list)
    asked = {"exchange": exchange, "symbols": sorted(symbols), "begin": begin, "end": end}
    for symbol, stream, *times in _OF_SYMBOLS.rows(connection, asked):
        found[symbol, stream].append(Recorded(*times))
    return found


def _between(exchange: str, begin: int, end: int, symbols: Collection[str] | None) -> Select[Any]:
    query = select(recorded).where(
        recorded.c.exchange == exchange, recorded.c.covers_to >= begin, recorded.c.covers_from <= end
    )
    return query if symbols is None else query.where(recorded.c.symbol.in_(sorted(symbols)), _OF_ANY_STREAM)


def _interval(row: Mapping[Any, Any]) -> Recorded:
    return Recorded(**{name: row[name] for name in _NAMES})


# All streams are named so that the index leads to the symbols alone, not to all that was recorded since.
_OF_ANY_STREAM: Final = recorded.c.stream.in_([ANY_STREAM, *map(str, Stream)])
_OF_SYMBOLS: Final = Prepared(
    select(recorded.c.symbol, recorded.c.stream, *(recorded.c[name] for name in _NAMES))
    .where(
        recorded.c.exchange == bindparam("exchange"),
        recorded.c.covers_to >= bindparam("begin"),
        recorded.c.covers_from <= bindparam("end"),
        recorded.c.symbol.in_(bindparam("symbols", expanding=True)),
        _OF_ANY_STREAM,
    )
    .order_by(recorded.c.covers_from)
)
