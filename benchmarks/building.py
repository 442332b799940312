"""What a build costs beside its tasks: memory of the planner by number of tasks, and speed by number of workers.

    python benchmarks/building.py memory [--on ray]    1,000 and 10,000 tasks that do nothing
    python benchmarks/building.py speed [--on ray]     real days and months; one worker, then two

With `--on ray` the cluster is the one that RAY_ADDRESS names or this machine is a node of. Its number of nodes is what it
is, so speed is measured once; run it again with another.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
from contextlib import closing
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from tests.engine.trivial_tasks import add_instruments, nothing
from tests.lakes import hashes, put_trades
from tests.oracle import random_trades

from aperiodic.engine.build import build
from aperiodic.engine.executors.on_ray import OnRay
from aperiodic.engine.executors.processes import Processes
from aperiodic.engine.executors.tasks import run_task
from aperiodic.lake import Lake, Settings
from aperiodic.market import Symbol


def executor(on: str, url: str, workers: int, *, trivial: bool) -> OnRay | Processes:
    function = nothing if trivial else run_task
    return OnRay(url, function=function) if on == "ray" else Processes(url, workers, function)


def measure_memory(on: str, tasks: int) -> None:
    """Plan and run so many tasks in this process, and print what it took of memory."""
    with TemporaryDirectory() as folder, closing(Lake.open(Settings(home=Path(folder)))) as lake:
        add_instruments(lake, 0, tasks // 10, days=10)
        done = [0]
        resident: list[int] = []
        process = psutil.Process()

        def tell(step: str, number: int, _total: int) -> None:
            if step == "tasks of days":
                done.append(number)
                if number % 100 == 0:
                    resident.append(process.memory_info().rss)

        began = time.monotonic()
        build(lake, executor=executor(on, lake.store.url, 2, trivial=True), progress=tell)
        print(
            f"{on}: {max(done):,} tasks, resident memory of the planner at most {max(resident) / 1e6:.1f} MB,"
            f" after a tenth {resident[len(resident) // 10] / 1e6:.1f} MB, {time.monotonic() - began:.0f} s"
        )


def measure_speed(on: str, workers: int, instruments: int, days: int, trades_a_day: int) -> None:
    """Build real days, and print how long it took and a digest of what was made."""
    with TemporaryDirectory() as folder, closing(Lake.open(Settings(home=Path(folder)))) as lake:
        for seed in range(instruments):
            trades = random_trades(seed, trades_a_day * days, date(2025, 5, 1), days=days)
            put_trades(lake, trades, symbol=Symbol.parse(f"perpetual-C{seed}-USDT:USDT"))
        first: list[float] = []
        began = time.monotonic()
        build(
            lake,
            executor=executor(on, lake.store.url, workers, trivial=False),
            progress=lambda step, done, _: first.append(time.monotonic()) if step == "tasks of days" and done else None,
        )
        took = time.monotonic() - began
        made = hashes(lake)
        digest = hashlib.sha256(repr(sorted(made.items())).encode()).hexdigest()
        after = first[0] - began
        print(
            f"{on}: {workers} workers, {took:.1f} s, first result after {after:.1f} s, then {took - after:.1f} s,"
            f" {len(made):,} objects, digest {digest[:16]}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["memory", "speed"])
    parser.add_argument("--on", choices=["processes", "ray"], default="processes")
    parser.add_argument("--tasks", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--instruments", type=int, default=4)
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--trades-a-day", type=int, default=20_000)
    given = parser.parse_args()
    if given.what == "memory" and given.tasks:
        measure_memory(given.on, given.tasks)
    elif given.what == "speed" and given.workers:
        measure_speed(given.on, given.workers, given.instruments, given.days, given.trades_a_day)
    else:
        ways = ["--tasks=1000", "--tasks=10000"] if given.what == "memory" else ["--workers=1", "--workers=2"]
        for way in ways[: 1 if given.what == "speed" and given.on == "ray" else 2]:
            # A process each, whose memory and caches are its own.
            subprocess.run([sys.executable, __file__, *sys.argv[1:], way], check=True)


if __name__ == "__main__":
    main()
