"""Requests that cannot work are told before they are sent, and what an answer lacks is told beside what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.servers import make_key

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.browser.conftest import OpenVisit, Site

STATUS = "[data-try-status]"
MISSING = "[data-try-data] [data-missing]"

LEGENDS = """
async () => {
    const name = [...document.querySelectorAll("script")].map(({src}) => src).find((src) => src.includes("/charts"));
    const {stack} = await import(name);
    const place = document.body.appendChild(document.createElement("div"));
    place.style.width = "600px";
    const times = [0, 60, 120, 180];
    const lines = [
        {label: "one", times, values: [1, 2, 3, 4]},
        {label: "other", times: times.slice(0, 2), values: [5, 6]},
    ];
    const drawn = stack(place, {seconds: 60, candles: null, panes: [{title: "t", unit: "u", lines}]});
    const text = place.querySelector(".legend").textContent;
    drawn.remove();
    return text;
}
"""


def fill(page: Page, **values: str) -> None:
    for name, value in values.items():
        control = page.locator(f"[data-try] [name={name}]")
        if control.evaluate("control => control.tagName") == "SELECT":
            control.select_option(value)
        else:
            control.fill(value)


@pytest.mark.parametrize(
    ("values", "name", "said"),
    [
        ({"timestamp": "true", "interval": "1s"}, "", ""),
        ({"start_date": "2025-05-02", "end_date": "2025-05-01"}, "end_date", "lies before the start date"),
        ({"start_date": "2999-01-01", "end_date": "2999-01-02"}, "start_date", "lies in the future"),
        ({"symbol": "BTCUSDT"}, "symbol", "perpetual-BTC-USDT:USDT"),
    ],
)
def test_what_cannot_work_is_said_before_it_is_sent(
    open_visit: OpenVisit, site: Site, each_width: int, values: dict[str, str], name: str, said: str
) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    seen.open("/catalog/flow")
    page.get_by_label("API key").fill(make_key(site.settings))
    fill(page, **values)
    problem = page.locator("[data-problem]")
    assert problem.is_visible() is bool(name)
    if name:
        assert said in problem.inner_text()
        assert page.locator(f"[data-try] [name={name}]").get_attribute("aria-invalid") == "true"
        page.get_by_role("button", name="Send the request").click()
        assert said in page.locator(STATUS).inner_text()
        assert not [url for url in asked if "/api/v1/data/" in url]
        assert seen.overflow() <= 0


def test_a_clock_without_short_bars_does_not_offer_them(open_visit: OpenVisit) -> None:
    seen = open_visit()
    page = seen.page
    seen.open("/catalog/flow")
    offered = (
        "[...document.querySelector('[data-try]').elements.interval.options].filter(o => !o.disabled).map(o => o.value)"
    )
    assert page.evaluate(offered)[0] == "1m"
    fill(page, timestamp="true", interval="1s")
    assert page.evaluate(offered)[:3] == ["1s", "15s", "30s"]
    fill(page, timestamp="exchange")
    assert "true only" in page.locator("[data-problem]").inner_text()


def test_a_dataset_of_perpetuals_does_not_offer_spot(open_visit: OpenVisit) -> None:
    seen = open_visit()
    for metric, offered in (("basis", False), ("funding", False), ("flow", True)):
        seen.open(f"/catalog/{metric}")
        options = seen.page.locator("#t-exchange option").all_inner_texts()
        assert ("binance" in options) is offered, metric


def test_what_an_answer_lacks_is_told(open_visit: OpenVisit, site: Site, each_width: int) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    seen.open("/catalog/flow")
    page.get_by_label("API key").fill(make_key(site.settings))
    fill(page, start_date="2015-01-01", end_date="2026-06-30", interval="1d")
    page.get_by_role("button", name="Send the request").click()
    page.locator(MISSING).wait_for()
    told = page.locator(MISSING).inner_text()
    assert "137 months of the range are not published: 2015-01 to 2025-04, 2025-06 to 2026-06." in told
    assert "2025-05 is not complete: no ticks on 2025-05-03, 2025-05-04, 2025-05-05 and 26 more days" in told
    assert "Not everything that was asked for is there" in page.locator(STATUS).inner_text()
    assert seen.overflow() <= 0


def test_an_answer_without_files_says_what_is_not_published(open_visit: OpenVisit, site: Site) -> None:
    seen = open_visit()
    page = seen.page
    seen.open("/catalog/flow")
    page.get_by_label("API key").fill(make_key(site.settings))
    fill(page, start_date="2015-01-01", end_date="2015-02-28")
    page.get_by_role("button", name="Send the request").click()
    page.locator("[data-try-answer]").wait_for()
    told = page.locator(STATUS).inner_text()
    assert told.endswith("2 months of the range are not published: 2015-01 to 2015-02.")


def test_a_line_that_ends_earlier_shows_no_value_of_another_time(open_visit: OpenVisit) -> None:
    seen = open_visit()
    seen.open("/catalog/flow")
    legend = seen.page.evaluate(LEGENDS)
    assert "1970-01-01 00:03 UTC" in legend
    assert "one 4" in legend
    assert "other ends 1970-01-01 00:01" in legend
