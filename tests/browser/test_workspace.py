"""The chart workspace: what the API publishes, drawn with the visitor's key; the address names what is drawn."""

from __future__ import annotations

import csv
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from tests.browser.visits import PHONE, TABLET, WIDE, visit
from tests.lakes import BTC
from tests.servers import make_key, serving

from aperiodic.catalog import DATASETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route
    from tests.browser.conftest import OpenVisit, Site
    from tests.browser.visits import Visit

    from aperiodic.server.settings import ServerSettings

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
    rows = saved_rows(page)
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


def test_depth_is_drawn_as_a_heat_map_and_saved_as_it_is_published(
    open_visit: OpenVisit, site: Site, each_width: int
) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    seen.open("/charts?metric=l2_liquidity&field=depth&metric=l2_imbalance&field=ratios_avg&interval=15m")
    drawn(seen)
    assert page.evaluate(_COLOURS) == [True, True]
    legend = page.locator(f"{_STACK} .legend").nth(1)
    last = saved_rows(page)[-1]
    column = "l2_liquidity.{} binance-futures exchange"
    band = (float(last[column.format("ask_agg_10")]) - float(last[column.format("ask_agg_5")])) / 5
    told = re.search(r"ask 6\u201310 ≈?([\d.,]+)", legend.inner_text())
    assert told is not None
    assert float(told[1].replace(",", "")) == pytest.approx(band, rel=1e-6)
    frame = site.api.metrics(
        "l2_imbalance",
        timestamp="exchange",
        interval="15m",
        exchange="binance-futures",
        symbol=str(BTC),
        start_date="2025-05-01",
        end_date="2025-05-02",
    )
    wanted = frame["imbalance_ratio_25_avg"][-1]
    assert float(last["l2_imbalance.imbalance_ratio_25_avg binance-futures exchange"]) == wanted
    choices(page)
    page.get_by_role("button", name="difference", exact=True).click()
    drawn(seen)
    assert "exchange time" in legend.inner_text(), "a heat map is of one clock, and says of which"
    assert seen.overflow() <= 0
    assert seen.serious() == []


def test_values_beside_the_chart_are_of_what_is_in_view(open_visit: OpenVisit) -> None:
    seen = open_visit()
    page = seen.page
    seen.open("/charts?metric=flow&field=volume_delta&interval=15m")
    drawn(seen)
    time = page.locator(f"{_STACK} .legend span").first
    newest = time.inner_text()
    assert newest.startswith("2025-05-02 23:")
    stack = page.locator(_STACK)
    stack.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    pointed = time.inner_text()
    assert pointed < newest
    page.keyboard.press("+")
    assert time.inner_text() == pointed, "zooming leaves the crosshair where it is"
    page.emulate_media(color_scheme="dark")
    page.locator("[data-theme-switch]").click()
    assert time.inner_text() >= pointed, "drawn anew, there is no crosshair, so the newest in view is told"
    box = page.locator(f"{_STACK} .u-over").bounding_box()
    assert box is not None
    for _ in range(3):
        page.keyboard.press("0")
        page.get_by_role("button", name="Zoom in").click()
    page.mouse.move(box["x"] + 100, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 50, box["y"] + 50, steps=4)
    page.mouse.up()
    page.mouse.move(5, 5)
    seen.settle()
    page.get_by_role("button", name="Show as table").click()
    last = page.locator("#chart-table tbody th").last
    last.wait_for()
    assert time.inner_text().removesuffix(" UTC") == last.inner_text()
    assert last.inner_text() < newest


