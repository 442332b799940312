"""Rows reach every reader once, whichever of the two begins or ends first."""

from __future__ import annotations

import stat
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from aperiodic.engine.live import LiveHub, LiveRow, follow_hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from aperiodic.engine.live import Seconds

SECONDS: Final[Seconds] = frozenset({("ohlcv", "1s"), ("flow", "30s")})


def row(number: int, *, told_at: int = 0, revision: int = 0, data: bytes = b"{}") -> LiveRow:
    series = ("ohlcv", "binance-futures", "1m", "exchange", "perpetual-BTC-USDT:USDT")
    return LiveRow(*series, number, number + 1, told_at or number, revision, complete=True, data=data)


class Reader:
    """A reader in a thread of its own."""

    def __init__(self, home: Path, *, seconds: Seconds = frozenset()) -> None:
        self.times: list[int] = []
        self.missed: list[bool] = []
        self._over = threading.Event()
        wants = (lambda: seconds,)
        arguments = (home, self._receive, self._over.is_set, self._over.wait, *wants)
        self._thread = threading.Thread(target=follow_hub, args=arguments)
        self._thread.start()

    def _receive(self, rows: list[LiveRow], missed: bool) -> None:
        self.times += [each.time for each in rows]
        self.missed.append(missed)

    def end(self) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def reading(home: Path, *, seconds: Seconds = frozenset()) -> Iterator[Reader]:
    reader = Reader(home, seconds=seconds)
    try:
        yield reader
    finally:
        reader.end()


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not look():
        if time.monotonic() > deadline:
            pytest.fail("it did not come")
        time.sleep(0.01)


def has_readers(hub: LiveHub) -> bool:
    return hub.readers > 0


def ends_with(reader: Reader, time: int) -> bool:
    return reader.times[-1:] == [time]


def test_rows_come_to_readers_that_were_there_before_and_came_later(tmp_path: Path) -> None:
    with reading(tmp_path) as early, LiveHub(tmp_path) as hub:
        until(lambda: hub.readers == 1)
        hub.tell([row(1), row(2)])
        with reading(tmp_path) as later:
            until(lambda: hub.readers == 2)
            hub.tell([row(3)])
            until(lambda: early.times == later.times == [1, 2, 3])
        assert early.missed == [True, False]


def test_a_maker_that_begins_again_is_found_and_known_as_another(tmp_path: Path) -> None:
    with reading(tmp_path) as reader:
        for number in (1, 2):
            with LiveHub(tmp_path) as hub:
                until(partial(has_readers, hub))
                hub.tell([row(number)])
                until(partial(ends_with, reader, number))
        assert reader.missed == [True, True]


def test_what_is_old_is_not_kept(tmp_path: Path) -> None:
    with LiveHub(tmp_path) as hub:
        hub.tell([row(1, told_at=1)])
        hub.tell([row(2, told_at=400_000_000)])
        with reading(tmp_path) as reader:
            until(lambda: reader.times == [2])


def test_bars_below_a_minute_are_made_while_somebody_wants_them(tmp_path: Path) -> None:
    with LiveHub(tmp_path) as hub:
        assert not hub.seconds
        with reading(tmp_path, seconds=SECONDS):
            until(lambda: hub.seconds == SECONDS)
            with reading(tmp_path, seconds=frozenset({("ohlcv", "15s")})):
                until(lambda: hub.seconds == SECONDS | {("ohlcv", "15s")})
            until(lambda: hub.seconds == SECONDS)
        until(lambda: not hub.seconds)


def test_readers_know_when_they_have_what_was_kept(tmp_path: Path) -> None:
    calls: list[object] = []
    over = threading.Event()
    with LiveHub(tmp_path) as hub:
        hub.tell([row(1)])
        hub.tell([row(2)])
        thread = threading.Thread(
            target=follow_hub,
            args=(tmp_path, lambda _rows, missed: calls.append(missed), over.is_set, over.wait),
            kwargs={"up_to_date": lambda: calls.append("up to date")},
        )
        thread.start()
        until(lambda: len(calls) == 3)
        over.set()
        thread.join()
    assert calls == [True, False, "up to date"]


def test_only_the_owner_can_connect(tmp_path: Path) -> None:
    with LiveHub(tmp_path) as hub:
        path = tmp_path / "live.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.write_text(path.read_text().replace('"secret":"', '"secret":"0'))
        with reading(tmp_path) as reader:
            hub.tell([row(1)])
            time.sleep(0.3)
            assert reader.times == []
    assert not path.exists()
