"""The store is away while bars of open days are made: they wait, it is told, and they are the same afterwards."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.engine.open_days.test_open_days import BEGIN, SECOND, Clockwork, append, rows
from tests.lakes import hashes

from aperiodic.engine.open_days import OpenDayBuilder
from aperiodic.lake import Lake, ObjectKind, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def lake(tmp_path: Path, folder: Path) -> Iterator[Lake]:
    with closing(Lake.open(Settings(home=tmp_path / "home", store=str(folder)))) as opened:
        yield opened


def drop(folder: Path) -> None:
    folder.rename(folder.with_name("mounted"))
    folder.mkdir()


def come_back(folder: Path) -> None:
    folder.rmdir()  # nothing was written into it
    folder.with_name("mounted").rename(folder)


@pytest.mark.parametrize("has_begun", [False, True])
def test_bars_of_open_days_wait_for_the_store(lake: Lake, folder: Path, *, has_begun: bool) -> None:
    clock = Clockwork(BEGIN + 150 * SECOND)
    builder = OpenDayBuilder(lake, clock)
    append(lake, rows(0, 150))
    if has_begun:
        assert builder.round().files
    append(lake, rows(150, 300))
    before = hashes(lake, ObjectKind.OPEN_BARS)
    drop(folder)
    clock.now = BEGIN + 300 * SECOND
    for _ in range(2):
        away = builder.round()
        assert away.files == 0
        assert "aperiodic-store.json" in f"{away.waits} {away.trouble}"
    assert hashes(lake, ObjectKind.OPEN_BARS) == before
    come_back(folder)
    clock.now += 10 * SECOND
    back = builder.round()
    assert (back.files > 0, back.waits, back.trouble) == (True, None, None)
    builder.close()
    after = hashes(lake, ObjectKind.OPEN_BARS)
    fresh = OpenDayBuilder(lake, clock)
    fresh.round()
    fresh.close()
    assert hashes(lake, ObjectKind.OPEN_BARS) == after, "a builder that begins now makes the same"


def test_that_the_store_is_away_is_told_where_there_is_nothing_to_write(lake: Lake, folder: Path) -> None:
    clock = Clockwork(BEGIN + 150 * SECOND)
    builder = OpenDayBuilder(lake, clock)
    append(lake, rows(0, 150))
    assert builder.round().waits is None
    drop(folder)
    assert "aperiodic-store.json" in str(builder.round().waits)
    come_back(folder)
    assert builder.round().waits is None
    builder.close()
