from __future__ import annotations

import json
import time
from datetime import date
from typing import TYPE_CHECKING

from tests.lakes import BTC, VENUE
from tests.server.in_process import put_open_ticks

from aperiodic.cli.lags import lag_words, read_lags
from aperiodic.cli.status import status

if TYPE_CHECKING:
    import pytest

    from aperiodic.lake import Lake


def test_the_delays_of_running_captures_are_told(lake: Lake) -> None:
    folder = lake.home / "capture"
    folder.mkdir()
    lag = {"count": 7, "p50_ms": 131.2, "p99_ms": 260.0, "buckets": {}}
    for name, told in {
        "okx-perps-up": {"time": time.time(), "file_lag": lag},
        "binance-up": {"time": time.time() - 3_600, "file_lag": lag},
        "hyperliquid-perps-up": {"time": time.time()},
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(told))
    (folder / "cut-up.json").write_text('{"ti')
    (folder / "dials-okx-perps.json").write_text("[1.0]")
    lags = read_lags(lake)
    assert lags == {
        "socket_to_file": {"okx-perps-up": {"count": 7, "p50_ms": 131.2, "p99_ms": 260.0}},
        "arrival_to_tick": None,
        "minute_end_to_bar": None,
    }
    assert list(lag_words(lags)) == ["delay from the socket to the file: okx-perps-up: 131 ms (p50), 260 ms (p99)"]
    lags["minute_end_to_bar"] = {"count": 2, "p50_ms": 2_100.0, "p99_ms": 4_000.0}
    assert list(lag_words(lags))[1:] == ["delay from the end of a minute to its bar: 2,100 ms (p50), 4,000 ms (p99)"]


def test_ticks_of_open_days_are_told(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    day = date(2026, 11, 28)
    ticks = put_open_ticks(lake, VENUE, BTC, day, 1_795_900_000_000_000)
    monkeypatch.setenv("APERIODIC_HOME", str(lake.home))
    status()
    told = capsys.readouterr().out
    assert f"open days of binance-futures: {ticks} ticks of 1 streams, all of them up to 2026-11-2" in told
    assert "No ticks yet" not in told
    status(as_json=True)
    (open_day,) = json.loads(capsys.readouterr().out)["open_days"]
    assert (open_day["stream"], open_day["day"], open_day["ticks"]) == ("trades", str(day), ticks)
