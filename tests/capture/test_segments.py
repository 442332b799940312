from __future__ import annotations

import errno
import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from aperiodic.capture.errors import DiskFullError
from aperiodic.capture.recorder import Recorder
from aperiodic.capture.segments import SegmentWriter, _File
from aperiodic.lake.recordings import list_recordings, read_sidecar, recover, whole_blocks
from aperiodic.market import Exchange
from aperiodic.venues import feed_of

if TYPE_CHECKING:
    from pathlib import Path

FEED = feed_of(Exchange.BINANCE_FUTURES)
HOUR_NS = 3_600_000_000_000
START_NS = 498_612 * HOUR_NS
QUOTE = b'{"stream":"btcusdt@bookTicker","data":{"u":%d}}'


def made(home: Path, **options: Any) -> tuple[SegmentWriter, Recorder]:
    given = {"segment_bytes": 1 << 30, "queue_bytes": 1 << 30, "floor_bytes": 0} | options
    writer = SegmentWriter(home, FEED.exchange, "s0", **given)
    recorder = Recorder(writer, FEED.read)
    writer._tell_loss = recorder.lines_of_loss
    return writer, recorder


def texts(home: Path) -> list[list[bytes]]:
    read = []
    for recording in list_recordings(home):
        with recording.path.open("rb") as file:
            read.append(b"".join(lines for _, lines in whole_blocks(file)).splitlines())
    return read


def test_a_recording_ends_with_its_hour_and_the_next_says_what_goes_on(tmp_path: Path) -> None:
    writer, recorder = made(tmp_path)
    recorder.connections[b"c1"] = lambda: [b'!open {"continued":true}']
    recorder.asked_for(["btcusdt@bookTicker"])
    writer.start()
    recorder.frame(START_NS + HOUR_NS - 1, b"c1", QUOTE % 1)
    recorder.flush()
    recorder.frame(START_NS + HOUR_NS, b"c1", QUOTE % 2)
    recorder.flush()
    writer.finish()
    first, second = texts(tmp_path)
    assert first == [b"%d c1 " % (START_NS + HOUR_NS - 1) + QUOTE % 1]
    assert second == [
        b'%d c1 !open {"continued":true}' % (START_NS + HOUR_NS),
        b"%d c1 " % (START_NS + HOUR_NS) + QUOTE % 2,
    ]
    for recording in list_recordings(tmp_path):
        told = read_sidecar(recording)
        assert told is not None
        assert told.sha256 == hashlib.sha256(recording.path.read_bytes()).hexdigest()
        assert (told.size, told.frames) == (recording.path.stat().st_size, 1)
        assert told.streams == ("btcusdt@bookTicker",)
    assert [recording.path.parent.name for recording in list_recordings(tmp_path)] == ["12", "13"]


def test_a_recording_ends_at_its_size(tmp_path: Path) -> None:
    writer, recorder = made(tmp_path, segment_bytes=1)
    writer.start()
    for number in range(3):
        recorder.frame(START_NS + number, b"c1", QUOTE % number)
        recorder.flush()
        while writer.queued:
            threading.Event().wait(0.001)
    writer.finish()
    assert [len(lines) for lines in texts(tmp_path)] == [1, 1, 1]


def test_large_frames_and_many_frames_are_blocks(tmp_path: Path) -> None:
    writer, recorder = made(tmp_path)
    writer.start()
    for number in range(5_000):
        recorder.frame(START_NS + number, b"c1", QUOTE % number)
    recorder.frame(START_NS + 5_000, b"c1", b'"' + b"x" * (10 << 20) + b'"')
    recorder.flush()
    writer.finish()
    (recording,) = list_recordings(tmp_path)
    with recording.path.open("rb") as file:
        sizes = [len(lines) for _, lines in whole_blocks(file)]
    assert len(sizes) == 3
    assert sizes[0] < 150_000
    assert sum(len(lines) for lines in texts(tmp_path)) == 5_001


