"""A download into the cache that is killed at any moment is continued: the right bytes, hardly any of them twice."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from tests.fault_proxy import FaultProxy
from tests.servers import Api, serving
from tests.soak import SOAK

from aperiodic.catalog import DATASETS
from aperiodic.lake import Lake, NewObject, ObjectKey, Settings
from aperiodic.lake.writing import parquet_bytes
from aperiodic.market import Clock, Exchange, Interval, Source, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KILLS = 4 if SOAK == 1 else 100
BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
SECONDS = 1.0
"""How long a download takes that nobody kills."""

_FETCH = """
import sys
import polars, aperiodic.client.files, aperiodic.client.fetch, aperiodic.client.session
client = aperiodic.Client(sys.argv[2], base_url=sys.argv[1], cache=sys.argv[3], show_progress=False)
print("ready", flush=True)
sys.stdin.readline()
frame = client.get_metrics("flow", interval="1m", exchange="binance-futures", symbol="perpetual-BTC-USDT:USDT",
    start_date="2025-01-01", end_date="2025-01-31", on_incomplete="ignore")
print(frame.hash_rows(seed=1).sum(), flush=True)
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, bytes, pl.DataFrame]]:
    """A month of bars in one file that does not compress."""
    home = tmp_path_factory.mktemp("home")
    month = date(2025, 1, 1)
    times = pl.datetime_range(month, date(2025, 2, 1), "1m", closed="left", time_unit="us", eager=True)
    chance = np.random.default_rng(3)
    schema = DATASETS["flow"].schema
    values = {name: chance.random(len(times)) * 1000 for name in schema if name != "time"}
    bars = pl.DataFrame({"time": times, **values}).cast(schema)
    body = parquet_bytes(bars)
    lake = Lake.open(Settings(home=home))
    key = ObjectKey.bars("flow", Clock.EXCHANGE, Interval.M1, Exchange.BINANCE_FUTURES, BTC, month)
    batch = lake.batch()
    batch.put(NewObject(key=key, rows=bars.height, source=Source.RECORDING, fingerprint="1", reason="test"), body)
    batch.commit()
    lake.close()
    with serving(home) as api:
        yield api, body, bars


def test_a_killed_download_is_continued_from_the_byte(
    published: tuple[Api, bytes, pl.DataFrame], tmp_path: Path
) -> None:
    api, body, bars = published
    chance = random.Random(7 if SOAK == 1 else time.time_ns())  # noqa: S311 - when to kill
    right = str(bars.hash_rows(seed=1).sum())
    moved = killed = 0
    target = api.url.removesuffix("/api/v1")
    while killed < KILLS:
        cache = tmp_path / str(killed)
        with FaultProxy(target, lambda _: None, bytes_a_second=round(len(body) / SECONDS)) as proxy:
            with fetching(proxy, api.key, cache) as process:
                begin(process)
                time.sleep(chance.uniform(0.05, SECONDS))
                process.kill()
                process.wait()
            if (left := part_of(cache)) is not None:
                assert body.startswith(left)
            with fetching(proxy, api.key, cache) as process:
                begin(process)
                assert process.stdout is not None
                assert process.stdout.readline().strip() == right
            moved += proxy.bytes_of_files
        (kept,) = (path for path in (cache / "files").rglob("*") if path.is_file())
        assert hashlib.sha256(kept.read_bytes()).digest() == hashlib.sha256(body).digest()
        killed += 1
    again = moved / (killed * len(body)) - 1
    print(f"{killed} kills of downloads of {len(body):,} bytes: {again:.2%} moved again")  # noqa: T201 - -rP shows it
    assert again < 0.05


def fetching(proxy: FaultProxy, key: str, cache: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", _FETCH, f"{proxy.url}/api/v1", key, str(cache)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()


def part_of(cache: Path) -> bytes | None:
    parts = list((cache / "files").rglob("*.part")) if (cache / "files").exists() else []
    return parts[0].read_bytes() if parts else None