def test_of_large_files_only_the_bytes_that_are_needed_are_fetched(open_visit: OpenVisit, site: Site) -> None:
    """Files of tests are small: the page is told that anything above 1,000 bytes is large."""
    seen = open_visit()
    page = seen.page

    def strict(route: Route) -> None:
        answer = route.fetch()
        text = answer.text()
        assert "const WHOLE_BYTES = 4e6;" in text
        route.fulfill(response=answer, body=text.replace("const WHOLE_BYTES = 4e6;", "const WHOLE_BYTES = 1e3;"))

    page.route("**/workspace-data.js", strict)
    asked: list[str] = []
    page.on(
        "request", lambda request: asked.append(request.headers.get("range", "")) if "/files/" in request.url else None
    )
    seen.open(_SECONDS)
    page.get_by_label("API key").fill(site.api.key)
    page.get_by_label("API key").press("Tab")
    drawn(seen)
    assert asked
    assert all(re.fullmatch(r"bytes=\d+-\d+", each) for each in asked)
    told = [row["flow.volume_delta binance-futures true"] for row in saved_rows(page)]
    frame = site.api.metrics(
        "flow",
        timestamp="true",
        interval="1s",
        exchange="binance-futures",
        symbol=str(BTC),
        start_date="2025-05-01",
        end_date="2025-05-01",
    )
    assert [float(each) for each in told if each] == frame["volume_delta"].drop_nulls().to_list()


def test_a_chart_of_the_preview_stands_in_the_frame_of_another_site(
    browser: Browser, open_visit: OpenVisit, installation: ServerSettings
) -> None:
    seen = open_visit()
    seen.open("/charts")
    seen.page.get_by_role("button", name="Embed").click()
    assert "Other sites may not" in seen.page.locator("[data-frame]").inner_text()
    with serving(installation.model_copy(update={"embed_origins": ("*",)})) as api:
        url = api.url.removesuffix("/api/v1")
        with visit(browser, url) as open_to_all:
            page = open_to_all.page
            open_to_all.open("/charts?metric=l2_liquidity&field=depth&metric=flow&field=volume_delta&interval=15m")
            drawn(open_to_all)
            page.get_by_role("button", name="Embed").click()
            code = page.locator("[data-frame] code").inner_text()
            assert code.startswith(f'<iframe src="{url}/embed/chart?metric=l2_liquidity&field=depth')
            page.get_by_role("button", name="1m", exact=True).click()
            assert "needs a key" in page.locator("[data-frame]").inner_text()
            assert page.locator("[data-frame] figure").is_hidden()
            assert open_to_all.faults == []
        with another_site(code) as elsewhere, visit(browser, elsewhere) as other:
            other.page.goto(elsewhere)
            frame = other.page.frame_locator("iframe")
            frame.locator(".uplot canvas").last.wait_for()
            assert frame.locator(".legend").count() == 3
            assert "/charts?metric=l2_liquidity" in (frame.locator("[data-whole]").get_attribute("href") or "")
            assert other.faults == []
    with another_site(code.replace(url, seen.url)) as elsewhere, visit(browser, elsewhere) as other:
        other.page.goto(elsewhere)
        other.page.wait_for_load_state("networkidle")
        assert any("frame-ancestors 'none'" in fault for fault in other.faults)
        assert other.page.frame_locator("iframe").locator("canvas").count() == 0


@contextmanager
def another_site(page: str) -> Iterator[str]:
    """Serve one page on an origin of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            if self.path == "/":
                self.wfile.write(f'<!doctype html><link rel="icon" href="data:,">{page}'.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_with_a_key_charts_need_no_preview(browser: Browser, installation: ServerSettings, site: Site) -> None:
    with serving(installation.model_copy(update={"preview": ()})) as api, visit(browser, api.url[:-7]) as seen:
        page = seen.page
        seen.open("/charts?metric=flow&field=volume_delta")
        assert "nothing is open to everyone" in page.locator(_STATUS).inner_text()
        assert "Nothing of this installation is open" in page.locator(".lead").inner_text()
        page.get_by_label("API key").fill(site.api.key)
        page.get_by_label("API key").press("Tab")
        drawn(seen)
        assert page.locator(_STATUS).inner_text() == ""
        assert named(page)["symbol"] == [str(BTC)]
        assert named(page)["start_date"] == ["2025-05-01"]
        assert len(saved_rows(page)) > 40
        assert seen.faults == []
