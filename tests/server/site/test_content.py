from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.lakes import BTC, VENUE
from tests.server.in_process import App, application

from aperiodic.accounts.plans import Plan, create_plan, list_plans
from aperiodic.catalog import DATASETS, Category
from aperiodic.lake import NewObject, ObjectKey
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Clock, Interval, Source
from aperiodic.server.site import content
from aperiodic.server.site.content import changes
from aperiodic.server.site.families import FAMILIES
from aperiodic.server.site.navigation import FOOTER, NAVIGATION
from aperiodic.server.site.rendering import markdown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.site.market import Market

PAGES = (
    "/plans",
    "/symbols",
    "/faq",
    "/for-agents",
    "/changelog",
    "/roadmap",
    "/notebooks",
    *(f"/families/{name}" for name in FAMILIES),
)
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with application(tmp_path_factory.mktemp("home")) as running:
        yield running


def main_of(text: str) -> str:
    return text.partition("<main")[2].partition("</main>")[0]


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_somewhere(app: App, page: str) -> None:
    answer = app.client.get(page, headers=HTML)
    assert answer.status_code == 200
    links = set(re.findall(r'href="(/[^"#]*)', main_of(answer.text)))
    assert links
    assert {link: app.client.get(link, headers=HTML).status_code for link in links} == dict.fromkeys(links, 200)


def test_places_that_a_link_names_exist(app: App) -> None:
    for page in PAGES:
        for path, place in re.findall(r'href="(/[^"#]*)?#([^"]+)"', main_of(app.client.get(page).text)):
            assert f'id="{place}"' in app.client.get(path or page).text, (page, path, place)


@pytest.mark.parametrize("page", PAGES)
def test_headings_are_in_order(app: App, page: str) -> None:
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", main_of(app.client.get(page).text))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_top_and_bottom_lead_to_these_pages() -> None:
    linked = {path for path, _ in NAVIGATION} | {path for _, links in FOOTER for path, _ in links}
    assert set(PAGES) <= linked


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_shows_its_datasets_with_their_highlights(app: App, name: str) -> None:
    text = app.client.get(f"/families/{name}").text
    for declared in FAMILIES[name].datasets:
        assert f'href="/catalog/{declared.id}"' in text
        for field in declared.fields:
            if field.highlight is not None:
                assert str(markdown(field.highlight)) in text


def test_every_dataset_belongs_to_one_family() -> None:
    members = [declared.id for family in FAMILIES.values() for declared in family.datasets]
    assert sorted(members) == sorted(DATASETS)
    assert {category for family in FAMILIES.values() for category in family.categories} == set(Category)


@pytest.mark.parametrize("name", FAMILIES)
def test_questions_are_answered_by_fields_of_the_family(name: str) -> None:
    family = FAMILIES[name]
    fields = {(declared.id, field.name) for declared in family.datasets for field in declared.fields}
    assert {(metric, field) for _, metric, field in family.questions} <= fields
    assert family.example in {declared.id for declared in family.datasets}


@pytest.mark.parametrize("name", DATASETS)
def test_highlights_are_drawn_over_the_shown_slice(market: Market, name: str) -> None:
    highlighted = sum(field.highlight is not None for field in DATASETS[name].fields)
    assert market.page(f"/catalog/{name}").count('<svg class="spark"') == highlighted


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_draws_each_of_its_datasets_and_says_that_they_are_simulated(market: Market, name: str) -> None:
    text = market.page(f"/families/{name}")
    assert text.count('<svg class="spark"') == len(FAMILIES[name].datasets)
    assert "simulated data" in text


@pytest.mark.parametrize("path", ["/families/none", "/notebooks/none"])
def test_what_is_not_there_is_a_page_that_says_so(app: App, path: str) -> None:
    answer = app.client.get(path, headers=HTML)
    assert answer.status_code == 404
    assert "<h1>Page not found</h1>" in answer.text


def test_plans_are_those_of_the_ledger(tmp_path: Path) -> None:
    with application(tmp_path) as app:
        with begin_write(app.lake.engine) as connection:
            create_plan(connection, Plan("desk", 99, 2, sub_minute=True, raw=False, live=7, requests_per_minute=5_432))
            plans = list_plans(connection)
        text = app.client.get("/plans").text
        assert "Live connections" not in text
        assert "no plan has live bars" in text
        key = ObjectKey.open_bars("ohlcv", Clock.EXCHANGE, Interval.M1, VENUE, BTC, date(2025, 5, 1))
        batch = app.lake.batch()
        batch.put(NewObject(key=key, rows=1, source=Source.RECORDING, fingerprint="x", reason="test"), b"x")
        batch.commit()
        text = app.client.get("/plans").text
        assert "200 channels at most, and 120 messages" in text
        assert "Live connections" in text
        assert '<td class="number">7</td>' in text
    for plan in plans:
        row = text.partition(f'id="plan-{plan.name}"')[2].partition("</tr>")[0]
        assert f"{plan.requests_per_minute:,}" in row
        held = [declared for declared in DATASETS.values() if declared.tier <= plan.tier]
        assert f"{len(held)} of 19" in row or plan.tier == 0
        assert ("1s to 1d" in row) == plan.sub_minute


@pytest.mark.parametrize("open_", [True, False])
def test_a_key_can_be_had_where_sign_up_is_open(tmp_path: Path, open_: bool) -> None:
    with application(tmp_path, signup=open_) as app:
        text = app.client.get("/plans").text
    assert ("/api/v1/signup" in text) == open_
    assert ("Sign-up is closed here" in text) != open_


def test_an_installation_without_preview_still_has_its_pages(tmp_path: Path) -> None:
    with application(tmp_path, preview=(), raw_preview=(), demo_key="") as app:
        assert {page: app.client.get(page).status_code for page in PAGES} == dict.fromkeys(PAGES, 200)


def test_the_changes_are_those_of_the_file_without_links_into_the_checkout() -> None:
    assert "## 0.1.0" in changes()
    assert "](docs/" not in changes()
    assert "production set-up" in changes()


def test_a_wheel_carries_the_changes_where_the_page_looks_for_them() -> None:
    hook = (Path(__file__).parents[3] / "hatch_build.py").read_text(encoding="utf-8")
    place = f"{content.__name__.rpartition('.')[0].replace('.', '/')}/CHANGELOG.md"
    assert f'build_data["force_include"]["CHANGELOG.md"] = "{place}"' in hook


@pytest.mark.parametrize("page", PAGES)
def test_pages_have_no_inline_script_or_style(app: App, page: str) -> None:
    text = app.client.get(page).text
    assert not re.search(r"\sstyle=|<style|<script(?![^>]*\ssrc=)|\son\w+=", text)


def test_questions_say_what_must_be_said(app: App) -> None:
    text = app.client.get("/faq").text
    for words in ("simulated", "look-ahead", "null", "base units", "sha256", "as_of", "investment advice"):
        assert words in text