def test_a_disk_that_becomes_full_ends_in_words_and_a_sealed_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, recorder = made(tmp_path)
    told = threading.Event()
    writer._failed = told.set
    writer.start()
    recorder.frame(START_NS, b"c1", QUOTE % 1)
    recorder.flush()
    while writer.queued:
        threading.Event().wait(0.001)
    real = _File.append
    lost: list[bytes] = []

    def full(self: _File, lines: bytes, frames: int, first: int, last: int) -> None:
        if b"!gap" not in lines:
            lost.append(lines)
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, lines, frames, first, last)

    monkeypatch.setattr(_File, "append", full)
    recorder.frame(START_NS + 5, b"c1", QUOTE % 2)
    recorder.frame(START_NS + 7, b"c2", QUOTE % 3)
    recorder.flush()
    assert told.wait(10)
    assert isinstance(writer.error, DiskFullError)
    assert writer.error.code == "disk_full"
    recorder.frame(START_NS + 9, b"c1", QUOTE % 4)
    recorder.flush()
    writer.finish()
    assert recorder.dropped == 1
    (lines,) = texts(tmp_path)
    assert lines[0].endswith(QUOTE % 1)
    gaps = [(line.split(b" ")[1], json.loads(line.split(b" ", 3)[3])) for line in lines[1:]]
    assert [(conn, gap["from"], gap["to"], gap["frames"], gap["cause"]) for conn, gap in gaps] == [
        (b"c1", START_NS + 5, START_NS + 5, 1, "disk_full"),
        (b"c2", START_NS + 7, START_NS + 7, 1, "disk_full"),
    ]
    (recording,) = list_recordings(tmp_path)
    assert not recording.is_open


def test_half_a_block_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, recorder = made(tmp_path)
    writer.start()
    recorder.frame(START_NS, b"c1", QUOTE % 1)
    recorder.flush()
    while writer.queued:
        threading.Event().wait(0.001)
    file = writer._file
    assert file is not None
    size = file.size

    class Full:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def write(self, data: bytes) -> int:
            self._inner.write(data[:5])
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    monkeypatch.setattr(file, "_file", Full(file._file))
    recorder.frame(START_NS + 1, b"c1", QUOTE % 2)
    recorder.flush()
    writer.finish()
    (recording,) = list_recordings(tmp_path)
    assert recording.path.stat().st_size == size
    assert isinstance(writer.error, DiskFullError)


def test_a_floor_of_free_space_is_kept(tmp_path: Path) -> None:
    writer, _ = made(tmp_path, floor_bytes=1 << 60)
    with pytest.raises(DiskFullError, match="is full"):
        writer.start()


def test_dropped_words_are_not_lost(tmp_path: Path) -> None:
    writer, recorder = made(tmp_path, queue_bytes=0)
    writer.start()
    recorder.word(START_NS, b"c1", "open", {"streams": []})
    recorder.frame(START_NS + 1, b"c1", QUOTE % 1)
    recorder.frame(START_NS + 2, b"c1", b"\x00\xff")
    recorder.flush()
    writer._queue_bytes = 1 << 30
    recorder.flush()
    writer.finish()
    ((opened, gap),) = texts(tmp_path)
    assert opened.endswith(b'c1 !open {"streams":[]}')
    assert json.loads(gap.split(b" ", 3)[3]) == {
        "from": START_NS + 1,
        "to": START_NS + 2,
        "frames": 2,
        "bytes": len(QUOTE % 1) + len("!b64 AP8="),
        "streams": ["btcusdt@bookTicker"],
        "cause": "dropped",
    }
    assert recorder.gaps == 1


def test_a_living_writer_is_not_recovered(tmp_path: Path) -> None:
    writer, recorder = made(tmp_path)
    writer.start()
    recorder.frame(START_NS, b"c1", QUOTE % 1)
    recorder.flush()
    while writer.queued:
        threading.Event().wait(0.001)
    assert recover(tmp_path) == []
    writer.finish()
    assert len(texts(tmp_path)) == 1
