"""The lines of a recording, as connections write them; blocks of them go to the `SegmentWriter`."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, Final

from aperiodic.capture.losses import DISK_FULL, DROPPED, Losses, word_line
from aperiodic.capture.segments import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aperiodic.capture.segments import SegmentWriter
    from aperiodic.venues.feed import Frame

__all__ = ["BLOCK_BYTES", "FLUSHED_AT_MS", "Recorder", "until_flush_s"]

BLOCK_BYTES: Final = 128 << 10
"""A block is handed over when it is so large."""

FLUSHED_AT_MS: Final = (40, 150, 320, 420, 600, 800)
"""So long after each second of the clock what there is is handed over: soon after bars end, and after those that wait
for a quarter of a second. Blocks that are handed over more often are larger on disk."""

_HEAD: Final = 24
"""Bytes before a frame and behind it, about."""

_HOUR_NS: Final = 3_600_000_000_000
_NEW_LINE: Final = ord("\n")  # a number is found ten times as fast as bytes of length one


class Recorder:
    """Collects the lines of one shard.

    Attributes:
        connections: By short id: what a new recording says first of a connection that goes on in it, without time
            and id.
        frames: Frames handed over since the start, lost ones included.
        received: Bytes of the frames taken.
        losses: What could not be written.
        lost: Takes the names of the streams that lost frames, when writing goes on.
    """

    def __init__(self, writer: SegmentWriter, read: Callable[[bytes], Frame]) -> None:
        """Begin.

        Args:
            writer: Takes the blocks.
            read: Tells what a frame is, so that a loss can be told by stream.
        """
        self.frames = self.received = 0
        self.connections: dict[bytes, Callable[[], Iterable[bytes]]] = {}
        self._writer = writer
        self.losses = Losses(read)
        self.lost: Callable[[set[str]], object] = lambda _streams: None
        self._parts: list[bytes] = []
        self._size = 0
        self._count = 0
        self._first = self._last = 0
        self._hour = -1
        self._begun = 0
        self._streams: set[str] = set()
        self._begins_anew = False

    def frame(self, local: int, conn: bytes, message: bytes, *, is_text: bool = True) -> None:
        """Write a frame as it arrived; one that is not one line of UTF-8 is written as base64."""
        if (
            not is_text
            or _NEW_LINE in message
            or not (message.isascii() or _is_utf8(message))
            or message[:1] in {b"!", b""}  # it would read like a word of our own
        ):
            message = b"!b64 " + base64.b64encode(message)
        parts = self._parts
        if not parts:
            self._first = local
        parts += (b"%d %s " % (local, conn), message, b"\n")
        size = len(message)
        self._size += size + _HEAD
        self._count += 1
        self.received += size
        if local > self._last:  # noqa: PLR1730 - `max` takes twice as long, and this is done for every frame
            self._last = local
        if self._size >= BLOCK_BYTES:
            self.flush()

    def word(self, local: int, conn: bytes, word: str, body: Any, *, before: bytes = b"") -> None:  # noqa: ANN401
        """Write a line of our own; what it is made of is told at `word_line`."""
        if not self._parts:
            self._first = local
        line = word_line(local, conn, word, body, before)
        self._parts.append(line)
        self._size += len(line)
        self._last = max(self._last, local)
        if self._size >= BLOCK_BYTES:
            self.flush()

    def asked_for(self, streams: Iterable[str]) -> None:
        """Note the names of streams that a connection asks for."""
        self._streams.update(streams)

    def flush(self) -> None:
        """Hand over what was collected."""
        self._take_back()
        if not self._parts and not self.losses:
            return
        lines, count = b"".join(self._parts), self._count
        first, last = self._first, self._last
        if not lines:  # only losses are to be told
            first = last = self.losses.last or time.time_ns()
        self._parts, self._size, self._count, self._last = [], 0, 0, 0
        self.frames += count
        told = self.losses.tell(last) if self.losses else b""
        if not self._writer.has_room(len(lines) + len(told)):
            self.losses.add(lines, DISK_FULL if self._writer.is_full else DROPPED)
            return
        hour = first // _HOUR_NS
        is_new = (
            hour != self._hour
            or self._begins_anew
            or self.losses.overflowed
            or (self._writer.segment_is_full and self._writer.begun == self._begun)
        )
        streams = self.losses.take()
        begins = b""
        if is_new:
            self._begun += 1
            if self._hour >= 0:
                begins = self._beginning(first)
            self._hour, self._begins_anew = hour, False
        self._writer.put(Block(told + lines, count, first, last, is_new, begins, tuple(self._streams)))
        if streams:
            self.lost(streams)

    def owed(self) -> tuple[bytes, int]:
        """Return the lines that say what is lost in the end, and their time, ns."""
        self._take_back()
        local = self.losses.last or time.time_ns()
        return self.losses.tell(local), local

    def _take_back(self) -> None:
        """Count what was handed over and found the disk full."""
        for block in self._writer.take_lost():
            self.losses.add(block.lines, DISK_FULL)
            if block.is_new:
                self._begun -= 1
                self._begins_anew = True

    def _beginning(self, local: int) -> bytes:
        return b"".join(
            b"%d %s %s\n" % (local, conn, said) for conn, tell in self.connections.items() for said in tell()
        )


def _is_utf8(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True


def until_flush_s(now_ms: float) -> float:
    """Return how long to wait for the next time of `FLUSHED_AT_MS`, seconds."""
    passed = now_ms % 1_000
    return (next((at for at in FLUSHED_AT_MS if at > passed), FLUSHED_AT_MS[0] + 1_000) - passed) / 1_000
