from __future__ import annotations

import errno
import hashlib
import os
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import obstore
import polars as pl
import pytest

from aperiodic.lake import LakeError, ObjectReader, Store
from aperiodic.lake.writing import parquet_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATH = "ticks/trades/symbol=perpetual-BTC-USDT:USDT/day=01/data-0123.parquet"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "store"
    made.mkdir()
    return made


@pytest.fixture
def store(folder: Path) -> Store:
    return Store(folder.as_uri())


@contextmanager
def full_disk(free: int) -> Iterator[None]:
    """Let the system refuse, half-way, to write any file longer than `free` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_object_is_written_whole_with_its_size_and_digest(store: Store, folder: Path) -> None:
    stored = store.put(PATH, b"content")
    assert (stored.path, stored.size) == (PATH, 7)
    assert stored.sha256 == hashlib.sha256(b"content").hexdigest()
    assert store.read(PATH) == (folder / PATH).read_bytes() == b"content"
    assert store.exists(PATH)


def test_an_empty_object_is_an_object(store: Store) -> None:
    assert store.put(PATH, b"").size == 0
    assert store.read(PATH) == b""


def test_the_same_content_again_leaves_the_object_as_it_is(store: Store, folder: Path) -> None:
    first = store.put(PATH, b"content")
    before = (folder / PATH).stat()
    assert store.put(PATH, b"content") == first
    after = (folder / PATH).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("left_over", [b"", b"cont", b"CONTENT", b"content and more"])
def test_a_left_over_of_other_content_is_replaced(store: Store, folder: Path, left_over: bytes) -> None:
    store.put(PATH, left_over)
    store.put(PATH, b"content")
    assert (folder / PATH).read_bytes() == b"content"
    assert store.paths() == [PATH]


def test_a_file_and_every_folder_that_may_be_new_are_synced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[int] = set()
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.add(os.fstat(descriptor).st_ino))

    def synced_by(store: Store, path: str) -> set[str]:
        synced.clear()
        store.put(path, b"content")
        return {
            str(target.relative_to(folder)) for target in [folder, *folder.rglob("*")] if target.stat().st_ino in synced
        }

    store = Store(folder.as_uri())
    assert synced_by(store, "a/b/1") == {".", "a", "a/b", "a/b/1"}
    assert synced_by(store, "a/b/1") == {"a/b", "a/b/1"}, "an earlier write may have been cut off before it was synced"
    assert synced_by(store, "a/b/2") == {"a/b", "a/b/2"}
    assert synced_by(store, "a/c/3") == {"a", "a/c", "a/c/3"}
    assert synced_by(Store(folder.as_uri()), "a/c/4") == {".", "a", "a/c", "a/c/4"}, (
        "another process may have made them"
    )


@pytest.mark.parametrize("spoil", [lambda data: data[:-1], lambda data: b"X" + data[1:], lambda data: data + b"\0"])
def test_a_disk_that_keeps_other_bytes_is_found_out(
    store: Store, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[bytes], bytes]
) -> None:
    honest = obstore.put
    monkeypatch.setattr(
        obstore, "put", lambda target, path, data, **options: honest(target, path, spoil(data), **options)
    )
    with pytest.raises(LakeError, match="the bytes read back differ") as caught:
        store.put(PATH, b"content")
    assert caught.value.code == "store_write_failed"


def test_a_full_disk_leaves_what_was_there_and_nothing_half_written(store: Store) -> None:
    store.put("a/kept", b"old")
    with full_disk(64 * 1024), pytest.raises(LakeError) as caught:
        store.put("a/big", b"x" * (1 << 20))
    assert caught.value.code == "store_write_failed"
    assert caught.value.hint is not None
    assert "free space" in caught.value.hint
    assert not store.exists("a/big")
    assert store.paths() == ["a/kept"]
    assert store.read("a/kept") == b"old"


def test_a_full_disk_does_not_harm_the_object_that_would_have_been_replaced(store: Store) -> None:
    store.put(PATH, b"old")
    with full_disk(64 * 1024), pytest.raises(LakeError):
        store.put(PATH, b"x" * (1 << 20))
    assert store.read(PATH) == b"old"


def test_what_is_made_anew_at_each_start_is_not_synced(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> None:
        raise AssertionError

    monkeypatch.setattr(os, "fsync", refuse)
    assert store.put(PATH, b"content", lasting=False).size == 7
    assert store.read(PATH) == b"content"


def test_a_sync_that_fails_is_a_failed_write(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(LakeError) as caught:
        store.put(PATH, b"content")
    assert caught.value.code == "store_write_failed"
    monkeypatch.undo()
    store.put(PATH, b"content")
    assert store.read(PATH) == b"content"


async def _streamed(store: Store, path: str, start: int, length: int) -> list[bytes]:
    return [piece async for piece in store.stream(path, start, length)]


async def test_what_is_not_there_is_missing(store: Store) -> None:
    for read in (store.read, store.read_parquet):
        with pytest.raises(LakeError, match="not in the store") as caught:
            read(PATH)
        assert caught.value.code == "object_missing"
    with pytest.raises(LakeError) as caught:
        await _streamed(store, PATH, 0, 10)
    assert caught.value.code == "object_missing"
    assert not store.exists(PATH)


def test_a_folder_that_is_away_is_unavailable_and_not_empty(store: Store, folder: Path) -> None:
    store.put(PATH, b"content")
    folder.rename(folder.with_name("away"))
    actions: list[Callable[[str], Any]] = [store.exists, store.read, store.read_parquet]
    for action in actions:
        with pytest.raises(LakeError) as caught:
            action(PATH)
        assert caught.value.code == "store_gone"
    folder.with_name("away").rename(folder)
    assert store.read(PATH) == b"content"


def test_deleting_twice_is_no_error(store: Store) -> None:
    store.put(PATH, b"content")
    store.put("other", b"content")
    store.delete(PATH)
    store.delete(PATH)
    assert store.paths() == ["other"]


def test_paths_are_listed_sorted_below_whole_folders(store: Store) -> None:
    for path in ("b/2", "a/b/3", "a/1", "ab/4"):
        store.put(path, b"content")
    assert store.paths() == ["a/1", "a/b/3", "ab/4", "b/2"]
    assert store.paths("a") == ["a/1", "a/b/3"]
    assert store.paths("nothing") == []


@pytest.mark.parametrize("path", ["../out", "a/../../out", "..", "a/..", "/../out"])
def test_no_path_leads_out_of_the_store(store: Store, folder: Path, path: str) -> None:
    outside = folder.parent / "out"
    outside.write_bytes(parquet_bytes(pl.DataFrame({"secret": [1]})))
    before = outside.read_bytes()
    actions: list[Callable[[], Any]] = [
        lambda: store.put(path, b"content"),
        lambda: store.read(path),
        lambda: store.read_parquet(path),
        lambda: store.exists(path),
        lambda: store.delete(path),
    ]
    for action in actions:
        with pytest.raises((ValueError, TypeError)):
            action()
    assert outside.read_bytes() == before
    assert store.paths() == []


def test_a_path_from_the_root_lies_in_the_store(store: Store, folder: Path) -> None:
    outside = folder.parent / "out"
    outside.write_bytes(b"secret")
    with pytest.raises(LakeError, match="not in the store"):
        store.read_parquet(str(outside))
    frame = pl.DataFrame({"x": [1]})
    store.put(str(outside), parquet_bytes(frame))
    assert outside.read_bytes() == b"secret"
    assert store.read_parquet(str(outside)).equals(frame)


@pytest.mark.parametrize("path", ["a//b", "a/./b", "a/b\x00c", "a/b\nc"])
def test_odd_paths_are_refused(store: Store, path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        store.put(path, b"content")
    assert store.paths() == []


@pytest.mark.parametrize(
    ("start", "length"),
    [(0, 0), (0, 1), (5, 7), (0, 1 << 20), (0, 3_000_000), ((1 << 20) - 1, 2), (2_999_999, 1), (1, (1 << 21) + 3)],
)
async def test_a_range_is_streamed_exactly_and_in_small_pieces(store: Store, start: int, length: int) -> None:
    data = bytes(range(250)) * 12_000
    store.put(PATH, data)
    pieces = await _streamed(store, PATH, start, length)
    assert b"".join(pieces) == data[start : start + length]
    assert max(map(len, pieces), default=0) <= 1 << 20


def test_parquet_is_read_whole_by_column_and_lazily(store: Store) -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [0.5, None]})
    path = "bars/timestamp=true/symbol=perpetual-币安人生-USDT:USDT/data.parquet"
    store.put(path, parquet_bytes(frame))
    assert store.read_parquet(path).equals(frame)
    assert store.read_parquet(path, ("c", "a")).equals(frame.select("c", "a"))
    with ObjectReader(store) as reader:
        assert reader.scan(path).filter(pl.col("a") == 2).collect().equals(frame[1:])


def test_a_path_that_looks_like_a_pattern_names_one_file(store: Store) -> None:
    store.put("x1.parquet", parquet_bytes(pl.DataFrame({"a": [1]})))
    with pytest.raises(LakeError, match="not in the store"):
        store.read_parquet("x*.parquet")


def test_the_same_frame_gives_the_same_bytes() -> None:
    frame = pl.DataFrame({"a": range(1000), "b": ["x"] * 1000})
    assert parquet_bytes(frame) == parquet_bytes(frame.clone())


def test_a_store_that_cannot_be_opened_says_so_without_its_address(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LakeError) as caught:
        Store((tmp_path / "file" / "hunter2").as_uri()).make()
    assert caught.value.code == "store_unavailable"
    assert "hunter2" not in str(caught.value)


def test_a_store_that_is_not_a_folder_behaves_the_same() -> None:
    store = Store("memory:///")
    frame = pl.DataFrame({"a": [1, 2]})
    data = parquet_bytes(frame)
    store.put(PATH, data)
    assert store.put(PATH, data).sha256 == hashlib.sha256(data).hexdigest()
    assert store.read_parquet(PATH, ["a"]).equals(frame)
    with ObjectReader(store) as reader:
        assert reader.scan(PATH).collect().equals(frame)
    assert store.paths("ticks") == [PATH]
    store.delete(PATH)
    store.delete(PATH)
    assert not store.exists(PATH)
