"""The originally published client streams from this server as it is: every branch of its `stream`."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.conformance.conftest import ROOT, WITH_RAW
from tests.server.stream.rows import BTC, ETH, MINUTE, T, row
from tests.servers import make_key

from aperiodic.engine.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.conformance

PROGRAM: Final = Path(__file__).with_name("original_stream.py")
CHANNEL: Final = "ohlcv.binance-futures.1m"
SERVE: Final = """
import sys
from pathlib import Path
from aperiodic.server import serve
from aperiodic.server.settings import ServerSettings
serve(ServerSettings(home=Path(sys.argv[1])), "127.0.0.1", int(sys.argv[2]), lambda url: print(url, flush=True))
"""


class Served:
    """An installation whose rows the test makes itself, on a port that stays the same."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.hub = LiveHub(home)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.key = make_key(home)
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SERVE, str(self.home), str(self.port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http")
        wait_for(lambda: self.hub.readers == 1)
        return process

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        wait_for(lambda: self.hub.readers == 0)


def wait_for(look: Any) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    if not (ROOT / f".venv-client-{WITH_RAW[0]}" / ".done").exists():
        pytest.skip(f"client {WITH_RAW[0]} is not installed: run make conformance")
    made = Served(tmp_path)
    yield made
    if made.process.poll() is None:
        made.stop()
    made.hub.close()


@contextmanager
def streaming(served: Served, **task: Any) -> Iterator[subprocess.Popen[str]]:
    python = ROOT / f".venv-client-{WITH_RAW[0]}" / "bin" / "python"
    asked = {"key": served.key, "url": f"ws://127.0.0.1:{served.port}/v1/stream", "channels": [CHANNEL]} | task
    process = subprocess.Popen(
        [python, "-I", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    with process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        try:
            yield process
        finally:
            process.kill()


def outcome(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    while (line := process.stdout.readline()) == "row\n":
        pass
    told: dict[str, Any] = json.loads(line)
    return told


def next_row(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "row\n"


def refusal(served: Served, **task: Any) -> dict[str, Any]:
    with streaming(served, **task) as process:
        told = outcome(process)
    assert told["rows"] == []
    error: dict[str, Any] = told["error"]
    return error


def test_rows_come_as_they_are_made_and_the_newest_first(served: Served) -> None:
    served.hub.tell([row(0), row(0, ETH)])
    with streaming(served, rows=4) as process:
        next_row(process)
        next_row(process)
        served.hub.tell([row(1), row(1, ETH)])
        told = outcome(process)
    assert (told["channels"], told["rejected"], told["warnings"], told["gaps"]) == ([CHANNEL], [], [], 0)
    assert [(item["data"]["symbol"], item["data"]["time"], item["snapshot"]) for item in told["rows"]] == [
        (BTC, T, True),
        (ETH, T, True),
        (BTC, T + MINUTE, False),
        (ETH, T + MINUTE, False),
    ]
    assert told["rows"][2]["data"] == json.loads(row(1).data)


def test_channels_that_are_refused_are_told_and_the_others_go_on(served: Served) -> None:
    served.hub.tell([row(0)])
    object_form = {"dataset": "ohlcv", "exchange": "binance-futures", "interval": "1m", "symbols": [BTC]}
    with streaming(served, rows=1, channels=[object_form, "ohlcv.nowhere.1m"]) as process:
        told = outcome(process)
    assert (told["channels"], told["rejected"]) == ([CHANNEL], ["unknown_channel"])
    assert told["warnings"] == ["StreamWarning"]
    error = refusal(served, channels=["ohlcv.nowhere.1m", "ohlcv.binance-futures.2m"])
    assert (error["type"], error["rejected"]) == ("StreamSubscriptionError", ["unknown_channel"] * 2)


def test_who_may_not_come_in_is_told_why(served: Served) -> None:
    error = refusal(served, key="ap_live_000000000000_" + "a" * 40)
    assert (error["type"], error["status"], error["code"]) == ("APIError", 401, "unknown_key")
    error = refusal(served, key=make_key(served.home, "starter"))
    assert (error["status"], error["code"]) == (403, "live_not_in_plan")


def test_more_connections_than_the_plan_has_are_refused(served: Served) -> None:
    key = make_key(served.home, "pro")
    served.hub.tell([row(0)])
    with streaming(served, key=key) as one, streaming(served, key=key) as two:
        next_row(one)
        next_row(two)
        error = refusal(served, key=key)
    assert (error["status"], error["code"]) == (429, "too_many_streams")


def test_another_thread_closes_the_stream(served: Served) -> None:
    with streaming(served, close_after=2.0) as process:
        told = outcome(process)
    assert "error" not in told
    assert told["rows"] == []


def test_heartbeats_keep_a_silent_stream_alive(served: Served) -> None:
    """The client gives up after 75 s without a text frame; two heartbeats come in 50."""
    with streaming(served, close_after=80.0) as process:
        told = outcome(process)
    assert "error" not in told
    assert (told["warnings"], told["gaps"]) == ([], 0)


def test_a_server_that_is_started_again_leaves_a_gap_and_the_stream_goes_on(served: Served) -> None:
    served.hub.tell([row(0)])
    with streaming(served, rows=3, snapshot=False) as process:
        time.sleep(3.0)
        served.hub.tell([row(1)])
        next_row(process)
        served.stop()
        served.process = served.start()
        wait_for(lambda: served.hub.readers == 1)
        number = 2
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            served.hub.tell([row(number)])
            number += 1
            time.sleep(0.5)
        told = outcome(process)
    assert "error" not in told
    assert told["gaps"] == 1
    assert told["warnings"] == ["StreamWarning"]
    times = [item["data"]["time"] for item in told["rows"]]
    assert times == sorted(set(times))
    assert len(times) == 3
