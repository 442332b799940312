from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from tests.server.in_process import ENDPOINTS

from aperiodic.accounts.plans import list_plans
from aperiodic.catalog import DATASETS
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Clock, Exchange, Interval, Stream
from aperiodic.server.error_codes import ErrorCode
from aperiodic.server.openapi.llms import EXAMPLES, llms_text

if TYPE_CHECKING:
    from tests.server.conftest import Installation, RunningServer

LINK: Final = re.compile(r"\]\(([^)]+)\)")


def test_the_overview_has_the_shape_of_llmstxt(server: RunningServer) -> None:
    answer = httpx.get(f"{server.url}/llms.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = answer.text.splitlines()
    assert lines[0] == "# Aperiodic"
    assert lines[2].startswith("> ")
    assert [line for line in lines if re.match("#{1,6} ", line) and not line.startswith("## ")] == ["# Aperiodic"]
    for dataset in DATASETS.values():
        assert f"[{dataset.id}](" in answer.text


def test_every_link_of_the_overview_leads_somewhere(server: RunningServer) -> None:
    links = set(LINK.findall(httpx.get(f"{server.url}/llms.txt").text))
    assert len(links) >= 3
    assert {link: httpx.get(server.url + link).status_code for link in links} == dict.fromkeys(links, 200)


def test_links_begin_with_the_address_of_the_installation() -> None:
    assert all(link.startswith("https://data.example/") for link in LINK.findall(llms_text("https://data.example")))


def test_the_full_text_holds_everything(server: RunningServer, installation: Installation) -> None:
    text = httpx.get(f"{server.url}/llms-full.txt").text
    with installation.lake.engine.connect() as connection:
        plans = list_plans(connection)
    for dataset in DATASETS.values():
        for field in dataset.fields:
            words = (field.label, field.unit, field.description, f"`{field.formula}`", field.null)
            cells = [word.replace("|", r"\|") for word in words]
            assert f"| `{field.name}` | {' | '.join(cells)} |" in text
    for word in (*(code.code for code in ErrorCode), *Stream, *Exchange, *Interval):
        assert f"`{word}`" in text or f"### {word}\n" in text
    for endpoint in ENDPOINTS:
        assert f"### {endpoint.method} {endpoint.path}\n" in text
    for clock in Clock:
        assert f"`timestamp={clock}`" in text
    for plan in plans:
        assert f"| {plan.name} |" in text
        assert f"| {plan.requests_per_minute} |" in text


@pytest.mark.parametrize("path", ["/llms.txt", "/llms-full.txt"])
def test_texts_can_be_revalidated(server: RunningServer, path: str) -> None:
    answer = httpx.get(server.url + path)
    assert "max-age" in answer.headers["cache-control"]
    tag = answer.headers["etag"]
    for known in (tag, f'"other", W/{tag}'):
        again = httpx.get(server.url + path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert httpx.get(server.url + path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_plan_that_changes_changes_the_text(server: RunningServer, installation: Installation) -> None:
    before = httpx.get(f"{server.url}/llms-full.txt")
    rename = "update plans set requests_per_minute = requests_per_minute {} 7 where name = 'starter'"
    with begin_write(installation.lake.engine) as connection:
        connection.exec_driver_sql(rename.format("+"))
    after = httpx.get(f"{server.url}/llms-full.txt", headers={"If-None-Match": before.headers["etag"]})
    with begin_write(installation.lake.engine) as connection:
        connection.exec_driver_sql(rename.format("-"))
    assert after.status_code == 200
    assert after.text != before.text


@pytest.mark.parametrize("title", EXAMPLES)
def test_the_examples_run(
    server: RunningServer, installation: Installation, monkeypatch: pytest.MonkeyPatch, title: str
) -> None:
    monkeypatch.setenv("APERIODIC_API_URL", f"{server.url}/api/v1")
    monkeypatch.setenv("APERIODIC_API_KEY", installation.keys["prime"])
    assert EXAMPLES[title] in httpx.get(f"{server.url}/llms-full.txt").text
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EXAMPLES[title]], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
