"""Bars of a minute from what a `Board` made bars of a second of, of all instruments at once.

The open days take the same ticks some seconds later, and would tell these bars only then.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

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
    """Trades in order of time, and whose each of them is, by place."""

    places: NDArray[np.int64]
    times: NDArray[np.int64]
    prices: NDArray[np.float64]
    amounts: NDArray[np.float64]

    @property
    def starts(self) -> NDArray[np.int64]:
        """When each was."""
        return self.times - self.places * DAY_US


class _Part(NamedTuple):
    """Bars of a second that were added together, and whose each of them is, by place."""

    places: NDArray[np.int64]
    rows: NDArray[np.void]

    @property
    def starts(self) -> NDArray[np.int64]:
        """When each starts."""
        starts: NDArray[np.int64] = self.rows["start"] - self.places * DAY_US
        return starts


_Timed = TypeVar("_Timed", _Part, TradeColumns)


class Minutes:
    """What a board made of the minute that is not over yet, of one venue.

    Each instrument has a place, ascending from 0; what is of it is later by that many days, all its times.
    """

    def __init__(self) -> None:
        self._parts: defaultdict[Family, list[_Part]] = defaultdict(list)
        self._trades: list[TradeColumns] = []
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
        self._trades.clear()

    def distrust(self, place: int) -> None:
        """Take that bars of an instrument that were made here are told again, others than they were."""
        self._trusted_since[place] = self._made_to

    def add(
        self, family: Family, places: NDArray[np.int64], rows: NDArray[np.void], trades: TradeColumns | None = None
    ) -> None:
        """Keep bars of a second until their minute is over.

        Args:
            family: Of the bars.
            places: Whose each row is.
            rows: The bars.
            trades: What bars of trades were made of.
        """
        self._parts[family].append(_Part(places, rows))
        if trades is not None:
            self._trades.append(trades)

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
                yield from self._bars(family, parts, others, begin, end)
        for family, parts in self._parts.items():
            later = [_between(part, end, edge) for part in parts]
            self._parts[family] = [part for part in later if part.places.size]
        following = [_between(trades, end, edge) for trades in self._trades]
        self._trades = [trades for trades in following if trades.places.size]
        self._trusted_since = {place: since for place, since in self._trusted_since.items() if since > end}

    def _bars(
        self, family: Family, parts: list[_Part], others: list[int], begin: int, end: int
    ) -> Iterator[tuple[Family, NDArray[np.int64], Records]]:
        found = [part for part in (_between(part, begin, end) for part in parts) if part.places.size]
        if not found:
            return
        # As they are records, each of their fields would be copied by itself.
        kind = found[0].rows.dtype
        rows = np.concatenate([part.rows.view(f"V{kind.itemsize}") for part in found])
        of_rows = _Sorted(np.concatenate([part.places for part in found]), others)
        day = KERNELS[family].open_day(DayTicks(Exchange.BINANCE_FUTURES, Clock.TRUE, begin - begin % DAY_US, {}, {}))
        trades = (
            _together([_between(trades, begin, end) for trades in self._trades]) if isinstance(day, TradeDay) else None
        )
        of_trades = None if trades is None else _Sorted(trades.places, others)
        each = np.unique(of_rows.places)
        for first in range(0, each.size, _AT_ONCE):
            some = each[first : first + _AT_ONCE]
            seconds = rows[of_rows.of(some)].view(kind)
            if isinstance(day, TradeDay) and trades is not None and of_trades is not None:
                own = of_trades.of(some)
                records = day.merged(seconds, trades.prices[own], trades.amounts[own], Interval.M1)
            elif isinstance(day, RecordedDay):
                records = day.merged(seconds, Interval.M1)
            else:
                raise TypeError(family)
            yield family, (records.bars["start"] - begin) // DAY_US, records


class _Sorted:
    """What is of instruments, one after another, in order of time as before."""

    def __init__(self, places: NDArray[np.int64], others: list[int]) -> None:
        order = np.argsort(places, kind="stable")
        self._order = order[~np.isin(places[order], others)]
        self.places = places[self._order]

    def of(self, some: NDArray[np.int64]) -> NDArray[np.intp]:
        """Return the rows of instruments that follow each other."""
        return self._order[np.searchsorted(self.places, some[0]) : np.searchsorted(self.places, some[-1], "right")]


def _together(trades: list[TradeColumns]) -> TradeColumns | None:
    return TradeColumns._make(np.concatenate(column) for column in zip(*trades, strict=True)) if trades else None


def _between(part: _Timed, begin: int, end: int) -> _Timed:
    starts = part.starts
    some = (starts >= begin) & (starts < end)
    return part if some.all() else type(part)._make(column[some] for column in part)
