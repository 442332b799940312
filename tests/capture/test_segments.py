from __future__ import annotations

import errno
import hashlib
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from aperiodic.capture.errors import DiskFullError
from aperiodic.capture.recorder import Recorder
from aperiodic.capture.segments import SegmentWriter
from aperiodic.lake.blocks import whole_blocks
from aperiodic.lake.recordings import list_recordings, read_sidecar, recover
from aperiodic.market import Exchange
from aperiodic.venues import feed_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FEED = feed_of(Exchange.BINANCE_FUTURES)
HOUR_NS = 3_600_000_000_000
START_NS = 498_612 * HOUR_NS
QUOTE = b'{"stream":"btcusdt@bookTicker","data":{"u":%d}}'


def made(home: Path, **options: Any) -> tuple[SegmentWriter, Recorder]:
    given = {"segment_bytes": 1 << 30, "queue_bytes": 1 << 30, "floor_bytes": 0} | options
    writer = SegmentWriter(home, FEED.exchange, "s0", **given)
    recorder = Recorder(writer, FEED.read)
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


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns."""

    total: int
    used: int
    free: int


class Disk:
    """A file on a disk that can be full: it then takes a part of what is written."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.is_full = False

    def write(self, data: bytes) -> int:
        if self.is_full:
            self._inner.write(data[:5])
            raise OSError(errno.ENOSPC, "No space left on device")
        written: int = self._inner.write(data)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@contextmanager
def writing(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SegmentWriter, Recorder, Disk]]:
    """Write one frame to a disk that may become full then."""
    monkeypatch.setattr("aperiodic.capture.segments._FLOOR_EVERY_S", 0.01)
    writer, recorder = made(home)
    writer.start()
    recorder.frame(START_NS, b"c1", QUOTE % 1)
    flushed(writer, recorder)
    file = writer._file
    assert file is not None
    disk = Disk(file._file)
    monkeypatch.setattr(file, "_file", disk)
    yield writer, recorder, disk


def flushed(writer: SegmentWriter, recorder: Recorder) -> None:
    recorder.flush()
    waited(lambda: not writer.queued)


def waited(what: Callable[[], object]) -> None:
    for _ in range(5_000):
        if what():
            return
        threading.Event().wait(0.002)
    raise AssertionError("it did not come about")


def gaps(lines: list[bytes]) -> list[tuple[bytes, int, int, int, str]]:
    found = []
    for line in lines:
        _, conn, word, *rest = line.split(b" ", 3)
        if word == b"!gap":
            gap = json.loads(rest[0])
            found.append((conn, gap["from"] - START_NS, gap["to"] - START_NS, gap["frames"], gap["cause"]))
    return found


def test_after_a_full_disk_writing_goes_on_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    lost: list[set[str]] = []
    with writing(tmp_path, monkeypatch) as (writer, recorder, disk):
        writer._say, recorder.lost = said.append, lost.append
        monkeypatch.setattr("aperiodic.capture.segments._ROOM_BYTES", 1 << 60)
        monkeypatch.setattr("aperiodic.capture.segments.shutil.disk_usage", lambda _: Usage(10 << 40, 0, 0))
        disk.is_full = True
        recorder.frame(START_NS + 5, b"c1", QUOTE % 2)
        recorder.frame(START_NS + 7, b"c2", QUOTE % 3)
        recorder.flush()
        waited(lambda: writer.is_full)
        recorder.word(START_NS + 8, b"-", "rest", b"{}")
        recorder.frame(START_NS + 9, b"c1", QUOTE % 4)
        recorder.word(START_NS + 10, b"c2", "close", {"by": "venue"})
        recorder.flush()
        disk.is_full = False
        monkeypatch.setattr("aperiodic.capture.segments.shutil.disk_usage", lambda _: Usage(1 << 20, 0, 1 << 20))
        waited(lambda: not writer.is_full)
        recorder.frame(START_NS + 11, b"c1", QUOTE % 5)
        recorder.flush()
        writer.finish()
    assert writer.error is None
    assert ["nothing is recorded until there is room" in said[0], said[1]] == [
        True,
        "there is room on the disk again: recording goes on",
    ]
    assert lost == [{"btcusdt@bookTicker"}]
    assert dict(recorder.losses.frames) == {"disk_full": 3}
    (lines,) = texts(tmp_path)
    assert gaps(lines) == [(b"c2", 7, 7, 1, "disk_full"), (b"c1", 5, 9, 2, "disk_full")]
    words = [line.split(b" ")[1:3] for line in lines]
    assert words[1:4] == [[b"c2", b"!gap"], [b"c2", b"!close"], [b"c1", b"!gap"]]
    assert [lines[0], lines[-1]] == [
        b"%d c1 " % START_NS + QUOTE % 1,
        b"%d c1 " % (START_NS + 11) + QUOTE % 5,
    ]
    (recording,) = list_recordings(tmp_path)
    told = read_sidecar(recording)
    assert told is not None
    assert told.sha256 == hashlib.sha256(recording.path.read_bytes()).hexdigest()
    assert told.frames == 2


def test_a_recording_that_could_not_begin_on_a_full_disk_begins_later_and_says_what_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aperiodic.capture.segments._FLOOR_EVERY_S", 0.01)
    writer, recorder = made(tmp_path)
    recorder.connections[b"c1"] = lambda: [b'!open {"continued":true}']
    writer.start()
    recorder.frame(START_NS, b"c1", QUOTE % 1)
    flushed(writer, recorder)

    def refuse(_recording: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("aperiodic.capture.segments.begin", refuse)
        full.setattr("aperiodic.capture.segments.shutil.disk_usage", lambda _: Usage(1 << 30, 0, 0))
        recorder.frame(START_NS + HOUR_NS, b"c1", QUOTE % 2)
        recorder.flush()
        waited(lambda: writer.is_full)
    waited(lambda: not writer.is_full)
    recorder.frame(START_NS + HOUR_NS + 1, b"c1", QUOTE % 3)
    recorder.flush()
    writer.finish()
    assert writer.error is None
    _, lines = texts(tmp_path)
    assert lines[0].endswith(b'c1 !open {"continued":true}')
    assert gaps(lines) == [(b"c1", HOUR_NS, HOUR_NS, 1, "disk_full")]
    assert lines[-1].endswith(QUOTE % 3)


def test_a_stop_while_the_disk_is_full_is_an_error_that_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(tmp_path, monkeypatch) as (writer, recorder, disk):
        monkeypatch.setattr("aperiodic.capture.segments.shutil.disk_usage", lambda _: Usage(1 << 30, 0, 0))
        disk.is_full = True
        recorder.frame(START_NS + 5, b"c1", QUOTE % 2)
        recorder.flush()
        waited(lambda: writer.is_full)
        writer.finish()
        disk.is_full = False  # as much as these lines need is free
        writer.finish_full(*recorder.owed())
    assert isinstance(writer.error, DiskFullError)
    assert writer.error.code == "disk_full"
    (lines,) = texts(tmp_path)
    assert gaps(lines) == [(b"c1", 5, 5, 1, "disk_full")]
    (recording,) = list_recordings(tmp_path)
    assert not recording.is_open


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
    assert recorder.losses.gaps == 1


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
