"""What an installation promises holds wherever it keeps its objects and its ledger."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.backends import BACKENDS, Backend
from tests.lakes import hashes, published, put_trades
from tests.oracle import random_trades
from tests.servers import Api, environment_of, make_key, serving

from aperiodic.engine.build import build
from aperiodic.lake import Lake, LakeError, ObjectKind
from aperiodic.server import Secrets
from aperiodic.server.links.signing import make_link
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

BUILD = """
from aperiodic.engine.build import build
from aperiodic.lake import Lake
from aperiodic.server.settings import ServerSettings
build(Lake.open(ServerSettings()), progress=lambda step, done, total: print(step, done, flush=True))
"""
DAY = date(2025, 4, 30)
QUERY = {
    "timestamp": "exchange",
    "interval": "1m",
    "exchange": "binance-futures",
    "symbol": "perpetual-BTC-USDT:USDT",
    "start_date": "2025-04-01",
    "end_date": "2025-05-31",
}


@dataclass(frozen=True)
class Installation:
    """An installation with a month of bars, served."""

    settings: ServerSettings
    lake: Lake
    api: Api

    def expired_link(self, path: str) -> str:
        """A link as it is after its time."""
        if self.lake.store.signs:
            link = self.lake.store.sign(path, 1)
            time.sleep(2.1)
            return link
        base = self.api.url.removesuffix("/api/v1")
        return make_link(Secrets.load(self.settings).link_key, base, path, time.time() - 3600)


def fill(lake: Lake) -> None:
    put_trades(lake, random_trades(3, 1_500, DAY))


def month_of(api: Api, key: str, metric: str = "ohlcv") -> dict[str, Any]:
    """What the data endpoint answers of the one month there is."""
    answer = httpx.get(f"{api.url}/data/{metric}", params=QUERY, headers={"X-API-KEY": key})
    assert answer.status_code == 200, answer.text
    file: dict[str, Any]
    (file,) = answer.json()["files"]
    return file


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], pl.DataFrame]:
    """Digests of all objects, and a dataset of them, as an undisturbed run in a folder leaves them."""
    with closing(Lake.open(ServerSettings(home=tmp_path_factory.mktemp("expected")))) as lake:
        fill(lake)
        build(lake)
        return hashes(lake), published(lake, "ohlcv", "exchange", "1m")


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backend:
    return Backend(request.param, request, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def installation(backend: Backend) -> Iterator[Installation]:
    settings = backend.new()
    with closing(Lake.open(settings)) as lake:
        fill(lake)
        build(lake)
        with serving(settings) as api:
            yield Installation(settings, lake, api)


def test_an_object_is_put_read_listed_and_removed(backend: Backend) -> None:
    with closing(Lake.open(backend.new())) as lake:
        store = lake.store
        path = "bars/timestamp=true/symbol=perpetual-币安人生 1-USDT:USDT/data-0123.parquet"
        digest = hashlib.sha256(b"content").hexdigest()
        assert store.put(path, b"content") == store.put(path, b"content")
        assert store.put("other", b"").size == 0
        assert (store.read(path), store.exists(path), store.exists("nothing")) == (b"content", True, False)
        assert (store.paths(), store.paths("bars"), store.paths("nothing")) == ([path, "other"], [path], [])
        assert store.put(path, b"content").sha256 == digest
        store.delete(path)
        store.delete(path)
        assert store.paths() == ["other"]
        with pytest.raises(LakeError) as caught:
            store.read(path)
        assert caught.value.code == "object_missing"


def test_the_same_ticks_give_the_same_bytes(
    installation: Installation, expected: tuple[dict[str, str], pl.DataFrame]
) -> None:
    assert hashes(installation.lake) == expected[0]
    for record in installation.lake.current(ObjectKind.BARS):
        data = installation.lake.store.read(record.path)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (record.size, record.sha256)


def test_the_sdk_gets_the_bars_that_were_built(
    installation: Installation, expected: tuple[dict[str, str], pl.DataFrame]
) -> None:
    assert installation.api.metrics("ohlcv", **QUERY).equals(expected[1])


def test_a_link_answers_whole_and_in_parts(installation: Installation) -> None:
    file = month_of(installation.api, installation.api.key)
    assert (file["year"], file["month"]) == (DAY.year, DAY.month)
    whole = httpx.get(file["url"])
    assert whole.status_code == 200
    assert (len(whole.content), hashlib.sha256(whole.content).hexdigest()) == (file["size"], file["sha256"])
    for wanted, part in (("bytes=4-99", whole.content[4:100]), ("bytes=-8", whole.content[-8:])):
        answer = httpx.get(file["url"], headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (206, part)


def test_a_link_that_was_changed_or_is_old_is_refused(installation: Installation) -> None:
    link, other = (
        httpx.URL(month_of(installation.api, installation.api.key, metric)["url"]) for metric in ("ohlcv", "flow")
    )
    query = link.query.decode()
    record = installation.lake.current(ObjectKind.BARS)[0]
    changed = [
        link.copy_with(path=other.path),
        link.copy_with(path=link.path.replace("ohlcv", "flow")),
        link.copy_with(query=None),
        link.copy_with(query=query[:-1].encode() + (b"0" if query[-1] != "0" else b"1")),
        link.copy_with(query=query.replace("Expires=300", "Expires=3000").replace("expires=1", "expires=2").encode()),
        link.copy_with(query=f"{query}&more=1".encode()),
        link.copy_with(host="localhost"),
        httpx.URL(installation.expired_link(record.path)),
    ]
    for refused in changed:
        assert refused != link
        assert httpx.get(refused).status_code in {400, 403}, refused
    assert httpx.get(link).status_code == 200
    assert httpx.post(link).status_code in {403, 405, 501}
    assert httpx.delete(link).status_code in {403, 405, 501}


def test_hosts_that_share_ledger_and_store_answer_alike(backend: Backend, installation: Installation) -> None:
    shared = installation.settings
    home = shared.home if backend.name != "s3-postgresql" else shared.home.with_name("another-host")
    other = shared.model_copy(update={"home": home})
    with serving(other) as second:
        for key in (make_key(shared, "starter"), make_key(other, "starter")):
            here, there = month_of(installation.api, key), month_of(second, key)
            assert here["sha256"] == there["sha256"] == hashlib.sha256(httpx.get(there["url"]).content).hexdigest()


@pytest.mark.crash
def test_a_build_that_is_killed_leaves_whole_objects_and_the_next_one_finishes(
    backend: Backend, expected: tuple[dict[str, str], pl.DataFrame]
) -> None:
    settings = backend.new()
    with closing(Lake.open(settings)) as lake:
        fill(lake)
        kill_build_after(settings, "tasks of months 0")
        assert hashes(lake).items() <= expected[0].items()
        for kind in (ObjectKind.TICKS, ObjectKind.DAY_BARS, ObjectKind.BARS):
            for record in lake.current(kind):
                assert hashlib.sha256(lake.store.read(record.path)).hexdigest() == record.sha256
        wait_for_the_lock(lake)
        build(lake)
        assert hashes(lake) == expected[0]


def kill_build_after(settings: ServerSettings, line: str) -> None:
    """Build in a process of its own, and kill it while it does what comes after it said so."""
    with subprocess.Popen(
        [sys.executable, "-c", BUILD], env=environment_of(settings), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert f"{line}\n" in iter(process.stdout.readline, ""), "it ended before it could be killed"
        time.sleep(0.2)
        process.kill()


def wait_for_the_lock(lake: Lake) -> None:
    """A server notices only a moment later that a client is gone."""
    deadline = time.monotonic() + 5
    while True:
        try:
            with lake.writing():
                return
        except LakeError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
