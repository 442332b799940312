"""`kill -9` at random points of a backfill: the next run ends where an undisturbed one does."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.backfill.archive_server import Archive, archive_server
from tests.engine.backfill.test_days import ms, put_trades, trade
from tests.lakes import SOAK, hashes

from aperiodic.lake import Lake, ObjectKind, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.crash

KILLS = 3 * SOAK
FIRST = date(2025, 5, 1)
DAYS = 6


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    with archive_server() as server:
        for number in range(DAYS):
            day = FIRST + timedelta(days=number)
            rows = (
                trade(number * 10_000 + row, ms(day, row * 8), price=f"{row * 7919 % 997}.5") for row in range(10_000)
            )
            put_trades(server, day, "".join(rows))
        yield server


def start(home: Path, archive: Archive) -> subprocess.Popen[bytes]:
    command = Path(sys.executable).with_name("aperiodic")
    days = ("--start", str(FIRST), "--end", str(FIRST + timedelta(days=DAYS - 1)))
    return subprocess.Popen(
        [command, "backfill", "--exchange", "binance-futures", "--symbols", "BTCUSDT", "--streams", "trades", *days],
        env={**os.environ, "APERIODIC_HOME": str(home), "APERIODIC_ARCHIVE_BINANCE_VISION": archive.url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def state(home: Path) -> dict[str, str]:
    with closing(Lake.open(Settings(home=home))) as lake:
        return hashes(lake, *ObjectKind)


def test_the_next_run_ends_where_an_undisturbed_one_does(archive: Archive, tmp_path: Path) -> None:
    began = time.monotonic()
    assert start(tmp_path / "undisturbed", archive).wait() == 0
    duration, expected = time.monotonic() - began, state(tmp_path / "undisturbed")
    assert len(expected) == DAYS
    moments = random.Random(1 if SOAK == 1 else time.time_ns())  # noqa: S311 - when to kill
    for number in range(KILLS):
        home = tmp_path / str(number)
        with start(home, archive) as process:
            time.sleep(moments.uniform(0.3, 1) * duration)
            process.kill()
        assert start(home, archive).wait() == 0
        assert state(home) == expected
        assert [path for path in (home / "archives").rglob("*") if path.is_file()] == []
