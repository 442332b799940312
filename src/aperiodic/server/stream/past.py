"""A past stretch of bars told again as the live stream tells new ones, at its own speed or faster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import polars as pl

from aperiodic.catalog import TIME_COLUMN
from aperiodic.lake import ObjectKind
from aperiodic.lake.objects import current_symbols
from aperiodic.lake.reader import ObjectReader
from aperiodic.market import DAY_US, Interval
from aperiodic.market.time import day_at, now_us
from aperiodic.server.stream.fanout import Fanout, Reader
from aperiodic.server.stream.replay import missed_rows, rows_of_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aperiodic.engine.live import LiveRow, LiveSeries
    from aperiodic.lake import Lake
    from aperiodic.server.stream.channels import Channel

__all__ = ["PastBars", "PastFanout"]

_STEP_S: Final = 0.02
_CHUNK_US: Final = 6 * 3_600_000_000
"""Bars below a minute are read so many µs at a time; longer ones a day."""


class PastBars:
    """Bars of files, in the order in which they close.

    Args:
        lake: What holds them.
        symbols: Only these instruments; None for all.
    """

    def __init__(self, lake: Lake, symbols: frozenset[str] | None) -> None:
        self._lake = lake
        self._symbols = symbols
        self._read: dict[LiveSeries, tuple[int, int, list[tuple[str, pl.DataFrame]]]] = {}

    def closing(self, some: Iterable[LiveSeries], after: int, until: int) -> list[LiveRow]:
        """Return the bars that close after one time, µs, and by another, in the order in which they do.

        Raises:
            LakeError: An object cannot be read.
        """
        found: list[LiveRow] = []
        now = now_us()
        for series in some:
            length = Interval(series[2]).microseconds
            first, last = after - length, until - length  # starts of bars
            at = first
            while at < last:
                _, end, frames = self._chunk(series, at + 1)
                upper = min(last, end - 1)
                for symbol, frame in frames:
                    times = frame[TIME_COLUMN].to_physical()
                    low, high = times.search_sorted(at, "right"), times.search_sorted(upper, "right")
                    found += rows_of_file(series, symbol, frame[int(low) : int(high)], now)
                at = upper
        found.sort(key=lambda row: (row.end, row.interval, row.symbol))
        return found

    def _chunk(self, series: LiveSeries, at: int) -> tuple[int, int, list[tuple[str, pl.DataFrame]]]:
        """Return the bars around a time, µs, with the times between which they start; read them unless they are there."""
        known = self._read.get(series)
        if known is not None and known[0] <= at < known[1]:
            return known
        size = _CHUNK_US if Interval(series[2]).sub_minute else DAY_US
        begin = at // size * size
        self._read[series] = begin, begin + size, list(self._frames(series, begin, begin + size))
        return self._read[series]

    def _frames(self, series: LiveSeries, begin: int, end: int) -> Iterable[tuple[str, pl.DataFrame]]:
        dataset, exchange, interval, clock = series
        day = day_at(begin // DAY_US)
        start = pl.col(TIME_COLUMN).to_physical()
        seen: set[str] = set()
        with ObjectReader(self._lake.store) as reader:
            for kind, period in ((ObjectKind.BARS, f"{day:%Y-%m}"), (ObjectKind.OPEN_BARS, day.isoformat())):
                of = {"dataset": dataset, "exchange": exchange, "clock": clock, "interval": interval}
                # By name, for the index leads to the periods of a symbol alone.
                for record in self._lake.current(kind, period=period, symbol=self._names(kind, exchange), **of):
                    symbol = record.key.symbol
                    if symbol in seen:
                        continue
                    frame = reader.scan(record.path).filter((start >= begin) & (start < end)).collect()
                    if not frame.is_empty():
                        seen.add(symbol)
                        yield symbol, frame

    def _names(self, kind: ObjectKind, exchange: str) -> list[str]:
        if self._symbols is not None:
            return sorted(self._symbols)
        with self._lake.engine.connect() as connection:
            return sorted(current_symbols(connection, kind, exchange))


class PastFanout(Fanout):
    """Tells bars of the past to those who ask for them, from the first subscription on.

    Args:
        lake: What holds the bars.
        bars: The bars.
        begin: The first bar closes after this time, µs.
        end: The last one closes by this time, µs.
        speed: How many times faster than they closed.
        over: Called in the event loop when the last bar was told.
        failed: Called in the event loop when bars cannot be read.
    """

    def __init__(
        self,
        lake: Lake,
        bars: PastBars,
        begin: int,
        end: int,
        speed: float,
        over: Callable[[], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        super().__init__(lake)
        self._bars = bars
        self._begin, self._end, self._speed = begin, end, speed
        self._tell_over, self._tell_failed = over, failed
        self._now = begin
        self._asked: set[LiveSeries] = set()
        self._begun = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None

    def enter(
        self, reader: Reader, channel: Channel, since: int | None = None, told: Mapping[str, int] | None = None
    ) -> None:
        """Let a reader have the rows of a channel from now on; the first one starts the replay."""
        super().enter(reader, channel, since or 0, told)
        self._begun.set()

    def start(self) -> None:
        """Wait for the first subscription, then begin."""
        self._telling = asyncio.get_running_loop().create_task(self._tell())

    def stop(self) -> None:
        """Tell no more."""
        super().stop()
        if self._telling is not None:
            self._telling.cancel()

    async def settle(self) -> None:
        """Nothing is to be waited for: all bars are in files."""

    def missed(self, channel: Channel, since: int) -> list[LiveRow]:
        """Return the bars of a channel since a time, µs, that have closed by the time that is replayed."""
        self._asked.add(channel.series)  # from here on they are told, so that those between then and now are kept
        return missed_rows(self._lake, channel, since, self._now)

    async def _tell(self) -> None:
        await self._begun.wait()
        loop = asyncio.get_running_loop()
        began, told = loop.time(), self._begin
        try:
            while told < self._end:
                await asyncio.sleep(_STEP_S)
                self._now = min(self._end, self._begin + int((loop.time() - began) * self._speed * 1e6))
                until = self._now
                self.deliver(await asyncio.to_thread(self._bars.closing, self._wanted(), told, until))
                told = until
        except Exception as error:  # noqa: BLE001 - whatever the store says ends the replay, and is told
            self._tell_failed(error)
            return
        self._tell_over()

    def _wanted(self) -> list[LiveSeries]:
        return list({series for series, readers in self._readers.items() if readers} | self._asked)
