from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import obstore
import pytest
from sqlalchemy import func, select

from aperiodic.completeness.gaps import Span, add_spans, read_spans
from aperiodic.lake import Lake, LakeError, NewObject, ObjectKey, ObjectKind, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import objects
from aperiodic.lake.writing import put_object
from aperiodic.market import Clock, Exchange, Interval, Source, Stream, Symbol

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

VENUE = Exchange.BINANCE_FUTURES
BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
DAY = date(2025, 5, 9)

TICKS = ObjectKey.ticks(Stream.TRADES, VENUE, BTC, DAY)
DAY_BARS = ObjectKey.day_bars(Stream.TRADES, VENUE, BTC, DAY)
BARS = ObjectKey.bars("flow", Clock.TRUE, Interval.H1, VENUE, BTC, DAY)
QUARANTINE = ObjectKey.quarantine(VENUE, "c" * 64)


def new(key: ObjectKey = TICKS, fingerprint: str = "f") -> NewObject:
    return NewObject(key=key, rows=1, source=Source.RECORDING, fingerprint=fingerprint, reason="import")


def put(lake: Lake, data: bytes, key: ObjectKey = TICKS, fingerprint: str = "f") -> None:
    batch = lake.batch()
    batch.put(new(key, fingerprint), data)
    batch.commit()


def rows(lake: Lake) -> int:
    with lake.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(objects)).scalar_one()


def content(lake: Lake, key: ObjectKey = TICKS) -> bytes:
    found = lake.find(key)
    assert found is not None
    data = lake.store.read(found.path)
    assert hashlib.sha256(data).hexdigest() == found.sha256
    assert len(data) == found.size
    return data


def revision(lake: Lake, key: ObjectKey = TICKS) -> int:
    found = lake.find(key)
    assert found is not None
    return found.revision


def test_what_is_put_becomes_true_only_with_the_commit(lake: Lake) -> None:
    batch = lake.batch()
    digest = batch.put(replace(new(), first_exchange=5, last_exchange=9, first_local=6, last_local=10), b"one")
    assert lake.find(TICKS) is None
    batch.commit()
    found = lake.find(TICKS)
    assert found is not None
    assert (found.sha256, found.revision, found.rows, found.reason) == (digest, 1, 1, "import")
    assert (found.first_exchange, found.last_exchange, found.first_local, found.last_local) == (5, 9, 6, 10)
    assert found.path == TICKS.path(digest)
    assert content(lake) == b"one"


def test_objects_and_changes_become_true_together(lake: Lake) -> None:
    span = Span(0, 9, 1, 2, "not_recorded")
    batch = lake.batch()
    batch.put(new(), b"ticks")
    batch.put(new(BARS), b"bars")
    batch.change(lambda connection: add_spans(connection, VENUE, BTC, Stream.TRADES, [span]))
    batch.commit()
    assert (content(lake), content(lake, BARS)) == (b"ticks", b"bars")
    with lake.engine.connect() as connection:
        assert read_spans(connection, VENUE, str(BTC), Stream.TRADES) == [span]


def test_a_change_that_fails_leaves_ledger_and_objects_as_they_were(lake: Lake) -> None:
    put(lake, b"old")
    put(lake, b"old bars", BARS)

    def add_then_fail(connection: Connection) -> None:
        add_spans(connection, VENUE, BTC, Stream.TRADES, [Span(0, 9, 1, 2, "not_recorded")])
        raise RuntimeError("stop")

    batch = lake.batch()
    batch.put(new(), b"new")
    batch.retire(BARS)
    batch.change(add_then_fail)
    with pytest.raises(RuntimeError, match="stop"):
        batch.commit()
    assert rows(lake) == 2
    assert (content(lake), content(lake, BARS)) == (b"old", b"old bars")
    with lake.engine.connect() as connection:
        assert read_spans(connection, VENUE, str(BTC), Stream.TRADES) == []


@pytest.mark.parametrize("spoilt", [b"", b"other bytes"])
def test_a_write_that_fails_is_not_in_the_ledger(lake: Lake, monkeypatch: pytest.MonkeyPatch, spoilt: bytes) -> None:
    put(lake, b"old")
    honest = obstore.put
    monkeypatch.setattr(obstore, "put", lambda store, path, _data, **options: honest(store, path, spoilt, **options))
    batch = lake.batch()
    with pytest.raises(LakeError) as caught:
        batch.put(new(), b"new")
    assert caught.value.code == "store_write_failed"
    batch.commit()
    assert rows(lake) == 1
    assert content(lake) == b"old"


