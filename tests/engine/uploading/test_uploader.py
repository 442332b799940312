from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.engine.importing.frames import trade
from tests.engine.importing.segments import Writer, compressed, opened, over
from tests.lakes import VENUE, hashes

from aperiodic.engine.importing import import_recordings
from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.parts import compact_ticks
from aperiodic.engine.uploading import Uploader, read_told, uploading
from aperiodic.engine.uploading import uploader as uploader_module
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.lake.checkpoints import read_checkpoints
from aperiodic.lake.recordings import list_recordings, list_sidecars
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3 import S3Server

    from aperiodic.lake.recordings import Recording

STREAM = "btcusdt@trade"
DAYS_8_S = 8 * 86_400


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["folder", "bucket"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    store = None
    if request.param == "bucket":
        server: S3Server = request.getfixturevalue("s3")
        store = server.url(hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16])
    with closing(Lake.open(Settings(home=tmp_path / "home", store=store))) as opened_lake:
        yield opened_lake
    if request.param == "bucket":
        server.recover()


def run(uploader: Uploader) -> None:
    asyncio.run(uploader.run_once())


def lines_of(number: int, count: int = 5) -> list[bytes]:
    """What one connection brings in the recording of that number, each two minutes long."""
    first = [opened(0.1, "a1", STREAM)] if not number else []
    moments = range(number * count + 1, (number + 1) * count + 1)
    return first + [over("a1", trade(n), ms=120_000 * number) for n in moments]


def record(lake: Lake, count: int, *, writer: Writer | None = None, begin: int = 0) -> list[Recording]:
    """Seal so many recordings of one writer."""
    writer, recordings = writer or Writer(lake.home, VENUE), []
    for number in range(begin, begin + count):
        writer.block(*lines_of(number))
        recordings.append(writer.seal())
    return recordings


def normalise(lake: Lake) -> None:
    Normaliser(lake).run_once()


def names(recordings: list[Recording]) -> list[str]:
    return [recording.path.name for recording in recordings]


def here(lake: Lake) -> list[str]:
    return names(list_recordings(lake.home))


def test_sealed_recordings_are_put_into_the_store_and_open_ones_are_not_touched(lake: Lake) -> None:
    writer = Writer(lake.home, VENUE)
    recordings = record(lake, 2, writer=writer)
    writer.block(*lines_of(2))
    assert writer.recording is not None
    growing = writer.recording.path
    before = growing.stat()
    uploader = Uploader(lake)
    run(uploader)
    wanted = [recording.key for recording in recordings]
    assert lake.store.paths("recordings") == sorted([*wanted, *(key + ".json" for key in wanted)])
    assert uploader.uploaded == {VENUE: 2}
    assert growing.stat() == before
    sealed = writer.seal()
    run(uploader)
    assert lake.store.read(sealed.key) == sealed.path.read_bytes()
    (told,) = read_told(lake.home)
    assert (told.exchange, told.waiting, told.waiting_bytes, told.failing, told.uploaded) == (VENUE, 0, 0, 0, 3)
    assert told.uploaded_bytes == sum(recording.path.stat().st_size for recording in list_recordings(lake.home))
    metrics = (lake.home / "uploads" / f"{VENUE}.prom").read_text()
    assert f'aperiodic_recordings_uploaded_total{{exchange="{VENUE}"}} 3\n' in metrics
    assert f'aperiodic_recordings_waiting{{exchange="{VENUE}"}} 0\n' in metrics
    assert "oldest_begun" not in metrics, "none waits"


def test_a_new_start_counts_nothing_twice(lake: Lake) -> None:
    record(lake, 2)
    run(Uploader(lake))
    again = Uploader(lake)
    run(again)
    assert again.uploaded == {}
    assert read_told(lake.home)[0].waiting == 0


def test_only_chosen_venues_are_put(lake: Lake) -> None:
    record(lake, 1)
    uploader = Uploader(lake, exchanges=[Exchange.BINANCE])
    run(uploader)
    assert lake.store.paths("recordings") == []


