"""When which revision of a published month was there, and why it gave way."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.schema import objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = ["Publication", "read_publications"]


@dataclass(frozen=True, slots=True)
class Publication:
    """Files of one dataset and month, one a clock and interval, that have the same revision for the same reason.

    Attributes:
        month: `YYYY-MM`.
        revision: 1 for the first, counting up.
        reason: Why this revision was made.
        published_at: Since when all of its files were there, µs.
        replaced_at: When the first of its files was superseded or withdrawn, µs; None while all are current.
        files: Number of files.
        files_current: How many of them are still the current ones.
        rows: Rows of these, summed over clocks and intervals.
        size: Bytes of these.
        sources: Where the ticks came from, ascending.
    """

    month: str
    revision: int
    reason: str
    published_at: int
    replaced_at: int | None
    files: int
    files_current: int
    rows: int
    size: int
    sources: tuple[str, ...]


def read_publications(
    connection: Connection, exchange: str, symbols: Sequence[str], months: Sequence[str], dataset: str | None = None
) -> dict[tuple[str, str], list[Publication]]:
    """Return what was ever published, by symbol and dataset, ascending by month and revision.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbols: Atlas symbols.
        months: Months as `YYYY-MM`. They are named one by one, since a symbol has far more objects of single days.
        dataset: The only dataset wanted; None for all.
    """
    series = (objects.c.symbol, objects.c.dataset)
    file = (*series, objects.c.period, objects.c.clock, objects.c.interval, objects.c.revision)
    is_current = case((objects.c.is_current, 1), else_=0)
    # A file has several rows of one revision when it was computed anew with the same result.
    files = select(
        *file,
        func.min(objects.c.created_at).label("published_at"),
        func.max(objects.c.retired_at).label("retired_at"),
        func.max(is_current).label("is_current"),
        func.max(is_current * objects.c.rows).label("rows"),
        func.max(is_current * objects.c.size).label("size"),
        func.min(objects.c.reason).label("reason"),
        func.min(objects.c.source).label("source"),
    ).where(
        objects.c.kind == ObjectKind.BARS,
        objects.c.exchange == exchange,
        objects.c.symbol.in_(symbols),
        objects.c.period.in_(months),
    )
    if dataset is not None:
        files = files.where(objects.c.dataset == dataset)
    each = files.group_by(*file).subquery()
    group = (each.c.symbol, each.c.dataset, each.c.period, each.c.revision, each.c.reason)
    published_at = func.max(each.c.published_at).label("published_at")
    query = (
        select(
            *group,
            published_at,
            func.min(case((each.c.is_current == 0, each.c.retired_at))).label("replaced_at"),
            func.count().label("files"),
            func.sum(each.c.is_current).label("files_current"),
            func.sum(each.c.rows).label("rows"),
            func.sum(each.c.size).label("size"),
            func.min(each.c.source).label("source"),
            func.max(each.c.source).label("other_source"),
        )
        .group_by(*group)
        .order_by(each.c.period, each.c.revision, published_at)
    )
    found: defaultdict[tuple[str, str], list[Publication]] = defaultdict(list)
    rows = connection.execute(query).all()
    for symbol, name, month, revision, reason, since, until, count, current, bars, size, *sources in rows:
        found[symbol, name].append(
            Publication(
                month=month,
                revision=revision,
                reason=reason,
                published_at=since,
                replaced_at=until,
                files=count,
                # PostgreSQL sums to decimals.
                files_current=int(current),
                rows=int(bars),
                size=int(size),
                sources=tuple(sorted(set(sources))),
            )
        )
    return found
