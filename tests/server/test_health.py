from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from litestar.testing import TestClient
from tests.lakes import BTC, VENUE

from aperiodic.engine.days_told import tell
from aperiodic.lake import Lake, LakeError
from aperiodic.lake.store import Store
from aperiodic.server import create_app
from aperiodic.server.middleware.access_log import AccessLog
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from litestar import Litestar


@pytest.fixture
def local(tmp_path: Path) -> Iterator[tuple[Lake, TestClient[Litestar], AccessLog]]:
    settings, access_log = ServerSettings(home=tmp_path), AccessLog()
    with (
        closing(Lake.open(settings)) as lake,
        TestClient(create_app(lake, settings, access_log), raise_server_exceptions=False) as client,
    ):
        yield lake, client, access_log


def details(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    body = answer.json()
    assert set(body) == {"error", "details", "code", "hint", "request_id"}
    return [detail.split(".")[0] for detail in body["details"]]


def test_ready_when_all_parts_answer(local: tuple[Lake, TestClient[Litestar], AccessLog]) -> None:
    _, client, _ = local
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_every_part_that_is_down_is_named(
    local: tuple[Lake, TestClient[Litestar], AccessLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, client, _ = local

    def fail(*_: object) -> bool:
        raise LakeError("s3://bucket did not answer", code="store_unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "exists", fail)
        answer = client.get("/readyz")
        assert (answer.json()["code"], details(answer)) == ("store_unavailable", ["The store does not answer"])
        with lake.engine.begin() as connection:
            connection.exec_driver_sql("alter table objects rename to elsewhere")
        assert details(client.get("/readyz")) == ["The ledger does not answer", "The store does not answer"]
    answer = client.get("/readyz")
    assert (answer.json()["code"], details(answer)) == ("ledger_unavailable", ["The ledger does not answer"])
    with lake.engine.begin() as connection:
        connection.exec_driver_sql("alter table elsewhere rename to objects")
    assert client.get("/readyz").status_code == 200


def test_a_store_whose_mount_drops_is_down_until_it_is_back(
    local: tuple[Lake, TestClient[Litestar], AccessLog], tmp_path: Path
) -> None:
    _, client, _ = local
    folder = tmp_path / "store"
    assert client.get("/readyz").status_code == 200
    folder.rename(tmp_path / "mounted")
    folder.mkdir()
    answer = client.get("/readyz")
    assert (answer.json()["code"], details(answer)) == ("store_unavailable", ["The store does not answer"])
    folder.rmdir()
    (tmp_path / "mounted").rename(folder)
    assert client.get("/readyz").status_code == 200


def test_instruments_without_bars_are_told_and_do_not_make_it_unready(
    local: tuple[Lake, TestClient[Litestar], AccessLog],
) -> None:
    lake, client, _ = local
    error = LakeError("The object ticks/secret is gone.", code="object_missing", hint="Run: aperiodic …")
    tell(lake.home, "live", (), {(VENUE, BTC): error})
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    (trouble,) = answer.json()["troubles"]
    assert trouble == "live: 1 instruments have no bars of open days, for their ticks cannot be read."
    page = client.get("/status").text
    assert f"{VENUE}: {BTC}" in page
    assert "ticks/secret" not in page
    tell(lake.home, "live", (), {})
    assert client.get("/readyz").json() == {"status": "ok"}
    assert str(BTC) not in client.get("/status?after=").text, "an answer is kept for some seconds"


def test_a_store_that_hangs_is_down_in_bounded_time_and_holds_up_nobody(
    local: tuple[Lake, TestClient[Litestar], AccessLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client, _ = local
    go_on, asked = threading.Event(), []

    def hang(*_: object) -> bool:
        asked.append(1)
        return go_on.wait(30)

    monkeypatch.setattr("aperiodic.server.api.health._PATIENCE_S", 0.2)
    monkeypatch.setattr(Store, "exists", hang)
    start = time.monotonic()
    for _ in range(5):
        assert details(client.get("/readyz")) == ["The store does not answer"]
    assert time.monotonic() - start < 5
    assert len(asked) == 1, "a question that hangs is not asked again"
    assert client.get("/api/v1/metadata/catalog").status_code == 200
    go_on.set()
    deadline = time.monotonic() + 5
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline


def test_not_ready_but_alive_while_stopping(local: tuple[Lake, TestClient[Litestar], AccessLog]) -> None:
    _, client, access_log = local
    access_log.stopping = True
    answer = client.get("/readyz")
    assert (answer.json()["code"], details(answer)) == ("shutting_down", ["The server is shutting down"])
    assert client.get("/healthz").status_code == 200
