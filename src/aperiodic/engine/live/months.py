"""Fields that look back over the month: what is known of the month of each series of bars, and rows that follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.engine.fields import frame_of_months, new_month_of, partials_of
from aperiodic.engine.merging import times_of
from aperiodic.market import DAY_US
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from aperiodic.catalog import Dataset, Family
    from aperiodic.engine.fields import Month
    from aperiodic.engine.open_days.day_state import DayState
    from aperiodic.engine.open_days.publishing import MonthsBefore
    from aperiodic.market import Clock, Exchange, Interval, Symbol

__all__ = ["Kind", "LiveMonths", "Owner", "States"]

States = dict[tuple["Clock", int], "DayState"]
"""The open days of an instrument, by clock and begin, µs."""

Owner = tuple["Exchange", "Symbol"]
"""Whose bars they are."""

Kind = tuple["Clock", "Interval", "Family"]
"""What bars are of, but for the instrument."""


class _Month:
    """What a field that looks back over the month knows of one series of bars."""

    def __init__(self, number: str, known: Month) -> None:
        self.number = number
        self.known = known


class LiveMonths:
    """Knows the months of series of bars.

    Args:
        before: Bars of the days of the month that are over.
    """

    def __init__(self, before: MonthsBefore) -> None:
        self._before = before
        self._months: dict[tuple[Owner, Clock, Interval, str], _Month] = {}

    def keep(self, is_wanted: Callable[[str, Interval], bool]) -> None:
        """Forget what is known of series but those whose dataset and interval are wanted."""
        self._months = {key: known for key, known in self._months.items() if is_wanted(key[3], key[2])}

    def forget(self, owner: Owner) -> None:
        """Forget what is known of an instrument."""
        for key in [key for key in self._months if key[0] == owner]:
            del self._months[key]

    def frame(
        self,
        dataset: Dataset,
        kind: Kind,
        parts: list[tuple[Owner, pl.DataFrame]],
        together: pl.DataFrame,
        instruments: Mapping[Owner, States],
    ) -> pl.DataFrame:
        """Compute rows of a dataset with fields that look back over the month, of all instruments `together`."""
        months = [
            (count, self._month(dataset, kind, owner, instruments[owner], number, begin))
            for owner, bars in parts
            for number, begin, count in _by_month(times_of(bars, TIME_COLUMN))
        ]
        return frame_of_months(dataset, together, months)

    def learn(
        self,
        dataset: Dataset,
        kinds: Mapping[Kind, list[tuple[Owner, pl.DataFrame]]],
        instruments: Mapping[Owner, States],
    ) -> Iterator[None]:
        """Learn what is before the first bars of a month, which `frame` would do otherwise; pause after each series."""
        for kind, parts in kinds.items():
            for owner, bars in parts:
                month, begin, _ = next(_by_month(times_of(bars, TIME_COLUMN)))
                self._month(dataset, kind, owner, instruments[owner], month, begin)
                yield

    def _month(self, dataset: Dataset, kind: Kind, owner: Owner, states: States, number: str, begin: int) -> Month:
        """Return what is known of a month before its bars from a time, µs, on."""
        key = (owner, kind[0], kind[1], dataset.id)
        known = self._months.get(key)
        if known is None or known.number != number:
            known = self._months[key] = _Month(number, new_month_of(dataset))
            self._learn(dataset, known.known, self._earlier(dataset, kind, owner, states, begin, begin))
        return known.known

    def frame_again(
        self, dataset: Dataset, kind: Kind, owner: Owner, bars: pl.DataFrame, states: States
    ) -> pl.DataFrame:
        """Compute rows of a dataset with fields that look back over the month from what is known of it now."""
        first = int(bars[TIME_COLUMN].to_physical()[0])
        # What came before these bars is not what is known now, but what was known then.
        earlier = self._earlier(dataset, kind, owner, states, None, first)
        after = earlier.filter(pl.col(TIME_COLUMN).to_physical() >= first)
        month = new_month_of(dataset)
        self._learn(dataset, month, earlier.filter(pl.col(TIME_COLUMN).to_physical() < first))
        frame = frame_of_months(dataset, after, [(after.height, month)])
        return frame.join(bars.select(TIME_COLUMN), on=TIME_COLUMN, how="semi", maintain_order="left")

    def _earlier(
        self, dataset: Dataset, kind: Kind, owner: Owner, states: States, until: int | None, within: int
    ) -> pl.DataFrame:
        """Return the bars of the month that a time, µs, lies in: those before `until`, or all that are over."""
        clock, interval, family = kind
        columns = [TIME_COLUMN, *partials_of(dataset)]
        own = sorted((begin, state) for (of, begin), state in states.items() if of is clock)
        month = f"{day_at(within // DAY_US):%Y-%m}"
        first_open = day_at(own[0][0] // DAY_US)
        pieces = []
        if f"{first_open:%Y-%m}" == month:
            pieces.append(self._before.bars(dataset, clock, interval, *owner, first_open))
        for begin, state in own:
            if f"{day_at(begin // DAY_US):%Y-%m}" == month:
                bars = state.bars_since(family, interval, begin)
                pieces += [] if bars is None else [bars.select(columns)]
        pieces = [piece for piece in pieces if piece.height]
        if not pieces:
            return pl.DataFrame(schema={TIME_COLUMN: pl.Datetime("us")} | dict.fromkeys(columns[1:], pl.Float64))
        whole = pl.concat(pieces, how="vertical_relaxed")
        return whole if until is None else whole.filter(pl.col(TIME_COLUMN).to_physical() < until)

    @staticmethod
    def _learn(dataset: Dataset, month: Month, bars: pl.DataFrame) -> None:
        if bars.height:
            frame_of_months(dataset, bars, [(bars.height, month)])


def _by_month(times: NDArray[np.int64]) -> Iterator[tuple[str, int, int]]:
    """Yield the months that bars lie in: which, the start of its first bar, µs, and how many bars it has."""
    months = times.astype("datetime64[us]").astype("datetime64[M]")
    for month in [months[0]] if months[0] == months[-1] else np.unique(months):
        own = times[months == month]
        yield str(month), int(own[0]), own.size
