from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from aperiodic.capture.dialling import BackOff, DialBudget
from aperiodic.market import Exchange
from aperiodic.venues import feed_of

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = feed_of(Exchange.HYPERLIQUID_PERPS).limits


def test_waits_double_up_to_their_bound() -> None:
    back_off = BackOff(32.0, draw=lambda: 1.0)
    assert [back_off.failed() for _ in range(7)] == [1, 2, 4, 8, 16, 32, 32]
    assert back_off.failed(lived_s=59.0) == 32
    assert back_off.failed(lived_s=61.0) == 1


def test_waits_are_drawn_at_random() -> None:
    assert BackOff(32.0, draw=lambda: 0.25).failed() == 0.25
    assert 0 <= BackOff(32.0).failed() <= 1


def test_the_budget_outlives_a_restart(tmp_path: Path) -> None:
    now = 1_000.0

    def budget() -> DialBudget:
        return DialBudget(tmp_path, Exchange.HYPERLIQUID_PERPS, LIMITS, now=lambda: now)

    assert [budget().take() for _ in range(24)] == [0.0] * 24
    assert budget().take() == pytest.approx(60.0)
    now += 59.0
    assert budget().take() == pytest.approx(1.0)
    now += 1.5
    assert budget().take() == 0.0


def test_a_budget_that_cannot_be_written_is_remembered_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_dials: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("aperiodic.capture.dialling.json.dumps", refuse)
    times = iter(1_000.0 + number / 100 for number in range(25))
    budget = DialBudget(tmp_path, Exchange.HYPERLIQUID_PERPS, LIMITS, now=lambda: next(times))
    assert [budget.take() for _ in range(24)] == [0.0] * 24
    assert budget.take() > 59


@pytest.mark.parametrize("text", ["", "<html>", '{"a":1}', '["x", null]', "[9e99, 1]"])
def test_a_damaged_budget_is_begun_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "capture" / "dials-hyperliquid-perps.json"
    path.parent.mkdir()
    path.write_text(text)
    budget = DialBudget(tmp_path, Exchange.HYPERLIQUID_PERPS, LIMITS, now=lambda: 1_000.0)
    assert budget.take() == 0.0
