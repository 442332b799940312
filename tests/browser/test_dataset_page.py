"""The page of a dataset at every width: fields that can be read whole, the chart before all else, exact values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.browser.visits import PHONE, TABLET, WIDE

from aperiodic.catalog import DATASETS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize
    from tests.browser.conftest import OpenVisit, Site
    from tests.browser.visits import Theme

_TALLEST: Final = {PHONE: 6_000, TABLET: 5_000, WIDE: 4_500}
"""Most height of the 36 fields of `flow`, px."""

_FOLD: Final = 640
"""Height of a small phone's window, px."""

_OUTSIDE: Final = """
() => [...document.querySelectorAll(".field-row *, .field-caveat")]
    .filter(part => part.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(part => part.textContent.slice(0, 60))
"""
_UNSEEN: Final = """
() => [...document.querySelectorAll("nav[aria-label=Main] a, nav[aria-label=Main] summary")]
    .filter(link => link.checkVisibility() && (link.getBoundingClientRect().right > innerWidth || link.getBoundingClientRect().left < 0))
    .map(link => link.textContent)
"""


def height(page: Page) -> float:
    tall: float = page.evaluate("document.querySelector('.field-section').getBoundingClientRect().height")
    return tall


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", _TALLEST)
def test_every_field_is_read_whole(open_visit: OpenVisit, width: int, theme: Theme) -> None:
    seen = open_visit(width=width, theme=theme)
    for metric in ("flow", "l2_imbalance", "slippage"):
        seen.open(f"/catalog/{metric}")
        assert seen.page.locator("#field-list .field-row").count() == len(DATASETS[metric].fields) + 1
        assert seen.page.evaluate(_OUTSIDE) == []
        assert seen.overflow() <= 0
        if metric == "flow":
            assert 1_000 < height(seen.page) <= _TALLEST[width]
            formula = seen.page.locator("#field-taker_sell_large_order_percentage code").last
            assert "v ≥ 1,000" in formula.inner_text()
            assert formula.is_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_fields_are_read_whole_at_twice_the_size(browser: Browser, site: Site, *, scripts: bool) -> None:
    half: ViewportSize = {"width": WIDE // 2, "height": 450}
    context = browser.new_context(viewport=half, device_scale_factor=2, java_script_enabled=scripts)
    page = context.new_page()
    page.goto(f"{site.url}/catalog/flow")
    boxes = [row.bounding_box() for row in page.locator("#field-list .field-row code").all()]
    context.close()
    assert len(boxes) == 2 * (len(DATASETS["flow"].fields) + 1)
    assert all(box is not None and box["x"] >= 0 and box["x"] + box["width"] <= WIDE // 2 for box in boxes)


def test_a_phone_shows_the_chart_first_and_all_of_the_navigation(open_visit: OpenVisit) -> None:
    seen = open_visit(width=PHONE)
    for address, chart in (("/catalog/flow", "[data-candles]"), ("/charts", "[data-stack]")):
        seen.open(address)
        box = seen.page.locator(chart).bounding_box()
        assert box is not None
        assert box["y"] < _FOLD - 150, address
        assert seen.page.evaluate(_UNSEEN) == [], address


def test_searching_fields_hides_caveats_without_fields(open_visit: OpenVisit) -> None:
    seen = open_visit()
    seen.open("/catalog/flow")
    caveats = seen.page.locator(".field-caveat")
    assert caveats.count() == 2
    seen.page.locator("input[data-filter]").fill("entropy")
    assert seen.page.locator("#field-flow_entropy").is_visible()
    assert [caveat.is_visible() for caveat in caveats.all()] == [False, False]
    seen.page.locator("input[data-filter]").fill("sell_small_order_percentage")
    assert [caveat.is_visible() for caveat in caveats.all()] == [False, True]


def test_on_a_phone_what_few_need_is_folded_and_found(open_visit: OpenVisit) -> None:
    seen = open_visit(width=PHONE)
    page = seen.page
    for address, most in (("/catalog/flow", 14_500), ("/catalog/ohlcv", 11_000), ("/api-docs", 9_000)):
        seen.open(address)
        assert page.evaluate("document.documentElement.scrollHeight") < most, address
        assert seen.serious() == []
    seen.open("/api-docs#error-unknown_symbol")
    assert page.locator("#error-unknown_symbol").is_visible()
    page.locator(".toc").get_by_role("link", name="Raw ticks held").click()
    assert page.locator("#get_raw_metadata").is_visible()
    assert page.get_by_text("/api/v1/metadata/raw", exact=True).first.is_visible()
    last = DATASETS["flow"].fields[23].name
    seen.open("/catalog/flow")
    row = page.locator(f"#field-{last}")
    assert row.is_hidden()
    page.locator("[data-filter]").fill(last)
    assert row.is_visible()
    seen.open(f"/catalog/flow#field-{last}")
    assert row.is_visible()
    assert row.bounding_box()["y"] < 900  # type: ignore[index]


def test_a_wide_window_has_everything_open(open_visit: OpenVisit) -> None:
    seen = open_visit()
    for address in ("/catalog/flow", "/api-docs"):
        seen.open(address)
        assert seen.page.locator("details[data-unfold]").count() > 2
        assert seen.page.locator("details[data-unfold]:not([open])").count() == 0


def test_without_scripts_what_is_folded_opens_by_hand(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": WIDE, "height": 900})
    page = context.new_page()
    page.goto(f"{site.url}/api-docs")
    heading = page.get_by_role("heading", name="Raw ticks held")
    assert heading.is_visible()
    line = page.get_by_text("/api/v1/metadata/raw", exact=True).first
    assert line.is_hidden()
    heading.click()
    assert line.is_visible()
    context.close()


@pytest.mark.parametrize("part", ["%", "%E0%A4%A", "nothing-here"])
def test_a_part_of_an_address_that_names_nothing_breaks_nothing(open_visit: OpenVisit, part: str) -> None:
    seen = open_visit(width=WIDE)
    seen.open(f"/catalog/flow#{part}")
    assert seen.faults == []
    assert seen.page.get_by_role("button", name="Copy").first.is_visible()  # the script of the page made them
