"""Which bars are over and not told yet, of all instruments at once; and which ones that were told have changed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from aperiodic.catalog import DATASETS, TIME_COLUMN, MonthProduct
from aperiodic.engine.families import KERNELS, datasets_of
from aperiodic.engine.fields import dataset_frame
from aperiodic.engine.live.months import LiveMonths
from aperiodic.engine.live.rows import ALL_SECONDS, FIRST, LiveRow, rows_of
from aperiodic.engine.merging import times_of
from aperiodic.engine.open_days.day_state import FILES_LAG_US
from aperiodic.engine.partials.bars import to_frame
from aperiodic.engine.partials.recorded_day import Records
from aperiodic.market import DAY_US, Clock, Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from aperiodic.catalog import Dataset, Family
    from aperiodic.engine.live.board import Bars
    from aperiodic.engine.live.gaps import KnownGaps
    from aperiodic.engine.live.months import Kind, Owner, States
    from aperiodic.engine.live.rows import Seconds
    from aperiodic.engine.open_days.day_state import ClosedBars
    from aperiodic.engine.open_days.publishing import MonthsBefore

__all__ = ["LiveBars"]

_TOLD_AT_START_US: Final = FILES_LAG_US
"""Bars that ended so long before the first look are told: the files of open days lag by less, so nothing is between."""

_AT_ONCE: Final = 10
"""The bars of so many instruments are gathered before others have their turn."""


class LiveBars:
    """Makes rows of bars that are over.

    Bars of all instruments that end together are computed together: their fields are expressions of their own row, and
    the few that look back over the month continue from what is known of it.

    Args:
        before: Bars of the days of the month that are over.
        gaps: What is known to be missing.
        now: Tells the time, µs.
    """

    def __init__(self, before: MonthsBefore, gaps: KnownGaps, now: Callable[[], int]) -> None:
        self._months = LiveMonths(before)
        self._gaps = gaps
        self._now = now
        self._revisions: dict[tuple[Owner, Clock, Interval, str, int], int] = {}
        self._seconds: Seconds = frozenset()

    def take_seconds(self, instruments: Mapping[Owner, States], seconds: Seconds) -> Iterator[list[LiveRow]]:
        """Yield the rows of bars below a minute that are over and were not told yet, dataset by dataset.

        Args:
            instruments: The open days of each.
            seconds: Which bars below a minute are wanted. Of those that were not the last time those of the last two
                minutes are yielded, too.

        Raises:
            LakeError: `object_missing` or `object_damaged` when a day of the month cannot be read.
        """
        seconds &= ALL_SECONDS  # servers of other versions may name others
        if seconds != self._seconds:
            before, self._seconds = self._seconds, seconds
            # Bars below a minute that nobody wants are left out, so what is known of their month ends.
            self._months.keep(self._is_wanted)
            yield from self._taken_for_others(instruments, seconds - before, _of_families(before))
        wanted = _of_families(seconds)
        for family in KERNELS:
            yield from self._of_family(family, {interval for of, interval in wanted if of is family}, instruments)

    @property
    def seconds(self) -> Seconds:
        """Which bars below a minute were wanted the last time."""
        return self._seconds

    def of_board(
        self,
        bars: Iterable[tuple[Family, Bars]],
        instruments: Mapping[Owner, States],
        interval: Interval = Interval.S1,
    ) -> Iterator[list[LiveRow]]:
        """Yield the rows of bars that a `Board` made, dataset by dataset: first of datasets that somebody reads by the second.

        Args:
            bars: The bars, by family.
            instruments: As of `take_seconds`.
            interval: Of the bars.

        Raises:
            LakeError: As `take_seconds`.
        """
        read = {name for name, _ in self._seconds}
        for is_read in (True, False):
            for family, (whole, parts) in bars:
                some = [dataset for dataset in datasets_of(family) if (dataset.id in read) is is_read]
                yield from self._of_kinds(some, {(Clock.TRUE, interval, family): parts}, whole, instruments)

    def take_longer(self, instruments: Mapping[Owner, States]) -> Iterator[list[LiveRow]]:
        """Yield the rows of bars of a minute and more that are over and were not told yet, dataset by dataset.

        What is over when a family has its turn is taken then, so whoever asks may do other things in between. Now and then
        no rows are yielded, for the same reason.

        Args:
            instruments: The open days of each.

        Raises:
            LakeError: As `take_seconds`.
        """
        for family in KERNELS:
            yield from self._of_family(family, None, instruments)

    def _of_family(
        self,
        family: Family,
        seconds: Collection[Interval] | None,
        instruments: Mapping[Owner, States],
    ) -> Iterator[list[LiveRow]]:
        """Yield the rows of bars of a family that are over and wanted, dataset by dataset; `seconds` as of `take_closed`."""
        closed: defaultdict[Kind, list[tuple[Owner, ClosedBars]]] = defaultdict(list)
        for number, (owner, states) in enumerate(instruments.items(), 1):
            for (clock, _), state in sorted(states.items(), key=lambda item: item[0][1]):
                for interval, bars in state.take_closed(family, seconds):
                    closed[clock, interval, family].append((owner, bars))
            if number % _AT_ONCE == 0 and seconds is None and closed:
                yield []
        if not closed:
            return
        kinds = {kind: _framed(kind[1], parts) for kind, parts in closed.items()}
        whole = pl.concat([bars for parts in kinds.values() for _, bars in parts], rechunk=True)
        yield from self._of_kinds(datasets_of(family), kinds, whole, instruments)

    def _of_kinds(
        self,
        datasets: Iterable[Dataset],
        kinds: Mapping[Kind, list[tuple[Owner, pl.DataFrame]]],
        whole: pl.DataFrame,
        instruments: Mapping[Owner, States],
    ) -> Iterator[list[LiveRow]]:
        """Yield the rows of bars, dataset by dataset; `whole`: those of all kinds, one after another."""
        for dataset in datasets:
            wanted = {kind for kind in kinds if self._is_wanted(dataset.id, kind[1])}
            if not wanted:
                continue
            # Fields but those that look back are expressions of their own row, whatever its length and clock.
            frame = None if _looks_back(dataset) else dataset_frame(dataset, whole)
            if frame is None:
                known = self._months.learn(dataset, {kind: kinds[kind] for kind in wanted}, instruments)
                yield from ([] for number, _ in enumerate(known, 1) if number % _AT_ONCE == 0)
            rows: list[LiveRow] = []
            place = 0
            for kind, parts in kinds.items():
                count = sum(bars.height for _, bars in parts)
                if kind in wanted:
                    found = (
                        self._months.frame(dataset, kind, parts, whole.slice(place, count), instruments)
                        if frame is None
                        else frame.slice(place, count)
                    )
                    rows += self._rows(dataset, kind, parts, found)
                place += count
            yield rows

    def _is_wanted(self, dataset: str, interval: Interval) -> bool:
        return not interval.sub_minute or (dataset, str(interval)) in self._seconds

    def _taken_for_others(
        self, instruments: Mapping[Owner, States], seconds: Seconds, taken: Collection[tuple[Family, Interval]]
    ) -> Iterator[list[LiveRow]]:
        """Yield rows below a minute that are wanted newly, of bars that were taken lately for other datasets."""
        for name, length in sorted(seconds):
            dataset, interval = DATASETS[name], Interval(length)
            if (dataset.family, interval) not in taken:
                continue
            for owner, states in instruments.items():
                for (clock, _), state in sorted(states.items(), key=lambda item: item[0][1]):
                    bars = state.taken_lately(dataset.family, interval) if interval in clock.intervals else None
                    if bars is None:
                        continue
                    kind, parts = (clock, interval, dataset.family), [(owner, bars)]
                    frame = (
                        self._months.frame(dataset, kind, parts, bars, instruments)
                        if _looks_back(dataset)
                        else dataset_frame(dataset, bars)
                    )
                    yield list(self._rows(dataset, kind, parts, frame))

    def corrected(self, owner: Owner, old: States, new: States) -> Iterator[LiveRow]:
        """Yield the rows of bars that were told from `old`, and are others since the ticks were read anew.

        `new` goes on telling where `old` had stopped.

        Raises:
            LakeError: As `take`.
        """
        self._months.forget(owner)
        others: set[Kind] = set()
        for (clock, begin), state in sorted(new.items(), key=lambda item: item[0][1]):
            told = old.get((clock, begin))
            if told is None:
                latest = max(other.folded_to for (of, _), other in new.items() if of is clock)
                state.skip_closed(latest - _TOLD_AT_START_US)  # not that of its own day: nothing in between is left out
                continue
            state.fold(told.folded_to, seconds=True)  # all its events are here
            for family, interval, edge in state.go_on_from(told):
                kind = clock, interval, family
                # A day that is others is looked back on by the one after it, from its begin on.
                since = begin if kind in others else state.same_until(told, family, interval)
                before, after = (each.bars_since(family, interval, since) for each in (told, state))
                if after is None:
                    continue
                after = after.filter(pl.col(TIME_COLUMN).to_physical() < edge)
                changed = (
                    after if before is None else after.join(before, on=after.columns, how="anti", nulls_equal=True)
                )
                later = after
                if kind not in others:
                    later = (
                        after.filter(pl.col(TIME_COLUMN) >= changed[TIME_COLUMN].min()) if changed.height else changed
                    )
                if changed.height:
                    others.add(kind)
                if later.height:
                    yield from self._again(owner, new, kind, changed, later)

    def touched(self, owner: Owner, states: States) -> Iterator[LiveRow]:
        """Yield the rows of bars that were told, and overlap a gap that has become known or was filled since.

        Raises:
            LakeError: As `take`.
        """
        told: dict[tuple[Kind, str], set[int]] = defaultdict(set)
        for stream, first, last in self._gaps.changed.get(owner, ()):
            for (clock, begin), state in states.items():
                if last < begin or first >= begin + DAY_US:
                    continue
                for family, interval, edge in state.told():
                    wanted = [dataset for dataset in datasets_of(family) if stream in dataset.streams]
                    since = max(first - first % interval.microseconds, begin)
                    bars = state.bars_since(family, interval, since) if wanted else None
                    if bars is None:
                        continue
                    starts = pl.col(TIME_COLUMN).to_physical()
                    bars = bars.filter(starts <= last, starts < edge)
                    kind = clock, interval, family
                    for dataset in wanted:
                        seen = told[kind, dataset.id]
                        others = [
                            time not in seen and self._is_judged_anew(owner, dataset, time, interval)
                            for time in bars[TIME_COLUMN].to_physical()
                        ]
                        some = bars.filter(pl.Series(others, dtype=pl.Boolean))
                        if some.height:
                            seen.update(some[TIME_COLUMN].to_physical())
                            yield from self._dataset_again(dataset, owner, states, kind, some)
        self._gaps.forget_changes(owner)

    def _is_judged_anew(self, owner: Owner, dataset: Dataset, start: int, interval: Interval) -> bool:
        bar = owner, dataset.streams, start, start + interval.microseconds
        return self._gaps.was_complete(*bar) is not self._gaps.is_complete(*bar)

    def _again(
        self, owner: Owner, states: States, kind: Kind, bars: pl.DataFrame, later: pl.DataFrame
    ) -> Iterator[LiveRow]:
        """Yield rows of bars once more; of datasets that look back over the month those of later bars too."""
        for dataset in datasets_of(kind[2]):
            wanted = later if _looks_back(dataset) else bars
            if wanted.height:
                yield from self._dataset_again(dataset, owner, states, kind, wanted)

    def _dataset_again(
        self, dataset: Dataset, owner: Owner, states: States, kind: Kind, bars: pl.DataFrame
    ) -> Iterator[LiveRow]:
        clock, interval, _ = kind
        for time in bars[TIME_COLUMN].to_physical():
            key = (owner, clock, interval, dataset.id, time)
            self._revisions[key] = self._revisions.get(key, FIRST) + 1
        parts = [(owner, bars)]
        if _looks_back(dataset):
            frame = self._months.frame_again(dataset, kind, owner, bars, states)
        else:
            frame = dataset_frame(dataset, bars)
        yield from self._rows(dataset, kind, parts, frame)

    def _rows(
        self, dataset: Dataset, kind: Kind, parts: list[tuple[Owner, pl.DataFrame]], frame: pl.DataFrame
    ) -> Iterator[LiveRow]:
        clock, interval, _ = kind
        owners = [owner for owner, bars in parts for _ in range(bars.height)]
        verdicts = [
            (
                self._revisions.get((owner, clock, interval, dataset.id, start), FIRST),
                self._gaps.is_complete(owner, dataset.streams, start, start + interval.microseconds),
            )
            for owner, start in zip(owners, times_of(frame, TIME_COLUMN).tolist(), strict=True)
        ]
        yield from rows_of(dataset, clock, interval, owners, frame, verdicts, self._now())


def _framed(interval: Interval, parts: list[tuple[Owner, ClosedBars]]) -> list[tuple[Owner, pl.DataFrame]]:
    """Return bars of one kind as frames; of records one frame is made for all, for each column of a frame takes its time."""
    records = [bars for _, bars in parts if isinstance(bars, Records)]
    if len(records) < len(parts):  # a family has none, or some bars come from the file of older ones
        return [
            (owner, bars if isinstance(bars, pl.DataFrame) else _framed(interval, [(owner, bars)])[0][1])
            for owner, bars in parts
        ]
    # To concatenate records, their fields would be compared for each of the parts.
    together = np.empty(sum(bars.size for bars, _ in records), records[0].bars.dtype)
    place = 0
    for bars, _ in records:
        together[place : place + bars.size] = bars
        place += bars.size
    frame, begin = to_frame(together["start"], records[0].columns_of(together, interval)), 0
    framed = []
    for (owner, _), (bars, _) in zip(parts, records, strict=True):
        framed.append((owner, frame.slice(begin, bars.size)))
        begin += bars.size
    return framed


def _of_families(seconds: Seconds) -> set[tuple[Family, Interval]]:
    """Return the families and intervals that these are made from."""
    return {(DATASETS[dataset].family, Interval(interval)) for dataset, interval in seconds}


def _looks_back(dataset: Dataset) -> bool:
    """Whether fields of a dataset look back over the month."""
    return any(isinstance(field.value, MonthProduct) for field in dataset.fields)
