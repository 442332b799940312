from __future__ import annotations

import re
import signal
import socket
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from aperiodic.catalog import DATASETS
from aperiodic.lake import Lake, ObjectKind, Settings
from aperiodic.market import Exchange, Stream
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

DEMO = """
import sys
from datetime import date
from aperiodic.cli import main
import aperiodic.cli.demo
demo = sys.modules["aperiodic.cli.demo"]
demo._FIRST, demo._LAST = date(2025, 5, 1), date(2025, 5, 4)
demo._HISTORY = tuple((*market, demo._FIRST) for *market, _ in demo._HISTORY)
if __name__ == "__main__":
    main()
"""
"""The command, but for four days instead of three months."""


def test_serve_says_where_and_ends_in_peace_at_ctrl_c(shell: Shell) -> None:
    process = shell.start("serve", "--port", "0")
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.fullmatch(r"Serving (http://127\.0\.0\.1:\d+)/api/v1 \(Ctrl-C stops\)\n", line)
    assert found is not None
    assert httpx.get(f"{found[1]}/healthz").status_code == 200
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (0, "", "")


def test_a_port_in_use_is_said_in_plain_words(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = shell.run("serve", "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Cannot listen on 127.0.0.1, port {port}" in done.stderr
    assert "Choose another port" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_shows_a_frame_that_went_the_whole_way(shell: Shell) -> None:
    done = replace(shell, env={"APERIODIC_PORT": "0"}).run_python("-c", DEMO, "demo", "--once")
    assert done.returncode == 0, done.stderr
    assert "Simulated data: flow of perpetual-BTC-USDT:USDT on binance-futures" in done.stdout
    assert "shape: (96, 37)" in done.stdout
    assert re.search(r"export APERIODIC_API_URL=http://127\.0\.0\.1:\d+/api/v1 APERIODIC_API_KEY=ap_live_", done.stdout)
    assert 'curl -H "X-API-KEY: DEMO-KEY" "$APERIODIC_API_URL/data/preview/l2_imbalance?$preview"' in done.stdout
    with closing(Lake.open(Settings(home=shell.home))) as lake:
        for exchange in (Exchange.BINANCE_FUTURES, Exchange.OKX_PERPS):
            months = lake.current(ObjectKind.BARS, exchange=exchange, symbol="perpetual-BTC-USDT:USDT")
            assert {month.key.dataset for month in months} == DATASETS.keys()
        for entry in ServerSettings().preview:
            names = {"clock": entry.timestamp, "interval": entry.interval, "exchange": entry.exchange}
            months = lake.current(ObjectKind.BARS, dataset=entry.metric, symbol=entry.symbol, **names)
            assert [month.key.period for month in months] == ["2025-05"]
        for stream in Stream:
            assert lake.current(ObjectKind.TICKS, dataset=stream, period="2025-06-01")
