"""Revisions that gave way long ago are forgotten with their files, and nothing else is."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from tests.lakes import BTC, VENUE

from aperiodic.lake import Lake, NewObject, ObjectKey, ObjectKind, Settings, pruning
from aperiodic.lake.leases import Scope
from aperiodic.lake.objects import Series, latest_revision, read_periods
from aperiodic.lake.pruning import Prunable, count_prunable, prune_history, pruned_before
from aperiodic.lake.schema import objects
from aperiodic.lake.verify import verify_store
from aperiodic.market import Clock, Interval, Source, Symbol
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ETH = Symbol.parse("perpetual-ETH-USDT:USDT")
MAY = ObjectKey.bars("ohlcv", Clock.EXCHANGE, Interval.M1, VENUE, BTC, date(2025, 5, 1))


@pytest.fixture(params=["sqlite", "postgresql"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    ledger = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else None
    with closing(Lake.open(Settings(home=tmp_path / "home", store=None, ledger=ledger))) as opened:
        yield opened


def publish(lake: Lake, key: ObjectKey, *contents: bytes) -> None:
    """Publish revisions one after the other."""
    for data in contents:
        batch = lake.batch()
        batch.put(NewObject(key, 3, Source.RECORDING, data.hex(), "test"), data)
        batch.commit()


def revisions(lake: Lake, key: ObjectKey = MAY) -> list[int]:
    with lake.engine.connect() as connection:
        query = select(objects.c.revision).where(objects.c.symbol == key.symbol, objects.c.period == key.period)
        return list(connection.execute(query.order_by(objects.c.id)).scalars())


def as_of(lake: Lake, moment: int) -> list[int]:
    series = Series(ObjectKind.BARS, MAY.dataset, MAY.exchange, MAY.symbol, MAY.clock, MAY.interval)
    with lake.engine.connect() as connection:
        return [record.revision for record in read_periods(connection, series, ["2025-05"], moment)]


def path(key: ObjectKey, lake: Lake) -> str:
    record = lake.find(key)
    assert record is not None
    return record.path


def test_what_gave_way_before_the_moment_goes_and_answers_from_there_on_stay_exact(lake: Lake) -> None:
    paths = []
    for data in (b"one", b"two", b"three"):
        publish(lake, MAY, data)
        paths.append(path(MAY, lake))
    with lake.engine.connect() as connection:
        made = list(connection.execute(select(objects.c.created_at).order_by(objects.c.id)).scalars())
    assert count_prunable(lake.engine, made[2]) == Prunable(1, 3), "the second gave way at the moment, not before it"
    done = prune_history(lake, made[2])
    assert (done.rows, done.files, done.size, done.busy) == (1, 1, 3, [])
    assert revisions(lake) == [2, 3]
    assert [lake.store.exists(each) for each in paths] == [False, True, True]
    assert as_of(lake, made[2]) == [3]
    assert as_of(lake, made[2] - 1) == [2]
    with lake.engine.connect() as connection:
        assert pruned_before(connection) == made[2]
    assert prune_history(lake, made[2]).rows == 0


def test_the_moment_never_goes_back(lake: Lake) -> None:
    prune_history(lake, 200)
    prune_history(lake, 100)
    with lake.engine.connect() as connection:
        assert pruned_before(connection) == 200


def test_a_file_that_another_revision_names_stays(lake: Lake) -> None:
    publish(lake, MAY, b"one", b"two", b"one")
    prune_history(lake, now_us() + 1)
    assert revisions(lake) == [3]
    assert lake.store.read(path(MAY, lake)) == b"one"
    report = verify_store(lake.store, lake.engine, deep=True)
    assert report.sound
    assert report.unknown == []


def test_what_was_withdrawn_keeps_its_last_revision_so_that_numbers_go_on(lake: Lake) -> None:
    publish(lake, MAY, b"one", b"two")
    batch = lake.batch()
    batch.retire(MAY)
    batch.commit()
    prune_history(lake, now_us() + 1)
    assert revisions(lake) == [2]
    with lake.engine.connect() as connection:
        assert latest_revision(connection, MAY) == 2


def test_what_was_imported_and_what_is_of_open_days_stays_told(lake: Lake) -> None:
    keys = [
        replace(MAY, kind=ObjectKind.OPEN_BARS, period="2025-05-09"),
        replace(MAY, kind=ObjectKind.TICKS, dataset="trades", clock="", interval="", period="2025-05-10"),
    ]
    for key in keys:
        publish(lake, key, b"one", b"two")
    assert count_prunable(lake.engine, now_us() + 1) == Prunable(0, 0)
    prune_history(lake, now_us() + 1)
    assert [revisions(lake, key) for key in keys] == [[1, 2], [1, 2]]


def test_series_that_others_write_are_left_to_the_next_time(lake: Lake) -> None:
    of_eth = replace(MAY, symbol=str(ETH))
    publish(lake, MAY, b"one", b"two")
    publish(lake, of_eth, b"one", b"two")
    other = Lake(lake.store, lake.engine, lake.home)
    with other.writing(Scope(VENUE, str(BTC), "bars")):
        done = prune_history(lake, now_us() + 1)
    assert (done.rows, done.busy) == (1, [f"{BTC} ({VENUE})"])
    assert (revisions(lake), revisions(lake, of_eth)) == ([1, 2], [2])
    assert prune_history(lake, now_us() + 1).rows == 1


@pytest.mark.parametrize("at", ["delete", "forget_rows"])
def test_a_run_that_is_cut_off_is_finished_by_the_next(lake: Lake, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(lake, MAY, *(b"%d" % number for number in range(8)))
    moment = now_us() + 1

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pruning, "_AT_ONCE", 3)
        patch.setattr(lake.store if at == "delete" else pruning, at, fail)
        with pytest.raises(KeyboardInterrupt):
            prune_history(lake, moment)
    with lake.engine.connect() as connection:
        assert pruned_before(connection) == moment, "from the start on earlier answers are refused"
    assert lake.store.read(path(MAY, lake)) == b"7"
    told: list[int] = []
    monkeypatch.setattr(pruning, "_AT_ONCE", 3)
    assert prune_history(lake, moment, progress=told.append).rows == 7
    assert told == [3, 6, 7]
    assert revisions(lake) == [8]
    report = verify_store(lake.store, lake.engine)
    assert report.sound
    assert report.unknown == []
