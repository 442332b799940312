from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from aperiodic.cli import demo_live
from aperiodic.cli.demo_live import LiveMarket
from aperiodic.cli.supervisor import Part
from aperiodic.market import AperiodicDataError

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SLEEPS = (sys.executable, "-c", "import time; time.sleep(600)")


def test_a_mock_exchange_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = Part("mock exchange", [], program=(sys.executable, "-c", "raise SystemExit(3)"))
    monkeypatch.setattr(demo_live, "mock_part", lambda _home, _chosen: ends)
    with LiveMarket(tmp_path) as live:
        live._threads[0].join()
        assert isinstance(live.error, AperiodicDataError)
        assert live.error.code == "mock_failed"


def test_everything_ends_with_the_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [Part(name, [], program=SLEEPS) for name in ("mock exchange", "capture")]
    monkeypatch.setattr(demo_live, "mock_part", lambda _home, _chosen: parts[0])
    monkeypatch.setattr(demo_live, "mock_settings", lambda _home, _mock, _over: {"A": "1"})
    monkeypatch.setattr(demo_live, "capture_part", lambda _home, _exchange, _symbols, _environment: parts[1])
    with LiveMarket(tmp_path) as live:
        while len(live._parts) < 3:
            time.sleep(0.01)
        assert all(part.is_running for part in parts)
    assert not any(part.is_running for part in live._parts)
    assert live.error is None
