"""From rows to readers: every row is encoded once for all who asked for it, and each reader is written to once a batch."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Final, Protocol

from websockets.frames import Frame, Opcode

from aperiodic.engine.live import LiveRow, follow_hub
from aperiodic.market import Interval
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from aperiodic.server.stream.channels import Channel, Series

__all__ = ["Fanout", "Reader", "framed", "row_message"]

_KEPT_US: Final = 180_000_000
_MOST_KEPT: Final = 200_000
"""Rows that are kept for those who ask what they have missed, of all series together."""


class Reader(Protocol):
    """Who reads: a connection."""

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
        home: Folder of the installation, where rows are announced.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._readers: defaultdict[Series, dict[tuple[Reader, str], Channel]] = defaultdict(dict)
        self._newest: defaultdict[Series, dict[str, LiveRow]] = defaultdict(dict)
        self._kept: deque[LiveRow] = deque()
        self._began = now_us()
        self._wants_seconds = False

    def start(self) -> None:
        """Begin to receive rows; call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._follow, name="live-rows", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop receiving."""
        self._over.set()

    def enter(self, reader: Reader, channel: Channel) -> None:
        """Let a reader have the rows of a channel from now on."""
        self._readers[channel.series][reader, channel.name] = channel
        self._wants_seconds = self._wants_seconds or Interval(channel.series[2]).sub_minute

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

    def deliver(self, rows: Iterable[LiveRow]) -> None:
        """Write rows to those who asked for them."""
        outgoing: defaultdict[Reader, list[bytes]] = defaultdict(list)
        now = 0
        for row in rows:
            series = _series_of(row)
            newest = self._newest[series].get(row.symbol)
            if newest is not None and row.revision == 0 and row.time <= newest.time:
                continue  # told before: whoever makes them has begun again
            if newest is None or row.time >= newest.time:
                self._newest[series][row.symbol] = row
            self._kept.append(row)
            now = row.told_at
            if row.told_at < self._began:
                continue  # this process was not there: who reads now has it from another, or asks for it
            frames: dict[str, bytes] = {}
            for (reader, _), channel in self._readers[series].items():
                if channel.symbols is not None and row.symbol not in channel.symbols:
                    continue
                if channel.name not in frames:
                    frames[channel.name] = framed(row_message(channel.name, row))
                outgoing[reader].append(frames[channel.name])
        while self._kept and (len(self._kept) > _MOST_KEPT or self._kept[0].told_at < now - _KEPT_US):
            self._kept.popleft()
        for reader, some in outgoing.items():
            reader.send(b"".join(some))

    def _follow(self) -> None:
        follow_hub(self._home, self._receive, self._over.is_set, self._over.wait, lambda: self._wants_seconds)

    def _receive(self, rows: list[LiveRow], _missed: bool) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.deliver, rows)


def _series_of(row: LiveRow) -> Series:
    return row.dataset, row.exchange, row.interval, row.clock
