"""Processes: forked and spawned ones, with a client of the parent, and workers of pytest, over one cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.environments.conftest import Place

PROGRAM: Final = """
import multiprocessing
warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)

def fetch(client, name):
    client.get_metrics("ohlcv", **REQUEST).write_parquet(name)

def in_processes(kind, client):
    context = multiprocessing.get_context(kind)
    children = [context.Process(target=fetch, args=(client, f"{kind}-{number}.parquet")) for number in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0, child.exitcode
"""

FORK: Final = """
with aperiodic.Client(show_progress=False) as client:
    symbols = client.get_symbols("binance-futures")  # its connections and its thread are in use
    in_processes("fork", client)
    assert client.get_symbols("binance-futures") == symbols  # and the children have not disturbed them
    fetch(client, "parent.parquet")
"""

LOCKED: Final = """
client = aperiodic.Client(show_progress=False)
client.get_symbols("binance-futures")
portal = client._portal
with portal._lock, portal._beginning:  # as a thread may that is just beginning while another one forks
    in_processes("fork", client)
fetch(client, "parent.parquet")
"""

SHARED: Final = """
def count(client, answer):
    parents = client._core._shared
    for _ in range(3):
        client.get_symbols("binance-futures")
    answer.send((parents is None, client._core._shared is not None, client._portal._thread.is_alive()))

with aperiodic.Client(show_progress=False) as client:
    client.get_symbols("binance-futures")
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=count, args=(client, there))
    child.start()
    assert here.poll(60), "the child hangs"
    assert here.recv() == (True, True, True)
    child.join(60)
    assert child.exitcode == 0
    assert client._core._shared is not None
"""

TOLD: Final = """
def refuse(client, answer):
    try:
        client.get_metrics("ohlcv", **REQUEST)
    except aperiodic.AperiodicDataError as error:
        answer.send(error.code)

with aperiodic.Client(show_progress=False) as client:
    fetch(client, "parent.parquet")  # Polars runs
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=refuse, args=(client, there))
    child.start()
    assert here.poll(60), "the child hangs"
    assert here.recv() == "forked_process"
    child.join(60)
    fetch(client, "parent.parquet")
"""

SPAWN: Final = """
if __name__ == "__main__":
    with aperiodic.Client(show_progress=False) as client:
        fetch(client, "parent.parquet")  # also after Polars was used
        in_processes("spawn", client)
        in_processes("forkserver", client)
"""

WORKERS: Final = """
import pytest

@pytest.mark.parametrize("number", range(6))
def test_fetch(number):
    frame = aperiodic.get_metrics(metric="ohlcv", show_progress=False, **REQUEST)
    frame.write_parquet(f"worker-{number}.parquet")
    assert aperiodic.Client(show_progress=False).get_metrics("ohlcv", **REQUEST).equals(frame)
"""


def run(place: Place, folder: Path, code: str) -> None:
    (folder / "program.py").write_text(place.code(PROGRAM + code), encoding="utf-8")
    done = place.run("program.py", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("code", [FORK, LOCKED], ids=["used", "locked"])
def test_a_client_of_before_the_fork_serves_parent_and_children(place: Place, tmp_path: Path, code: str) -> None:
    run(place, tmp_path, code)
    frames = sorted(tmp_path.glob("*.parquet"))
    assert [path.stem for path in frames] == ["fork-0", "fork-1", "fork-2", "parent"]
    assert all(place.is_right(path) for path in frames)
    assert place.fetched() == 1


def test_a_child_opens_connections_of_its_own_and_keeps_them(place: Place, tmp_path: Path) -> None:
    run(place, tmp_path, SHARED)


def test_a_fork_after_frames_were_read_is_told_and_the_parent_goes_on(place: Place, tmp_path: Path) -> None:
    run(place, tmp_path, TOLD)
    assert place.is_right(tmp_path / "parent.parquet")


def test_spawned_processes_get_the_client_and_its_cache(place: Place, tmp_path: Path) -> None:
    run(place, tmp_path, SPAWN)
    frames = list(tmp_path.glob("*.parquet"))
    assert len(frames) == 7
    assert all(place.is_right(path) for path in frames)
    assert place.fetched() == 1


def test_workers_of_pytest_share_a_cache(place: Place, tmp_path: Path) -> None:
    (tmp_path / "test_workers.py").write_text(place.code(WORKERS), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = ignore:The data is simulated\n",
        encoding="utf-8",
    )
    done = place.run("-m", "pytest", "-n", "2", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
    frames = list(tmp_path.glob("worker-*.parquet"))
    assert len(frames) == 6
    assert all(place.is_right(path) for path in frames)
    assert place.fetched() == 1
