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


def test_a_pause_is_three_times_as_long_as_the_work_before_it(paused: list[float]) -> None:
    pace = Pace(lambda: True, ticking(0.01))
    assert list(pace.over("abc")) == ["a", "b", "c"]
    assert paused == pytest.approx([0.03] * 3)


def test_a_pause_is_short_whatever_the_work_took(paused: list[float]) -> None:
    list(Pace(lambda: True, ticking(5.0)).over("ab"))
    assert paused == [0.2, 0.2]


def test_there_are_no_pauses_where_something_waits_or_the_end_has_come(paused: list[float]) -> None:
    wanted = iter([True, False, True, True])
    pace = Pace(lambda: next(wanted), ticking(0.01))
    work = pace.over("abcd")
    next(work), next(work), next(work)
    assert len(paused) == 1
    pace.hurry()
    assert list(work) == ["d"]
    assert len(paused) == 1
