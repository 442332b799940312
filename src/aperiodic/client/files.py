"""The files of a request: out of the cache, as a few ranges of bytes, or whole."""

from __future__ import annotations

import asyncio
from calendar import monthrange
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from aperiodic.client.bodies import Bodies
from aperiodic.client.download import download_frame, fetch_renewing
from aperiodic.client.errors import DownloadError
from aperiodic.client.frames import read_frame
from aperiodic.client.held_frames import add_frame, find_frame
from aperiodic.client.progress import progress
from aperiodic.client.ranges import fetch_part
from aperiodic.client.saving import Saving
from aperiodic.market import AperiodicDataError
from aperiodic.market.time import day_start_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from aperiodic.client.cache import Cache
    from aperiodic.client.links import FileLink, Links
    from aperiodic.client.transport import Transport

__all__ = ["Files", "Meter", "Meters", "Wanted"]

_SMALL_BYTES: Final = 256 * 1024
"""Of a smaller file parts are not worth their requests."""
_MOST_OF_PERIOD: Final = 0.5
"""Where more days of a file than this are wanted, its groups of rows are not looked at."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of the files of one request.

    Attributes:
        time: Name of the column that holds the times.
        first: The first UTC day.
        last: The last one, included.
        columns: Names of columns, that of the times among them; None for all.
        aware: Whether the times of the files have a zone.
    """

    time: str
    first: date
    last: date
    columns: tuple[str, ...] | None = None
    aware: bool = False

    def read(self, source: bytes | Path) -> pl.DataFrame:
        """Read it of a file; raises as `read_frame`."""
        midnight = datetime.combine(self.first, time.min, UTC if self.aware else None)
        return read_frame(source, self.time, midnight, self.last - self.first, self.columns)

    def bounds(self, link: FileLink) -> tuple[int, int] | None:
        """Return the first and the last time that matter in a file, µs; None when most of its days do."""
        year, month, day = link.key
        begin = date(year, month, day or 1)
        end = date(year, month, day or monthrange(year, month)[1])
        first, last = max(begin, self.first), min(end, self.last)
        if (last - first + timedelta(days=1)) / (end - begin + timedelta(days=1)) > _MOST_OF_PERIOD:
            return None
        return day_start_us(first), day_start_us(last + timedelta(days=1)) - 1


class Meters:
    """Tells the progress of all files of a request: in bytes, where the sizes of all are known.

    Attributes:
        total: Units at the end.
        unit: What is counted.
        advance: Takes how many units more (or fewer) are done with.
    """

    def __init__(self, links: Sequence[FileLink]) -> None:
        sizes = [link.size for link in links if link.size is not None]
        self._in_bytes = len(sizes) == len(links)
        self.total = sum(sizes) if self._in_bytes else len(links)
        self.unit: Literal["file", "B"] = "B" if self._in_bytes else "file"
        self.advance: Callable[[int], object] = lambda _: None

    @contextmanager
    def drawn(self, title: str, *, shown: bool) -> Iterator[None]:
        """Draw a progress bar of all files.

        Args:
            title: Stands before the bar.
            shown: Whether to draw it at all.
        """
        with progress(title, self.total, self.unit, shown=shown and self.total > 0) as self.advance:
            yield

    def of(self, link: FileLink) -> Meter:
        """Return the meter of one file."""
        return Meter(self.advance, (link.size or 0) if self._in_bytes else 1)


class Meter:
    """Tells the progress of one file, which attempts that begin again set back."""

    def __init__(self, advance: Callable[[int], object], size: int) -> None:
        self.size = size
        self._advance = advance
        self._told = 0

    def reach(self, count: int) -> None:
        """Take how many bytes of the file are done with."""
        self._advance(min(count, self.size) - self._told)
        self._told = min(count, self.size)

    def end(self) -> None:
        """Take that all of it is."""
        self.reach(self.size)


class Files:
    """Fetches the files of one client."""

    def __init__(self, transport: Transport, cache: Cache | None) -> None:
        self._transport = transport
        self._cache = cache
        self._bodies = Bodies()

    async def frame(self, links: Links, link: FileLink, wanted: Wanted, meter: Meter) -> pl.DataFrame:
        """Fetch what is wanted of a file.

        Raises:
            DownloadError: It could not be fetched or is not what it should be.
        """
        frame = self._in_memory(link, wanted)
        if frame is None:
            frame = await self._held(link, wanted)
        if frame is None:
            frame = await self._part(links, link, wanted)
        if frame is None:
            frame = await self._whole(links, link, wanted, meter)
        if self._cache is not None and link.sha256 is not None:
            add_frame(link.sha256, wanted, frame)
        meter.end()
        return frame

    def _in_memory(self, link: FileLink, wanted: Wanted) -> pl.DataFrame | None:
        """Find it in a frame that the program has, unless the caller wants no cache."""
        return None if self._cache is None or link.sha256 is None else find_frame(link.sha256, wanted)

    async def _held(self, link: FileLink, wanted: Wanted) -> pl.DataFrame | None:
        """Read it out of the cache, if it is there."""
        if self._cache is None:
            return None
        path = await asyncio.to_thread(self._cache.find, link.sha256)
        return None if path is None else await _read(link, wanted, path)

    async def _part(self, links: Links, link: FileLink, wanted: Wanted) -> pl.DataFrame | None:
        """Fetch only the bytes that matter, where these are few."""
        bounds = wanted.bounds(link)
        if (wanted.columns is None and bounds is None) or link.size is None or link.size < _SMALL_BYTES:
            return None
        attempt = partial(
            fetch_part,
            self._transport,
            self._cache,
            columns=wanted.columns,
            time=wanted.time,
            bounds=bounds,
            read=wanted.read,
        )
        try:
            return await fetch_renewing(links, link, attempt)
        except DownloadError:
            raise
        except AperiodicDataError as error:
            raise link.failed(error) from error

    async def _whole(self, links: Links, link: FileLink, wanted: Wanted, meter: Meter) -> pl.DataFrame:
        if self._cache is not None and link.sha256 is not None and link.size is not None:
            async with self._cache.held(link.sha256) as writable:
                frame = await self._held(link, wanted)  # another process may have fetched it meanwhile
                if frame is not None:
                    return frame
                if writable and await self._save(links, link, meter):
                    return await _read(link, wanted, self._cache.whole(link.sha256))
        return await fetch_renewing(links, link, partial(download_frame, self._transport, self._bodies, wanted.read))

    async def _save(self, links: Links, link: FileLink, meter: Meter) -> bool:
        """Fetch a file into the cache; return False when there is no room for it."""
        cache, sha256 = self._cache, link.sha256
        if cache is None or sha256 is None:
            return False
        try:
            await fetch_renewing(links, link, Saving(self._transport, cache.whole(sha256), meter.reach).attempt)
        except DownloadError as error:
            if not isinstance(error.original_error, OSError):
                raise
            cache.tell(error.original_error)
            return False
        await asyncio.to_thread(cache.kept, link.size or 0)
        return True


async def _read(link: FileLink, wanted: Wanted, source: bytes | Path) -> pl.DataFrame:
    try:
        return await asyncio.to_thread(wanted.read, source)
    except AperiodicDataError as error:
        raise link.failed(error) from error
