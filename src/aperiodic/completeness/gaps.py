"""Which runs of a numbered stream are held, and the gaps between them.

Every import adds the unbroken runs that it saw. Runs that touch or overlap become one, so the gaps are
the same whatever order files are imported in, and a gap closes when a file that covers it arrives.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, insert, select

from aperiodic.lake.schema import gaps, spans
from aperiodic.venues import RESTART_SLACK_US

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, RowMapping, Table

    from aperiodic.market import Exchange, Stream, Symbol

__all__ = [
    "RESTART",
    "Gap",
    "Span",
    "add_spans",
    "add_spans_of_many",
    "gaps_between",
    "merge_spans",
    "read_gaps",
    "read_spans",
    "remove_spans",
]


_MOST_NAMED: Final = 500
"""Symbols that a query names at most."""

_Series = tuple[str, str]
"""Symbol and stream."""

RESTART: Final = "sequence_reset"
"""Why a run begins where the venue begins to count anew."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An unbroken run: every event numbered in (after_sequence, last_sequence] was seen.

    Attributes:
        after_sequence: Number of the last event before the run.
        last_sequence: Number of its last event.
        first_time: Exchange time of its first event, µs.
        last_time: Exchange time of its last event, µs.
        begins: Why it does not begin earlier: `not_recorded` (the file begins here), `sequence_break`,
            `no_snapshot` (an order book could not be known before), `sequence_reset` (the venue counts anew), or
            why the recorder had lost the stream; see `completeness.causes`.
    """

    after_sequence: int
    last_sequence: int
    first_time: int
    last_time: int
    begins: str


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing between two runs.

    Attributes:
        symbol: Atlas symbol.
        stream: Tick stream.
        after_sequence: Number of the last event held before the gap.
        before_sequence: Number after which events are held again: (after_sequence, before_sequence] is missing.
        first_time: Exchange time of the last event before the gap, µs.
        last_time: Exchange time of the first event after it, µs.
        cause: See `completeness.causes`.
    """

    symbol: str
    stream: str
    after_sequence: int
    before_sequence: int
    first_time: int
    last_time: int
    cause: str


def merge_spans(runs: Iterable[Span]) -> list[Span]:
    """Join runs of numbers that touch or overlap.

    Numbers may begin anew, after maintenance or a relisting: a run that begins clearly later than another one ended,
    and yet below its last number, belongs to a later count. Runs are joined within a count only; counts follow each
    other in time, the runs of one ascend.
    """
    counts: list[list[Span]] = []
    ended: list[tuple[int, int]] = []
    reached = -1
    for span in sorted(runs, key=lambda run: (run.first_time, run.last_time, run)):
        while ended and ended[0][0] + RESTART_SLACK_US < span.first_time:
            reached = max(reached, heappop(ended)[1])
        if not counts or span.after_sequence < reached:
            counts.append([])
            ended, reached = [], -1
        counts[-1].append(span)
        heappush(ended, (span.last_time, span.last_sequence))
    return [joined for count in counts for joined in _join(count)]


