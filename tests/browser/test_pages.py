"""Every page, wide and narrow, bright and dark: whole, readable, without errors, without asking other hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.browser.visits import PAGES, PHONE, WIDE

from aperiodic.catalog import DATASETS

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession
    from tests.browser.conftest import OpenVisit
    from tests.browser.visits import Theme

_MOST_BYTES: Final = 250_000
_FIRST_PAINT_MS: Final = 1_000

_OF_COLOURS: Final = ("color-contrast", "link-in-text-block")
"""The rules that a theme can break; all others judge the same page in the dark, where all rules run."""


# One load a page: what is changed is the window and the theme, as a visitor changes them.
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits_its_window(open_visit: OpenVisit, name: str) -> None:
    seen = open_visit(width=PHONE, theme="light")
    if name == "missing":
        seen.refused.add(404)
    response = seen.open(PAGES[name])
    assert response is not None
    assert response.status == (404 if name == "missing" else 200)
    looks: list[tuple[int, Theme, tuple[str, ...]]] = [
        (PHONE, "light", ()),
        (WIDE, "light", _OF_COLOURS),
        (WIDE, "dark", ()),
    ]
    grounds = set()
    for width, theme, rules in looks:
        seen.look(width=width, theme=theme)
        assert seen.page.evaluate("[innerWidth, document.documentElement.clientWidth]") == [width, width]
        grounds.add(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert seen.page.locator("h1").count() == 1
        assert seen.overflow() <= 0, (width, theme)
        assert seen.serious(*rules) == [], (width, theme)
    assert len(grounds) == 2


def test_the_page_of_every_dataset_works(open_visit: OpenVisit) -> None:
    seen = open_visit()
    for metric in DATASETS:
        seen.open(f"/catalog/{metric}")
        assert seen.page.locator("[data-candles] canvas").count() > 0, metric
        assert seen.page.locator(".spark").count() >= 2, metric


def test_pages_lead_only_to_pages_that_exist(open_visit: OpenVisit) -> None:
    seen = open_visit()
    found: set[str] = set()
    for address in PAGES.values():
        if address == PAGES["missing"]:
            continue
        seen.open(address)
        found.update(seen.page.eval_on_selector_all("a[href^='/']", "links => links.map(a => a.getAttribute('href'))"))
    broken = []
    for address in sorted({link.partition("#")[0] for link in found} - {""}):
        answer = seen.page.request.get(f"{seen.url}{address}")
        if answer.status != 200:
            broken.append(f"{address}: {answer.status}")
    assert len(found) > 40
    assert broken == []


def test_anchors_within_pages_exist(open_visit: OpenVisit) -> None:
    seen = open_visit()
    for address in ("/catalog/flow", "/api-docs", "/faq"):
        seen.open(address)
        missing = seen.page.evaluate(
            "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href').slice(1))"
            ".filter(id => id && !document.getElementById(id))"
        )
        assert missing == [], address


def test_the_page_of_a_dataset_is_small_and_paints_at_once(open_visit: OpenVisit) -> None:
    open_visit().open("/catalog/ohlcv")  # so that the server has read what it keeps in memory
    seen = open_visit()
    session: CDPSession = seen.page.context.new_cdp_session(seen.page)
    session.send("Network.enable")
    kinds: dict[str, str] = {}
    sizes: dict[str, float] = {}
    session.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]}))
    session.on("Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}))
    seen.open("/catalog/ohlcv")
    of_page = {key: size for key, size in sizes.items() if kinds.get(key) in {"Document", "Stylesheet", "Script"}}
    paint = seen.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert len(of_page) >= 5
    assert 0 < sum(of_page.values()) < _MOST_BYTES
    assert paint < _FIRST_PAINT_MS


def test_pages_can_be_read_without_scripts(open_visit: OpenVisit) -> None:
    seen = open_visit()
    browser = seen.page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{seen.url}/catalog/flow")
    assert page.locator("#field-flow_entropy").is_visible()
    assert page.locator(".spark").count() >= 2
    assert "curl -H" in page.locator("#try ~ div").first.inner_text()
    page.goto(f"{seen.url}/catalog")
    page.fill("input[name=q]", "entropy")
    page.press("input[name=q]", "Enter")
    assert page.locator("#results").get_by_text("flow_entropy").first.is_visible()
    context.close()
