"""A ledger that is missing, empty or only readable, beside a store that is full."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete
from tests.lakes import put_trades
from tests.oracle import trades_frame

from aperiodic.lake import Lake, LakeError, NewObject, ObjectKey, ObjectKind, Settings
from aperiodic.lake.backup import back_up, restore
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import objects
from aperiodic.market import Clock, Exchange, Interval, Source, Symbol
from aperiodic.market.time import day_at

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65_534
TRADES = trades_frame([(1_746_057_600_500_000, 1_746_057_600_600_000, "buy", 100.0, 1.0)])
LEDGER_FILES = ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with ticks."""
    made = Settings(home=tmp_path / "home")
    with closing(Lake.open(made)) as lake:
        put_trades(lake, TRADES)
    return made


def publish(lake: Lake) -> None:
    batch = lake.batch()
    key = ObjectKey.bars(
        "ohlcv",
        Clock.TRUE,
        Interval.D1,
        Exchange.BINANCE_FUTURES,
        Symbol.parse("perpetual-BTC-USDT:USDT"),
        day_at(20_209),
    )
    batch.put(NewObject(key, 1, Source.RECORDING, "f", "test"), b"bars")
    batch.commit()


def code_of_opening(settings: Settings) -> str | None:
    with pytest.raises(LakeError) as caught:
        Lake.open(settings)
    return caught.value.code


@pytest.mark.parametrize("how", ["removed", "cut to nothing"])
def test_a_lost_ledger_beside_a_full_store_is_an_error_and_stays_lost(settings: Settings, how: str) -> None:
    for name in LEDGER_FILES:
        (settings.home / name).unlink(missing_ok=True)
    if how == "cut to nothing":
        (settings.home / "ledger.sqlite").touch()
    for _ in range(2):
        assert code_of_opening(settings) == "ledger_lost"
    assert (settings.home / "ledger.sqlite").exists() == (how == "cut to nothing")


def test_a_ledger_that_was_emptied_beside_published_files_is_an_error(settings: Settings) -> None:
    with closing(Lake.open(settings)) as lake:
        publish(lake)
        with begin_write(lake.engine) as connection:
            connection.execute(delete(objects))
    assert code_of_opening(settings) == "ledger_lost"


def test_a_new_ledger_beside_bars_of_days_is_an_error(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with closing(Lake.open(settings)) as lake:
        lake.store.put("day_bars/some", b"x")
    assert code_of_opening(settings) == "ledger_lost"


def test_what_a_first_import_left_behind_is_no_lost_ledger(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with closing(Lake.open(settings)) as lake:
        lake.store.put("ticks/left-over", b"x")
    with closing(Lake.open(settings)) as lake:
        assert not lake.has_objects()


def test_a_backup_is_restored_beside_the_full_store(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "ledger.backup"
    back_up(settings.ledger_url, file)
    for name in LEDGER_FILES:
        (settings.home / name).unlink(missing_ok=True)
    with closing(Lake.open(settings, to_restore=True)) as lake:
        restore(lake.engine, file)
    with closing(Lake.open(settings)) as lake:
        (record,) = lake.current(ObjectKind.TICKS)
        assert lake.store.read_parquet(record.path).height == 1


def test_an_empty_ledger_never_takes_the_place_of_a_good_backup(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "ledger.backup"
    back_up(settings.ledger_url, file)
    before = file.read_bytes()
    empty = Settings(home=tmp_path / "other")
    Lake.open(empty).close()
    with pytest.raises(LakeError) as caught:
        back_up(empty.ledger_url, file, replace=True)
    assert caught.value.code == "backup_would_be_empty"
    assert file.read_bytes() == before
    back_up(empty.ledger_url, tmp_path / "new")


def test_a_new_ledger_is_for_its_owner_only(settings: Settings) -> None:
    with closing(Lake.open(settings)) as lake:
        lake.has_objects()
        modes = {
            name: (settings.home / name).stat().st_mode for name in LEDGER_FILES if (settings.home / name).exists()
        }
    assert {stat.S_IMODE(mode) for mode in modes.values()} == {0o600}


@pytest.fixture
def read_only(settings: Settings) -> Iterator[Settings]:
    """A copy of that installation that this process can read and not write."""
    if os.geteuid() != 0:
        pytest.skip("only the administrator can become somebody who may not write")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        shutil.copytree(settings.home, home)
        for path in (Path(folder), home, *home.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        os.seteuid(NOBODY)
        try:
            yield Settings(home=home)
        finally:
            os.seteuid(0)


def test_a_copy_that_cannot_be_written_can_be_read(read_only: Settings) -> None:
    before = sorted(path.name for path in read_only.home.rglob("*"))
    with closing(Lake.open(read_only)) as lake:
        (record,) = lake.current(ObjectKind.TICKS)
        assert lake.store.read_parquet(record.path).height == 1
        with pytest.raises(LakeError) as caught:
            publish(lake)
    assert caught.value.code == "store_write_failed"
    assert sorted(path.name for path in read_only.home.rglob("*")) == before
