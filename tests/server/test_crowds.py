"""A running server that a crowd of connections does nothing good to goes on answering everybody else."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import time
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from pydantic import SecretStr
from tests.server.conftest import DATA, Installation, RunningServer, query, start_server
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from aperiodic.lake import LakeError
from aperiodic.server import serve
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

IDLE, KEPT_OPEN, DRIPPING = 1000, 1000, 200
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "
SIGNUP = b"POST /api/v1/signup HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n"


@pytest.fixture
def many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 4096:
        pytest.skip("the system lets a process open too few files")
    if 0 <= soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))


@asynccontextmanager
async def crowd(url: str) -> AsyncIterator[None]:
    """Hold connections that are idle, are kept open after an answer, or send a byte at a time."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    opened = [await asyncio.open_connection(host, port) for _ in range(IDLE + KEPT_OPEN + DRIPPING)]
    kept, dripping = opened[IDLE:][:KEPT_OPEN], opened[-DRIPPING:]
    for _, writer in kept:
        writer.write(HEALTH)
    for reader, _ in kept:
        assert (await asyncio.wait_for(reader.readuntil(b"}"), 20)).startswith(b"HTTP/1.1 200")
    for number, (_, writer) in enumerate(dripping):
        writer.write(HEAD if number % 2 else SIGNUP)

    async def drip() -> None:
        while True:
            for _, writer in dripping:
                writer.write(b"x")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(drip())
    try:
        yield
    finally:
        task.cancel()
        for _, writer in opened:
            writer.transport.abort()
        for _, writer in opened:
            with suppress(OSError):
                await writer.wait_closed()


@pytest.mark.usefixtures("many_files")
async def test_thousands_of_idle_kept_and_dripping_connections_keep_nobody_out(
    server: RunningServer, installation: Installation
) -> None:
    async with crowd(server.url), httpx.AsyncClient(base_url=server.url, timeout=10) as client:
        for _ in range(20):
            answers = [
                await client.get("/healthz", headers={"Connection": "close"}),
                await client.get(DATA, params=query(), headers={"X-API-KEY": installation.keys["pro"]}),
            ]
            assert [answer.status_code for answer in answers] == [200, 200]


def test_workers_share_the_work_are_replaced_when_they_die_and_stop_together(installation: Installation) -> None:
    running = start_server(installation.settings.home, workers=2)
    try:
        parent = psutil.Process(running.process.pid)
        before = {child.pid for child in workers_of(parent)}
        assert len(before) == 2
        os.kill(min(before), signal.SIGKILL)
        deadline = time.monotonic() + 30
        while len(now := {child.pid for child in workers_of(parent)} - {min(before)}) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert max(before) in now
        assert all(httpx.get(f"{running.url}/healthz").status_code == 200 for _ in range(10))
    finally:
        running.process.send_signal(signal.SIGTERM)
        _, errors = running.process.communicate(timeout=40)
    assert (running.process.returncode, errors) == (0, "")
    assert not any(psutil.pid_exists(pid) for pid in now)


def test_workers_count_live_connections_together(installation: Installation) -> None:
    running = start_server(installation.settings.home, workers=2)
    url = running.url.replace("http", "ws", 1) + "/v1/stream"
    let_in: list[object] = []

    def come_in(connections: ExitStack) -> None:
        while len(let_in) < 1_000:
            let_in.append(connections.enter_context(connect(url, additional_headers={"X-API-KEY": key})))

    key = installation.keys["pro"]
    try:
        with ExitStack() as connections, pytest.raises(InvalidStatus) as refused:
            come_in(connections)
        assert refused.value.response.status_code == 429
        words = json.loads(refused.value.response.body or b"")["error"]
        assert re.findall("[0-9]+", words) == [str(len(let_in))], words
    finally:
        running.process.send_signal(signal.SIGTERM)
        running.process.communicate(timeout=40)


def test_workers_end_when_their_parent_is_killed(installation: Installation) -> None:
    running = start_server(installation.settings.home, workers=2)
    workers = workers_of(psutil.Process(running.process.pid))
    running.process.kill()
    running.process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive


def workers_of(parent: psutil.Process) -> list[psutil.Process]:
    """The children that serve; multiprocessing keeps one of its own beside them."""
    found = []
    for child in parent.children():
        with suppress(psutil.Error):  # it may have ended just now
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_what_is_wrong_with_an_installation_is_said_by_the_parent(tmp_path: Path) -> None:
    with pytest.raises(LakeError) as caught:
        serve(ServerSettings(home=tmp_path, secret=SecretStr("short")), "127.0.0.1", 0, workers=2)
    assert caught.value.code == "weak_secret"
