"""A commit takes only a part of the time where ticks are handed over meanwhile, and none of it is lost where it must hurry."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from aperiodic.engine.normalising.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each pause was."""
    found: list[float] = []
    monkeypatch.setattr("threading.Event.wait", lambda _self, timeout: found.append(timeout))
    return found


def ticking(step: float) -> Callable[[], float]:
    """A clock that goes on by so much each time it is asked."""
    times = count()
    return lambda: next(times) * step


def pace_at(phase_us: int, is_wanted: Callable[[], bool] = lambda: True, step: float = 0.01) -> Pace:
    """A pace for which it is so long after the begin of a second, for ever."""
    return Pace(is_wanted, ticking(step), lambda: 1_795_000_000_000_000 + phase_us)


def test_a_pause_is_half_as_long_again_as_the_work_before_it(paused: list[float]) -> None:
    assert list(pace_at(500_000).over("abc")) == ["a", "b", "c"]
    assert paused == pytest.approx([0.015] * 3)


def test_a_pause_is_short_whatever_the_work_took(paused: list[float]) -> None:
    list(pace_at(500_000, step=5.0).over("ab"))
    assert paused == [0.2, 0.2]


def test_there_are_no_pauses_where_something_waits_or_the_end_has_come(paused: list[float]) -> None:
    wanted = [True, True]  # asked for the pause, and whether it is time to rest
    pace = pace_at(500_000, lambda: bool(wanted and wanted.pop()))
    work = pace.over("abcd")
    next(work), next(work), next(work)
    assert len(paused) == 1
    pace.hurry()
    assert list(work) == ["d"]
    assert len(paused) == 1


@pytest.mark.parametrize(
    ("phase_us", "rests"), [(880_000, True), (0, True), (249_999, True), (250_000, False), (879_999, False)]
)
def test_nothing_long_is_begun_where_a_second_ends(phase_us: int, *, rests: bool) -> None:
    assert pace_at(phase_us).rests is rests
    assert not pace_at(phase_us, lambda: False).rests


def test_work_waits_until_the_second_has_ended_and_its_ticks_were_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    time = 1_795_000_000_900_000

    def wait(_self: object, timeout: float) -> None:
        nonlocal time
        time += round(timeout * 1_000_000)

    monkeypatch.setattr("threading.Event.wait", wait)
    Pace(lambda: True, ticking(0.001), lambda: time).rest()
    assert 1_795_000_001_250_000 <= time < 1_795_000_001_300_000


def test_a_rest_ends_though_the_clock_stands_still(paused: list[float]) -> None:
    pace_at(900_000, step=0.3).rest()
    assert len(paused) < 5