def test_a_write_that_failed_is_made_good_by_the_next(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = obstore.put
    monkeypatch.setattr(obstore, "put", lambda store, path, _data, **options: honest(store, path, b"ba", **options))
    with pytest.raises(LakeError):
        put(lake, b"bars", BARS)
    monkeypatch.undo()
    put(lake, b"bars", BARS)
    assert content(lake, BARS) == b"bars"


def test_the_same_content_keeps_its_revision_and_is_not_entered_twice(lake: Lake) -> None:
    put(lake, b"one")
    before = lake.find(TICKS)
    put(lake, b"one")
    assert lake.find(TICKS) == before
    assert rows(lake) == 1


def test_the_same_content_from_other_inputs_keeps_its_revision_with_the_new_fingerprint(lake: Lake) -> None:
    put(lake, b"bars", BARS, "before")
    put(lake, b"bars", BARS, "after")
    found = lake.find(BARS)
    assert found is not None
    assert (found.revision, found.fingerprint, found.reason) == (1, "after", "import")
    assert content(lake, BARS) == b"bars"


@pytest.mark.parametrize("key", [TICKS, DAY_BARS], ids=lambda key: key.kind)
def test_intermediate_objects_that_were_replaced_are_removed(lake: Lake, key: ObjectKey) -> None:
    put(lake, b"one", key)
    put(lake, b"two", key)
    found = lake.find(key)
    assert found is not None
    assert found.revision == 2
    assert lake.store.paths() == [found.path]


@pytest.mark.parametrize("key", [BARS, QUARANTINE], ids=lambda key: key.kind)
def test_published_bars_and_quarantine_are_kept_when_replaced(lake: Lake, key: ObjectKey) -> None:
    put(lake, b"one", key)
    old = lake.find(key)
    put(lake, b"two", key)
    assert old is not None
    assert lake.store.read(old.path) == b"one"
    assert (revision(lake, key), content(lake, key)) == (2, b"two")


def test_nothing_is_removed_before_the_commit(lake: Lake) -> None:
    put(lake, b"one")
    batch = lake.batch()
    batch.put(new(), b"two")
    assert content(lake) == b"one"
    batch.commit()
    assert content(lake) == b"two"


def test_content_that_comes_back_is_a_new_revision(lake: Lake) -> None:
    for data in (b"one", b"two", b"one"):
        put(lake, data)
    assert (revision(lake), content(lake)) == (3, b"one")


def test_retiring_removes_an_intermediate_object_and_keeps_a_published_one(lake: Lake) -> None:
    put(lake, b"day bars", DAY_BARS)
    put(lake, b"bars", BARS)
    published = lake.find(BARS)
    batch = lake.batch()
    batch.retire(DAY_BARS)
    batch.retire(BARS)
    batch.retire(TICKS)
    batch.commit()
    assert lake.find(DAY_BARS) is None
    assert lake.find(BARS) is None
    assert published is not None
    assert lake.store.paths() == [published.path]


def test_retiring_and_putting_the_same_content_in_one_batch_keeps_it(lake: Lake) -> None:
    put(lake, b"one")
    batch = lake.batch()
    batch.retire(TICKS)
    batch.put(new(), b"one")
    batch.commit()
    assert content(lake) == b"one"


def test_the_last_content_put_in_one_batch_is_the_one_that_stays(lake: Lake) -> None:
    put(lake, b"one")
    batch = lake.batch()
    batch.put(new(), b"two")
    batch.put(new(), b"one")
    batch.commit()
    assert content(lake) == b"one"


def test_an_object_that_another_process_wrote_is_adopted(lake: Lake) -> None:
    stored = put_object(lake.store, BARS, b"bars")
    assert lake.find(BARS) is None
    batch = lake.batch()
    batch.adopt(new(BARS), stored)
    batch.commit()
    assert content(lake, BARS) == b"bars"


def test_a_batch_committed_twice_does_its_work_once(lake: Lake) -> None:
    calls: list[int] = []
    batch = lake.batch()
    batch.put(new(), b"one")
    batch.change(lambda _connection: calls.append(1))
    batch.commit()
    put(lake, b"two")
    batch.commit()
    assert calls == [1]
    assert content(lake) == b"two"


def test_what_was_committed_is_there_after_opening_again(lake: Lake) -> None:
    put(lake, b"one")
    with closing(Lake.open(Settings(home=lake.home))) as again:
        assert content(again) == b"one"
        assert len(again.current(ObjectKind.TICKS)) == 1


def test_only_one_writer_at_a_time_and_the_next_one_after_it(lake: Lake) -> None:
    with closing(Lake.open(Settings(home=lake.home))) as other:
        with lake.writing():
            with pytest.raises(LakeError, match="Another import or build") as caught, other.writing():
                pass
            assert caught.value.code == "busy"
            with begin_write(other.engine):
                pass  # keys can be made while a build runs
        with pytest.raises(RuntimeError, match="stop"), other.writing():
            raise RuntimeError("stop")
        with lake.writing():
            pass


def test_a_home_that_cannot_be_made_is_a_plain_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LakeError) as caught:
        Lake.open(Settings(home=tmp_path / "file" / "home"))
    assert caught.value.code == "home_unavailable"
