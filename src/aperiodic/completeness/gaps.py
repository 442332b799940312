"""Which stretches of a numbered stream are held, and the gaps between them.

Every import adds the unbroken stretches that it saw. Stretches that touch or overlap become one, so the gaps are
the same whatever order files are imported in, and a gap closes when a file that covers it arrives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from aperiodic.lake.schema import gaps, spans

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from aperiodic.market import Exchange, Stream, Symbol

__all__ = ["Gap", "Span", "add_spans", "gaps_between", "merge_spans", "read_gaps", "read_spans"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """An unbroken stretch: every event numbered in (after_sequence, last_sequence] was seen.

    Attributes:
        after_sequence: Number of the last event before the stretch.
        last_sequence: Number of its last event.
        first_time: Exchange time of its first event, µs.
        last_time: Exchange time of its last event, µs.
        begins: Why it does not begin earlier: `not_recorded` (the file begins here), `sequence_break`,
            `no_snapshot` (an order book could not be known before).
    """

    after_sequence: int
    last_sequence: int
    first_time: int
    last_time: int
    begins: str


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing between two stretches.

    Attributes:
        symbol: Atlas symbol.
        stream: Tick stream.
        after_sequence: Number of the last event held before the gap.
        before_sequence: Number after which events are held again: (after_sequence, before_sequence] is missing.
        first_time: Exchange time of the last event before the gap, µs.
        last_time: Exchange time of the first event after it, µs.
        cause: `not_recorded`, `sequence_break` or `no_snapshot`.
    """

    symbol: str
    stream: str
    after_sequence: int
    before_sequence: int
    first_time: int
    last_time: int
    cause: str


def merge_spans(stretches: Iterable[Span]) -> list[Span]:
    """Join stretches that touch or overlap, ascending."""
    merged: list[Span] = []
    for span in sorted(stretches):
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


def gaps_between(symbol: str, stream: str, merged: list[Span]) -> list[Gap]:
    """Return the gaps between merged stretches."""
    return [
        Gap(symbol, stream, left.last_sequence, right.after_sequence, left.last_time, right.first_time, right.begins)
        for left, right in pairwise(merged)
    ]


def add_spans(
    connection: Connection, exchange: Exchange, symbol: Symbol, stream: Stream, stretches: Iterable[Span]
) -> None:
    """Add stretches to a series and renew its gaps."""
    series = {"exchange": exchange, "symbol": str(symbol), "stream": stream}
    merged = merge_spans([*read_spans(connection, exchange, str(symbol), stream), *stretches])
    for table in (spans, gaps):
        connection.execute(delete(table).where(*(table.c[name] == value for name, value in series.items())))
    _insert_all(connection, spans, [{**series, **_columns(span)} for span in merged])
    _insert_all(connection, gaps, [{**series, **_columns(gap)} for gap in gaps_between(str(symbol), stream, merged)])


def read_spans(connection: Connection, exchange: str, symbol: str, stream: str) -> list[Span]:
    """Return the stretches of a series, ascending."""
    query = select(spans).where(spans.c.exchange == exchange, spans.c.symbol == symbol, spans.c.stream == stream)
    rows = connection.execute(query.order_by(spans.c.after_sequence)).mappings()
    return [Span(**{name: row[name] for name in Span.__slots__}) for row in rows]


def read_gaps(connection: Connection, exchange: str, symbol: str | None = None, stream: str | None = None) -> list[Gap]:
    """Return the gaps of an exchange, or of one symbol or stream of it, ascending in time."""
    query = select(gaps).where(gaps.c.exchange == exchange)
    if symbol is not None:
        query = query.where(gaps.c.symbol == symbol)
    if stream is not None:
        query = query.where(gaps.c.stream == stream)
    rows = connection.execute(query.order_by(gaps.c.symbol, gaps.c.stream, gaps.c.first_time, gaps.c.id)).mappings()
    return [Gap(**{name: row[name] for name in Gap.__slots__}) for row in rows]


def _columns(item: Span | Gap) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__slots__ if name not in {"symbol", "stream"}}


def _insert_all(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:  # noqa: ANN401 - Core tables are untyped
    if rows:
        connection.execute(insert(table), rows)
