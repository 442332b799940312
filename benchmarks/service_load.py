"""Load on a service of some size: `.venv/bin/python benchmarks/service_load.py --help`.

Fills a SQLite ledger (it is kept for the next run), starts `aperiodic serve`, measures the highest rate of `/data`
over 12 months, then asks at half of that rate for some minutes, and prints latencies, errors and the server's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final

import psutil
from rich import box
from rich.console import Console
from rich.table import Table

if __name__ == "__main__":
    # The root in place of this folder, so that the modules are `benchmarks.…` here as for the type checker.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.load import Tally, pace, rush
from benchmarks.service_ledger import KEYS, MONTHS, Service, make_service

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["highest_rate"]

_SEED: Final = 1
_WARM_UP_S: Final = 3
_PEAK_S: Final = 10
_MB: Final = 1_000_000
_STARTED: Final = re.compile(r"http://(127\.0\.0\.1:\d+)")


def main() -> int:
    """Run the load; 1 when a request failed."""
    arguments = _arguments()
    service = make_service(arguments.data)
    requests = _requests(service)
    memory: list[tuple[float, float]] = []
    with _serving(service) as (url, process):
        highest, peak = _highest(url, requests)
        paced = asyncio.run(
            pace(
                url,
                requests,
                highest / 2,
                arguments.minutes * 60,
                lambda gone: memory.append((gone, process.memory_info().rss / _MB)),
            )
        )
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(
        f"{KEYS:,} keys, {len(service.symbols)} symbols, {service.objects:,} objects in the ledger, "
        f"{os.cpu_count()} cores shared with the load, load average {os.getloadavg()[0]:.1f}",
        highlight=False,
    )
    console.print(f"Highest rate: {highest:,.0f} requests/s ({_statuses(peak)})", highlight=False)
    console.print(_table(paced, memory, highest / 2))
    failed = sum(count for tally in (peak, paced) for status, count in tally.statuses.items() if status != "200")
    return int(failed > 0)


def highest_rate(folder: Path) -> tuple[float, int]:
    """Return how many requests for 12 months a second are answered at most, and how many objects the ledger has.

    Raises:
        RuntimeError: The server does not start, or not all were answered.
    """
    service = make_service(folder)
    with _serving(service) as (url, _):
        highest, peak = _highest(url, _requests(service))
    if set(peak.statuses) != {"200"}:
        raise RuntimeError(_statuses(peak))
    return highest, service.objects


def _highest(url: str, requests: Iterator[bytes]) -> tuple[float, Tally]:
    asyncio.run(rush(url, requests, _WARM_UP_S))
    peak = asyncio.run(rush(url, requests, _PEAK_S))
    return len(peak.latencies) / _PEAK_S, peak


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure /data at half of its highest rate.")
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: %(default)s)")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(gettempdir()) / "aperiodic-benchmarks",
        help="folder that keeps the ledger (default: %(default)s)",
    )
    return parser.parse_args()


def _requests(service: Service) -> Iterator[bytes]:
    """Yield requests of random keys for 12 months of random series."""
    chance = random.Random(_SEED)  # noqa: S311 - the same requests in every run
    while True:
        first = chance.randrange(len(MONTHS) - 11)
        start, end = MONTHS[first], MONTHS[first + 11]
        metric, clock, interval = chance.choice(service.series)
        query = (
            f"timestamp={clock}&interval={interval}&exchange={service.exchange}&symbol={chance.choice(service.symbols)}"
            f"&start_date={start}-01&end_date={end}-28"
        )
        key = chance.choice(service.keys)
        yield f"GET /api/v1/data/{metric}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-KEY: {key}\r\n\r\n".encode()


@contextmanager
def _serving(service: Service) -> Iterator[tuple[str, psutil.Process]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("APERIODIC_")}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("aperiodic"), "serve", "--port", "0"],
        env={**environment, "APERIODIC_HOME": str(service.home)},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            found = _STARTED.search(process.stderr.readline() if process.stderr else "")
            if found is None:
                raise RuntimeError("the server did not start")
            yield found[0], psutil.Process(process.pid)
        finally:
            process.terminate()


def _table(tally: Tally, memory: list[tuple[float, float]], rate: float) -> Table:
    table = Table("Minute", "Requests", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "RSS MB", box=box.SIMPLE)
    table.title = f"At {rate:,.0f} requests/s, from when each was due: {_statuses(tally)}"
    timed = list(zip(tally.due, tally.latencies, strict=True))
    minutes = int(max(tally.due) // 60) + 1
    for minute in range(minutes):
        within = [latency for due, latency in timed if due // 60 == minute]
        held = [size for at, size in memory if at // 60 == minute]
        table.add_row(str(minute + 1), *_latencies(within), _span(held))
    table.add_section()
    table.add_row("all", *_latencies(tally.latencies), _span([size for _, size in memory]))
    return table


def _latencies(seconds: list[float]) -> tuple[str, ...]:
    if len(seconds) < 2:
        return (str(len(seconds)), "", "", "", "")
    cuts = quantiles(seconds, n=1000, method="inclusive")
    figures = (median(seconds), cuts[989], cuts[998], max(seconds))
    return (f"{len(seconds):,}", *(f"{figure * 1000:.1f}" for figure in figures))


def _span(sizes: list[float]) -> str:
    return f"{min(sizes):.0f}-{max(sizes):.0f}" if sizes else ""


def _statuses(tally: Tally) -> str:
    return json.dumps({status: count for status, count in sorted(tally.statuses.items()) if count})


if __name__ == "__main__":
    sys.exit(main())
