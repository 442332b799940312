"""Ticks of days that are not over, or not made one object yet: how many are held, and up to when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.schema import objects, recorded
from aperiodic.market.time import time_at

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

__all__ = ["OpenTicks", "read_open_ticks"]


@dataclass(frozen=True, slots=True, order=True)
class OpenTicks:
    """Ticks of one stream of an instrument on an open day.

    Attributes:
        symbol: Atlas symbol.
        stream: Tick stream.
        day: The UTC day of exchange time.
        ticks: How many are held.
        covered_until: Until when, by arrival, µs, everything that was received of the stream is among them; None where
            no time of arrival is known.
    """

    symbol: str
    stream: str
    day: date
    ticks: int
    covered_until: int | None

    @property
    def covered_text(self) -> str | None:
        """`covered_until` in ISO 8601, UTC."""
        return None if self.covered_until is None else time_at(self.covered_until).isoformat()


def read_open_ticks(
    connection: Connection, exchange: str, symbols: Collection[str], stream: str | None = None
) -> list[OpenTicks]:
    """Return what is held of open days, ascending by symbol, stream and day.

    Args:
        connection: Open connection to the ledger.
        exchange: Venue.
        symbols: Atlas symbols.
        stream: Only of this stream.
    """
    day = func.substr(objects.c.period, 1, len("2026-01-01"))  # parts of a day have their number behind it
    parts = select(objects.c.symbol, objects.c.dataset, day, func.sum(objects.c.rows), func.max(objects.c.last_local))
    parts = parts.where(
        objects.c.is_current,
        objects.c.kind == ObjectKind.TICK_PARTS,
        objects.c.exchange == exchange,
        objects.c.symbol.in_(symbols),
    )
    if stream is not None:
        parts = parts.where(objects.c.dataset == stream)
    found = connection.execute(parts.group_by(objects.c.symbol, objects.c.dataset, day)).all()
    if not found:
        return []
    heard = select(recorded.c.symbol, recorded.c.stream, func.max(recorded.c.last_time)).where(
        recorded.c.exchange == exchange,
        recorded.c.symbol.in_({row[0] for row in found}),
        recorded.c.stream.in_({row[1] for row in found}),
    )
    until = {
        (symbol, name): last
        for symbol, name, last in connection.execute(heard.group_by(recorded.c.symbol, recorded.c.stream))
    }
    return sorted(
        OpenTicks(
            symbol,
            name,
            date.fromisoformat(period),
            int(ticks),
            max((time for time in (last, until.get((symbol, name))) if time is not None), default=None),
        )
        for symbol, name, period, ticks, last in found
    )
