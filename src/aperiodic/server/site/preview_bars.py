"""The data that the site shows to everyone: the instrument and the days of the first preview entry.

Charts of every dataset are drawn over it, at intervals from 5m up; nothing else of the installation can be asked for
here. Only published files are read, and each is kept decoded for a while.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import TIME_COLUMN, dataset
from aperiodic.lake import ObjectKind
from aperiodic.lake.objects import current_objects
from aperiodic.market import Clock, Exchange, Interval
from aperiodic.market.time import months_between

if TYPE_CHECKING:
    from datetime import date

    from aperiodic.catalog import Dataset
    from aperiodic.lake import Lake
    from aperiodic.server.settings import PreviewEntry, ServerSettings

__all__ = ["CHART_INTERVALS", "PreviewBars", "PreviewRange"]

CHART_INTERVALS: Final = tuple(Interval)[tuple(Interval).index(Interval.M5) :]
"""Intervals that the site's charts offer."""

_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class PreviewRange:
    """What is shown to everyone.

    Attributes:
        exchange: Venue.
        symbol: Atlas symbol.
        start: First UTC day.
        end: Last UTC day, included.
    """

    exchange: Exchange
    symbol: str
    start: date
    end: date

    @classmethod
    def of(cls, settings: ServerSettings) -> PreviewRange | None:
        """Return the range of the first preview entry; None when the preview is empty."""
        entry: PreviewEntry | None = next(iter(settings.preview), None)
        return None if entry is None else cls(entry.exchange, entry.symbol, entry.start_date, entry.end_date)

    @property
    def months(self) -> list[str]:
        """The calendar months that it touches, `YYYY-MM`."""
        return months_between(f"{self.start:%Y-%m}", f"{self.end:%Y-%m}")


class PreviewBars:
    """Reads the preview of any dataset."""

    def __init__(self, lake: Lake, settings: ServerSettings) -> None:
        self.shown = PreviewRange.of(settings)
        self._lake = lake
        self._frames: OrderedDict[tuple[str, ...], pl.DataFrame] = OrderedDict()
        self._lock = Lock()

    def frame(
        self, declared: Dataset, interval: Interval, clock: Clock = Clock.EXCHANGE, exchange: Exchange | None = None
    ) -> pl.DataFrame:
        """Return the bars of a dataset, cut to its days; without rows when nothing of it is published.

        Args:
            declared: The dataset.
            interval: One of `CHART_INTERVALS`.
            clock: Clock of the bars.
            exchange: Another venue that has the same symbol.

        Raises:
            LakeError: Store or ledger failed.
        """
        empty = pl.DataFrame(schema=declared.schema)
        if self.shown is None:
            return empty
        with self._lake.engine.connect() as connection:
            records = current_objects(
                connection,
                ObjectKind.BARS,
                dataset=declared.id,
                exchange=exchange or self.shown.exchange,
                symbol=self.shown.symbol,
                clock=clock,
                interval=interval,
                period=self.shown.months,
            )
        key = tuple(record.path for record in records)
        return self._read(key) if key else empty

    def source(self) -> str | None:
        """Return where the preview comes from (`simulated`, `recording` …); None when there is none."""
        if self.shown is None:
            return None
        with self._lake.engine.connect() as connection:
            records = current_objects(
                connection,
                ObjectKind.BARS,
                dataset=dataset("ohlcv").id,
                exchange=self.shown.exchange,
                symbol=self.shown.symbol,
                clock=Clock.EXCHANGE,
                interval=Interval.D1,
                period=self.shown.months,
            )
        return records[0].source if records else None

    def _read(self, paths: tuple[str, ...]) -> pl.DataFrame:
        with self._lock:
            if paths in self._frames:
                self._frames.move_to_end(paths)
                return self._frames[paths]
        joined = pl.concat([self._lake.store.read_parquet(path) for path in paths])
        frame = joined.filter(self._inside())
        with self._lock:
            self._frames[paths] = frame
            while len(self._frames) > _KEPT:
                self._frames.popitem(last=False)
        return frame

    def _inside(self) -> pl.Expr:
        if self.shown is None:
            return pl.lit(value=False)
        first = datetime.combine(self.shown.start, time.min)
        return pl.col(TIME_COLUMN).is_between(
            first, datetime.combine(self.shown.end + timedelta(days=1), time.min), closed="left"
        )
