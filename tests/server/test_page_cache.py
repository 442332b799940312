"""Pages are kept until the ledger changes, encoded as their clients take them, and counted by address."""

from __future__ import annotations

import gzip
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING

import pytest
import zstandard
from tests.server.conftest import publish
from tests.server.in_process import App, application

from aperiodic.lake import Lake
from aperiodic.lake.generation import Generation
from aperiodic.lake.ledger import begin_write
from aperiodic.server.middleware import pages as pages_module
from aperiodic.server.middleware.conditional_requests import best_encoding
from aperiodic.server.settings import ServerSettings
from aperiodic.server.site import rendering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = "/catalog"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with application(tmp_path, address_pages_per_minute=30) as made:
        yield made


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a page was rendered, as the length of the list."""
    times: list[int] = []
    made = rendering.environment

    def counted() -> object:
        times.append(1)
        return made()

    monkeypatch.setattr(rendering, "environment", counted)
    return times


def test_a_page_is_made_once_for_each_encoding_query_and_host(app: App, rendered: list[int]) -> None:
    for encodings in ("gzip", "gzip, br", "zstd, gzip", "identity", "gzip;q=0"):
        for _ in range(2):
            assert app.client.get(PAGE, headers={"Accept-Encoding": encodings}).status_code == 200
    assert len(rendered) == 3
    app.client.get(f"{PAGE}?q=flow", headers={"Accept-Encoding": "gzip"})
    app.client.get(PAGE, headers={"Accept-Encoding": "gzip", "Host": "other.example"})
    assert len(rendered) == 5


def test_an_answer_from_the_cache_is_the_same_answer(app: App, rendered: list[int]) -> None:
    first, second = (app.client.get(PAGE) for _ in range(2))
    assert (first.content, len(rendered)) == (second.content, 1)
    of_request = {"x-request-id", "date"}
    kept = [
        {name: text for name, text in answer.headers.items() if name not in of_request} for answer in (first, second)
    ]
    assert kept[0] == kept[1]
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
    unchanged = app.client.get(PAGE, headers={"If-None-Match": first.headers["ETag"]})
    assert (unchanged.status_code, unchanged.content, len(rendered)) == (304, b"", 1)
    assert unchanged.headers["ETag"] == first.headers["ETag"]


def test_a_page_that_a_browser_has_is_kept_when_it_was_made_anew_for_it(
    app: App, rendered: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_module, "_KEPT_S", 0.0)
    tag = app.client.get(PAGE).headers["ETag"]
    monkeypatch.setattr(pages_module, "_KEPT_S", 60.0)
    answers = [app.client.get(PAGE, headers={"If-None-Match": tag}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [304] * 3
    assert len(rendered) == 2
    assert app.client.get(PAGE).status_code == 200  # and is there in full for who has not
    assert len(rendered) == 2


def test_a_change_of_the_ledger_is_seen_at_once(app: App) -> None:
    assert "perpetual-BTC" not in app.client.get("/status").text
    publish(app.lake, date(2025, 4, 1))
    assert "perpetual-BTC" in app.client.get("/status").text


def test_an_error_page_is_not_kept(app: App) -> None:
    first, second = (app.client.get("/nothing", headers={"Accept": "text/html"}) for _ in range(2))
    assert first.status_code == second.status_code == 404
    assert first.text != second.text  # each names its request


def test_an_address_that_asks_for_too_many_pages_is_refused_and_the_api_is_not(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_module, "_REFUSED_AFTER_S", 0.0)
    monkeypatch.setattr(pages_module, "_SLOWED_BY_S", 0.0)
    answers = [app.client.get(PAGE).status_code for _ in range(31)]
    assert answers == [200] * 30 + [429]
    refused = app.client.get("/site/series")
    assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (429, "rate_limited", "2")
    assert "<html" in app.client.get("/", headers={"Accept": "text/html"}).text
    assert app.client.get("/api/v1/metadata/catalog").status_code == 200
    assert app.client.get("/healthz").status_code == 200


@pytest.mark.parametrize(("encoding", "decode"), [("gzip", gzip.decompress), ("zstd", zstandard.decompress)])
def test_a_page_is_compressed_as_asked_for(app: App, encoding: str, decode: object) -> None:
    plain = app.client.get(PAGE, headers={"Accept-Encoding": "identity"})
    with app.client.stream("GET", PAGE, headers={"Accept-Encoding": encoding}) as answer:
        packed = b"".join(answer.iter_raw())
        assert answer.headers["Content-Encoding"] == encoding
    assert callable(decode)
    assert decode(packed) == plain.content


@pytest.mark.parametrize(
    ("accepted", "best"),
    [
        ("", "identity"),
        ("br", "identity"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("GZIP", "gzip"),
        ("zstd;q=0, gzip;q=0.5", "gzip"),
        ("gzip; q=0.000", "identity"),
        ("x-gzip", "identity"),
    ],
)
def test_the_best_encoding_that_is_accepted(accepted: str, best: str) -> None:
    assert best_encoding(accepted) == best


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_generation_changes_with_every_write_of_another_connection_and_with_nothing_else(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    ledger = request.getfixturevalue("postgres").new_database() if database == "postgresql" else None
    with closing(Lake.open(ServerSettings(home=tmp_path, ledger=ledger))) as lake:
        generation = Generation(lake.engine)
        seen = [generation.read(), generation.read()]
        with lake.engine.connect() as connection:
            connection.exec_driver_sql("SELECT * FROM objects").all()
        seen.append(generation.read())
        assert len(set(seen)) == 1
        with begin_write(lake.engine) as connection:
            connection.exec_driver_sql("UPDATE plans SET live = live + 1")
        assert generation.read() != seen[0]
        generation.close()
