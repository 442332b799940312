"""Bars of a minute from what a `Board` made bars of a second of, of all instruments at once.

The open days take the same ticks some seconds later, and would tell these bars only then.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from aperiodic.engine.families import KERNELS
from aperiodic.engine.partials.kernel import DayTicks
from aperiodic.engine.partials.recorded_day import RecordedDay
from aperiodic.engine.partials.trades import TradeDay
from aperiodic.market import DAY_US, Clock, Exchange, Interval

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from aperiodic.catalog import Family
    from aperiodic.engine.partials.recorded_day import Records

__all__ = ["Minutes", "TradeColumns"]

_AT_ONCE: Final = 1_000
"""Instruments of which bars are made together: a kernel has room for the minutes of a day, and for its seconds."""


class TradeColumns(NamedTuple):
    """Trades in order of time, as `TradeDay.add` takes them."""

    times: NDArray[np.int64]
    sides: NDArray[np.uint8]
    prices: NDArray[np.float64]
    amounts: NDArray[np.float64]


class _Part(NamedTuple):
    """Bars of a second or trades that were added together, and whose each of them is, by place."""

    places: NDArray[np.int64]
    rows: NDArray[np.void] | TradeColumns


class Minutes:
    """What a board made of the minute that is not over yet, of one venue.

    Each instrument has a place, ascending from 0; what is of it is later by that many days, all its times.
    """

    def __init__(self) -> None:
        self._parts: defaultdict[Family, list[_Part]] = defaultdict(list)
        self._since: int | None = None
        self._trusted_since: dict[int, int] = {}
        self._made_to = self._edge = 0

    def note(self, edge: int) -> None:
        """Take that all bars of a second until a time, µs, were made here since the last time; or since then, at first."""
        if self._since is None:
            self._since = edge
        self._made_to = edge

    def interrupt(self) -> None:
        """Take that bars of a second are told from the open days meanwhile."""
        self._since = None
        self._parts.clear()

    def distrust(self, place: int) -> None:
        """Take that bars of an instrument that were made here are told again, others than they were."""
        self._trusted_since[place] = self._made_to

    def add(self, family: Family, places: NDArray[np.int64], rows: NDArray[np.void] | TradeColumns) -> None:
        """Keep bars of a second, or the trades that they were made of, until their minute is over.

        Args:
            family: Of the bars.
            places: Whose each row is.
            rows: The rows.
        """
        self._parts[family].append(_Part(places, rows))

    def take(self, edge: int) -> Iterator[tuple[Family, NDArray[np.int64], Records]]:
        """Yield the bars of the minute that a time, µs, is the end of or lies behind; and let go of what they were made from.

        Yields:
            The family; the place of each bar's instrument, ascending; and the bars. There are none unless everything of that
            minute was made here.
        """
        end = edge - edge % Interval.M1.microseconds
        before, self._edge = self._edge, end
        if end == before:
            return
        begin = end - Interval.M1.microseconds
        if self._since is not None and self._since <= begin and before < end:
            others = [place for place, since in self._trusted_since.items() if since > begin]
            for family, parts in self._parts.items():
                yield from _bars(family, parts, others, begin, end)
        for family, parts in self._parts.items():
            later = [_rows_between(part, end, edge) for part in parts]
            self._parts[family] = [part for part in later if part.places.size]
        self._trusted_since = {place: since for place, since in self._trusted_since.items() if since > end}


def _bars(
    family: Family, parts: list[_Part], others: list[int], begin: int, end: int
) -> Iterator[tuple[Family, NDArray[np.int64], Records]]:
    found = [part for part in (_rows_between(part, begin, end) for part in parts) if part.places.size]
    if not found:
        return
    places = np.concatenate([part.places for part in found])
    order = np.argsort(places, kind="stable")
    order = order[~np.isin(places[order], others)]
    sorted_places = places[order]
    each = np.unique(sorted_places)
    for first in range(0, each.size, _AT_ONCE):
        some = each[first : first + _AT_ONCE]
        left, right = np.searchsorted(sorted_places, some[0]), np.searchsorted(sorted_places, some[-1], "right")
        records = _merged(family, [part.rows for part in found], order[left:right], begin)
        yield family, (records.bars["start"] - begin) // DAY_US, records


def _merged(
    family: Family, parts: list[NDArray[np.void] | TradeColumns], order: NDArray[np.intp], begin: int
) -> Records:
    day = KERNELS[family].open_day(DayTicks(Exchange.BINANCE_FUTURES, Clock.TRUE, begin - begin % DAY_US, {}, {}))
    if isinstance(day, TradeDay):
        trades = [part for part in parts if isinstance(part, TradeColumns)]
        day.add(*(np.concatenate(column)[order] for column in zip(*trades, strict=True)))
        return day.records(Interval.M1)
    if not isinstance(day, RecordedDay):
        raise TypeError(family)
    records = [part for part in parts if isinstance(part, np.ndarray)]
    # To concatenate records, their fields would be compared for each of the parts.
    seconds, place = np.empty(sum(part.size for part in records), records[0].dtype), 0
    for part in records:
        seconds[place : place + part.size] = part
        place += part.size
    return day.merged(seconds[order], Interval.M1)


def _rows_between(part: _Part, begin: int, end: int) -> _Part:
    rows = part.rows
    times = (rows.times if isinstance(rows, TradeColumns) else rows["start"]) - part.places * DAY_US
    some = (times >= begin) & (times < end)
    if some.all():
        return part
    if isinstance(rows, TradeColumns):
        return _Part(part.places[some], TradeColumns._make(column[some] for column in rows))
    return _Part(part.places[some], rows[some])
