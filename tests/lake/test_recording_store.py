from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from typing import TYPE_CHECKING

import pytest

from aperiodic.lake import LakeError, Store
from aperiodic.lake.recording_store import fetch, list_stored, put
from aperiodic.lake.recordings import (
    Sidecar,
    claim,
    host_name,
    is_cut,
    list_recordings,
    new_recording,
    read_sidecar,
    recording_at,
    seal,
)
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3 import S3Server
    from tests.swift import SwiftServer

    from aperiodic.lake.recordings import Recording

NOON_NS = 1_795_003_200_000_000_000
HOUR_NS = 3_600_000_000_000
VENUE = Exchange.BINANCE_FUTURES


@pytest.fixture(params=["folder", "s3", "swift"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        made = Store((tmp_path / "store").as_uri())
        made.make()
        return made
    server: S3Server | SwiftServer = request.getfixturevalue(request.param)
    return Store(server.url(prefix_of(request)))


@pytest.fixture
def bucket(s3: S3Server, request: pytest.FixtureRequest) -> Iterator[Store]:
    yield Store(s3.url(prefix_of(request)))
    s3.recover()


def prefix_of(request: pytest.FixtureRequest) -> str:
    return hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]


def sealed(home: Path, content: bytes, *, start_ns: int = NOON_NS, recovered: bool = False) -> Recording:
    recording = new_recording(home, VENUE, "s0", start_ns)
    recording.path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    last_ns = start_ns + HOUR_NS if content else 0
    told = Sidecar(sha256=digest, size=len(content), first_ns=start_ns, last_ns=last_ns, frames=7, recovered=recovered)
    return seal(recording, told)


def code_of(action: object) -> str | None:
    with pytest.raises(LakeError) as caught:
        asyncio.run(action)  # type: ignore[arg-type]
    assert caught.value.hint
    return caught.value.code


def bring(store: Store, home: Path) -> bool:
    (held,) = list_stored(store, home)
    return asyncio.run(fetch(store, *held))


@pytest.mark.parametrize("size", [0, 1000, (17 << 20) + 1], ids=["empty", "small", "in parts"])
def test_a_recording_comes_back_as_it_was(store: Store, tmp_path: Path, size: int) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    recording = sealed(here, os.urandom(size), recovered=True)
    assert asyncio.run(put(store, recording))
    assert store.paths("recordings") == [recording.key, recording.key + ".json"]
    assert not asyncio.run(put(store, recording))
    assert bring(store, there)
    (found,) = list_recordings(there)
    assert found.path.read_bytes() == recording.path.read_bytes()
    assert found.sidecar_path.read_bytes() == recording.sidecar_path.read_bytes()
    assert not bring(store, there)
    assert len(list(found.path.parent.iterdir())) == 2


def test_the_sidecar_comes_after_the_recording(bucket: Store, s3: S3Server, tmp_path: Path) -> None:
    recording, before = sealed(tmp_path, b"content"), len(s3.requests)
    asyncio.run(put(bucket, recording))
    written = [path for method, path in s3.requests[before:] if method == "PUT"]
    assert [path.rpartition("/")[2] for path in written] == [recording.path.name, recording.sidecar_path.name]


def test_a_bucket_without_conditional_writes_will_do(bucket: Store, s3: S3Server, tmp_path: Path) -> None:
    s3.trouble = "no-conditions"
    assert asyncio.run(put(bucket, sealed(tmp_path, b"content")))


def test_what_was_put_before_an_end_is_not_put_again(bucket: Store, s3: S3Server, tmp_path: Path) -> None:
    recording = sealed(tmp_path, b"content")
    bucket.put(recording.key, b"content")
    assert list_stored(bucket, tmp_path) == []
    before = len(s3.requests)
    assert asyncio.run(put(bucket, recording))
    assert [method for method, _ in s3.requests[before:]].count("PUT") == 1
    assert len(list_stored(bucket, tmp_path)) == 1


def test_an_upload_that_is_cancelled_leaves_nothing_and_is_done_again(
    bucket: Store, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = sealed(tmp_path, os.urandom(17 << 20))
    hangs = asyncio.Event()

    async def cut() -> None:
        loop = asyncio.get_running_loop()

        class Requests(list[tuple[str, str]]):
            def append(self, request: tuple[str, str]) -> None:
                super().append(request)
                if request[0] == "PUT" and [method for method, _ in self].count("PUT") == 2:  # the second part
                    s3.trouble = "hang"
                    loop.call_soon_threadsafe(hangs.set)

        monkeypatch.setattr(s3, "requests", Requests())
        task = asyncio.create_task(put(bucket, recording))
        await hangs.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cut())
    s3.recover()
    assert bucket.paths("recordings") == []
    assert asyncio.run(put(bucket, recording))


def test_a_store_that_is_away_is_told(bucket: Store, s3: S3Server, tmp_path: Path) -> None:
    recording = sealed(tmp_path, b"content")
    s3.trouble = "error"
    assert code_of(put(bucket, recording)) == "store_unavailable"
    s3.recover()
    assert asyncio.run(put(bucket, recording))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    recording = sealed(tmp_path / "here", b"content")
    store = Store((tmp_path / "store").as_uri())
    store.make()
    (tmp_path / "store" / "recordings").write_bytes(b"no folder")
    assert code_of(put(store, recording)) == "store_unavailable"
    assert recording.path.read_bytes() == b"content"


@pytest.mark.parametrize("found", [b"tent con", b"", b"con", b"content and more"])
def test_a_damaged_recording_is_not_put(store: Store, tmp_path: Path, found: bytes) -> None:
    recording = sealed(tmp_path / "home", b"con tent")
    recording.path.write_bytes(found)
    assert code_of(put(store, recording)) == "recording_damaged"
    assert store.paths() == []
    assert recording.path.read_bytes() == found


@pytest.mark.parametrize("sidecar", [None, b"<html>"])
def test_a_recording_without_a_sidecar_is_not_put(store: Store, tmp_path: Path, sidecar: bytes | None) -> None:
    recording = sealed(tmp_path / "home", b"content")
    recording.sidecar_path.unlink()
    if sidecar is not None:
        recording.sidecar_path.write_bytes(sidecar)
    assert code_of(put(store, recording)) == "recording_unexplained"
    assert store.paths() == []


@pytest.mark.parametrize("other", [b"tentcon", b"other content"])
def test_another_object_of_that_name_is_never_replaced(store: Store, tmp_path: Path, other: bytes) -> None:
    recording = sealed(tmp_path / "home", b"content")
    store.put(recording.key, other)
    assert code_of(put(store, recording)) == "object_differs"
    assert store.read(recording.key) == other
    assert store.paths() == [recording.key]


def test_another_recording_of_that_name_is_never_replaced(store: Store, tmp_path: Path) -> None:
    one, other = (sealed(tmp_path / name, name.encode() * 4) for name in ("ones", "twos"))
    asyncio.run(put(store, one))
    assert code_of(put(store, other)) == "object_differs"
    assert store.read(one.key) == one.path.read_bytes()


def test_a_recording_that_the_store_has_lost_is_put_again(store: Store, tmp_path: Path) -> None:
    recording = sealed(tmp_path / "home", b"content")
    asyncio.run(put(store, recording))
    store.delete(recording.key)
    assert list_stored(store, tmp_path) == []
    assert asyncio.run(put(store, recording))
    assert store.read(recording.key) == b"content"


def test_what_was_cut_is_gone_on_with(bucket: Store, s3: S3Server, tmp_path: Path) -> None:
    content = os.urandom(5 << 20)
    asyncio.run(put(bucket, sealed(tmp_path / "here", content)))
    (held,) = list_stored(bucket, tmp_path / "there")
    held.recording.path.parent.mkdir(parents=True)
    held.recording.fetched_path.write_bytes(content[: (3 << 20) + 5])
    done = list[int]()
    s3.ranges.clear()
    assert asyncio.run(fetch(bucket, *held, done.append))
    assert s3.ranges == [f"bytes={(3 << 20) + 5}-"]
    assert (done[0], done[-1]) == ((3 << 20) + 5, len(content))
    assert held.recording.path.read_bytes() == content


def test_what_is_cut_on_the_way_is_gone_on_with_as_long_as_something_comes(
    bucket: Store, s3: S3Server, tmp_path: Path
) -> None:
    content = os.urandom(5 << 20)
    asyncio.run(put(bucket, sealed(tmp_path / "here", content)))
    (held,) = list_stored(bucket, tmp_path / "there")
    s3.trouble = "cut"
    assert asyncio.run(fetch(bucket, *held))
    assert held.recording.path.read_bytes() == content


def test_what_is_refused_on_the_way_is_kept_for_the_next_time(bucket: Store, s3: S3Server, tmp_path: Path) -> None:
    content = os.urandom(5 << 20)
    asyncio.run(put(bucket, sealed(tmp_path / "here", content)))
    (held,) = list_stored(bucket, tmp_path / "there")
    s3.trouble = "cut"

    def told(done: int) -> None:
        if done > 2 << 20:
            s3.trouble = "error"

    assert code_of(fetch(bucket, *held, told)) == "store_unavailable"
    assert list_recordings(tmp_path / "there") == []
    kept = held.recording.fetched_path.read_bytes()
    assert len(kept) > 2 << 20
    assert content.startswith(kept)
    s3.recover()
    s3.ranges.clear()
    assert asyncio.run(fetch(bucket, *held))
    assert s3.ranges == [f"bytes={len(kept)}-"]
    assert held.recording.path.read_bytes() == content


@pytest.mark.parametrize("begun", [b"CONTENT", b"CON", b"content and more"])
def test_what_was_cut_and_is_damaged_is_fetched_anew(store: Store, tmp_path: Path, begun: bytes) -> None:
    asyncio.run(put(store, sealed(tmp_path / "here", b"content")))
    (held,) = list_stored(store, tmp_path / "there")
    held.recording.path.parent.mkdir(parents=True)
    held.recording.fetched_path.write_bytes(begun)
    assert code_of(fetch(store, *held)) == "recording_damaged"
    assert list_recordings(tmp_path / "there") == []
    assert bring(store, tmp_path / "there")
    assert held.recording.path.read_bytes() == b"content"


def test_what_the_store_has_damaged_gets_no_name(store: Store, tmp_path: Path) -> None:
    recording = sealed(tmp_path / "here", b"content")
    asyncio.run(put(store, recording))
    store.delete(recording.key)
    store.put(recording.key, b"CONTENT")
    (held,) = list_stored(store, tmp_path / "there")
    assert code_of(fetch(store, *held)) == "recording_damaged"
    assert [path for path in (tmp_path / "there").rglob("*") if path.is_file()] == []


def test_what_goes_while_it_is_fetched_is_told(store: Store, tmp_path: Path) -> None:
    recording = sealed(tmp_path / "here", b"content")
    asyncio.run(put(store, recording))
    (held,) = list_stored(store, tmp_path / "there")
    for path in (recording.key, recording.key + ".json"):
        store.delete(path)
        assert code_of(fetch(store, *held)) == "recording_missing"
    assert list_recordings(tmp_path / "there") == []


def test_another_recording_on_the_disk_is_left_as_it_is(store: Store, tmp_path: Path) -> None:
    asyncio.run(put(store, sealed(tmp_path / "here", b"content")))
    mine = sealed(tmp_path / "there", b"mine")
    (held,) = list_stored(store, tmp_path / "there")
    assert code_of(fetch(store, *held)) == "recording_differs"
    assert mine.path.read_bytes() == b"mine"


def test_a_recording_that_is_cut_on_the_disk_is_replaced_by_the_whole_one(store: Store, tmp_path: Path) -> None:
    asyncio.run(put(store, sealed(tmp_path / "here", b"content")))
    mine = sealed(tmp_path / "there", b"content")
    (held,) = list_stored(store, tmp_path / "there")
    for left in (b"con", b""):
        mine.path.write_bytes(left)
        assert is_cut(mine)
        assert bring(store, tmp_path / "there")
        assert mine.path.read_bytes() == b"content"
        assert not is_cut(mine)
    mine.path.write_bytes(b"mine")
    assert code_of(fetch(store, *held)) == "recording_differs"
    assert mine.path.read_bytes() == b"mine"
    assert not mine.fetched_path.exists()
    mine.path.write_bytes(b"con")
    store.delete(held.recording.key)
    store.put(held.recording.key, b"CONTENT")
    assert code_of(fetch(store, *held)) == "recording_damaged"
    assert mine.path.read_bytes() == b"con"
    mine.path.write_bytes(b"content and more")
    assert code_of(fetch(store, *held)) == "recording_differs"


def test_two_do_not_fetch_the_same(store: Store, tmp_path: Path) -> None:
    asyncio.run(put(store, sealed(tmp_path / "here", b"content")))
    (held,) = list_stored(store, tmp_path / "there")
    held.recording.path.parent.mkdir(parents=True)
    with held.recording.fetched_path.open("wb") as file, claim(file):
        assert code_of(fetch(store, *held)) == "busy"
    assert bring(store, tmp_path / "there")


def test_recordings_of_a_range_are_listed(store: Store, tmp_path: Path) -> None:
    for hour in (0, 1, 2, 30):
        asyncio.run(put(store, sealed(tmp_path, b"%d" % hour, start_ns=NOON_NS + hour * HOUR_NS)))
    store.put("recordings/binance-futures/2026-11-18/12/notes.txt", b"")
    store.put("recordings/binance-futures/2026-11-18/13/vm-s0-1.zst", b"elsewhere")

    def hours(start: float | None, end: float | None, exchange: Exchange | None = VENUE) -> list[int]:
        first = 0 if start is None else round(NOON_NS + start * HOUR_NS)
        last = None if end is None else round(NOON_NS + end * HOUR_NS)
        held = list_stored(store, tmp_path, exchange, start_ns=first, end_ns=last)
        return [(each.recording.start_ns - NOON_NS) // HOUR_NS for each in held]

    assert hours(None, None) == [0, 1, 2, 30]
    assert hours(None, None, None) == [0, 1, 2, 30]
    assert hours(None, None, Exchange.BINANCE) == []
    assert hours(2.5, None) == [2, 30]
    assert hours(None, 1) == [0]
    assert hours(1.5, 2) == [1]
    assert hours(1.5, 2.001) == [1, 2]
    assert hours(4, 30) == []
    assert hours(4, 31 + 24 * 100) == [30]


@pytest.mark.parametrize(
    "key",
    [
        "recordings/binance-futures/2026-11-18/12/vm-s0-1795003200000000000.zst.open",
        "recordings/binance-futures/2026-11-18/12/vm-s0-1795003200000000000.zst.json",
        "recordings/binance-futures/2026-11-18/13/vm-s0-1795003200000000000.zst",
        "recordings/binance-futures/../12/vm-s0-1795003200000000000.zst",
        "recordings/foo/2026-11-18/12/vm-s0-1795003200000000000.zst",
        "recordings/binance-futures/2026-11-18/12/x/vm-s0-1795003200000000000.zst",
        "recordings/binance-futures/2026-11-18/12/vm-s0-99999999999999999999.zst",
        "ticks/binance-futures/2026-11-18/12/vm-s0-1795003200000000000.zst",
    ],
)
def test_other_paths_are_no_recordings(tmp_path: Path, key: str) -> None:
    assert recording_at(tmp_path, key) is None
    good = "recordings/binance-futures/2026-11-18/12/vm-s0-1795003200000000000.zst"
    found = recording_at(tmp_path, good)
    assert found is not None
    assert (found.key, found.path, found.writer) == (good, tmp_path / good, "vm-s0")


def test_machines_whose_names_cannot_be_written_get_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def name_of(machine: str) -> str:
        monkeypatch.setattr(socket, "gethostname", lambda: machine)
        host_name.cache_clear()
        return host_name()

    long = "collector-of-all-perpetuals-in-the-cluster-of-the-north-7f9c5d"
    names = [name_of(machine) for machine in ("東京", "大阪", "münchen", "mänchen", f"{long}-abcde", f"{long}-abcdf")]
    assert len(set(names)) == 6
    assert all(name.isascii() and len(name) <= 60 for name in names)
    assert [name_of(machine) for machine in ("VM", "my_host", "a.b-1")] == ["vm", "my-host", "a.b-1"]
    host_name.cache_clear()


def test_a_recording_of_a_machine_with_such_a_name_is_put_and_comes_back(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "東京")
    host_name.cache_clear()
    recording = sealed(tmp_path / "here", b"content")
    assert asyncio.run(put(store, recording))
    assert bring(store, tmp_path / "there")
    assert read_sidecar(list_recordings(tmp_path / "there")[0]) == read_sidecar(recording)
    host_name.cache_clear()
