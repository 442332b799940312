"""`kill -9` at random points of import and build never leaves a state that the next run does not repair."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from tests.crash import work as job
from tests.lakes import SOAK, hashes
from tests.recordings import Market

from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Symbol

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.crash

KILLS = 4 * SOAK
GROUPS = 2
IN_A_ROW = 2 if SOAK == 1 else 8
"""Kills of one installation before its last run may end."""
ALL_KINDS = tuple(ObjectKind)
SYMBOLS = ("perpetual-BTC-USDT:USDT", "perpetual-ETH-USDT:USDT")
Files = dict[str, list[Path]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Of each symbol two recordings, one after the other, over the edge of a month; the second has no snapshot."""
    found = {}
    for seed, symbol in enumerate(SYMBOLS, 3):
        folder = tmp_path_factory.mktemp("recordings")
        market = Market(seed=seed, symbol=Symbol.parse(symbol).base + "USDT")
        first = market.record(folder / "before.gz", -60, 60, snapshot=True)
        found[symbol] = [first, market.record(folder / "after.gz", 0, 60, snapshot=False)]
    return found


@pytest.fixture(scope="module")
def reference(files: Files, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """What an undisturbed run ends with, and how long it takes when both symbols are at work."""
    home = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    with start(home, files, SYMBOLS[0], 1) as one, start(home, files, SYMBOLS[1], 1) as two:
        assert (one.wait(), two.wait()) == (0, 0)
    return state(home), time.monotonic() - began


def start(home: Path, files: Files, symbol: str, workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, job.__file__, str(home), str(workers), symbol, *map(str, files[symbol])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def state(home: Path) -> dict[str, str]:
    with closing(Lake.open(Settings(home=home))) as lake:
        check_store(lake)
        return hashes(lake, *ALL_KINDS)


def check_store(lake: Lake) -> None:
    """Every current object is there, whole and unchanged, whenever one looks."""
    for kind in ALL_KINDS:
        for record in lake.current(kind):
            data = lake.store.read(record.path)
            assert (len(data), hashlib.sha256(data).hexdigest()) == (record.size, record.sha256)


@pytest.mark.parametrize("group", range(GROUPS))
def test_the_next_run_ends_where_an_undisturbed_one_does(
    group: int, files: Files, reference: tuple[dict[str, str], float], tmp_path: Path
) -> None:
    expected, duration = reference
    moments = random.Random(group if SOAK == 1 else time.time_ns())  # noqa: S311 - when to kill
    killed, wanted = 0, KILLS // GROUPS
    for number in range(4 * wanted):
        home = tmp_path / str(number)
        victim, other = moments.sample(SYMBOLS, 2)
        with start(home, files, other, 1) as spared:
            for again in range(min(IN_A_ROW, wanted - killed)):
                with start(home, files, victim, 1 + number % 2) as process:
                    # Later ones have less left to do.
                    time.sleep(moments.uniform(0, duration if again == 0 else duration / 2))
                    process.kill()
                    if process.wait() == 0:
                        duration *= 0.7  # it had come to its end: the machine was slower before
                        break
                killed += 1
                state(home)
            # What the other does is not touched by the ends of the first.
            assert spared.wait() == 0
        job.work(home, victim, files[victim])
        assert state(home) == expected
        with closing(sqlite3.connect(home / f"{files[victim][0].parent.name}.backup")) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if killed >= wanted:
            break
    assert killed, "every run ended before it was killed"
    print(f"{killed} kills")  # noqa: T201 - a soak tells


def test_workers_end_with_a_killed_parent(files: Files, tmp_path: Path) -> None:
    with start(tmp_path, files, SYMBOLS[0], 2) as process:
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
