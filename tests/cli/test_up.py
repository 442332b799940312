from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import aperiodic
from aperiodic.cli import supervisor
from aperiodic.cli.supervisor import Part, Supervisor
from aperiodic.cli.up import _alone, _captured, _chosen, _last_words, mock_part, mock_settings, up
from aperiodic.lake import Lake, LakeError, ObjectKind, Settings
from aperiodic.lake.recordings import list_recordings
from aperiodic.market import AperiodicDataError, Exchange, InvalidInputError, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = """
import pathlib, signal, sys, time
log = pathlib.Path(sys.argv[1])
def stop(*_):
    with log.open("a") as file: file.write(sys.argv[2] + " stops\\n")
    sys.exit(int(sys.argv[3]))
signal.signal(signal.SIGTERM, stop)
with log.open("a") as file: file.write(sys.argv[2] + " runs\\n")
print("far", flush=True)
while True: time.sleep(0.01)
"""
STAYS = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: None)
with pathlib.Path(sys.argv[1]).open("a") as file: file.write("stays\\n")
while True: time.sleep(0.01)
"""
FAILS = """
import pathlib, sys, time
log = pathlib.Path(sys.argv[1])
times = log.read_text().count("tried") if log.exists() else 0
with log.open("a") as file: file.write("tried\\n")
print("no such thing", file=sys.stderr, flush=True)
if times >= int(sys.argv[2]):
    while True: time.sleep(0.01)
