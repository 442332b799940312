from __future__ import annotations

import signal
import socket
import time
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from tests.server.conftest import BTC, RunningServer, start_server

from aperiodic.lake import Lake, LakeError, NewObject, ObjectKey
from aperiodic.market import Clock, Exchange, Interval, Source
from aperiodic.server import Secrets, serve
from aperiodic.server.links.signing import make_link
from aperiodic.server.run import listen
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_BIG = 64 << 20


@pytest.fixture
def big_file(tmp_path: Path) -> Iterator[tuple[RunningServer, str]]:
    """A server, and a link to an object larger than any socket's buffer."""
    settings = ServerSettings(home=tmp_path)
    with closing(Lake.open(settings)) as lake:
        key = ObjectKey.bars("ohlcv", Clock.EXCHANGE, Interval.M5, Exchange.BINANCE, BTC, date(2025, 1, 1))
        batch = lake.batch()
        digest = batch.put(
            NewObject(key=key, rows=1, source=Source.RECORDING, fingerprint="f", reason="test"), bytes(_BIG)
        )
        batch.commit()
    running = start_server(tmp_path)
    yield running, make_link(Secrets.load(settings).link_key, running.url, key.path(digest), time.time())
    running.process.kill()
    running.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_at_a_signal_and_prints_nothing_of_its_own(tmp_path: Path, number: signal.Signals) -> None:
    running = start_server(tmp_path)
    assert httpx.get(f"{running.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{running.url}/nothing?key=ap_live_secret").status_code == 404
    with httpx.Client() as idle:
        idle.get(f"{running.url}/readyz")
        running.process.send_signal(number)
        output, errors = running.process.communicate(timeout=15)
    assert (running.process.returncode, output, errors) == (0, "", "")


def test_a_port_in_use_is_an_error_before_anything_is_served(server: RunningServer, tmp_path: Path) -> None:
    port = urlsplit(server.url).port
    assert port is not None
    with pytest.raises(LakeError) as caught:
        serve(ServerSettings(home=tmp_path), "127.0.0.1", port)
    assert caught.value.code == "address_unavailable"


def test_answers_are_sent_at_once() -> None:
    with closing(listen("127.0.0.1", 0)) as listening:
        assert listening.proto == socket.IPPROTO_TCP  # by which asyncio knows where to set TCP_NODELAY


def test_a_host_that_is_not_here_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LakeError) as caught:
        serve(ServerSettings(home=tmp_path), "203.0.113.1", 0)
    assert caught.value.code == "address_unavailable"


def test_a_slow_reader_does_not_fill_the_memory_nor_stop_others_nor_leave_a_trace(
    big_file: tuple[RunningServer, str],
) -> None:
    running, link = big_file
    httpx.get(f"{running.url}/healthz")
    before = _resident(running)
    address = urlsplit(link)
    with closing(socket.create_connection((address.hostname, address.port))) as slow:
        slow.sendall(f"GET {address.path}?{address.query} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        slow.recv(1024)
        time.sleep(0.5)
        assert _resident(running) - before < _BIG // 2
        assert httpx.get(f"{running.url}/healthz").status_code == 200
    assert len(httpx.get(link).content) == _BIG
    running.process.terminate()
    _, errors = running.process.communicate(timeout=15)
    assert not errors, "a client that went away is no defect"


def test_it_stops_though_a_client_does_not_read(big_file: tuple[RunningServer, str]) -> None:
    running, link = big_file
    address = urlsplit(link)
    with closing(socket.create_connection((address.hostname, address.port))) as slow:
        slow.sendall(f"GET {address.path}?{address.query} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
        slow.recv(1024)
        running.process.terminate()
        _, errors = running.process.communicate(timeout=15)
    assert (running.process.returncode, errors) == (0, "")


def _resident(running: RunningServer) -> int:
    pages = Path(f"/proc/{running.process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * 4096
