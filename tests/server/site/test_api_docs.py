from __future__ import annotations

import re
import shlex
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.in_process import ENDPOINTS, application

from aperiodic.market import Stream
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.openapi.document import openapi_document
from aperiodic.server.site.api_docs import constraints, curl_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.in_process import App

    from aperiodic.server.endpoints import Endpoint

ASKED = [endpoint for endpoint in ENDPOINTS if endpoint.method == "GET" and endpoint.needs_key]


class Outline(HTMLParser):
    """What the page's tags say: ids, links within the page, ranks of headings, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.ranks: list[int] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(given["id"] or "")
        if (given.get("href") or "").startswith("#"):
            self.links.append((given["href"] or "")[1:])
        if re.fullmatch("h[1-6]", tag):
            self.ranks.append(int(tag[1]))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with application(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture(scope="module")
def outline(app: App) -> Outline:
    answer = app.client.get("/api-docs")
    assert answer.status_code == 200
    return Outline(answer.text)


def plain(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def test_every_operation_of_the_document_is_there(outline: Outline) -> None:
    document: dict[str, Any] = openapi_document(None, ENDPOINTS)
    operations = [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    assert len(operations) > 15
    for method, path, operation in operations:
        assert operation["operationId"] in outline.ids
        assert operation["operationId"] in outline.links
        assert f"{method} {path}" in outline.text
        assert plain(operation["description"]) in outline.text
        for parameter in operation["parameters"]:
            assert plain(parameter["description"]) in outline.text
            example = parameter["example"]
            assert (example if isinstance(example, str) else example[0]) in outline.text
        for status, answer in operation["responses"].items():
            if int(status) < 400:
                assert f"{status}: {answer['description']}" in outline.text


def test_every_error_code_is_there_with_its_hint(outline: Outline) -> None:
    for code in ErrorCode:
        assert f"error-{code.code}" in outline.ids
        assert plain(code.message) in outline.text.replace("`", "")
        assert plain(code.hint) in outline.text.replace("`", "")
    for endpoint in ENDPOINTS:
        for code in endpoint.errors:
            assert f"error-{code.code}" in outline.links


def test_anchors_lead_somewhere_and_are_unique(outline: Outline) -> None:
    assert set(outline.links) <= set(outline.ids)
    assert len(outline.ids) == len(set(outline.ids))


def test_headings_leave_out_no_rank(outline: Outline) -> None:
    ranks = outline.ranks[: -3 if outline.ranks[-3:] == [2, 2, 2] else None]
    assert ranks.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(ranks))


def test_fields_of_answers_are_there_down_to_nested_ones(outline: Outline) -> None:
    for path in ("files[].url", "series[].months[].earlier[].reason", "coverage.*.*.*.first", "plan.tier"):
        assert path in outline.text


@pytest.mark.parametrize("endpoint", ASKED, ids=lambda endpoint: endpoint.name)
def test_the_shown_requests_are_valid(app: App, endpoint: Endpoint) -> None:
    words = shlex.split(curl_line(endpoint, "", "DEMO-KEY").replace("\\\n", ""))
    answer = app.client.get(words[-1], headers={"X-API-KEY": "DEMO-KEY"})
    # Nothing is published here, and the demo key opens little; but nothing is wrong with the request itself.
    assert answer.status_code == 200 or answer.json()["code"] in {"unknown_symbol", "metric_not_in_plan"}, answer.text


def test_requests_say_which_key_they_need() -> None:
    lines = {endpoint.name: curl_line(endpoint, "https://data.example", "DEMO-KEY") for endpoint in ENDPOINTS}
    assert "X-API-KEY: YOUR-KEY" in lines["get_data"]
    assert "X-API-KEY: DEMO-KEY" in lines["get_preview"]
    assert "X-API-KEY" not in lines["get_catalog"]
    assert "Authorization: Bearer" in lines["get_metrics"]
    assert "-d '{\"overlap_hours\":24.0}'" in lines["rotate_key"]
    assert lines["head_file"].startswith("curl --head")


def test_constraints_are_told_in_words() -> None:
    (raw,) = (endpoint for endpoint in ENDPOINTS if endpoint.name == "get_raw")
    told = {parameter.name: constraints(parameter) for parameter in raw.parameters}
    assert told["dataset"] == [("one of", ", ".join(Stream))]
    assert told["start_date"] == [("a day", "YYYY-MM-DD")]
    assert told["symbol"][1] == ("at most 100 characters", "")
