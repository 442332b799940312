"""`kill -9` at random points of import and build never leaves a state that the next run does not repair."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from tests.crash import work as job
from tests.lakes import SOAK, hashes
from tests.recordings import Market

from aperiodic.lake import Lake, ObjectKind, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.crash

KILLS = 20 * SOAK
GROUPS = 4
ALL_KINDS = (ObjectKind.TICKS, ObjectKind.DAY_BARS, ObjectKind.BARS, ObjectKind.BOOK_STATE, ObjectKind.QUARANTINE)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two recordings, one after the other, over the edge of a month; the second has no snapshot of its own."""
    folder = tmp_path_factory.mktemp("recordings")
    market = Market(seed=3)
    first = market.record(folder / "before.gz", -900, 900, snapshot=True)
    return [first, market.record(folder / "after.gz", 0, 900, snapshot=False)]


@pytest.fixture(scope="module")
def reference(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """What an undisturbed run ends with, and how long it takes."""
    home = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    with start(home, files, 1) as process:
        process.wait()
    assert process.returncode == 0
    return state(home), time.monotonic() - began


def start(home: Path, files: list[Path], workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, job.__file__, str(home), str(workers), *map(str, files)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def state(home: Path) -> dict[str, str]:
    lake = Lake.open(Settings(home=home))
    try:
        check_store(lake)
        return hashes(lake, *ALL_KINDS)
    finally:
        lake.close()


def check_store(lake: Lake) -> None:
    """Every current object is there, whole and unchanged, whenever one looks."""
    for kind in ALL_KINDS:
        for record in lake.current(kind):
            data = lake.store.read(record.path)
            assert (len(data), hashlib.sha256(data).hexdigest()) == (record.size, record.sha256)


@pytest.mark.parametrize("group", range(GROUPS))
def test_the_next_run_ends_where_an_undisturbed_one_does(
    group: int, files: list[Path], reference: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    expected, duration = reference
    moments = random.Random(group if SOAK == 1 else time.time_ns())  # noqa: S311 - when to kill
    killed = 0
    for number in range(KILLS // GROUPS):
        home = tmp_path / str(number)
        with start(home, files, workers=1 + number % 2) as process:
            time.sleep(moments.uniform(0, duration))
            process.kill()
            killed += process.wait() != 0
        if (home / "ledger.sqlite").exists():
            state(home)
        job.work(home, files)
        assert state(home) == expected
    assert killed, "every run ended before it was killed"


def test_workers_end_with_a_killed_parent(files: list[Path], tmp_path: Path) -> None:
    with start(tmp_path, files, workers=2) as process:
        children = wait_for(lambda: psutil.Process(process.pid).children(recursive=True))
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive


def wait_for(look: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.01)
    pytest.fail("no worker was started within a minute")