sys.exit(7)
"""


def part(name: str, script: str, *arguments: object, nothing_to_do: int | None = None) -> Part:
    program = (sys.executable, "-c", script)
    return Part(name, [str(each) for each in arguments], program=program, nothing_to_do=nothing_to_do)


def run(groups: list[list[Part]], until: Callable[[], bool]) -> int:
    """Run parts until something is so."""
    over = threading.Event()
    return Supervisor(groups).run(over, lambda _parts: over.set() if until() else None, 0.02)


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def test_parts_stop_in_order(tmp_path: Path) -> None:
    log = tmp_path / "log"
    groups = [[part(name, RUNS, log, name, 0)] for name in ("capture", "normalise", "build", "serve")]
    assert run(groups, lambda: len(lines(log)) == 4) == 0
    assert lines(log)[4:] == ["capture stops", "normalise stops", "build stops", "serve stops"]


@pytest.mark.parametrize(("kind", "sealed"), [(0, False), (1, True)])
def test_of_a_part_that_does_not_stop_the_truth_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int, *, sealed: bool
) -> None:
    monkeypatch.setattr(supervisor, "_PATIENCE_S", 0.1)
    log = tmp_path / "log"
    groups = [[part("capture", RUNS, log, "capture", 0)], [part("build", RUNS, log, "build", 0)]]
    groups[kind] = [part("stays", STAYS, log)]
    assert run(groups, lambda: len(lines(log)) == 2) == 0
    words = _last_words(groups)
    assert ("received is sealed" in words) is sealed
    assert "Killed before they had stopped: stays" in words


def test_a_capture_that_failed_has_sealed_nothing(tmp_path: Path) -> None:
    failing = part("capture okx-perps", FAILS, tmp_path / "log", 100)
    run([[failing]], lambda: False)
    assert _last_words([[failing]]) == (
        "Stopped. capture okx-perps failed: what it received is on disk, and the next start seals it."
    )


def test_a_second_interrupt_ends_the_parts_at_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    staying = part("stays", STAYS, log)
    over = threading.Event()

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Supervisor([[staying]]).run(over, lambda _parts: over.set() if lines(log) else None, 0.02, stopping=interrupt)
    assert staying.killed
    assert not staying.is_running


def test_the_exit_code_is_that_of_the_first_part_that_failed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    groups = [[part(name, RUNS, log, name, code)] for name, code in (("a", 3), ("b", 4))]
    assert run(groups, lambda: len(lines(log)) == 2) == 3


def test_a_part_that_fails_at_its_very_start_ends_everything(tmp_path: Path) -> None:
    log = tmp_path / "log"
    other = tmp_path / "other"
    failing = part("fails", FAILS, log, 100)
    assert run([[part("runs", RUNS, other, "runs", 0)], [failing]], lambda: False) == 7
    assert lines(other) in ([], ["runs runs", "runs stops"], ["runs runs"])
    assert "no such thing" in failing.line


def test_a_part_that_runs_already_is_watched_and_not_started_twice(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = part("runs", RUNS, log, "runs", 0)
    running.start()
    assert run([[running]], lambda: len(lines(log)) >= 1) == 0
    assert lines(log) == ["runs runs", "runs stops"]


def test_a_part_that_fails_later_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_WAIT_S", 0.01)
    log = tmp_path / "log"
    failing = part("fails", FAILS, log, 2)
    failing._ever_settled = True
    assert run([[failing]], lambda: len(lines(log)) == 3 and failing.is_running) == 7
    assert failing.restarts == 2


def test_a_part_without_anything_to_do_is_left_out_and_the_others_go_on(tmp_path: Path) -> None:
    log, other = tmp_path / "log", tmp_path / "other"
    idle = part("idle", FAILS, log, 100, nothing_to_do=7)
    busy = part("busy", RUNS, other, "busy", 0)
    assert run([[idle, busy], [part("runs", RUNS, other, "runs", 0)]], lambda: idle.is_left_out) == 0
    assert lines(log) == ["tried"]
    assert idle.line == "left out: no such thing"
    assert not idle.failed


def test_nothing_goes_on_where_all_parts_of_a_kind_are_left_out(tmp_path: Path) -> None:
    idle = [part(name, FAILS, tmp_path / name, 100, nothing_to_do=7) for name in "ab"]
    assert run([idle, [part("runs", RUNS, tmp_path / "log", "runs", 0)]], lambda: False) == 1


def test_of_a_part_that_failed_its_error_is_told_and_not_the_hint() -> None:
    source = (
        "import sys; print('error: no port', file=sys.stderr); print('hint: use another', file=sys.stderr); sys.exit(1)"
    )
    failing = part("fails", source)
    run([[failing]], lambda: False)
    assert failing.line.startswith("failed: no port; ")


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("APERIODIC_HOME", str(home))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LakeError) as raised:
            up(mock=True, port=taken.getsockname()[1])
    assert raised.value.code == "address_unavailable"
    assert not home.exists()


def test_a_second_one_in_the_same_home_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("APERIODIC_HOME", str(home))
    with _alone(home), pytest.raises(LakeError) as raised:
        up(mock=True, port=0)
    assert raised.value.code == "up_already"
    assert not (home / "mock.env").exists()
    with _alone(home):
        pass


def test_the_mock_exchange_keeps_its_port_when_it_is_started_again(tmp_path: Path) -> None:
    mocking = mock_part(tmp_path, {Exchange.BINANCE: []})
    try:
        mocking.start()
        before = mock_settings(tmp_path, mocking, lambda: False)
        mocking.kill()
        (tmp_path / "mock.env").unlink()
        mocking.start()
        assert before
        assert mock_settings(tmp_path, mocking, lambda: False) == before
        assert mocking.line == f"port {before['APERIODIC_REST_BINANCE'].split(':')[2].split('/')[0]}"
    finally:
        mocking.stop()


def test_a_capture_without_a_connection_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    now = time.time()
    told = {"time": now, "started": now - 60, "frames": 1_234, "bytes": 360_000, "dropped_frames": 0}
    path.write_text(json.dumps({**told, "connections": []}))
    assert _captured(path) == "1,234 frames, NO CONNECTION IS LIVE"
    path.write_text(json.dumps({**told, "connections": [{"stage": "live", "silent": []}]}))
    assert _captured(path) == "1,234 frames, 1 of 1 connections live, 6 KB/s"


def test_a_capture_whose_disk_is_full_says_so(tmp_path: Path) -> None:
    full = tmp_path / "full.json"
    full.write_text(json.dumps({"time": time.time(), "connections": [], "disk_full": True, "disk_full_frames": 1_234}))
    assert _captured(full) == "THE DISK IS FULL: nothing is recorded until there is room (1,234 frames lost)"


def test_a_part_ends_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    Lake.open(Settings(home=home)).close()
    source = (
        "from aperiodic.cli.supervisor import Part; import os, time\n"
        "part = Part('normalise', ['normalise', '--follow']); part.start()\n"
        "print(part._process.pid, flush=True); time.sleep(3); os._exit(9)\n"
    )
    environment = {**os.environ, "APERIODIC_HOME": str(home)}
    outer = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, check=False)
    child = int(outer.stdout.split()[0])
    for _ in range(3_000):
        if not _lives(child):
            break
        time.sleep(0.02)
    assert not _lives(child)


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_symbols_go_to_the_venues_that_trade_them() -> None:
    spot, swap, coin = (
        Symbol.parse(name) for name in ("spot-BTC-USDT", "perpetual-BTC-USDT:USDT", "perpetual-BTC-USDC:USDC")
    )
    chosen = _chosen(list(Exchange), [spot, swap, coin])
    assert chosen[Exchange.BINANCE] == [spot]
    assert chosen[Exchange.OKX_PERPS] == [swap, coin]
    assert chosen[Exchange.HYPERLIQUID_PERPS] == [coin]
    assert _chosen([Exchange.BINANCE], []) == {Exchange.BINANCE: []}
    with pytest.raises(InvalidInputError, match="spot-BTC-USDT"):
        _chosen([Exchange.OKX_PERPS], [spot])


def test_a_capture_that_tells_nothing_is_starting(tmp_path: Path) -> None:
    assert _captured(tmp_path / "none.json") == "starting"
    (tmp_path / "old.json").write_text('{"time": 1, "connections": []}')
    assert _captured(tmp_path / "old.json") == "starting"
    (tmp_path / "cut.json").write_text('{"ti')
    assert _captured(tmp_path / "cut.json") == "starting"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@pytest.mark.crash
def test_what_a_mock_exchange_sends_can_be_read_as_bars_and_a_stop_seals_everything(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    command = [sys.executable, "-c", "from aperiodic.cli import main; main()"]
    arguments = ["up", "--mock", "--exchange", "hyperliquid-perps", "--symbols", "perpetual-BTC-USDC:USDC"]
    with (
        (tmp_path / "said").open("wb") as said,
        subprocess.Popen(
            [*command, *arguments, "--port", str(port), "--every", "1"],
            env={**os.environ, "APERIODIC_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as running,
    ):
        try:
            assert running.stdout is not None
            key = running.stdout.readline().rpartition("=")[2].strip()
            bars = wait_for_bars(f"http://127.0.0.1:{port}/api/v1", key, running)
        finally:
            running.send_signal(signal.SIGTERM)
            code = running.wait()
    assert code == 0, (tmp_path / "said").read_text()
    assert bars
    assert "SIMULATED DATA" in (tmp_path / "said").read_text()
    recordings = list_recordings(home)
    assert recordings
    assert not any(recording.is_open for recording in recordings)
    lake = Lake.open(Settings(home=home))
    parts = lake.current(ObjectKind.TICK_PARTS)
    assert parts
    assert {part.source for part in parts} == {"simulated"}
    lake.close()


def wait_for_bars(api: str, key: str, running: subprocess.Popen[str]) -> int:
    """Ask until there are bars, as long as the program runs."""
    while running.poll() is None:
        today = datetime.now(UTC).date()
        try:
            frame = aperiodic.get_ohlcv(
                key,
                interval="15s",
                timestamp="true",
                exchange="hyperliquid-perps",
                symbol="perpetual-BTC-USDC:USDC",
                start_date=today,
                end_date=today,
                base_url=api,
                show_progress=False,
                on_incomplete="ignore",
            )
        except AperiodicDataError:
            time.sleep(0.5)
        else:
            if frame.height:
                return frame.height
            time.sleep(0.5)
    return 0
