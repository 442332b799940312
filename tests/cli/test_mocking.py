from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.mock.market import FUTURES, recording, usual
from websockets.sync.client import connect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell


def test_it_says_which_settings_lead_there_and_ends_in_peace(shell: Shell, tmp_path: Path) -> None:
    frames = recording(tmp_path / "r.gz", usual(FUTURES, 0.5))
    settings, truth = tmp_path / "env", tmp_path / "truth"
    options = [
        "--recording",
        f"binance-futures={frames}",
        "--port",
        "0",
        "--env-file",
        str(settings),
        "--truth",
        str(truth),
    ]
    process = shell.start("mock-exchange", *options)
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(3)]
    assert all(line.startswith("export APERIODIC_") for line in printed)
    told = dict(line.removeprefix("export ").strip().split("=", 1) for line in printed)
    assert httpx.get(told["APERIODIC_REST_BINANCE_FUTURES"] + "/fapi/v1/time").status_code == 200
    with connect(told["APERIODIC_WS_BINANCE_FUTURES_PUBLIC"] + "/stream?streams=btcusdt@trade") as socket:
        assert json.loads(socket.recv(timeout=10))["stream"] == "btcusdt@trade"
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (0, "")
    assert "Mock of binance-futures on port" in errors
    assert dict(line.split("=", 1) for line in settings.read_text().splitlines()) == told
    logged = [json.loads(line)["what"] for line in truth.read_text().splitlines()]
    assert {"rest", "open", "begin", "sent", "close"} <= set(logged)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--recording", "FILE"], "does not say whose recording it is"),
        (["--recording", "binance-futures=FILE"], "FILE cannot be read"),
        (["--recording", "nonsense=FILE"], "Unknown exchange 'nonsense'"),
        (["--exchange", "binance", "--symbol", "perpetual-BTC-USDT:USDT"], "None of these exchanges trades"),
        (["--exchange", "nonsense"], "Unknown exchange 'nonsense'"),
        (["--load", "5000"], "is no load"),
        (["--load", "0x5000"], "A load needs times and rates above 0"),
        (["--exchange", "binance", "--faults", "FILE"], "FILE is not a script of faults"),
    ],
)
def test_mistakes_are_told_in_plain_words(shell: Shell, options: list[str], code: str) -> None:
    done = shell.run("mock-exchange", "--port", "0", *options)
    assert (done.returncode, done.stdout) == (2 if "--exchange nonsense" in " ".join(options) else 1, "")
    assert code in done.stderr
    assert "Traceback" not in done.stderr
