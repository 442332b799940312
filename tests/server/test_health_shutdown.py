from __future__ import annotations

import signal
import threading
import time
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.server.conftest import BTC, RunningServer, start_server

from aperiodic.lake import Lake, NewObject, ObjectKey
from aperiodic.market import Clock, Exchange, Interval, Source
from aperiodic.server import Secrets
from aperiodic.server.links.signing import make_link
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SIZE = 24 << 20


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[RunningServer, str]]:
    """A server, and a link to an object larger than any socket's buffer."""
    settings = ServerSettings(home=tmp_path)
    with closing(Lake.open(settings)) as lake:
        key = ObjectKey.bars("ohlcv", Clock.EXCHANGE, Interval.M5, Exchange.BINANCE, BTC, date(2025, 1, 1))
        batch = lake.batch()
        new = NewObject(key=key, rows=1, source=Source.RECORDING, fingerprint="f", reason="test")
        digest = batch.put(new, bytes(_SIZE))
        batch.commit()
    running = start_server(tmp_path)
    yield running, make_link(Secrets.load(settings).link_key, running.url, key.path(digest), time.time())
    running.process.kill()
    running.process.communicate()


def test_a_download_under_way_is_finished_while_the_server_is_not_ready_any_more(
    slow: tuple[RunningServer, str],
) -> None:
    running, link = slow
    received = 0
    with httpx.stream("GET", link, timeout=10) as download:
        pieces = download.iter_raw(1 << 20)
        received += len(next(pieces))
        running.process.terminate()
        deadline = time.monotonic() + 5
        while (answer := httpx.get(f"{running.url}/readyz")).status_code == 200:
            assert time.monotonic() < deadline
        assert (answer.status_code, answer.json()["code"]) == (503, "shutting_down")
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        for piece in pieces:
            received += len(piece)
            time.sleep(0.02)
    assert received == _SIZE
    _, errors = running.process.communicate(timeout=15)
    assert (running.process.returncode, errors) == (0, "")


def test_a_second_signal_stops_at_once(slow: tuple[RunningServer, str]) -> None:
    running, link = slow
    going = threading.Event()
    with httpx.stream("GET", link, timeout=10) as download:
        pieces = download.iter_raw(1 << 16)

        def read_slowly() -> None:
            while not going.wait(0.1):
                next(pieces, None)

        reader = threading.Thread(target=read_slowly)
        reader.start()
        try:
            running.process.terminate()
            while httpx.get(f"{running.url}/readyz").status_code == 200:
                time.sleep(0.01)
            start = time.monotonic()
            running.process.send_signal(signal.SIGTERM)
            running.process.communicate(timeout=15)
        finally:
            going.set()
            reader.join()
    assert running.process.returncode == 0
    assert time.monotonic() - start < 8
