"""From rows to readers: every row is encoded once for all who asked for it, and each reader is written to once a batch."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from websockets.frames import Frame, Opcode

from aperiodic.engine.live import LiveRow, LocalSource, newest_times
from aperiodic.market import Interval
from aperiodic.market.time import now_us
from aperiodic.server.stream.channels import Channel
from aperiodic.server.stream.replay import MOST_ROWS, missed_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from aperiodic.engine.live import LiveSeries, RowsSource, Seconds
    from aperiodic.lake import Lake
    from aperiodic.server.middleware.prometheus import Monitoring

__all__ = ["Fanout", "Reader", "framed", "row_message"]

_COMES_BACK_S: Final = 10.0
"""So long after its readers have gone a bar below a minute is still made: they may only have lost their connection."""

_KEPT_US: Final = 180_000_000
_MOST_KEPT: Final = 200_000
"""Rows that are kept for those who ask what they have missed, of all series together."""

_MOST_CORRECTED: Final = 20_000
"""Corrected rows that are remembered, so that what is told of a bar later has a higher revision."""

_SETTLES_S: Final = 5.0
"""So long who asks for what was missed waits for what the maker has kept, after the start of this process."""

_WAITING: Final = 64
"""Messages of the maker that wait for the event loop at most; the others wait where they come from."""
_POLL_S: Final = 0.5

_REVISION: Final = b',"revision":'

_Key = tuple["LiveSeries", str, int]


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
        source: Where rows come from; by default from a maker on this machine.
    """

    def __init__(self, lake: Lake, monitoring: Monitoring | None = None, source: RowsSource | None = None) -> None:
        self._lake = lake
        self._monitoring = monitoring
        self._source = LocalSource(lake.home) if source is None else source
        self._room = threading.BoundedSemaphore(_WAITING)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._readers: defaultdict[LiveSeries, dict[tuple[Reader, str], _Entry]] = defaultdict(dict)
        self._newest: defaultdict[LiveSeries, dict[str, LiveRow]] = defaultdict(dict)
        self._kept: deque[LiveRow] = deque()
        self._kept_of: defaultdict[LiveSeries, deque[LiveRow]] = defaultdict(deque)
        self._told: dict[_Key, LiveRow] = {}
        self._corrected: OrderedDict[_Key, LiveRow] = OrderedDict()
        self._up_to_date = asyncio.Event()
        self._began = now_us()
        self._seconds: Seconds = frozenset()
        self._left: dict[tuple[str, ...], float] = {}
        """When the last reader of bars below a minute went."""
        self._waiting: deque[LiveRow] | None = None
        self._making_up: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str | None:
        """Why no rows come from other machines at the moment; None where they do, or where none are to come."""
        return self._source.trouble

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
        if interval.sub_minute:
            self._seconds |= {(channel.series[0], channel.series[2])}

    def leave(self, reader: Reader, channels: Iterable[Channel]) -> None:
        """Let a reader have no more rows of some channels."""
        for channel in channels:
            self._readers[channel.series].pop((reader, channel.name), None)
        before = self._seconds
        self._seconds = frozenset(
            (dataset, interval)
            for (dataset, _, interval, _), readers in self._readers.items()
            if readers and Interval(interval).sub_minute
        )
        # Another one in its place, for a thread may ask.
        self._left = {**self._left, **dict.fromkeys(before - self._seconds, time.monotonic())}

    def _read_lately(self) -> Seconds:
        """Return the bars below a minute that are read, and those whose readers may only have lost their connection."""
        since = time.monotonic() - _COMES_BACK_S
        return self._seconds | {bars for bars, left in self._left.items() if left > since}

    def snapshot(self, channel: Channel) -> Iterator[bytes]:
        """Yield the newest row of each symbol of a channel, as frames."""
        for symbol, row in sorted(self._newest[channel.series].items()):
            if channel.symbols is None or symbol in channel.symbols:
                yield framed(row_message(channel.name, row, snapshot=True))

    def kept(self, channel: Channel, since: int) -> Iterator[LiveRow]:
        """Yield the rows of a channel that start at or after a time, µs, or were corrected since, as far as they are kept."""
        kept = self._kept_of.get(channel.series, deque()).copy()  # a copy, for a thread may ask
        for row in kept:
            is_new = row.time >= since or (row.revision and row.told_at >= since)
            if is_new and (channel.symbols is None or row.symbol in channel.symbols):
                yield row

    async def settle(self) -> None:
        """Wait until this process has what the maker of rows had kept when it began, or some seconds."""
        if not self._up_to_date.is_set() and self._source.is_made():
            with suppress(TimeoutError):
                async with asyncio.timeout(_SETTLES_S):
                    await self._up_to_date.wait()

    def missed(self, channel: Channel, since: int) -> list[LiveRow]:
        """Return the bars of a channel since a time, µs, from files, then those that the source keeps; a thread may ask.

        Raises:
            LakeError: An object cannot be read.
        """
        rows = missed_rows(self._lake, channel, since)
        newest = newest_times(rows)
        latest: dict[tuple[str, int], LiveRow] = {}
        for row in self._source.past(channel.series, min(newest.values(), default=since), MOST_ROWS):
            is_asked_for = channel.symbols is None or row.symbol in channel.symbols
            if is_asked_for and row.time >= since and row.time > newest.get(row.symbol, -1):
                latest[row.symbol, row.time] = row
        if not latest:
            return rows
        return sorted([*rows, *latest.values()], key=lambda row: row.time)[-MOST_ROWS:]

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

    def _since(self) -> dict[LiveSeries, int]:
        """Return after which time rows can be missing of each series that is read, µs."""
        return {
            series: min(row.time for row in self._newest[series].values()) + 1
            for series, readers in self._readers.items()
            if readers and self._newest[series]
        }

    async def _make_up(self, since: Mapping[LiveSeries, int]) -> None:
        """Deliver what can be missing, then what has come meanwhile; who cannot be told begins again."""
        rows: list[LiveRow] = []
        lost: list[LiveSeries] = []
        for series, begin in since.items():
            try:
                found = await asyncio.to_thread(self.missed, Channel("", series, None), begin)
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

    def _lose(self, lost: Iterable[LiveSeries]) -> None:
        for series in lost:
            for reader, _ in list(self._readers[series]):
                reader.lose()

    def _deliver(self, rows: Iterable[LiveRow], *, from_files: bool = False) -> None:
        outgoing: defaultdict[Reader, list[bytes]] = defaultdict(list)
        told: list[LiveRow] = []
        for found in rows:
            row = self._news(found, from_files=from_files)
            if row is None:
                continue
            frames: dict[str, bytes] = {}
            for (reader, name), entry in self._readers[row.series].items():
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

    def _news(self, row: LiveRow, *, from_files: bool) -> LiveRow | None:
        """Keep a row; return it as it is told to those who read, or None where they need not be told of it."""
        series = row.series
        key = series, row.symbol, row.time
        known = self._corrected.get(key) or self._told.get(key)
        newest = self._newest[series]
        before = newest.get(row.symbol)
        if from_files:
            if before is not None and row.time <= before.time:
                return None
            row = msgspec.structs.replace(row, told_at=now_us())
        elif known is not None and row.revision <= known.revision:
            if _content_of(row) == _content_of(known):
                return None
            # Whoever makes them has begun again, and knows it otherwise.
            row = _revised(row, known.revision + 1)
        elif known is None and row.revision == 0 and before is not None and row.time <= before.time:
            if not self._kept or row.end <= self._kept[0].told_at:
                return None  # it is older than what is remembered
            row = _revised(row, 1)
        if before is None or row.time >= before.time:
            newest[row.symbol] = row
        self._keep(key, row)
        # If this process was not there, who reads now has it from another, or asks for it.
        return row if row.told_at >= self._began or self._up_to_date.is_set() else None

    def _keep(self, key: _Key, row: LiveRow) -> None:
        self._kept.append(row)
        self._kept_of[key[0]].append(row)
        self._told[key] = row
        while len(self._kept) > _MOST_KEPT or self._kept[0].told_at < row.told_at - _KEPT_US:
            old = self._kept.popleft()
            self._kept_of[old.series].popleft()
            if self._told.get(old_key := (old.series, old.symbol, old.time)) is old:
                del self._told[old_key]
        if row.revision:
            self._corrected[key] = row
            self._corrected.move_to_end(key)
            while len(self._corrected) > _MOST_CORRECTED:
                self._corrected.popitem(last=False)

    def _follow(self) -> None:
        self._source.follow(
            self._receive,
            self._over.is_set,
            self._over.wait,
            self._read_lately,
            lambda: self._soon(self._up_to_date.set),
        )

    def _receive(self, rows: list[LiveRow], missed: bool) -> None:
        """Let the event loop deliver rows; wait while it has many to deliver."""
        while not self._room.acquire(timeout=_POLL_S):
            if self._over.is_set():
                return
        self._soon(partial(self._deliver_next, rows, missed=missed))

    def _deliver_next(self, rows: list[LiveRow], *, missed: bool) -> None:
        self._room.release()
        self.deliver(rows, missed=missed)

    def _soon(self, call: Callable[[], object]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)


def _content_of(row: LiveRow) -> bytes:
    """What a row says but for its revision, with which it ends."""
    return row.data.rpartition(_REVISION)[0] or row.data


def _revised(row: LiveRow, revision: int) -> LiveRow:
    data = b"%s%s%d}" % (_content_of(row), _REVISION, revision)
    return msgspec.structs.replace(row, revision=revision, data=data)
