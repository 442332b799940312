from __future__ import annotations

import json
import signal
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from tests.cli.conftest import Shell
from tests.client.mock_api import API_KEY
from tests.client.stream.stream_server import BTC, CHANNEL, ETH, StreamServer, Talk, row

import aperiodic
from aperiodic.cli.watching import LiveTable
from aperiodic.market.time import now_us, time_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERIES = ("--exchange", "binance-futures", "--interval", "1m", "--symbols", BTC, ETH)


@pytest.fixture
def server() -> Iterator[StreamServer]:
    with StreamServer() as running:
        yield running


@pytest.fixture
def shell(server: StreamServer, tmp_path: Path) -> Shell:
    return Shell(tmp_path, {"APERIODIC_STREAM_URL": server.url, "APERIODIC_API_KEY": API_KEY})


def rows(talk: Talk) -> None:
    talk.subscribed({"channel": "a.b.1s", "code": "not_live", "message": "Not live."})
    talk.send({**row(0), "snapshot": True}, row(1), row(1, ETH))


def test_without_a_terminal_each_row_is_a_line(server: StreamServer, shell: Shell) -> None:
    server.on(rows)
    done = shell.run("watch", "ohlcv", *SERIES, "--timestamp", "true", "--since", "2026-11-18", "--count", "3")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0] == {"channel": CHANNEL, **row(0)["data"], "snapshot": True}
    assert [line["symbol"] for line in lines] == [BTC, BTC, ETH]
    named = {"dataset": "ohlcv", "exchange": "binance-futures", "interval": "1m"}
    assert server.heard[0]["channels"] == [{**named, "timestamp": "true", "symbols": [BTC, ETH]}]
    told = done.stderr.splitlines()
    assert (
        told[0]
        == "warning: The server refused some of the channels, which will not stream. a.b.1s (not_live): Not live."
    )
    assert "does not send the rows since 2026-11-18" in told[1]
    assert server.code() == 1000


def test_ctrl_c_ends_it_well(server: StreamServer, shell: Shell) -> None:
    server.on(rows)
    process = shell.start("watch", "ohlcv", *SERIES)
    assert process.stdout is not None
    assert [json.loads(process.stdout.readline())["symbol"] for _ in range(3)] == [BTC, BTC, ETH]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert server.code() == 1000


def test_errors_are_told_in_plain_words(server: StreamServer, shell: Shell) -> None:
    server.refuse(403, {"error": "The plan has no live data.", "hint": "Take another."})
    done = shell.run("watch", "ohlcv", *SERIES)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: The plan has no live data.\nhint: Take another.\n"
    assert shell.run("watch", "ohlcv", *SERIES, "--count", "0").returncode == 2


def test_the_table_has_the_newest_row_of_each_symbol() -> None:
    table = LiveTable("ohlcv", None, lambda: (200, 20))
    for frame in (row(1), row(2, ETH, complete=False), row(0, revision=1)):
        table.add(aperiodic.StreamMessage(frame["channel"], frame["data"]))
    shown = printed(table)
    assert "3 rows" in shown
    lines = [line for line in shown.splitlines() if "perpetual" in line]
    assert [("11:08:00" in line, BTC in line) for line in lines] == [(True, True), (False, False)]
    assert "incomplete" in lines[1]
    assert "corrected" not in shown
    assert "close" in shown
    assert "revision" not in shown


def test_the_table_fits_and_shows_the_fields_that_were_asked_for() -> None:
    table = LiveTable("ohlcv", ["close", "none"], lambda: (20, 1))
    for frame in (row(1), row(2, ETH)):
        table.add(aperiodic.StreamMessage(frame["channel"], frame["data"]))
    shown = printed(table)
    assert "1 symbols more than fit here" in shown
    assert "open" not in shown
    assert "-" in shown


def test_as_many_fields_are_shown_as_can_be_read() -> None:
    table = LiveTable("ohlcv", None, lambda: (80, 20))
    assert "waiting for a bar to end" in printed(table, 80)
    for frame in (row(1), row(2, ETH, complete=False, open=1234567.25)):
        table.add(aperiodic.StreamMessage(frame["channel"], frame["data"]))
    shown = printed(table, 80)
    assert "…" not in shown
    assert BTC in shown
    assert "2026-11-18 11:08:00" in shown
    assert "1,234,567.2" in shown
    assert "volume_notional" not in shown
    assert "volume_notional" in printed(LiveTable("ohlcv", ["volume_notional"], lambda: (80, 20)), 80)


def test_bars_of_today_have_their_time_alone() -> None:
    table = LiveTable("ohlcv", None, lambda: (80, 20))
    start = now_us() // 60_000_000 * 60_000_000
    table.add(aperiodic.StreamMessage(CHANNEL, {**row(0)["data"], "time": start}))
    shown = printed(table, 80)
    assert f"{time_at(start):%H:%M:00}" in shown
    assert f"{time_at(start):%Y}" not in shown.replace(CHANNEL, "")


def test_a_field_that_is_none_is_refused(shell: Shell) -> None:
    done = shell.run("watch", "ohlcv", *SERIES, "--fields", "clos")
    assert (done.returncode, done.stdout) == (1, "")
    assert "close" in done.stderr


def printed(table: LiveTable, width: int = 200) -> str:
    output = StringIO()
    Console(file=output, width=width).print(table.table())
    return output.getvalue()
