"""The chart workspace: what the API publishes, drawn with the visitor's key; the address names what is drawn."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from tests.browser.visits import PHONE, TABLET, WIDE
from tests.lakes import BTC
from tests.servers import make_key

from aperiodic.catalog import DATASETS

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.browser.conftest import OpenVisit, Site
    from tests.browser.visits import Visit

_STACK: Final = "[data-stack]"
_STATUS: Final = "[data-explore-status]"
_SECONDS: Final = (
    "/charts?metric=flow&field=volume_delta&interval=1s&timestamp=true&exchange=binance-futures"
    f"&symbol={BTC}&start_date=2025-05-01&end_date=2025-05-01"
)
_SHIFTS: Final = """
window.shifted = 0;
new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""
_WEIGHT: Final = """
performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
    .reduce((sum, entry) => sum + entry.encodedBodySize, 0)
"""
_MOST_BYTES: Final = 350_000
_COLOURS: Final = """
() => ["--up", "--down"].map(name => {
    const sheet = () => document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const wanted = sheet();
    wanted.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    wanted.fillRect(0, 0, 1, 1);
    const colour = wanted.getImageData(0, 0, 1, 1).data.join();
    const canvas = document.querySelector(".uplot canvas");
    const copy = sheet();
    [copy.canvas.width, copy.canvas.height] = [canvas.width, canvas.height];
    copy.drawImage(canvas, 0, 0);
    const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
    for (let i = 0; i < pixels.length; i += 4) if (pixels.slice(i, i + 4).join() === colour) return true;
    return false;
})
"""


def choices(page: Page) -> None:
    """Open the choices where the window is too narrow for them."""
    box = page.locator("[data-choices]")
    if box.get_attribute("open") is None:
        box.locator("summary").click()


def drawn(seen: Visit) -> None:
    seen.page.locator(f"{_STACK}:not([aria-busy]) canvas").first.wait_for()
    seen.settle()


