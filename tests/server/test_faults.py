"""What becomes of a running server when a part of it fails, and when that part is back."""

from __future__ import annotations

import hashlib
import resource
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy.exc import SQLAlchemyError
from tests.backends import Backend
from tests.lakes import hashes, put_trades
from tests.oracle import random_trades
from tests.server.conftest import publish, query
from tests.servers import environment_of, make_key

from aperiodic.engine.build import build
from aperiodic.lake import Lake, LakeError, ObjectKind
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import PostgresServer
    from tests.s3 import S3Server

SERVE = """
from aperiodic.server.settings import ServerSettings
from aperiodic.server import serve
serve(ServerSettings(), "127.0.0.1", 0, lambda url: print(url, flush=True))
"""
HOLD_EVERYTHING = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX, 8, 120)
print("held", flush=True)
sys.stdin.read()
"""
"""Holds all the locks of SQLite's shared memory, as a recovery of the write-ahead log does."""

API = "/api/v1"
SOON_S = 6.0
LATEST_S = 15.0


@dataclass(frozen=True)
class Running:
    """A server over one published month."""

    client: httpx.Client
    process: subprocess.Popen[str]
    lake: Lake
    month: bytes

    def get(self, path: str, within_s: float, **parameters: Any) -> httpx.Response:
        began = time.monotonic()
        answer = self.client.get(path, **parameters)
        assert time.monotonic() - began < within_s, path
        return answer

    def data(self, within_s: float = LATEST_S) -> httpx.Response:
        return self.get(f"{API}/data/ohlcv", within_s, params=query())

    def downloaded(self) -> bytes:
        """What the link that the server gives now leads to."""
        answer = self.data()
        assert answer.status_code == 200, answer.text
        return httpx.get(answer.json()["files"][0]["url"]).content

    def require_down(self, *paths: str) -> None:
        """Readiness and these paths are refused with the reason in the usual shape, in time; the process is well."""
        for path in ("/readyz", *paths):
            parameters = query() if path.endswith("ohlcv") else {"exchange": "binance-futures"}
            require_unavailable(self.get(path, LATEST_S, params=parameters if path != "/readyz" else None))
        assert self.get("/healthz", 2.5).status_code == 200

    def require_well(self) -> None:
        """Everything is answered again, by the same process, and nothing was lost."""
        deadline = time.monotonic() + SOON_S
        while self.client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline, "it did not recover"
            time.sleep(0.05)
        assert self.process.poll() is None
        assert self.downloaded() == self.month
        require_whole(self.lake)


def require_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    body = answer.json()
    assert body.keys() == {"error", "details", "code", "hint", "request_id"}
    assert body["request_id"] == answer.headers["X-Request-ID"]
    for told in ("Traceback", "sqlalchemy", "obstore", "127.0.0.1", "SELECT"):
        assert told not in answer.text


def require_whole(lake: Lake) -> None:
    for kind in ObjectKind:
        for record in lake.current(kind):
            assert hashlib.sha256(lake.store.read(record.path)).hexdigest() == record.sha256


@contextmanager
def running(settings: ServerSettings) -> Iterator[Running]:
    with closing(Lake.open(settings)) as lake:
        month = publish(lake, date(2025, 4, 1))
        key = make_key(settings)
        command = [sys.executable, "-c", SERVE]
        with subprocess.Popen(command, env=environment_of(settings), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            with httpx.Client(base_url=url, headers={"X-API-KEY": key}, timeout=40) as client:
                try:
                    yield Running(client, process, lake, month)
                finally:
                    process.terminate()


@pytest.fixture(scope="module")
def on_servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server on a bucket and PostgreSQL."""
    backend = Backend("s3-postgresql", request, tmp_path_factory.mktemp("home"))
    with running(backend.new()) as made:
        yield made


@pytest.fixture(scope="module")
def on_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server on a folder and SQLite."""
    with running(ServerSettings(home=tmp_path_factory.mktemp("home") / "home")) as made:
        yield made


@pytest.mark.parametrize("trouble", ["error", "hang", "down"])
def test_a_bucket_in_trouble(on_servers: Running, s3: S3Server, trouble: str) -> None:
    on_servers.require_well()
    if trouble == "down":
        s3.stop()
    else:
        s3.trouble = trouble
    try:
        on_servers.require_down()
        assert on_servers.data(within_s=2.5).status_code == 200, "links are made without asking the bucket"
    finally:
        if trouble == "down":
            s3.start()
        s3.recover()
    on_servers.require_well()


def test_a_database_server_that_is_restarted(on_servers: Running, postgres: PostgresServer) -> None:
    on_servers.require_well()
    postgres.stop()
    try:
        on_servers.require_down(f"{API}/data/ohlcv", f"{API}/metadata/symbols")
        require_unavailable(on_servers.client.post(f"{API}/signup", json={}))
    finally:
        postgres.start()
    on_servers.require_well()
    assert on_servers.client.post(f"{API}/signup", json={}).status_code == 201


def test_a_ledger_that_is_away(on_files: Running) -> None:
    on_files.require_well()
    file = on_files.lake.home / "ledger.sqlite"
    away = on_files.lake.home / "away"
    away.mkdir()
    parts = [part for part in file.parent.glob("ledger.sqlite*") if part.is_file()]
    for part in parts:
        part.rename(away / part.name)
    on_files.require_down(f"{API}/data/ohlcv", f"{API}/metadata/symbols")
    for part in parts:
        (away / part.name).rename(part)
    away.rmdir()
    on_files.require_well()


def test_a_ledger_that_somebody_holds(on_files: Running) -> None:
    on_files.require_well()
    memory = on_files.lake.home / "ledger.sqlite-shm"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_EVERYTHING, str(memory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        on_files.require_down(f"{API}/data/ohlcv")
        holder.kill()
    on_files.require_well()


def test_a_store_that_is_away(on_files: Running) -> None:
    on_files.require_well()
    link = on_files.data().json()["files"][0]["url"]
    folder = on_files.lake.home / "store"
    folder.rename(folder.with_name("store-away"))
    on_files.require_down()
    away = httpx.get(link)
    require_unavailable(away)
    assert away.json()["code"] == "store_unavailable"
    require_unavailable(on_files.client.get(link, headers={"Range": "bytes=0-3"}))
    folder.with_name("store-away").rename(folder)
    on_files.require_well()
    assert httpx.get(link).content == on_files.month


def test_a_disk_that_is_full_while_serving(on_files: Running) -> None:
    on_files.require_well()
    before = resource.prlimit(on_files.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        assert on_files.downloaded() == on_files.month, "what is there can be read"
        require_unavailable(on_files.client.post(f"{API}/signup", json={}))
        assert on_files.get("/healthz", 2.5).status_code == 200
    finally:
        resource.prlimit(on_files.process.pid, resource.RLIMIT_FSIZE, before)
    on_files.require_well()
    assert on_files.client.post(f"{API}/signup", json={}).status_code == 201


def test_a_disk_that_is_full_while_building(tmp_path: Path) -> None:
    settings = ServerSettings(home=tmp_path / "home")
    with closing(Lake.open(settings)) as lake:
        put_trades(lake, random_trades(5, 500, date(2025, 4, 30)))
        before = hashes(lake)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (24 * 1024, limits[1]))
        try:
            with pytest.raises((LakeError, SQLAlchemyError)):
                build(lake)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        require_whole(lake)
        assert before.items() <= hashes(lake).items()
        build(lake)
        require_whole(lake)
        assert lake.current(ObjectKind.BARS)
