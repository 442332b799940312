"""From lines to files: blocks of lines are compressed and written by a thread of their own.

The event loop appends lines to a block and hands the block over when it is large or a quarter of a second old. Each
block becomes one zstd frame. What does not fit into the queue is dropped as a whole block, and said so in a line. While
the disk is full nothing is written; the writer gives back what it had, and goes on when there is room.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

import zstandard

from aperiodic.capture.errors import DiskFullError
from aperiodic.capture.lags import Lags
from aperiodic.lake.recordings import Sidecar, begin, new_recording, seal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aperiodic.lake.recordings import Recording
    from aperiodic.market import Exchange

E = TypeVar("E", bound=BaseException)

__all__ = ["Block", "SegmentWriter", "in_words"]

_SYNC_S: Final = 1.0
_FLOOR_EVERY_S: Final = 5.0
_ROOM_BYTES: Final = 64 << 20
"""So much more than the floor must be free before writing goes on, or a hundredth of a smaller disk."""

_LEVEL: Final = 1
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(slots=True)
class Block:
    """Whole lines that are written together.

    Attributes:
        lines: The lines.
        frames: Frames of the venue among them.
        first: Time of the first line, ns.
        last: Latest time, ns.
        is_new: Whether it begins a new recording.
        begins: Lines that are written before it.
        streams: Names of the streams that connections have asked for.
    """

    lines: bytes
    frames: int
    first: int
    last: int
    is_new: bool = False
    begins: bytes = b""
    streams: tuple[str, ...] = ()


class SegmentWriter:
    """Writes the blocks of one shard into recordings, one after the other.

    Attributes:
        queued: Bytes that wait.
        written: Bytes of the present recording, compressed.
        begun: Recordings that it has begun.
        total: Bytes written since the start, compressed.
        error: Why it ended; None while it works.
        is_full: Whether the disk is full; what is handed over meanwhile is lost.
        sealed: Recordings that it has sealed.
        behind_ns: Time between the last line of a block and its being written, of the last block, ns.
        lags: From the arrival of the oldest frame of each block until the block was in the file.
    """

    def __init__(
        self,
        home: Path,
        exchange: Exchange,
        shard: str,
        *,
        segment_bytes: int,
        queue_bytes: int,
        floor_bytes: int,
        failed: Callable[[], object] = lambda: None,
        say: Callable[[str], object] = lambda _words: None,
    ) -> None:
        """Prepare; nothing is written before `start`.

        Args:
            home: Folder of the installation.
            exchange: Venue.
            shard: Part of the venue.
            segment_bytes: A recording is sealed when it is so large.
            queue_bytes: Most bytes that wait.
            floor_bytes: Least bytes that must be free.
            failed: Called from the writer's thread when it ends because it must.
            say: Called from the writer's thread with what a person should know.
        """
        self.queued = self.written = self.total = self.behind_ns = self.begun = 0
        self.lags = Lags()
        self.error: Exception | None = None
        self.sealed = 0
        self._home, self._exchange, self._shard = home, exchange, shard
        self._segment_bytes, self._queue_bytes, self._floor_bytes = segment_bytes, queue_bytes, floor_bytes
        self._failed, self._say = failed, say
        self.is_full = False
        self._lost: list[Block] = []
        self._blocks: deque[Block] = deque()
        self._ready = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="capture-writer", daemon=True)
        self._file: _File | None = None
        self._checked = 0.0

    def start(self) -> None:
        """Begin to write.

        Raises:
            DiskFullError: Less than the floor is free.
            OSError: The system refused.
        """
        self._home.mkdir(parents=True, exist_ok=True)
        self._check_floor()
        self._thread.start()

    def has_room(self, size: int) -> bool:
        """Whether so many bytes may be handed over."""
        return self.error is None and not self.is_full and self.queued + size <= self._queue_bytes

    def take_lost(self) -> list[Block]:
        """Return the blocks that were handed over and could not be written, as the disk was full."""
        if not self._lost:
            return []
        with self._ready:
            lost, self._lost = self._lost, []
        return lost

    @property
    def segment_is_full(self) -> bool:
        """Whether the present recording is as large as it may be."""
        return self.written >= self._segment_bytes

    def put(self, block: Block) -> None:
        """Hand a block over; ask `has_room` first."""
        with self._ready:
            self._blocks.append(block)
            self.queued += len(block.lines)
            self._ready.notify()

    def finish(self) -> None:
        """Write what waits, seal the recording, and end."""
        with self._ready:
            self._ending = True
            self._ready.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def finish_full(self, lines: bytes, local: int) -> None:
        """After `finish`, where the disk is full: say at the end of the recording what was lost, if that fits, and seal it.

        Args:
            lines: What says so.
            local: Its time, ns.

        Raises:
            OSError: There is no room; the next capture seals it.
        """
        if self._file is not None:
            with suppress(OSError):
                self._file.append(lines, 0, local, local)
            self._close(self._file)

    def _run(self) -> None:
        try:
            while (block := self._next()) is not None:
                self._write_or_keep(block)
        except Exception as error:  # noqa: BLE001 - whatever it is must end the capture, and be told
            self.error = in_words(error, self._home)
        try:
            if self._file is not None and not self.is_full:
                self._close(self._file)
        except Exception as error:  # noqa: BLE001
            self.error = self.error or in_words(error, self._home)
        if self.is_full:
            self.error = self.error or _disk_full(self._home, _free(self._home))
        if self.error is not None:
            self._failed()

    def _write_or_keep(self, block: Block) -> None:
        try:
            if self.is_full:
                raise _disk_full(self._home, 0)  # it was handed over a moment before
            self._write(block)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._give_back(block)
        except DiskFullError:
            self._give_back(block)
        else:
            with self._ready:
                self.queued -= len(block.lines)
            if self._file is not None:
                self._file.sync_if_due()

    def _give_back(self, block: Block) -> None:
        """Keep for the one who counts losses what waits, and begin to wait for room."""
        with self._ready:
            was_full, self.is_full = self.is_full, True
            self._lost += [block, *self._blocks]
            self._blocks.clear()
            self.queued = 0
        self._checked = time.monotonic()
        if not was_full:
            free = _free(self._home) >> 20
            self._say(
                f"THE DISK IS FULL ({free:,} MiB free at {self._home}): nothing is recorded until there is room; "
                "what was recorded is kept"
            )

    def _look_for_room(self) -> None:
        if time.monotonic() - self._checked < _FLOOR_EVERY_S:
            return
        self._checked = time.monotonic()
        usage = shutil.disk_usage(self._home)
        if usage.free >= self._floor_bytes + min(_ROOM_BYTES, usage.total // 100):
            self.is_full = False
            self._say("there is room on the disk again: recording goes on")

    def _next(self) -> Block | None:
        """Return the next block; meanwhile see to it that what was written reaches the disk."""
        while True:
            with self._ready:
                if not self._blocks and not self._ending:
                    self._ready.wait(_SYNC_S / 2)
                if self._blocks:
                    return self._blocks.popleft()
                if self._ending:
                    return None
            if self.is_full:
                self._look_for_room()
            elif self._file is not None:
                self._file.sync_if_due()

    def _write(self, block: Block) -> None:
        if time.monotonic() - self._checked >= _FLOOR_EVERY_S:
            self._check_floor()
        if block.is_new or self._file is None:
            if self._file is not None:
                self._close(self._file)
            self._file = _File(new_recording(self._home, self._exchange, self._shard, block.first))
            self.written = 0
            self.begun += 1
        if block.begins:
            self._file.append(block.begins, 0, block.first, block.first)
        self._file.streams.update(block.streams)
        size = self._file.size
        self._file.append(block.lines, block.frames, block.first, block.last)
        self.total += self._file.size - size
        self.written = self._file.size
        now = time.time_ns()
        self.behind_ns = max(0, now - block.last)
        self.lags.add((now - block.first) / 1e9)

    def _close(self, file: _File) -> None:
        file.seal()
        self._file = None
        self.sealed += 1

    def _check_floor(self) -> None:
        self._checked = time.monotonic()
        free = _free(self._home)
        if free < self._floor_bytes:
            raise _disk_full(self._home, free)


class _File:
    """One recording that is being written."""

    def __init__(self, recording: Recording) -> None:
        self.size = 0
        self.streams: set[str] = set()
        self._recording = recording
        self._file: BinaryIO = begin(recording)
        self._digest = hashlib.sha256()
        self._packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
        self._frames = self._first = self._last = 0
        self._synced = time.monotonic()
        self._is_synced = True

    def append(self, lines: bytes, frames: int, first: int, last: int) -> None:
        packed = self._packer.compress(lines)
        try:
            done = 0
            while done < len(packed):
                done += self._file.write(packed[done:])
        except OSError:
            self._file.truncate(self.size)  # no half block is left behind
            self._file.seek(self.size)
            raise
        self._digest.update(packed)
        self.size += len(packed)
        self._frames += frames
        self._first, self._last = self._first or first, max(self._last, last)
        self._is_synced = False

    def sync_if_due(self) -> None:
        now = time.monotonic()
        if not self._is_synced and now - self._synced >= _SYNC_S:
            os.fsync(self._file.fileno())
            self._synced, self._is_synced = time.monotonic(), True

    def seal(self) -> None:
        os.fsync(self._file.fileno())
        sidecar = Sidecar(
            sha256=self._digest.hexdigest(),
            size=self.size,
            first_ns=self._first,
            last_ns=self._last,
            frames=self._frames,
            streams=tuple(sorted(self.streams)),
        )
        if self.size:
            seal(self._recording, sidecar)
        else:
            self._recording.path.unlink()
        self._file.close()


def in_words(error: E, home: Path) -> E | DiskFullError:
    """Return what an error means: a full disk is told as such."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return _disk_full(home, 0)
    return error


def _free(home: Path) -> int:
    return shutil.disk_usage(home).free


def _disk_full(home: Path, free: int) -> DiskFullError:
    return DiskFullError(
        f"The disk of {str(home)!r} is full: {free / (1 << 20):,.0f} MiB are free.",
        code="disk_full",
        hint="What was received before is kept. Free some space, or lower APERIODIC_CAPTURE_DISK_FLOOR_BYTES, then start again.",
    )
