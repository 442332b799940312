"""The lines of a recording, as connections write them; blocks of them go to the `SegmentWriter`."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from aperiodic.capture.segments import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aperiodic.capture.segments import SegmentWriter
    from aperiodic.venues.feed import Frame

__all__ = ["BLOCK_BYTES", "FLUSH_S", "Recorder", "gap_lines"]

BLOCK_BYTES: Final = 128 << 10
"""A block is handed over when it is so large."""

FLUSH_S: Final = 0.25
"""It waits no longer than this for more lines, seconds."""

_HEAD: Final = 24
"""Bytes before a frame and behind it, about."""

_HOUR_NS: Final = 3_600_000_000_000
_NEW_LINE: Final = ord("\n")  # a number is found ten times as fast as bytes of length one
_NOBODY: Final = b"-"
_LONGEST_KEPT: Final = 64 << 10
_MOST_KEPT: Final = 1 << 20


@dataclass(slots=True)
class _Loss:
    """What was lost of one connection."""

    begin: int
    end: int
    frames: int = 0
    size: int = 0
    streams: set[str] = field(default_factory=set)

    def add(self, at: int, said: bytes, stream: str) -> None:
        self.end = max(self.end, at)
        self.frames += 1
        self.size += len(said)
        if stream:
            self.streams.add(stream)


class Recorder:
    """Collects the lines of one shard.

    Attributes:
        connections: By short id: what a new recording says first of a connection that goes on in it, without time
            and id.
        frames: Frames handed over since the start, dropped ones included.
        received: Bytes of the frames taken.
        dropped: Frames dropped because the disk was too slow.
        gaps: Gaps that were noted.
    """

    def __init__(self, writer: SegmentWriter, read: Callable[[bytes], Frame]) -> None:
        """Begin.

        Args:
            writer: Takes the blocks.
            read: Tells what a frame is, so that a drop can be told by stream.
        """
        self.frames = self.received = self.dropped = self.gaps = 0
        self.connections: dict[bytes, Callable[[], Iterable[bytes]]] = {}
        self._writer = writer
        self._read = read
        self._parts: list[bytes] = []
        self._size = 0
        self._count = 0
        self._first = self._last = 0
        self._hour = -1
        self._begun = 0
        self._streams: set[str] = set()
        self._losses: dict[bytes, _Loss] = {}
        self._kept = bytearray()

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
        """Write a line of our own: `<local> <conn> !<word> <before><body>`.

        Args:
            local: Time, ns.
            conn: Short id of the connection; empty for none.
            word: What it says.
            body: JSON as bytes, or what is to be encoded.
            before: What stands before the body.
        """
        if not self._parts:
            self._first = local
        line = _line(local, conn, word, body, before)
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
        if not self._parts and not self._losses:
            return
        lines, count = b"".join(self._parts), self._count
        first, last = self._first, self._last
        if not lines:  # only losses are to be told
            first = last = max(loss.end for loss in self._losses.values())
        self._parts, self._size, self._count, self._last = [], 0, 0, 0
        self.frames += count
        told = bytes(self._kept) + gap_lines(self._losses, last, "dropped")
        if not self._writer.has_room(len(lines) + len(told)):
            self._lose(lines)
            return
        self._losses, self._kept = {}, bytearray()
        hour = first // _HOUR_NS
        is_new = hour != self._hour or (self._writer.segment_is_full and self._writer.begun == self._begun)
        begins = b""
        if is_new:
            self._begun += 1
            if self._hour >= 0:
                begins = self._beginning(first)
            self._hour = hour
        self._writer.put(Block(told + lines, count, first, last, is_new, begins, tuple(self._streams)))

    def _beginning(self, local: int) -> bytes:
        return b"".join(
            b"%d %s %s\n" % (local, conn, said) for conn, tell in self.connections.items() for said in tell()
        )

    def _lose(self, lines: bytes) -> None:
        before = len(self._losses)
        for line in lines.split(b"\n")[:-1]:
            if _is_word(line):
                if len(line) <= _LONGEST_KEPT and len(self._kept) < _MOST_KEPT:
                    self._kept += line + b"\n"
            else:
                self.dropped += 1
                add_loss(self._losses, line, self._read)
        self.gaps += len(self._losses) - before

    def lines_of_loss(self, blocks: list[Block]) -> bytes:
        """Return the lines that say that these blocks are lost to a full disk."""
        losses: dict[bytes, _Loss] = {}
        for block in blocks:
            for line in block.lines.split(b"\n")[:-1]:
                if not _is_word(line):
                    add_loss(losses, line, self._read)
        return gap_lines(losses, blocks[-1].last, "disk_full")


def add_loss(losses: dict[bytes, _Loss], line: bytes, read: Callable[[bytes], Frame]) -> None:
    """Count the line of a frame among the losses of its connection."""
    stamp, conn, said = line.split(b" ", 2)
    at = int(stamp)
    losses.setdefault(conn, _Loss(at, at)).add(at, said, read(said).name)


def gap_lines(losses: dict[bytes, _Loss], local: int, cause: str) -> bytes:
    """Return the lines that tell what was lost, a line a connection."""
    return b"".join(
        _line(
            local,
            conn,
            "gap",
            {
                "from": loss.begin,
                "to": loss.end,
                "frames": loss.frames,
                "bytes": loss.size,
                "streams": sorted(loss.streams),
                "cause": cause,
            },
        )
        for conn, loss in losses.items()
    )


def _is_word(line: bytes) -> bool:
    said = line.split(b" ", 2)[2]
    return said.startswith(b"!") and not said.startswith(b"!b64 ")


def _line(local: int, conn: bytes, word: str, body: Any, before: bytes = b"") -> bytes:  # noqa: ANN401
    text = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return b"%d %s !%s %s%s\n" % (local, conn or _NOBODY, word.encode(), before, text)


def _is_utf8(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
