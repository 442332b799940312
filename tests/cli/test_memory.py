from __future__ import annotations

import gc
import platform
import subprocess
import sys
import weakref
from typing import TYPE_CHECKING

import pytest

from aperiodic.cli import memory

if TYPE_CHECKING:
    from collections.abc import Iterator


class Circle:
    """Refers to itself, so that only a search for garbage ends it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time, s, which a test sets."""
    before, now = gc.get_threshold(), [100.0]
    monkeypatch.setattr("aperiodic.cli.memory.time.monotonic", lambda: now[0])
    yield now
    gc.set_threshold(*before)
    gc.unfreeze()


def test_objects_that_live_long_are_looked_through_only_when_there_is_time(times: list[float]) -> None:
    collection = memory.GarbageCollection()
    circle = weakref.ref(Circle())
    gc.collect(1)
    survivor = Circle()
    gc.collect(1)
    old = weakref.ref(survivor)
    del survivor
    for _ in range(100):  # as often as it takes for the young ones to be looked through again and again
        gc.collect(1)
    assert circle() is None
    assert old() is not None
    collection.collect_now_and_then()
    assert old() is not None
    times[0] += 60
    collection.collect_now_and_then()
    assert old() is None


def test_what_was_there_at_the_start_is_left_out(times: list[float]) -> None:
    assert times
    there = Circle()
    memory.GarbageCollection()
    assert gc.get_freeze_count() > 0
    assert not any(each is there for each in gc.get_objects())


GROWS = """
import sys

import numpy as np
import psutil

from aperiodic.cli.memory import give_back_freed_memory

if sys.argv[1] == "given back":
    give_back_freed_memory()
large, kept = np.ones(400_000), []
del large
large = []
for _ in range(40):  # 3 MB that are freed soon, and 8 KB that stay, one after the other
    large.append(np.ones(380_000))
    kept.append(np.ones(1_000))
del large
print(psutil.Process().memory_info().rss // 1_000_000)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not the GNU C library")
def test_freed_memory_is_given_back() -> None:
    taken = {
        name: int(
            subprocess.run([sys.executable, "-c", GROWS, name], check=True, capture_output=True, text=True).stdout
        )
        for name in ("as it is", "given back")
    }
    assert taken["given back"] < taken["as it is"] - 80