def named(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


@pytest.mark.parametrize("width", [PHONE, TABLET, WIDE])
def test_seconds_are_drawn_with_a_key_and_saved_as_they_are_published(
    open_visit: OpenVisit, site: Site, width: int
) -> None:
    seen = open_visit(width=width, theme="dark" if width == TABLET else "light")
    page = seen.page
    seen.open(_SECONDS)
    assert "needs your API key" in page.locator(_STATUS).inner_text()
    assert page.locator(f"{_STACK} canvas").count() == 0
    choices(page)
    key = page.get_by_label("API key")
    key.fill(site.api.key)
    key.press("Tab")
    drawn(seen)
    assert page.locator(_STATUS).inner_text() == ""
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save CSV").click()
    rows = list(csv.DictReader(Path(saved.value.path()).read_text().splitlines()))
    frame = site.api.metrics(
        "flow",
        timestamp="true",
        interval="1s",
        exchange="binance-futures",
        symbol=str(BTC),
        start_date="2025-05-01",
        end_date="2025-05-01",
    )
    told = [float(row["flow.volume_delta binance-futures true"] or "nan") for row in rows]
    held = pl.DataFrame({"time": [row["time"] for row in rows], "told": told}).fill_nan(None).drop_nulls()
    assert held["told"].to_list() == frame["volume_delta"].drop_nulls().to_list()
    assert held["time"].to_list() == frame.drop_nulls("volume_delta")["time"].dt.strftime("%FT%TZ").to_list()
    assert seen.overflow() <= 0
    assert seen.serious() == []


def test_any_days_are_drawn_and_what_is_missing_is_said(open_visit: OpenVisit, site: Site, each_width: int) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    seen.open("/charts")
    choices(page)
    page.get_by_label("API key").fill(site.api.key)
    page.get_by_label("Last day").fill("2025-07-03")
    page.get_by_label("Last day").press("Tab")
    page.locator("[data-missing] li").first.wait_for()
    assert "2025-06 to 2025-07" in page.locator("[data-missing]").inner_text()
    assert named(page)["end_date"] == ["2025-07-03"]
    page.get_by_label("Last day").fill("2025-04-03")
    page.get_by_label("Last day").press("Tab")
    assert "lies before the start date" in page.locator(_STATUS).inner_text()
    assert page.locator(f"{_STACK} canvas").count() == 0, "no chart of an earlier choice stays"
    page.get_by_role("button", name="1m", exact=True).click()
    page.get_by_label("First day").fill("2020-04-03")
    page.get_by_label("First day").press("Tab")
    assert "fewer days" in page.locator(_STATUS).inner_text()
    assert seen.overflow() <= 0


def test_what_a_key_does_not_open_is_said(open_visit: OpenVisit, site: Site) -> None:
    seen = open_visit()
    seen.refused.update({401, 403})
    page = seen.page
    seen.open(_SECONDS)
    page.get_by_label("API key").fill(make_key(site.settings, "free"))
    page.get_by_label("API key").press("Tab")
    page.locator("[data-missing] li").first.wait_for()
    assert "plan" in page.locator("[data-missing]").inner_text()
    page.get_by_label("API key").fill("not-a-key")
    page.get_by_label("API key").press("Tab")
    page.get_by_text("The chart could not be loaded").first.wait_for()
    assert page.locator("[data-missing]").is_hidden()


def test_the_address_names_what_is_drawn_and_back_returns_to_it(open_visit: OpenVisit, each_width: int) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    seen.open("/charts?metric=flow&field=volume_delta")
    drawn(seen)
    choices(page)
    page.get_by_role("button", name="15m", exact=True).click()
    drawn(seen)
    page.get_by_label("Field 2").select_option("returns.logret_var")
    drawn(seen)
    assert named(page)["field"] == ["volume_delta", "logret_var"]
    page.get_by_role("button", name="Zoom in").click()
    page.wait_for_url("**view=*")
    linked = page.url
    page.go_back()
    page.wait_for_url("**interval=15m**")
    drawn(seen)
    assert named(page)["field"] == ["volume_delta"]
    assert page.get_by_label("Field 2").input_value() == ""
    page.go_back()
    page.wait_for_url("**interval=1h**")
    drawn(seen)
    assert page.get_by_role("button", name="1h", exact=True).get_attribute("aria-pressed") == "true"
    page.go_forward()
    page.wait_for_url("**interval=15m**")
    drawn(seen)
    seen.open(linked.removeprefix(seen.url))
    drawn(seen)
    page.get_by_role("button", name="Show as table").click()
    first = page.locator("#chart-table tbody th").first
    first.wait_for()
    assert first.inner_text() > "2025-05-01 00:00", "the view of the link is shown, not all"
    assert page.get_by_label("Field 2").input_value() == "returns.logret_var"


def test_signs_have_colours_and_clocks_a_difference(open_visit: OpenVisit) -> None:
    seen = open_visit()
    page = seen.page
    seen.open("/charts?metric=flow&field=volume_delta")
    drawn(seen)
    assert page.evaluate(_COLOURS) == [True, True]
    page.get_by_role("button", name="lines", exact=True).click()
    drawn(seen)
    assert page.evaluate(_COLOURS)[1] is False
    page.get_by_role("button", name="both", exact=True).click()
    drawn(seen)
    both = saved_rows(page)
    page.get_by_role("button", name="difference", exact=True).click()
    drawn(seen)
    assert "true less exchange time" in page.locator(_STACK).inner_text()
    column = "flow.volume_delta binance-futures"
    wanted = {
        row["time"]: float(row[f"{column} true"]) - float(row[f"{column} exchange"])
        for row in both
        if row[f"{column} true"] and row[f"{column} exchange"]
    }
    told = {row["time"]: float(row[f"{column} difference"]) for row in saved_rows(page) if row[f"{column} difference"]}
    assert told == wanted
    assert told


def saved_rows(page: Page) -> list[dict[str, str]]:
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save CSV").click()
    return list(csv.DictReader(Path(saved.value.path()).read_text().splitlines()))


def test_a_picture_is_saved(open_visit: OpenVisit, each_width: int) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    seen.open("/charts?metric=flow&field=volume_delta&metric=returns&field=logret_var")
    drawn(seen)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save PNG").click()
    bytes_ = Path(saved.value.path()).read_bytes()
    assert bytes_[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(bytes_[20:24], "big") > 500, "all three panes are in it"
    assert saved.value.suggested_filename.endswith(".png")


def test_the_box_suggests_the_symbols_of_the_venue(open_visit: OpenVisit, site: Site) -> None:
    seen = open_visit()
    page = seen.page
    seen.open("/charts")
    page.get_by_label("API key").fill(site.api.key)
    page.get_by_label("Symbol").focus()
    page.get_by_text("has data of 1 symbol here").wait_for()
    assert page.locator("#c-symbols option").get_attribute("value") == str(BTC)


@pytest.mark.parametrize("width", [PHONE, TABLET, WIDE])
def test_four_fields_are_light_and_do_not_move(open_visit: OpenVisit, width: int) -> None:
    seen = open_visit(width=width)
    seen.page.add_init_script(_SHIFTS)
    panes = "&".join(f"metric={metric}&field={DATASETS[metric].fields[0].name}" for metric in list(DATASETS)[:4])
    seen.open(f"/charts?{panes}")
    drawn(seen)
    assert seen.page.locator(".uplot").count() == 4
    assert seen.page.evaluate("window.shifted") < 0.05
    assert seen.page.evaluate(_WEIGHT) < _MOST_BYTES