def test_a_recording_that_fails_does_not_keep_the_others_waiting(lake: Lake) -> None:
    said: list[str] = []
    clock = Clock()
    recordings = record(lake, 3)
    content = recordings[1].path.read_bytes()
    recordings[1].path.write_bytes(content[:-1] + b"?")
    uploader = Uploader(lake, say=said.append, clock=clock)
    run(uploader)
    assert {key: error.code for key, error in uploader.failing.items()} == {recordings[1].key: "recording_damaged"}
    (told,) = read_told(lake.home)
    assert (told.waiting, told.waiting_bytes, told.failing, told.failures) == (1, len(content), 1, 1)
    assert told.oldest == recordings[1].start_ns / 1e9
    assert told.last_failure is not None
    assert (told.last_failure.recording, told.last_failure.code) == (recordings[1].key, "recording_damaged")
    assert told.last_failure.hint
    assert len(said) == 1
    recordings[1].path.write_bytes(content)
    run(uploader)
    assert read_told(lake.home)[0].waiting == 1  # it waits for its turn
    clock.now += 60
    run(uploader)
    assert (uploader.failing, read_told(lake.home)[0].waiting) == ({}, 0)


def test_another_object_in_the_store_is_told_and_nothing_is_removed(lake: Lake) -> None:
    recordings = record(lake, 4)
    lake.store.put(recordings[0].key, b"other")
    normalise(lake)
    uploader = Uploader(lake, on_disk_days=0)
    run(uploader)
    assert [error.code for error in uploader.failing.values()] == ["object_differs"]
    assert recordings[0].path.exists()
    assert lake.store.read(recordings[0].key) == b"other"


def test_a_store_that_is_away_is_waited_for(tmp_path: Path, s3: S3Server) -> None:
    said: list[str] = []
    clock = Clock()
    with closing(Lake.open(Settings(home=tmp_path, store=s3.url("away")))) as lake:
        recordings = record(lake, 4)
        uploader = Uploader(lake, say=said.append, clock=clock)
        s3.trouble = "error"
        run(uploader)
        s3.recover()
        (told,) = read_told(lake.home)
        begun = f'aperiodic_recordings_oldest_begun_seconds{{exchange="{VENUE}"}} {told.oldest}'
        assert begun in (lake.home / "uploads" / f"{VENUE}.prom").read_text()
        assert (told.waiting, told.failing) == (4, 2)  # after two in a row the others are not tried
        assert said
        before = len(s3.requests)
        run(uploader)
        assert len(s3.requests) == before
        clock.now += 600
        run(uploader)
        assert (read_told(lake.home)[0].waiting, uploader.failing) == (0, {})
        assert len(lake.store.paths("recordings")) == 2 * len(recordings)


def test_it_ends_at_once_while_the_store_hangs_and_goes_on_the_next_time(tmp_path: Path, s3: S3Server) -> None:
    with closing(Lake.open(Settings(home=tmp_path, store=s3.url("hangs")))) as lake:
        (recording,) = record(lake, 1)
        s3.trouble = "hang"
        before = len(s3.requests)
        with uploading(Uploader(lake)):
            while len(s3.requests) == before:
                os.sched_yield()
        s3.recover()
        run(Uploader(lake))
        assert lake.store.read(recording.key) == recording.path.read_bytes()


def test_what_reading_begins_again_from_stays_on_the_disk(lake: Lake, tmp_path: Path) -> None:
    writer = Writer(lake.home, VENUE)
    recordings = record(lake, 6, writer=writer)
    whole = tmp_path / "whole.zst"
    whole.write_bytes(compressed([line for number in range(8) for line in lines_of(number)]))
    normalise(lake)
    run(Uploader(lake, on_disk_days=0))
    with lake.engine.connect() as connection:
        (checkpoint,) = read_checkpoints(connection).values()
    begins = names(recordings).index(checkpoint.warm_segment)
    assert 1 < begins < 6
    assert here(lake) == names(recordings[begins - 1 :])
    assert read_told(lake.home)[0].removed == begins - 1
    assert list_sidecars(lake.home) == []
    record(lake, 2, writer=writer, begin=6)  # and reading goes on
    normalise(lake)
    compact_ticks(lake)
    with closing(Lake.open(Settings(home=tmp_path / "at once"))) as other:
        import_recordings(other, VENUE, [whole])
        compact_ticks(other)
        assert hashes(lake, ObjectKind.TICKS) == hashes(other, ObjectKind.TICKS)


def test_nothing_is_removed_before_its_ticks_are_committed(lake: Lake) -> None:
    recordings = record(lake, 6)
    run(Uploader(lake, on_disk_days=0))
    assert here(lake) == names(recordings)
    normalise(lake)
    run(Uploader(lake, on_disk_days=0))
    assert len(here(lake)) < 6


def test_what_reading_has_passed_over_without_making_ticks_stays(lake: Lake) -> None:
    recordings = record(lake, 6)
    late = recordings[1]
    aside = late.path.rename(lake.home / "aside.zst")
    normalise(lake)
    aside.rename(late.path)
    run(Uploader(lake, on_disk_days=0))
    assert late.path.exists()
    assert not recordings[0].path.exists()


