"""Pages stay where they are while they load, and nothing breaks when a form is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.browser.visits import PHONE, TABLET, WIDE

if TYPE_CHECKING:
    from playwright.sync_api import Route
    from tests.browser.conftest import OpenVisit

_MOST_SHIFT: Final = 0.05
_WATCH: Final = """
window.shifted = 0;
new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""


@pytest.mark.parametrize("width", [PHONE, TABLET, WIDE])
def test_nothing_moves_while_a_page_loads(open_visit: OpenVisit, width: int) -> None:
    seen = open_visit(width=width)
    seen.page.add_init_script(_WATCH)
    for address in (
        "/charts",
        "/charts?metric=flow&field=flow_entropy&metric=impact&metric=returns",
        "/catalog/flow",
        "/",
        "/catalog",
    ):
        seen.open(address)
        assert seen.page.evaluate("window.shifted") < _MOST_SHIFT, address


def later(route: Route) -> None:
    """Answer after the page has been drawn without the chart that the answer replaces."""
    route.request.frame.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    route.continue_()


def test_the_request_can_be_sent_again_over_a_chart(open_visit: OpenVisit) -> None:
    seen = open_visit()
    page = seen.page
    seen.open("/catalog/ohlcv#try")
    page.locator("[data-use-demo]").click()
    page.route("**/api/v1/data/**", later)
    for _ in range(3):
        page.locator("[data-send]").click()
        page.get_by_role("button", name="Send the request").wait_for()
        page.locator("[data-try-data] canvas").first.wait_for()
        seen.settle()
    seen.refused.add(403)
    page.locator("#t-end").fill("2025-05-09")
    page.locator("[data-send]").click()
    page.get_by_role("button", name="Send the request").wait_for()
    seen.settle()
    assert seen.faults == []


@pytest.mark.parametrize("address", ["/", "/catalog", "/catalog/flow", "/faq"])
def test_keys_lead_to_the_search(open_visit: OpenVisit, address: str) -> None:
    seen = open_visit()
    page = seen.page
    focused = "document.activeElement.name"
    for key in ("/", "Control+k"):
        seen.open(address)
        page.keyboard.press(key)
        assert page.evaluate(focused) == "q", key
        page.keyboard.type("CVD/")
        assert page.evaluate("document.activeElement.value") == "CVD/"
        if address == "/catalog":  # which searches while one types
            page.wait_for_url("**/catalog?q=CVD%2F")
            seen.settle()
    if address != "/catalog":
        page.locator("[data-search]").fill("CVD")
        page.keyboard.press("Enter")
        page.wait_for_url("**/catalog?q=CVD")
    page.locator("#results").get_by_role("link", name="Volume Delta", exact=True).first.wait_for()


def test_the_menu_of_data_opens_and_closes(open_visit: OpenVisit, each_width: int) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    seen.open("/")
    menu = page.locator("[data-menu]")
    link = menu.get_by_role("link", name="Order Flow")
    assert link.is_hidden()
    menu.locator("summary").click()
    assert link.is_visible()
    assert seen.overflow() <= 0
    assert seen.serious() == []
    page.keyboard.press("Escape")
    assert link.is_hidden()
    menu.locator("summary").click()
    link.click()
    page.wait_for_url("**/families/order-flow")
