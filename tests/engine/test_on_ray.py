"""Building on a Ray cluster: the same bytes, also when a node dies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import closing
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from tests.lakes import hashes, put_trades
from tests.oracle import random_trades

from aperiodic.engine.build import build
from aperiodic.engine.executors.choosing import executor_of
from aperiodic.engine.executors.on_ray import OnRay, memory_of
from aperiodic.lake import Lake, LakeError, Settings
from aperiodic.market import InvalidInputError, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
DAYS = 3
STARTS = 4
"""A node of Ray gives up when its agents need 15 s to start, as they do on a machine with much else to do."""
SYMBOLS = [Symbol.parse(f"perpetual-{base}-USDT:USDT") for base in ("BTC", "ETH", "SOL")]

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="The package ray is not installed.")


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """An installation with ticks only, and what building it in this process ends with."""
    home = tmp_path_factory.mktemp("ray") / "ticks"
    with closing(Lake.open(Settings(home=home))) as lake:
        for seed, symbol in enumerate(SYMBOLS):
            put_trades(lake, random_trades(seed, 900, date(2025, 4, 29), days=DAYS), symbol=symbol)
    shutil.copytree(home, home.with_name("built"))
    with closing(Lake.open(Settings(home=home.with_name("built")))) as lake:
        build(lake)
        return home, hashes(lake)


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "RAY_USAGE_STATS_ENABLED": "0", **more}


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, Any]]:
    for attempt in range(STARTS):
        with subprocess.Popen(
            [sys.executable, str(HERE / "ray_cluster.py")],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            said = [process.stdout.readline()]
            while said[-1] and not said[-1].startswith("{"):
                said.append(process.stdout.readline())
            if said[-1]:
                yield json.loads(said[-1])
                process.stdin.close()
                process.wait(timeout=120)
                return
        assert attempt < STARTS - 1, "".join(said)


def start(home: Path, on: str, marks: Path, **more: str) -> subprocess.Popen[str]:
    marks.mkdir()
    command = [sys.executable, str(HERE / "ray_work.py"), str(home), on, str(marks)]
    return subprocess.Popen(
        command, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


@needs_ray
@pytest.mark.timeout(900)
def test_two_nodes_write_the_bytes_of_one_process_also_when_one_dies(
    cluster: dict[str, Any], homes: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    ticks, expected = homes
    shutil.copytree(ticks, tmp_path / "both")
    with start(tmp_path / "both", "ray", tmp_path / "marks-of-both", RAY_ADDRESS=cluster["address"]) as process:
        said, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors
    assert said.split()[1] == str(2 * len(SYMBOLS)), "months"
    with closing(Lake.open(Settings(home=tmp_path / "both"))) as lake:
        assert hashes(lake) == expected
    begun = [mark.name.partition("-")[0] for mark in (tmp_path / "marks-of-both").iterdir()]
    assert len(set(begun)) == 2, "both nodes worked"

    shutil.copytree(ticks, tmp_path / "killed")
    marks = tmp_path / "marks-of-killed"
    with start(tmp_path / "killed", "ray", marks, RAY_ADDRESS=cluster["address"]) as process:
        while process.poll() is None and not list(marks.glob(f"{cluster['node']}-*")):
            time.sleep(0.02)
        node = psutil.Process(cluster["second"])
        for part in (*node.children(recursive=True), node):
            part.kill()
        said, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors
    with closing(Lake.open(Settings(home=tmp_path / "killed"))) as lake:
        assert hashes(lake) == expected
    assert len(list(marks.iterdir())) > len(begun), "a task began twice, for its first node died"


@needs_ray
@pytest.mark.parametrize("address", ["ray://127.0.0.1:1", "ray://no-such-host.invalid:10001", "ray://127.0.0.1:99999"])
def test_an_address_where_no_cluster_answers_is_told_at_once(address: str, lake: Lake) -> None:
    with pytest.raises(LakeError) as caught, OnRay(lake.store.url, address):
        pass
    assert caught.value.code == "ray_unavailable"
    assert address in caught.value.message


def test_without_the_package_it_is_told_how_to_get_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(LakeError) as caught, OnRay(lake.store.url):
        pass
    assert caught.value.code == "ray_missing"
    assert "pip install" in str(caught.value.hint)


@pytest.mark.parametrize("on", ["rays", "ray://", "dask", "ray://a/b", ""])
def test_what_runs_no_tasks_is_refused(on: str, lake: Lake) -> None:
    with pytest.raises(InvalidInputError) as caught:
        executor_of(on, lake.store.url, 1)
    assert caught.value.code == "unknown_executor"


def test_memory_grows_with_the_bytes_of_inputs() -> None:
    assert memory_of(0) < memory_of(1 << 20) < memory_of(1 << 30)