def _join(count: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(count):
        if merged and span.after_sequence <= merged[-1].last_sequence:
            last = merged[-1]
            merged[-1] = replace(
                last,
                last_sequence=max(last.last_sequence, span.last_sequence),
                first_time=min(last.first_time, span.first_time),
                last_time=max(last.last_time, span.last_time),
                # Of two reasons for the same beginning any will do, as long as the order of imports does not choose.
                begins=min(last.begins, span.begins) if span.after_sequence == last.after_sequence else last.begins,
            )
        else:
            merged.append(span)
    return merged


def gaps_between(symbol: str, stream: str, merged: Sequence[Span]) -> list[Gap]:
    """Return the gaps between merged runs: none where the numbers begin anew, since nothing tells what is missing."""
    return [
        Gap(symbol, stream, left.last_sequence, right.after_sequence, left.last_time, right.first_time, right.begins)
        for left, right in pairwise(merged)
        if right.after_sequence > left.last_sequence
    ]


def add_spans(connection: Connection, exchange: Exchange, symbol: Symbol, stream: Stream, runs: Iterable[Span]) -> None:
    """Add runs to a series; in the ledger only those that they touch change, and the gaps beside them."""
    add_spans_of_many(connection, exchange, {(stream, symbol): runs})


def add_spans_of_many(
    connection: Connection, exchange: Exchange, runs: Mapping[tuple[Stream, Symbol], Iterable[Span]]
) -> None:
    """Do as `add_spans` does for many series, with a few statements for all of them."""
    new = {(str(symbol), str(stream)): added for (stream, symbol), added in runs.items()}
    held = {series: [_span(row) for row in rows] for series, rows in _rows_of(connection, spans, exchange, new).items()}
    merged = {series: merge_spans([*held.get(series, ()), *added]) for series, added in new.items()}
    _write_spans(connection, exchange, held, merged)


def remove_spans(
    connection: Connection,
    exchange: str,
    symbol: str,
    stream: str,
    *,
    begin: int,
    end: int,
    number_before: int | None,
    number_after: int | None,
) -> None:
    """Take out of the runs of a series what happened from `begin` to before `end` (µs).

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbol: Atlas symbol.
        stream: Tick stream.
        begin: From when on.
        end: Until when.
        number_before: Number of the last event before `begin`; None when none is held.
        number_after: Number of the first event from `end` on; None when none is held.
    """
    held = read_spans(connection, exchange, symbol, stream)
    left: list[Span] = []
    for span in held:
        if span.last_time < begin or span.first_time >= end:
            left.append(span)
            continue
        if number_before is not None and span.after_sequence < number_before and span.first_time < begin:
            until = min(span.last_sequence, number_before)
            left.append(replace(span, last_sequence=until, last_time=min(span.last_time, begin - 1)))
        if number_after is not None and span.last_sequence >= number_after and span.last_time >= end:
            after = max(span.after_sequence, number_after - 1)
            begins = span.begins if after == span.after_sequence else "not_recorded"
            left.append(replace(span, after_sequence=after, first_time=max(span.first_time, end), begins=begins))
    _write_spans(connection, exchange, {(symbol, stream): held}, {(symbol, stream): merge_spans(left)})


def _write_spans(
    connection: Connection,
    exchange: str,
    held: Mapping[_Series, Sequence[Span]],
    merged: Mapping[_Series, Sequence[Span]],
) -> None:
    _replace_rows(connection, spans, exchange, held, merged)
    known = {
        series: [_gap(row) for row in rows] for series, rows in _rows_of(connection, gaps, exchange, merged).items()
    }
    _replace_rows(
        connection, gaps, exchange, known, {series: gaps_between(*series, merged[series]) for series in merged}
    )


def _rows_of(
    connection: Connection, table: Table, exchange: str, wanted: Collection[_Series]
) -> dict[_Series, list[RowMapping]]:
    """Return the rows of some series, those of each in the order of their numbers."""
    found: defaultdict[_Series, list[RowMapping]] = defaultdict(list)
    symbols = sorted({symbol for symbol, _ in wanted})
    streams = sorted({stream for _, stream in wanted})
    for begin in range(0, len(symbols), _MOST_NAMED):
        query = select(table).where(
            table.c.exchange == exchange,
            table.c.symbol.in_(symbols[begin : begin + _MOST_NAMED]),
            table.c.stream.in_(streams),
        )
        for row in connection.execute(query.order_by(table.c.after_sequence)).mappings():
            series = row["symbol"], row["stream"]
            if series in wanted:
                found[series].append(row)
    return found


def _replace_rows(
    connection: Connection,
    table: Table,
    exchange: str,
    before: Mapping[_Series, Sequence[Span | Gap]],
    after: Mapping[_Series, Sequence[Span | Gap]],
) -> None:
    """Delete the rows of series that are no longer there, and insert those that are new."""
    gone: list[dict[str, Any]] = []
    new: list[dict[str, Any]] = []
    for series, items in after.items():
        named = {"exchange": exchange, "symbol": series[0], "stream": series[1]}
        held = {*before.get(series, ())}
        gone += [{**named, **_columns(item)} for item in held.difference(items)]
        new += [{**named, **_columns(item)} for item in items if item not in held]
    if gone:
        same = [table.c[name] == bindparam(f"old_{name}") for name in gone[0]]
        connection.execute(
            delete(table).where(*same), [{f"old_{name}": value for name, value in row.items()} for row in gone]
        )
    if new:
        connection.execute(insert(table), new)


def read_spans(connection: Connection, exchange: str, symbol: str, stream: str) -> list[Span]:
    """Return the runs of a series, in the order of their numbers."""
    return [_span(row) for row in _rows_of(connection, spans, exchange, [(symbol, stream)]).get((symbol, stream), ())]


def read_gaps(connection: Connection, exchange: str, symbol: str | None = None, stream: str | None = None) -> list[Gap]:
    """Return the gaps of an exchange, or of one symbol or stream of it, ascending in time."""
    query = select(gaps).where(gaps.c.exchange == exchange)
    if symbol is not None:
        query = query.where(gaps.c.symbol == symbol)
    if stream is not None:
        query = query.where(gaps.c.stream == stream)
    rows = connection.execute(query.order_by(gaps.c.symbol, gaps.c.stream, gaps.c.first_time, gaps.c.id)).mappings()
    return [_gap(row) for row in rows]


def _span(row: RowMapping) -> Span:
    return Span(**{name: row[name] for name in Span.__slots__})


def _gap(row: RowMapping) -> Gap:
    return Gap(**{name: row[name] for name in Gap.__slots__})


def _columns(item: Span | Gap) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__slots__ if name not in {"symbol", "stream"}}
