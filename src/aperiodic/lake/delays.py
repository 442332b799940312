"""How long it took of late from arrival to committed ticks, and from the end of a minute to its bar, as the ledger tells."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, select

from aperiodic.lake.layout import ObjectKind
from aperiodic.lake.objects import last_row
from aperiodic.lake.schema import objects
from aperiodic.market import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

__all__ = ["JOINED", "Delays", "quantile_s", "read_delays"]

JOINED: Final = "parts joined"
"""Reason of a part that holds what others held before."""

_MOST: Final = 5_000
_RECENT_US: Final = 600_000_000
_LOOKED_AT: Final = 200_000
"""Rows of the ledger that can be of the last ten minutes."""

_SERIES: Final = "ohlcv"


@dataclass(frozen=True, slots=True)
class Delays:
    """Delays of the last ten minutes, seconds.

    Attributes:
        ticks: From the arrival of the oldest tick of a commit until it was committed, by series and commit.
        bars: From the end of a minute, by the clock of its bars, until its bar could be read.
    """

    ticks: list[float]
    bars: list[float]


def read_delays(connection: Connection, now: int) -> Delays:
    """Return what the newest rows of the ledger tell.

    Args:
        connection: Open connection to the ledger.
        now: Present time, µs.
    """
    parts = select(objects.c.created_at, objects.c.first_local).where(
        objects.c.kind == ObjectKind.TICK_PARTS, objects.c.first_local.is_not(None), objects.c.reason != JOINED
    )
    bars = select(objects.c.exchange, objects.c.symbol, objects.c.clock, objects.c.last_exchange, objects.c.created_at)
    bars = bars.where(
        objects.c.kind == ObjectKind.OPEN_BARS,
        objects.c.dataset == _SERIES,
        objects.c.interval == Interval.M1,
        objects.c.last_exchange.is_not(None),
    )
    newest = objects.c.id.desc()
    # By number first: an old ledger is not searched for rows that are not there.
    since = and_(objects.c.id > last_row(connection) - _LOOKED_AT, objects.c.created_at > now - _RECENT_US)
    ticks = [
        max(made - first, 0) / 1e6
        for made, first in connection.execute(parts.where(since).order_by(newest).limit(_MOST))
    ]
    found = sorted(tuple(row) for row in connection.execute(bars.where(since).order_by(newest).limit(_MOST)))
    # A file that follows on another of its series holds one more minute at least; the first one tells of the past.
    late = [
        max(later[4] - later[3] - Interval.M1.microseconds, 0) / 1e6
        for earlier, later in pairwise(found)
        if later[:3] == earlier[:3] and later[3] > earlier[3]
    ]
    return Delays(ticks, late)


def quantile_s(delays: Sequence[float], share: float) -> float | None:
    """Return what this share of delays stayed within, seconds; None without any."""
    if not delays:
        return None
    return sorted(delays)[min(int(share * len(delays)), len(delays) - 1)]
