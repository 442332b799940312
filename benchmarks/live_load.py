"""Live rows under load, end to end: `.venv/bin/python benchmarks/live_load.py`.

A mock exchange sends quotes, trades and depth updates of 100 instruments (`--book`: depth updates alone), each of which is
a tick; `capture`, `normalise`, `live` and `serve` are commands of their own, as `up` starts them. This process reads rows
of a second and of a minute of some datasets as a client and says how long after the end of its bar each came, how memory
went, and what of a core each process took.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import suppress
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.request import urlopen

if __name__ == "__main__":
    # The root in place of this folder, so that the modules are `benchmarks.…` here as for the type checker.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import psutil
from prometheus_client.parser import text_string_to_metric_families

import aperiodic
from aperiodic.market import Interval
from aperiodic.mock import LoadSource, MockExchange, MockSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

_COMMAND: Final = (sys.executable, "-c", "from aperiodic.cli import main; main()")
_BOOK: Final = ("l2_imbalance", "l2_liquidity")
_MIXED: Final = ("ohlcv", "flow", "l1_price", "l2_imbalance")
_STARTS_S: Final = 60
_WARM_S: Final = 120
"""Rows and memory count from here on: before, kernels are loaded, what is remembered fills, and no minute is whole."""
_EVERY_S: Final = 5
_MINUTE_S: Final = 60
_DELAY: Final = "aperiodic_live_delay_seconds"
_GOAL_S: Final = 0.3


def _exchange(plan: Sequence[tuple[float, float]], load: dict[str, Any], ready: Connection) -> None:
    async def tell() -> None:
        async with MockExchange([LoadSource(plan, **load)], MockSettings(port=0)) as mock:
            ready.send(dict(mock.environment()))
            await mock.finished()
            await asyncio.sleep(_EVERY_S)

    asyncio.run(tell())


class _Sample(NamedTuple):
    """What a process had taken at a time, s: memory, MB, and seconds of a processor."""

    time: float
    memory: float
    seconds: float


class _Watch(threading.Thread):
    """Notes what processes take."""

    def __init__(self, processes: dict[str, int]) -> None:
        super().__init__(daemon=True)
        self.samples: defaultdict[str, list[_Sample]] = defaultdict(list)
        self.over = threading.Event()
        self._processes = {name: psutil.Process(number) for name, number in processes.items()}

    def run(self) -> None:
        while not self.over.wait(_EVERY_S):
            for name, process in self._processes.items():
                with suppress(psutil.Error), process.oneshot():  # the exchange ends before the client
                    used = process.cpu_times()
                    memory = process.memory_info().rss / 1e6
                    self.samples[name].append(_Sample(time.monotonic(), memory, used.user + used.system))


def _listen(key: str, url: str, seconds: float, datasets: Sequence[str]) -> dict[str, list[float]]:
    """Return by interval how long after the end of its bar each row came that was told the first time, s."""
    delays: defaultdict[str, list[float]] = defaultdict(list)
    channels = [f"{name}.binance-futures.{interval}.true" for name in datasets for interval in ("1s", "1m")]
    began = time.time()
    with aperiodic.stream(key, channels=channels, stream_url=url, snapshot=False) as stream:
        threading.Timer(seconds, stream.close).start()
        for message in stream:
            row, now = message.data, time.time()
            end = (row["time"] + Interval(row["interval"]).microseconds) / 1e6
            if end > began + _WARM_S and not row["revision"]:
                delays[row["interval"]].append(now - end)
    return delays


def _start(
    home: Path, environment: dict[str, str], port: int, channels: list[str]
) -> dict[str, subprocess.Popen[bytes]]:
    words = {
        "serve": ["--port", str(port)],
        "live": [],
        "normalise": ["--follow", "--every", "2", "--simulated"],
        "capture": ["--exchange", "binance-futures", "--all", "--channels", *channels],
    }
    return {
        name: subprocess.Popen(
            [*_COMMAND, name, *some],
            env=environment,
            stdout=(home / f"{name}.out").open("wb"),
            stderr=subprocess.STDOUT,
        )
        for name, some in words.items()
    }


def main() -> None:
    """Run it and print what came out."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=600)
    options.add_argument("--rate", type=float, default=5_000, help="updates a second, of all instruments together")
    options.add_argument("--symbols", type=int, default=100)
    options.add_argument("--size", type=int, default=1_200, help="bytes of an update, about")
    options.add_argument("--book", action="store_true", help="nothing but updates of the book")
    chosen = options.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f}", flush=True)
    load = {"symbols": chosen.symbols, "size": chosen.size, "mixed": not chosen.book}
    ready, child = get_context("spawn").Pipe()
    plan = [(chosen.seconds, chosen.rate)]
    mock = get_context("spawn").Process(target=_exchange, args=(plan, load, child), daemon=True)
    mock.start()
    with TemporaryDirectory(prefix="aperiodic-live-") as folder:
        home, port = Path(folder), _free_port()
        environment = {**os.environ, **ready.recv(), "APERIODIC_HOME": folder}
        created = subprocess.run(
            [*_COMMAND, "keys", "create", "--plan", "prime"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        parts = _start(home, environment, port, ["book"] if chosen.book else ["book", "quotes", "trades"])
        watch = _Watch(
            {name: part.pid for name, part in parts.items()} | {"exchange": mock.pid or 0, "client": os.getpid()}
        )
        watch.start()
        warm: Counter[tuple[str, bool]] = Counter()
        try:
            _wait_for_server(home / "serve.out")
            at_warm = threading.Timer(_WARM_S, lambda: warm.update(_handed_out(port)))
            at_warm.start()
            delays = _listen(
                created.stdout.strip(),
                f"ws://127.0.0.1:{port}/v1/stream",
                chosen.seconds,
                _BOOK if chosen.book else _MIXED,
            )
            at_warm.cancel()
            handed_out = _handed_out(port)
            handed_out.subtract(warm)
        finally:
            watch.over.set()
            for part in parts.values():
                part.send_signal(signal.SIGTERM)
            codes = {name: part.wait(120) for name, part in parts.items()}
            mock.kill()
    _tell_delays(delays, handed_out)
    cores = 0.0
    for name, samples in watch.samples.items():
        kept = samples[_WARM_S // _EVERY_S :]
        if len(kept) > 1:
            tenth = max(len(kept) // 10, 1)
            first, last = (sum(each.memory for each in some) / len(some) for some in (kept[:tenth], kept[-tenth:]))
            used = (kept[-1].seconds - kept[0].seconds) / (kept[-1].time - kept[0].time)
            cores += used
            minutes = " ".join(f"{each.memory:.0f}" for each in kept[:: _MINUTE_S // _EVERY_S])
            print(
                f"{name}: {used:.2f} cores, memory {first:.0f} MB at the begin, {last:.0f} MB at the end, "
                f"most {max(each.memory for each in kept):.0f} MB; by the minute {minutes}"
            )
    print(f"together: {cores:.2f} cores")
    print(f"load average after: {os.getloadavg()[0]:.1f}; ended with {codes}")


def _tell_delays(delays: dict[str, list[float]], handed_out: Counter[tuple[str, bool]]) -> None:
    both = {"both": [*chain.from_iterable(delays.values())]} if delays else {}
    for interval, found in (delays | both).items():
        found.sort()
        p50, p90, p99 = (found[int(len(found) * share)] for share in (0.5, 0.9, 0.99))
        print(
            f"{interval}: {len(found):,} rows, p50 {p50:.2f} s, p90 {p90:.2f} s, p99 {p99:.2f} s, longest {found[-1]:.2f} s"
        )
    for interval in delays:
        within, later = (handed_out[interval, is_within] for is_within in (True, False))
        print(
            f"{interval}: {within / (within + later):.2%} of {within + later:,} rows handed to the connection within {_GOAL_S} s"
        )


def _handed_out(port: int) -> Counter[tuple[str, bool]]:
    """Return how many rows by arrival the server has given to connections so far, by interval, within the goal or later."""
    found: Counter[tuple[str, bool]] = Counter()
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        for family in text_string_to_metric_families(answer.read().decode()):
            for sample in family.samples:
                if family.name == _DELAY and sample.labels.get("clock") == "true":
                    interval = sample.labels["interval"]
                    if sample.name.endswith("_count"):
                        found[interval, False] += int(sample.value)
                    elif sample.labels.get("le") == str(_GOAL_S):
                        found[interval, True] += int(sample.value)
                        found[interval, False] -= int(sample.value)
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait_for_server(said: Path) -> None:
    end = time.monotonic() + _STARTS_S
    while b"Serving" not in said.read_bytes():
        if time.monotonic() > end:
            raise RuntimeError("the server does not start")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
