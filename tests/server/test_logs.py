from __future__ import annotations

import json
import logging
import re
import time
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.server.conftest import DATA, publish, query, start_server

from aperiodic.lake import Lake, LakeError, ObjectKind
from aperiodic.lake.objects import current_objects
from aperiodic.lake.store import Store
from aperiodic.server import Secrets, create_app
from aperiodic.server.links.signing import make_link
from aperiodic.server.middleware.logs import JsonFormatter, TextFormatter, without_secrets
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.conftest import Installation, RunningServer


def log_of(installation: Installation, monkeypatch: pytest.MonkeyPatch, log_format: str) -> tuple[list[str], list[str]]:
    """Send many requests to a server; return its log's lines and every secret that was sent or received."""
    monkeypatch.setenv("APERIODIC_LOG_FORMAT", log_format)
    running = start_server(installation.settings.home)
    key = installation.keys["pro"]
    secrets = [key, key.rsplit("_", 1)[1], installation.secrets.link_key.hex(), installation.secrets.pepper.hex()]
    with httpx.Client(base_url=running.url, headers={"X-API-KEY": key}) as client:
        links = [entry["url"] for entry in client.get(DATA, params=query()).json()["files"]]
        for link in links:
            assert client.get(link).status_code == 200
            assert client.get(link[:-1] + ("0" if link[-1] != "0" else "1")).status_code == 403
            secrets.append(link.rsplit("=", 1)[1])
        client.get(f"/nothing/{key}")
        client.get("/nothing%0A{}%22", headers={"X-Request-ID": "from-a.client_1"})
        client.get(f"/api/v1/metadata/symbols?api_key={key}")
        client.get(DATA, params=query(), headers={"Authorization": f"Bearer {key}", "Cookie": f"key={key}"})
        made = client.post("/api/v1/signup", json={"label": "log"}).json()["key"]
        secrets += [made, made.rsplit("_", 1)[1]]
        client.post("/api/v1/account/rotate", headers={"X-API-KEY": made})
    running.process.terminate()
    _, errors = running.process.communicate(timeout=20)
    return errors.splitlines(), secrets


def test_a_json_line_for_every_request_and_no_secret_in_any(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, secrets = log_of(installation, monkeypatch, "json")
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert len(entries) == 11
    data = entries[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", data.pop("time"))
    assert re.fullmatch(r"[0-9a-f]{16}", data.pop("request_id"))
    assert data.pop("duration_ms") > 0
    assert data.pop("bytes") > 500
    assert data == {
        "level": "info",
        "method": "GET",
        "route": "/api/v1/data/{metric}",
        "path": "/api/v1/data/ohlcv",
        "status": 200,
        "code": None,
        "client": "127.0.0.0/24",
        "caller": installation.keys["pro"].split("_")[2],
    }
    assert [entry["code"] for entry in entries[1:5]] == [None, "link_invalid"] * 2
    odd = next(entry for entry in entries if entry.get("request_id") == "from-a.client_1")
    assert odd["path"] == '/nothing\n{}"'
    assert odd["code"] == "unknown_path"
    assert secrets
    text = "\n".join(lines)
    assert [secret for secret in secrets if secret in text] == []
    assert "?" not in text


def test_text_is_one_line_a_request_too(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, secrets = log_of(installation, monkeypatch, "text")
    assert len(lines) == 11
    assert re.fullmatch(
        r"\S+Z info  [0-9a-f]{16} GET /api/v1/data/ohlcv 200 \d+ B [\d.]+ ms client=127\.0\.0\.0/24 caller=\w{12}",
        lines[0],
    )
    assert [secret for secret in secrets if secret in "\n".join(lines)] == []


def test_nothing_is_logged_by_default(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, _ = log_of(installation, monkeypatch, "none")
    assert lines == []


@pytest.mark.parametrize("log_format", ["json", "text", "none"])
def test_a_server_error_is_always_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log_format: str) -> None:
    monkeypatch.setenv("APERIODIC_LOG_FORMAT", log_format)
    running = start_server(tmp_path)
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    (tmp_path / "store").write_text("not a folder")
    answer = httpx.get(f"{running.url}/readyz")
    running.process.terminate()
    _, errors = running.process.communicate(timeout=20)
    assert answer.status_code == 503
    assert answer.headers["x-request-id"] in errors
    assert "store_unavailable" in errors


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 64])
def test_a_harmless_request_id_is_kept(server: RunningServer, given: str) -> None:
    answer = httpx.get(f"{server.url}/nothing", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a/b", "ä", 'a"b', "<script>", "%0d%0a"])
def test_any_other_request_id_is_replaced(server: RunningServer, given: str) -> None:
    answer = httpx.get(f"{server.url}/nothing", headers={b"X-Request-ID": given.encode()})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_traceback_is_a_field_and_holds_no_secret() -> None:
    record = failed_record("no link https://user:word@host/x?X-Amz-Signature=abcd&signature=00ff with ap_live_0a1b_Zz9")
    line = JsonFormatter().format(record)
    entry = json.loads(line)
    assert "\n" not in line
    assert entry["error"]["type"] == "RuntimeError"
    assert entry["error"]["traceback"].startswith("RuntimeError: no link")
    for text in (line, TextFormatter().format(record)):
        for secret in ("word", "abcd", "00ff", "Zz9"):
            assert secret not in text
        assert "ap_live_0a1b***" in text


def failed_record(message: str) -> logging.LogRecord:
    error = RuntimeError(message)
    failed = (RuntimeError, error, None)
    return logging.LogRecord("aperiodic.server", logging.ERROR, __file__, 1, "it failed", (), failed)


def test_text_without_secrets_stays_as_it_is() -> None:
    text = "GET https://data.example/files/a?expires=1 answered by ap_live_ keys, bearer of news"
    assert without_secrets(text) == text.replace("bearer of", "bearer ***")


async def test_a_file_that_breaks_off_is_logged_under_its_request(
    lake: Lake, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish(lake, date(2025, 4, 1))
    chosen = ServerSettings(home=tmp_path / "home")

    async def break_off(*_: object) -> AsyncIterator[bytes]:
        yield b"PAR1"
        raise LakeError("The disk is gone.", code="store_unavailable")

    monkeypatch.setattr(Store, "stream", break_off)
    link = make_link(Secrets.load(chosen).link_key, "http://data.example", path_of_the_only_file(lake), time.time())
    transport = httpx.ASGITransport(create_app(lake, chosen), raise_app_exceptions=False)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport) as client:
        with caplog.at_level(logging.ERROR):
            await client.get(link)
    (logged,) = [entry for entry in caplog.records if entry.name == "aperiodic.server"]
    entry = json.loads(JsonFormatter().format(logged))
    assert entry["error"]["type"] == "LakeError"
    assert (entry["route"], entry["status"]) == ("/files/{path}", 200)


def path_of_the_only_file(lake: Lake) -> str:
    with lake.engine.connect() as connection:
        (record,) = current_objects(connection, ObjectKind.BARS)
    return record.path
