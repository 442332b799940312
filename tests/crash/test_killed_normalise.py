"""`kill -9` at random points of normalising: the next run goes on, and the end is that of an import of everything."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from statistics import median
from typing import TYPE_CHECKING

import psutil
import pytest
from tests.engine.importing.frames import depth, mark, quote, snapshot, trade
from tests.engine.importing.segments import Writer, closed, opened, over, rest
from tests.lakes import BTC, SOAK, VENUE, hashes
from tests.soak import time_is_up

from aperiodic.completeness.gaps import read_spans
from aperiodic.engine.importing import import_recordings
from aperiodic.engine.normalising import Normaliser
from aperiodic.engine.parts import compact_ticks
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.lake.checkpoints import read_checkpoints

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.crash

KILLS = 3 * SOAK
BLOCKS = 25
"""Blocks of lines that are written at most between two kills."""

COMMAND = "from aperiodic.cli import main; main()"
STREAMS = ("btcusdt@trade", "btcusdt@bookTicker", "btcusdt@depth@0ms", "btcusdt@markPrice@1s")
URL = "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
SLOWER = 100
"""Frames arrive so many times more slowly than the exchange's clock goes: a minute of them is soon there."""


def moments(count: int) -> Iterator[list[bytes]]:
    """Blocks of lines, one a moment; every 300 moments another connection takes over, and both carry 100 of them."""
    opens = {300 * turn + 1: f"c{turn}" for turn in range(count // 300 + 1)}
    alive: list[str] = []
    for n in range(1, count + 1):
        now, lines = SLOWER * n, []
        if n in opens:
            lines.append(opened(now - 0.5, opens[n], *STREAMS))
            alive.append(opens[n])
        if n == 3:
            lines.append(rest(now - 0.2, snapshot(2), URL))
        told = [trade(n), quote(n), depth(n), mark(n)]
        lines += [over(name, line, ms=now - n + 0.1 * k) for k, name in enumerate(alive) for line in told]
        if len(alive) > 1 and n % 300 == 100:
            lines.append(closed(now + 0.5, alive.pop(0), "handed over", "us"))
        yield lines


@contextmanager
def following(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the command, and kill it at the end of the block."""
    words = ["normalise", "--follow", "--every", "0.5", "--grace", "86400"]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words],
        env={**os.environ, "APERIODIC_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def commits_of(lake: Lake) -> int:
    """Return when the last commit was made; 0 before any."""
    with lake.engine.connect() as connection:
        return max((item.updated_at for item in read_checkpoints(connection).values()), default=0)


def wait_for_commit(lake: Lake, process: subprocess.Popen[str], before: int) -> float:
    """Return the seconds until a commit later than `before`."""
    began = time.monotonic()
    while commits_of(lake) <= before:
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() - began < 120, "nothing was committed within two minutes"
        time.sleep(0.02)
    return time.monotonic() - began


def unreadable(lake: Lake) -> list[str]:
    """Return the objects that are not what the ledger says."""
    return [
        record.path
        for kind in ObjectKind
        for record in lake.current(kind)
        if hashlib.sha256(lake.store.read(record.path)).hexdigest() != record.sha256
    ]


def test_the_end_is_that_of_an_import_however_often_it_is_killed(tmp_path: Path) -> None:
    chance = random.Random(11 if SOAK == 1 else time.time_ns())  # noqa: S311 - when to kill
    restarts: list[float] = []
    work: list[float] = []
    killed = 0
    blocks = moments(BLOCKS * KILLS + 400)
    sealed = []
    with closing(Lake.open(Settings(home=tmp_path / "followed"))) as lake:
        writer = Writer(lake.home, VENUE)
        writer.block(*(line for _ in range(400) for line in next(blocks)))
        while killed < KILLS and not time_is_up():
            before = commits_of(lake)
            writer.block(*next(blocks))
            with following(lake.home) as process:
                if chance.random() < 0.3:
                    time.sleep(chance.uniform(0.2, 3))  # while it starts, or at its first commit
                else:
                    restarts.append(wait_for_commit(lake, process, before))
                    used = psutil.Process(process.pid).cpu_times()
                    work.append(used.user + used.system)
                    until = time.monotonic() + chance.uniform(0, 1.5)
                    for _ in range(BLOCKS - 1):
                        if time.monotonic() < until:
                            writer.block(*next(blocks))
                            time.sleep(0.05)
            killed += 1
            assert unreadable(lake) == []
            if chance.random() < 0.2:
                sealed.append(writer.seal().path)
                writer.block(*next(blocks))
        sealed.append(writer.seal().path)
        Normaliser(lake).run_once()
        Normaliser(lake).run_once()
        compact_ticks(lake)
        with closing(Lake.open(Settings(home=tmp_path / "imported"))) as whole:
            # As one file, for what came over two connections is known within a file only.
            path = tmp_path / "whole.zst"
            path.write_bytes(b"".join(each.read_bytes() for each in sealed))
            import_recordings(whole, VENUE, [path])
            assert hashes(lake, ObjectKind.TICKS) == hashes(whole, ObjectKind.TICKS)
            for stream in ("trades", "book"):
                spans = [read_spans_of(each, stream) for each in (lake, whole)]
                assert spans[0] == spans[1]
                assert spans[0]
        assert unreadable(lake) == []
    if restarts:
        figures = f"median {median(restarts):.2f} s, most {max(restarts):.2f} s"
        figures += f"; of the processor median {median(work):.2f} s, most {max(work):.2f} s"
        sys.stdout.write(f"{killed} kills, {len(restarts)} starts until the first commit: {figures}\n")


def read_spans_of(lake: Lake, stream: str) -> list[object]:
    with lake.engine.connect() as connection:
        return list(read_spans(connection, VENUE, str(BTC), stream))
