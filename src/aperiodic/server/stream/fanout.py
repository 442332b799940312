"""From rows to readers: every row is encoded once for all who asked for it, and each reader is written to once a batch."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from websockets.frames import Frame, Opcode

from aperiodic.engine.live import LiveRow, follow_hub
from aperiodic.market import Interval
from aperiodic.market.time import now_us
from aperiodic.server.stream.channels import Channel
from aperiodic.server.stream.replay import MOST_ROWS, missed_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from aperiodic.lake import Lake
    from aperiodic.server.middleware.prometheus import Monitoring
    from aperiodic.server.stream.channels import Series

__all__ = ["Fanout", "Reader", "framed", "row_message"]

_KEPT_US: Final = 180_000_000
_MOST_KEPT: Final = 200_000
"""Rows that are kept for those who ask what they have missed, of all series together."""


_LATE_US: Final = 10_000_000
"""A row is new to who comes so long after the end of its bar."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a reader has asked for, and what it does not need to be told.

    Attributes:
        channel: Its channel.
        since: Bars that began before are not for it, µs.
        told: The newest row of each symbol that it has; older ones come a second time.
    """

    channel: Channel
    since: int
    told: Mapping[str, int] = field(default_factory=dict)

    def wants(self, row: LiveRow) -> bool:
        """Whether the reader is to be told a row of the series."""
        if self.channel.symbols is not None and row.symbol not in self.channel.symbols:
            return False
        return row.revision > 0 or (row.time >= self.since and row.time > self.told.get(row.symbol, -1))


class Reader(Protocol):
    """Who reads: a connection."""

    def lose(self) -> None:
        """Let the client go: it has missed rows that cannot be told any more."""

    def send(self, frames: bytes) -> None:
        """Write frames, unless the client does not read."""


def row_message(channel: str, row: LiveRow, *, snapshot: bool = False) -> bytes:
    """Return the message that tells a row on a channel."""
    mark = b',"snapshot":true' if snapshot else b""
    return b'{"channel":"' + channel.encode() + b'","data":' + row.data + mark + b"}"


def framed(message: bytes) -> bytes:
    """Return a message as a WebSocket frame of a server."""
    return Frame(Opcode.TEXT, message).serialize(mask=False)


class Fanout:
    """The rows of this process and who reads them; everything but `_follow` happens in the event loop.

    Args:
        lake: The installation, where rows are announced, and in whose files those are that were missed.
        monitoring: Counts rows; None where that tells nothing.
    """

    def __init__(self, lake: Lake, monitoring: Monitoring | None = None) -> None:
        self._lake = lake
        self._monitoring = monitoring
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._readers: defaultdict[Series, dict[tuple[Reader, str], _Entry]] = defaultdict(dict)
        self._newest: defaultdict[Series, dict[str, LiveRow]] = defaultdict(dict)
        self._kept: deque[LiveRow] = deque()
        self._began = now_us()
        self._wants_seconds = False
        self._waiting: deque[LiveRow] | None = None
        self._making_up: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to receive rows; call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._follow, name="live-rows", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop receiving."""
        self._over.set()

    def enter(
        self, reader: Reader, channel: Channel, since: int | None = None, told: Mapping[str, int] | None = None
    ) -> None:
        """Let a reader have the rows of a channel from now on.

        Args:
            reader: Who.
            channel: Of what.
            since: From when on it asks for rows, µs; None for new ones.
            told: The newest row of each symbol that it was told of those, µs.
        """
        interval = Interval(channel.series[2])
        if since is None:  # with the first reader of bars below a minute those of the last minutes are made
            since = now_us() - _LATE_US - interval.microseconds if interval.sub_minute else 0
        self._readers[channel.series][reader, channel.name] = _Entry(channel, since, told or {})
        self._wants_seconds = self._wants_seconds or interval.sub_minute

    def leave(self, reader: Reader, channels: Iterable[Channel]) -> None:
        """Let a reader have no more rows of some channels."""
        for channel in channels:
            self._readers[channel.series].pop((reader, channel.name), None)
        self._wants_seconds = any(
            readers and Interval(interval).sub_minute for (_, _, interval, _), readers in self._readers.items()
        )

    def snapshot(self, channel: Channel) -> Iterator[bytes]:
        """Yield the newest row of each symbol of a channel, as frames."""
        for symbol, row in sorted(self._newest[channel.series].items()):
            if channel.symbols is None or symbol in channel.symbols:
                yield framed(row_message(channel.name, row, snapshot=True))

    def kept(self, channel: Channel, since: int) -> Iterator[LiveRow]:
        """Yield the rows of a channel that start at or after a time, µs, as far as they are kept."""
        for row in self._kept.copy():  # a copy, for a thread may ask
            if (
                row.time >= since
                and _series_of(row) == channel.series
                and (channel.symbols is None or row.symbol in channel.symbols)
            ):
                yield row

    def missed(self, channel: Channel, since: int) -> list[LiveRow]:
        """Return the bars of a channel since a time, µs, that are in files; a thread may ask.

        Raises:
            LakeError: An object cannot be read.
        """
        return missed_rows(self._lake, channel, since)

    def deliver(self, rows: Iterable[LiveRow], *, missed: bool = False) -> None:
        """Write rows to those who asked for them.

        Args:
            rows: In the order in which they were made.
            missed: Whether others can be missing before them; those who read get them from files first.
        """
        if self._waiting is not None:
            self._waiting.extend(rows)
            if len(self._waiting) > _MOST_KEPT:
                self._lose(list(self._readers))
                self._waiting.clear()
        elif missed and (since := self._since()):
            self._waiting = deque(rows)
            self._making_up = asyncio.get_running_loop().create_task(self._make_up(since))
        else:
            self._deliver(rows)

    def _since(self) -> dict[Series, int]:
        """Return after which time rows can be missing of each series that is read, µs."""
        return {
            series: min(row.time for row in self._newest[series].values()) + 1
            for series, readers in self._readers.items()
            if readers and self._newest[series]
        }

    async def _make_up(self, since: Mapping[Series, int]) -> None:
        """Deliver what can be missing, then what has come meanwhile; who cannot be told begins again."""
        rows: list[LiveRow] = []
        lost: list[Series] = []
        for series, time in since.items():
            try:
                found = await asyncio.to_thread(self.missed, Channel("", series, None), time)
            except Exception:  # noqa: BLE001 - whatever the store says
                lost.append(series)
            else:
                if len(found) >= MOST_ROWS:
                    lost.append(series)
                rows += found
        self._lose(lost)
        waiting, self._waiting = self._waiting or (), None
        self._deliver(sorted(rows, key=lambda row: row.time), from_files=True)
        self._deliver(waiting)

    def _lose(self, lost: Iterable[Series]) -> None:
        for series in lost:
            for reader, _ in list(self._readers[series]):
                reader.lose()

    def _deliver(self, rows: Iterable[LiveRow], *, from_files: bool = False) -> None:
        outgoing: defaultdict[Reader, list[bytes]] = defaultdict(list)
        told: list[LiveRow] = []
        for row in rows:
            if self._is_told(row, from_files=from_files):
                continue
            frames: dict[str, bytes] = {}
            for (reader, name), entry in self._readers[_series_of(row)].items():
                if not entry.wants(row):
                    continue
                if name not in frames:
                    frames[name] = framed(row_message(name, row))
                outgoing[reader].append(frames[name])
            if frames and row.revision == 0 and not from_files:
                told.append(row)
        for reader, some in outgoing.items():
            reader.send(b"".join(some))
        if self._monitoring is not None:
            sent = now_us()
            for row in told:
                self._monitoring.count_live_rows(row.interval, row.clock, (sent - row.end) / 1_000_000)

    def _is_told(self, row: LiveRow, *, from_files: bool) -> bool:
        """Keep a row; return whether those who read need not be told of it."""
        newest = self._newest[_series_of(row)]
        before = newest.get(row.symbol)
        if before is not None and row.revision == 0 and row.time <= before.time:
            return True  # whoever makes them has begun again
        if before is None or row.time >= before.time:
            newest[row.symbol] = row
        if from_files:
            return False
        self._kept.append(row)
        while len(self._kept) > _MOST_KEPT or self._kept[0].told_at < row.told_at - _KEPT_US:
            self._kept.popleft()
        # If this process was not there, who reads now has it from another, or asks for it.
        return row.told_at < self._began

    def _follow(self) -> None:
        follow_hub(self._lake.home, self._receive, self._over.is_set, self._over.wait, lambda: self._wants_seconds)

    def _receive(self, rows: list[LiveRow], missed: bool) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(partial(self.deliver, rows, missed=missed))


def _series_of(row: LiveRow) -> Series:
    return row.dataset, row.exchange, row.interval, row.clock
