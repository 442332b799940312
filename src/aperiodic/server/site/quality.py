"""How good what is held of a dataset is, in numbers of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import case, func, select

from aperiodic.lake import ObjectKind
from aperiodic.lake.schema import objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from aperiodic.catalog import Dataset
    from aperiodic.completeness.series import PublishedSeries
    from aperiodic.market import Exchange

__all__ = ["Quality", "read_quality"]

_LATE_US: Final = 60_000_000
_REVISIONS_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Quality:
    """Numbers of a dataset, over some instruments.

    Attributes:
        instruments: How many instruments.
        months: Months published, summed over them.
        months_complete: How many of these are complete.
        gaps: Known gaps of the ticks behind them.
        days_missing: UTC days without ticks of the stream that drives it, between the first and the last with.
        days: Days of ticks held, summed over the streams that it is made from.
        days_late: How many of these had their last arrival over 60 s after their last exchange time.
        revised: Months published more than once.
        newest: When and why a month was published anew: time (µs), venue, symbol, month, revision, reason; newest first.
    """

    instruments: int
    months: int
    months_complete: int
    gaps: int
    days_missing: int
    days: int
    days_late: int
    revised: int
    newest: tuple[tuple[int, str, str, str, int, str], ...]


def read_quality(
    connection: Connection, declared: Dataset, published: Sequence[tuple[Exchange, PublishedSeries]]
) -> Quality:
    """Return the numbers of a dataset.

    Args:
        connection: Open connection to the ledger.
        declared: The dataset.
        published: Its series, each with its venue.
    """
    months = [month for _, series in published for month in series.months]
    newest = sorted(
        {
            (item.published_at, str(exchange), series.symbol, item.month, item.revision, item.reason)
            for exchange, series in published
            for month in series.months
            for item in (*month.earlier, *month.current)
            if item.revision > 1
        },
        reverse=True,
    )
    days, days_late = _read_days(connection, declared, published)
    return Quality(
        instruments=len(published),
        months=len(months),
        months_complete=sum(month.completeness.complete for month in months),
        gaps=sum(series.gaps_total for _, series in published),
        days_missing=sum(len(series.days_missing) for _, series in published),
        days=days,
        days_late=days_late,
        revised=len({(exchange, symbol, month) for _, exchange, symbol, month, _, _ in newest}),
        newest=tuple(newest[:_REVISIONS_SHOWN]),
    )


def _read_days(
    connection: Connection, declared: Dataset, published: Sequence[tuple[Exchange, PublishedSeries]]
) -> tuple[int, int]:
    """Return how many days of ticks there are, and how many of them had late arrivals."""
    days = days_late = 0
    symbols: dict[Exchange, list[str]] = {}
    for exchange, series in published:
        symbols.setdefault(exchange, []).append(series.symbol)
    late = case((objects.c.last_local - objects.c.last_exchange > _LATE_US, 1), else_=0)
    for exchange, names in symbols.items():
        query = select(func.count(), func.coalesce(func.sum(late), 0)).where(
            objects.c.is_current,
            objects.c.kind == ObjectKind.TICKS,
            objects.c.exchange == exchange,
            objects.c.symbol.in_(names),
            objects.c.dataset.in_(list(declared.streams)),
        )
        held, behind = connection.execute(query).one()
        days, days_late = days + int(held), days_late + int(behind)
    return days, days_late