@pytest.mark.parametrize(("on_disk", "in_store"), [(True, True), (True, False), (False, True)])
def test_it_stays_on_the_disk_for_days(tmp_path: Path, on_disk: bool, in_store: bool) -> None:
    with closing(Lake.open(Settings(home=tmp_path))) as lake:
        recordings = record(lake, 6)
        normalise(lake)
        run(Uploader(lake))
        for recording in recordings:
            sealed, stored = recording.sidecar_path, tmp_path / "store" / (recording.key + ".json")
            ago = sealed.stat().st_mtime - DAYS_8_S
            for path in [*([sealed] if on_disk else []), *([stored] if in_store else [])]:
                os.utime(path, (ago, ago))
        run(Uploader(lake, on_disk_days=9))
        assert here(lake) == names(recordings)
        run(Uploader(lake, on_disk_days=7))
        assert (len(here(lake)) < 6) == (on_disk and in_store)


def test_what_the_store_has_lost_is_put_there_again_and_not_removed(lake: Lake) -> None:
    clock = Clock()
    recordings = record(lake, 6)
    run(uploader := Uploader(lake, on_disk_days=0, clock=clock))
    normalise(lake)
    for path in lake.store.paths("recordings"):
        lake.store.delete(path)
    clock.now += 100
    run(uploader)
    assert here(lake) == names(recordings)
    clock.now += 100
    run(uploader)
    gone = {recording.key for recording in recordings if not recording.path.exists()}
    assert gone
    assert gone <= set(lake.store.paths("recordings"))


def test_recordings_that_are_the_stores_own_stay(tmp_path: Path) -> None:
    with closing(Lake.open(Settings(home=tmp_path))) as lake:
        (tmp_path / "recordings").mkdir()
        (tmp_path / "store" / "recordings").symlink_to(tmp_path / "recordings")
        recordings = record(lake, 6)
        normalise(lake)
        uploader = Uploader(lake, on_disk_days=0)
        run(uploader)
        assert here(lake) == names(recordings)
        assert (uploader.failing, uploader.uploaded) == ({}, {})


def test_links_to_recordings_elsewhere_stay(lake: Lake, tmp_path: Path) -> None:
    recordings = record(lake, 6)
    elsewhere = recordings[0].path.rename(tmp_path / "elsewhere.zst")
    recordings[0].path.symlink_to(elsewhere)
    normalise(lake)
    run(Uploader(lake, on_disk_days=0))
    assert recordings[0].path.is_symlink()
    assert elsewhere.exists()
    assert not recordings[1].path.exists()
    assert lake.store.read(recordings[0].key) == elsewhere.read_bytes()


def test_a_removal_that_broke_off_is_finished(lake: Lake) -> None:
    recordings = record(lake, 6)
    normalise(lake)
    run(Uploader(lake))
    recordings[0].path.unlink()
    recordings[-1].path.unlink()  # of this one the place to begin again from is not known to be behind it
    run(Uploader(lake))
    assert not recordings[0].sidecar_path.exists()
    assert recordings[-1].sidecar_path.exists()


async def test_it_tells_how_far_it_is_while_one_recording_takes_long(tmp_path: Path, s3: S3Server) -> None:
    with closing(Lake.open(Settings(home=tmp_path, store=s3.url("slow")))) as lake:
        record(lake, 2)
        s3.trouble = "hang"
        task = asyncio.create_task(Uploader(lake).follow())
        while not (told := read_told(tmp_path)):  # noqa: ASYNC110 - there is nothing to wait on but the file
            await asyncio.sleep(0)
        assert (told[0].waiting, told[0].failing) == (2, 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        s3.recover()


async def test_it_goes_on_after_a_failure_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: S3Server
) -> None:
    said: list[str] = []
    monkeypatch.setattr(uploader_module, "_EVERY_S", 0.0)
    with closing(Lake.open(Settings(home=tmp_path, store=s3.url("troubled")))) as lake:
        (recording,) = record(lake, 1)
        (tmp_path / "uploads").write_bytes(b"no folder")
        task = asyncio.create_task(Uploader(lake, say=said.append).follow())
        while not said:  # noqa: ASYNC110
            await asyncio.sleep(0)
        (tmp_path / "uploads").unlink()
        while not (told := read_told(tmp_path)) or told[0].waiting:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(said) == 1
        assert lake.store.read(recording.key) == recording.path.read_bytes()
