"""The mark by which a store knows itself: a mount that drops, a store of somebody else, first use, and ends in between."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import obstore
import pytest
from sqlalchemy import delete, update
from tests.lakes import put_trades
from tests.oracle import trades_frame

from aperiodic.lake import Lake, LakeError, NewObject, ObjectKey, ObjectKind, Settings, Store
from aperiodic.lake.backup import back_up, restore
from aperiodic.lake.buckets import open_bucket
from aperiodic.lake.ledger import begin_write, is_unused
from aperiodic.lake.own_store import OwnStore, own_store_of, take_store
from aperiodic.lake.presence import MARK, Presence
from aperiodic.lake.schema import own_store
from aperiodic.lake.writing import put_object
from aperiodic.market import Exchange, Source, Stream, Symbol
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.s3 import S3Server

TRADES = trades_frame([(1_746_057_600_500_000, 1_746_057_600_600_000, "buy", 100.0, 1.0)])
KEY = ObjectKey.ticks(Stream.TRADES, Exchange.OKX_PERPS, Symbol.parse("perpetual-ETH-USDT:USDT"), day_at(20_000))
NEW = NewObject(KEY, 1, Source.RECORDING, "f", "test")
OTHER = "0" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def settings(tmp_path: Path, folder: Path) -> Settings:
    """An installation with ticks in a folder of its own, as of a mount."""
    made = Settings(home=tmp_path / "home", store=str(folder))
    with closing(Lake.open(made)) as lake:
        put_trades(lake, TRADES)
    return made


@pytest.fixture
def in_bucket(tmp_path: Path, s3: S3Server, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """The same in a bucket."""
    prefix = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    made = Settings(home=tmp_path / "home-of-bucket", store=s3.url(prefix))
    with closing(Lake.open(made)) as lake:
        put_trades(lake, TRADES)
    yield made
    s3.recover()


@pytest.fixture(params=["folder", "bucket"])
def either(request: pytest.FixtureRequest) -> Settings:
    made: Settings = request.getfixturevalue("settings" if request.param == "folder" else "in_bucket")
    return made


def drop(folder: Path, how: str = "an empty folder is left") -> None:
    """Let the mount of a store drop."""
    folder.rename(folder.with_name("mounted"))
    if how == "an empty folder is left":
        folder.mkdir()


def come_back(folder: Path) -> None:
    if folder.exists():
        folder.rmdir()  # nothing was written into it
    folder.with_name("mounted").rename(folder)


def mark_of(settings: Settings) -> str | None:
    return Store(settings.store_url).presence.read()


def remove_mark(settings: Settings) -> None:
    parts = settings.store_url.removeprefix("file://")
    if settings.store_url.startswith("file://"):
        os.unlink(f"{parts}/{MARK}")  # noqa: PTH108 - a path of the URL
    else:
        obstore.delete(open_bucket(settings.store_url).writes, MARK)


def forget_store(settings: Settings) -> None:
    """Let the ledger be as an earlier version left it."""
    with closing(Lake.open(settings, to_restore=True)) as lake, begin_write(lake.engine) as connection:
        connection.execute(delete(own_store))


def name_store(settings: Settings, store_id: str, *, is_marked: bool) -> None:
    with closing(Lake.open(settings, to_restore=True)) as lake, begin_write(lake.engine) as connection:
        connection.execute(update(own_store).values(id=store_id, is_marked=is_marked))


def code_of(action: Callable[[], object]) -> str | None:
    with pytest.raises(LakeError) as caught:
        action()
    assert caught.value.hint
    return caught.value.code


def code_of_opening(settings: Settings) -> str | None:
    return code_of(lambda: Lake.open(settings).close())


def commit(lake: Lake, data: bytes = b"ticks") -> None:
    batch = lake.batch()
    batch.put(NEW, data)
    batch.commit()


def test_ledger_and_store_have_the_same_id_from_the_first_use_on(either: Settings) -> None:
    marked = mark_of(either)
    assert marked is not None
    assert own_store_of(either.ledger_url) == OwnStore(marked, is_marked=True)
    with closing(Lake.open(either)) as lake:
        commit(lake)
        assert all(path.startswith("ticks/") for path in lake.store.paths()), "the mark is no object"
        assert lake.store.holds_objects()
    assert mark_of(either) == marked


def test_the_mark_says_what_it_is(settings: Settings, folder: Path) -> None:
    told = json.loads((folder / MARK).read_bytes())
    assert told == {"about": told["about"], "format": 1, "store": mark_of(settings)}
    assert "Do not remove" in told["about"]
    assert sorted(path.name for path in folder.iterdir()) == [MARK, "ticks"]


@pytest.mark.parametrize("how", ["an empty folder is left", "nothing is left"])
def test_a_mount_that_drops_is_noticed_before_anything_is_written(settings: Settings, folder: Path, how: str) -> None:
    with closing(Lake.open(settings)) as lake:
        commit(lake, b"before")
        (record,) = lake.current(ObjectKind.TICKS, exchange=str(Exchange.OKX_PERPS))
        drop(folder, how)
        actions: list[Callable[[], Any]] = [
            lambda: commit(lake),
            lambda: lake.store.delete(record.path),
            lambda: lake.store.read(record.path),
            lambda: lake.store.check(record.path),
            lambda: lake.store.size(record.path),
            lambda: lake.store.exists(record.path),
            lambda: lake.store.exists("never written"),
            lake.store.paths,
            lambda: list(lake.store.sizes("ticks")),
            lambda: lake.store.sizes_in_folder([record.path]),
        ]
        assert {code_of(action) for action in actions} == {"store_gone"}
        assert folder.exists() == (how == "an empty folder is left")
        assert lake.find(KEY) == record
        come_back(folder)
        commit(lake, b"after")
        found = lake.find(KEY)
        assert found is not None
        assert lake.store.read(found.path) == b"after"


def test_what_a_worker_wrote_beside_the_mount_is_not_committed(settings: Settings, folder: Path) -> None:
    with closing(Lake.open(settings)) as lake:
        worker = Store(settings.store_url)  # it knows no ledger
        drop(folder)
        stored = put_object(worker, KEY, b"ticks")
        batch = lake.batch()
        batch.adopt(NEW, stored)
        assert code_of(batch.commit) == "store_gone"
        assert lake.find(KEY) is None
        shutil.rmtree(folder)
        come_back(folder)


def test_a_worker_notices_a_mount_that_drops_while_it_works(settings: Settings, folder: Path) -> None:
    worker = Store(settings.store_url)
    put_object(worker, KEY, b"ticks")
    drop(folder)
    assert code_of(lambda: put_object(worker, KEY, b"more")) == "store_gone"
    come_back(folder)
    put_object(worker, KEY, b"more")


def test_a_mount_that_drops_for_the_time_of_one_write_is_noticed(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = obstore.put
    with closing(Lake.open(settings)) as lake:

        def put(*arguments: Any, **options: Any) -> object:
            drop(folder)
            return honest(*arguments, **options)

        monkeypatch.setattr(obstore, "put", put)
        assert code_of(lambda: commit(lake)) == "store_gone"
        monkeypatch.undo()
        shutil.rmtree(folder)
        come_back(folder)
        assert lake.find(KEY) is None


def test_an_object_that_gave_way_while_the_mount_dropped_ends_no_commit(settings: Settings, folder: Path) -> None:
    with closing(Lake.open(settings)) as lake:
        commit(lake, b"before")
        batch = lake.batch()
        batch.put(NEW, b"after")
        batch.change(lambda _connection: drop(folder))
        batch.commit()
        found = lake.find(KEY)
        assert found is not None
        come_back(folder)
        assert lake.store.read(found.path) == b"after"


def test_a_store_that_is_away_at_the_start_is_met_by_who_needs_it(settings: Settings, folder: Path) -> None:
    drop(folder)
    with closing(Lake.open(settings)) as lake:
        assert len(lake.current(ObjectKind.TICKS)) == 1, "the ledger can be read"
        assert code_of(lambda: commit(lake)) == "store_gone"
        assert not any(folder.iterdir())
        come_back(folder)
        commit(lake)


@pytest.mark.parametrize("kind", ["settings", "in_bucket"])
def test_the_store_of_another_installation_is_refused(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    own: Settings = request.getfixturevalue(kind)
    other = Settings(home=tmp_path / "other", store=own.store)
    with closing(Lake.open(Settings(home=tmp_path / "other"))) as lake:
        put_trades(lake, TRADES)
    before = Store(own.store_url).paths()
    assert code_of_opening(other) == "store_of_another"
    assert Store(own.store_url).paths() == before


def test_another_store_that_is_mounted_while_a_program_runs_is_refused(
    settings: Settings, folder: Path, tmp_path: Path
) -> None:
    Lake.open(Settings(home=tmp_path / "other")).close()
    with closing(Lake.open(settings)) as lake:
        commit(lake)
        folder.rename(folder.with_name("mounted"))
        (tmp_path / "other" / "store").rename(folder)
        assert code_of(lambda: commit(lake, b"more")) == "store_of_another"
        assert [path.name for path in folder.iterdir()] == [MARK]


def test_a_store_of_an_earlier_version_gets_its_mark(either: Settings) -> None:
    forget_store(either)
    remove_mark(either)
    with closing(Lake.open(either)) as lake:
        assert own_store_of(either.ledger_url) == OwnStore(mark_of(either) or "", is_marked=True)
        commit(lake)


@pytest.mark.parametrize("how", ["an empty folder is left", "nothing is left"])
def test_the_first_start_after_an_upgrade_may_be_without_the_mount(settings: Settings, folder: Path, how: str) -> None:
    forget_store(settings)
    remove_mark(settings)
    drop(folder, how)
    for _ in range(2):
        assert code_of_opening(settings) == "store_gone"
        assert not (folder / MARK).exists()
        assert folder.exists() == (how == "an empty folder is left")
    assert own_store_of(settings.ledger_url) is None
    come_back(folder)
    Lake.open(settings).close()
    assert mark_of(settings) is not None


def test_an_earlier_store_that_has_lost_some_objects_still_gets_its_mark(settings: Settings) -> None:
    with closing(Lake.open(settings)) as lake:
        commit(lake)
        found = lake.find(KEY)
        assert found is not None
        lake.store.delete(found.path)
    forget_store(settings)
    remove_mark(settings)
    Lake.open(settings).close()
    assert mark_of(settings) is not None


@pytest.mark.parametrize("is_marked", [False, True])
def test_an_end_between_the_writes_of_the_first_use_is_gone_on_with(either: Settings, *, is_marked: bool) -> None:
    own = mark_of(either)
    assert own is not None
    name_store(either, own, is_marked=False)
    if not is_marked:
        remove_mark(either)
    Lake.open(either).close()
    assert own_store_of(either.ledger_url) == OwnStore(own, is_marked=True)
    assert mark_of(either) == own


def test_programs_that_begin_at_once_agree(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    barrier, ids = threading.Barrier(4), []

    def begin() -> None:
        barrier.wait()
        with closing(Lake.open(settings)) as lake:
            commit(lake)
            ids.append(mark_of(settings))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 4
    assert set(ids) == {own_store_of(settings.ledger_url).store_id}  # type: ignore[union-attr]


@pytest.mark.parametrize("names_store", [True, False])
def test_a_restored_ledger_knows_its_store(either: Settings, tmp_path: Path, *, names_store: bool) -> None:
    if not names_store:  # as a version before wrote it
        forget_store(either)
    back_up(either.ledger_url, tmp_path / "backup")
    again = Settings(home=tmp_path / "again", store=either.store_url)
    with closing(Lake.open(again, to_restore=True)) as lake:
        restore(lake.engine, tmp_path / "backup")
    with closing(Lake.open(again)) as lake:
        commit(lake)
    assert own_store_of(again.ledger_url) == OwnStore(mark_of(either) or "", is_marked=True)


def test_a_backup_takes_the_place_of_a_ledger_that_was_only_opened(settings: Settings, tmp_path: Path) -> None:
    back_up(settings.ledger_url, tmp_path / "backup")
    again = Settings(home=tmp_path / "again")
    Lake.open(again).close()
    assert is_unused(again.ledger_url)
    with closing(Lake.open(again, to_restore=True)) as lake:
        restore(lake.engine, tmp_path / "backup")
    assert own_store_of(again.ledger_url) == own_store_of(settings.ledger_url)
    assert code_of_opening(again) == "store_of_another", "the store has to be restored too"


def test_a_new_ledger_beside_a_mark_alone_takes_it(tmp_path: Path) -> None:
    first = Settings(home=tmp_path / "first", store=str(tmp_path / "store"))
    Lake.open(first).close()
    second = Settings(home=tmp_path / "second", store=first.store)
    Lake.open(second).close()
    assert own_store_of(second.ledger_url) == own_store_of(first.ledger_url)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"store": 5}', b'{"store": "../x"}', b" " * 10_000, b"\xff"])
def test_a_mark_that_is_none_is_damaged_and_stays(settings: Settings, folder: Path, content: bytes) -> None:
    (folder / MARK).write_bytes(content)
    assert code_of_opening(settings) == "store_mark_damaged"
    forget_store(settings)
    assert code_of_opening(settings) == "store_mark_damaged"
    assert (folder / MARK).read_bytes() == content


def test_a_folder_in_the_place_of_the_mark_is_damage_too(settings: Settings, folder: Path) -> None:
    (folder / MARK).unlink()
    (folder / MARK).mkdir()
    assert code_of_opening(settings) == "store_mark_damaged"


def test_a_mark_of_a_newer_version_is_told(settings: Settings, folder: Path) -> None:
    (folder / MARK).write_text('{"format": 2, "store": null}')
    assert code_of_opening(settings) == "store_newer"


@pytest.mark.parametrize("spoilt", ["nothing", "no mark", "a damaged one", "another one", "all is lost"])
def test_a_store_can_be_taken_on_purpose(settings: Settings, folder: Path, spoilt: str) -> None:
    if spoilt == "no mark":
        remove_mark(settings)
    elif spoilt == "a damaged one":
        (folder / MARK).write_bytes(b"")
    elif spoilt == "another one":
        Presence(folder, lambda: open_bucket("memory:///")).write(OTHER, replace=True)
    elif spoilt == "all is lost":
        shutil.rmtree(folder)
    with closing(Lake.open(settings, to_restore=True)) as lake:
        taken = take_store(lake.engine, lake.store)
    assert (taken == OTHER) == (spoilt == "another one"), "others that use it go on"
    assert own_store_of(settings.ledger_url) == OwnStore(taken, is_marked=True)
    assert mark_of(settings) == taken
    with closing(Lake.open(settings)) as lake:
        commit(lake)


def test_a_bucket_is_asked_once_a_minute_and_not_for_each_object(in_bucket: Settings, s3: S3Server) -> None:
    def asked() -> int:
        return sum(path.partition("?")[0].endswith(MARK) for _, path in s3.requests)

    before = asked()
    with closing(Lake.open(in_bucket)) as lake:
        assert asked() == before + 1
        for number in range(5):
            commit(lake, b"%d" % number)
        assert asked() == before + 1


def test_a_bucket_that_was_emptied_is_noticed_within_a_minute(in_bucket: Settings) -> None:
    now = [0.0]
    store = Store(in_bucket.store_url)
    presence = Presence(None, lambda: store._bucket, clock=lambda: now[0])
    presence.expect(mark_of(in_bucket) or "")
    presence.require()
    remove_mark(in_bucket)
    now[0] = 59.0
    presence.require()
    now[0] = 61.0
    for _ in range(2):
        assert code_of(presence.require) == "store_gone"
    presence.write(OTHER)
    assert code_of(presence.require) == "store_of_another"


def test_a_bucket_that_does_not_answer_is_waited_for_but_at_the_first_use(in_bucket: Settings, s3: S3Server) -> None:
    s3.trouble = "error"
    with closing(Lake.open(in_bucket)) as lake:
        assert lake.has_objects()
        assert code_of(lambda: commit(lake)) in {"store_unavailable", "store_write_failed"}
        s3.recover()
        commit(lake)
    forget_store(in_bucket)
    s3.trouble = "error"
    assert code_of_opening(in_bucket) == "store_unavailable"
    s3.recover()
    Lake.open(in_bucket).close()


def test_a_store_in_memory_has_no_mark(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, store="memory:///")
    for _ in range(2):
        with closing(Lake.open(settings)) as lake:
            assert lake.store.paths() == []
            commit(lake)
            forget = lake.batch()
            forget.retire(KEY)
            forget.commit()
