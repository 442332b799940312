"""From lines to files: blocks of lines are compressed and written by a thread of their own.

The event loop appends lines to a block and hands the block over when it is large or a quarter of a second old. Each
block becomes one zstd frame. What does not fit into the queue is dropped as a whole block, and said so in a line.
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
        sealed: Recordings that it has sealed.
        behind_ns: Time between the last line of a block and its being written, of the last block, ns.
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
        tell_loss: Callable[[list[Block]], bytes] = lambda _blocks: b"",
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
            tell_loss: Returns the lines that say that blocks were lost to a full disk.
        """
        self.queued = self.written = self.total = self.behind_ns = self.begun = 0
        self.error: Exception | None = None
        self.sealed = 0
        self._home, self._exchange, self._shard = home, exchange, shard
        self._segment_bytes, self._queue_bytes, self._floor_bytes = segment_bytes, queue_bytes, floor_bytes
        self._failed, self._tell_loss = failed, tell_loss
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
        return self.error is None and self.queued + size <= self._queue_bytes

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

    def _run(self) -> None:
        block: Block | None = None
        try:
            while (block := self._next()) is not None:
                self._write(block)
                with self._ready:
                    self.queued -= len(block.lines)
        except Exception as error:  # noqa: BLE001 - whatever it is must end the capture, and be told
            self.error = in_words(error, self._home)
            self._note_loss(block)
        try:
            if self._file is not None:
                self._close(self._file)
        except Exception as error:  # noqa: BLE001
            self.error = self.error or in_words(error, self._home)
        if self.error is not None:
            self._failed()

    def _note_loss(self, block: Block | None) -> None:
        """Say in the recording what is lost, if there is room for that."""
        with self._ready:
            lost = [*([] if block is None else [block]), *self._blocks]
            self._blocks.clear()
        if self._file is not None and lost:
            with suppress(OSError):
                self._file.append(self._tell_loss(lost), 0, lost[0].first, lost[-1].last)

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
            if self._file is not None:
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
        self.behind_ns = max(0, time.time_ns() - block.last)
        self._file.sync_if_due()

    def _close(self, file: _File) -> None:
        self._file = None
        file.seal()
        self.sealed += 1

    def _check_floor(self) -> None:
        self._checked = time.monotonic()
        free = shutil.disk_usage(self._home).free
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


def _disk_full(home: Path, free: int) -> DiskFullError:
    return DiskFullError(
        f"The disk of {str(home)!r} is full: {free / (1 << 20):,.0f} MiB are free.",
        code="disk_full",
        hint="What was received is sealed. Free some space, or lower APERIODIC_CAPTURE_DISK_FLOOR_BYTES, then start again.",
    )
