"""What visitors do: find, read, copy, try, chart, download, rotate a key; with the mouse, and by keyboard alone."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Literal

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.browser.conftest import FIRST, LAST
from tests.browser.visits import PHONE
from tests.lakes import BTC
from tests.servers import make_key

import aperiodic
from aperiodic.catalog import DATASETS

if TYPE_CHECKING:
    from playwright.sync_api import Download, Page
    from tests.browser.conftest import OpenVisit, Site

DEMO_KEY = "DEMO-KEY"
STATUS = "[data-try-status]"
ANSWER = "[data-try-answer]"
DATA = "[data-try-data]"
TABLE = f"{DATA} .table-box table"


def preview(site: Site, metric: Literal["ohlcv", "l2_imbalance"]) -> pl.DataFrame:
    return aperiodic.get_metrics(
        metric=metric,
        interval="5m",
        exchange="binance-futures",
        symbol=str(BTC),
        start_date=FIRST,
        end_date=LAST,
        base_url=site.api.url,
        preview=True,
        show_progress=False,
        on_incomplete="ignore",
    )


def content(download: Download) -> bytes:
    path = download.path()
    return path.read_bytes()


def send_with_demo_key(page: Page) -> None:
    page.get_by_role("button", name=f"Use {DEMO_KEY}").click()
    page.get_by_role("button", name="Send the request").click()
    page.locator(TABLE).wait_for()


def test_a_dataset_is_found_its_field_read_and_its_sample_copied(open_visit: OpenVisit, each_width: int) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    seen.open("/")
    page.get_by_role("link", name="Browse the catalog").click()
    page.get_by_label("Search datasets, fields, symbols and pages").fill("entropy")
    page.locator("#results").get_by_text("flow_entropy").first.wait_for()
    assert page.locator("#results").get_by_text("open_interest").count() == 0
    page.locator("#results").get_by_role("link", name="flow").first.click()
    page.wait_for_url(re.compile(re.escape(f"{seen.url}/catalog/flow") + r"([?#].*)?$"))
    seen.settle()
    page.locator("input[data-filter]").fill("entropy")
    row = page.locator("#field-flow_entropy")
    assert row.is_visible()
    assert "0.693 when even" in row.inner_text()
    assert page.locator("#field-buy_volume").is_hidden()
    page.get_by_role("tab", name="curl").click()
    sample = page.locator("#panel-curl")
    sample.get_by_role("button", name="Copy").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == sample.locator("code").text_content()
    assert "/data/flow?" in copied
    assert seen.overflow() <= 0


def test_the_demo_key_opens_the_preview(open_visit: OpenVisit, site: Site, each_width: int) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    seen.open("/catalog/l2_imbalance#try")
    send_with_demo_key(page)
    assert "GET /api/v1/data/preview/l2_imbalance?" in page.locator("[data-line]").inner_text()
    assert '"files"' in page.locator(ANSWER).inner_text()
    frame = preview(site, "l2_imbalance")
    assert f"{frame.height:,} rows" in page.locator(DATA).inner_text()
    assert page.locator(f"{TABLE} tbody tr").count() == 20
    assert page.locator(f"{TABLE} thead th").all_inner_texts() == frame.columns
    assert page.locator(f"{DATA} canvas").count() > 0
    assert seen.overflow() <= 0
    assert seen.serious() == []


def test_csv_and_parquet_hold_what_the_client_fetches(open_visit: OpenVisit, site: Site) -> None:
    page = open_visit().page
    page.goto(f"{site.url}/catalog/ohlcv")
    send_with_demo_key(page)
    frame = preview(site, "ohlcv")
    with page.expect_download() as csv:
        page.get_by_role("button", name="Download CSV").click()
    assert csv.value.suggested_filename.endswith(f"_5m_exchange_{FIRST}_{LAST}.csv")
    read = pl.read_csv(io.BytesIO(content(csv.value)), try_parse_dates=True)
    assert_frame_equal(read.cast(frame.schema), frame, check_exact=True)
    with page.expect_download() as parquet:
        page.get_by_role("button", name="Download Parquet").click()
    assert_frame_equal(pl.read_parquet(io.BytesIO(content(parquet.value))), frame, check_exact=True)


@pytest.mark.parametrize("metric", ["l2_imbalance", "ohlcv"])
def test_another_field_is_drawn_when_asked_for(
    open_visit: OpenVisit, site: Site, metric: Literal["ohlcv", "l2_imbalance"]
) -> None:
    seen = open_visit()
    page = seen.page
    page.goto(f"{site.url}/catalog/{metric}")
    send_with_demo_key(page)
    field = page.get_by_label("Field in the chart")
    names = field.locator("option").all_inner_texts()
    assert names == preview(site, metric).columns[1:]
    page.locator(f"{DATA} canvas").first.wait_for()
    before = page.locator(f"{DATA} .chart").screenshot()
    field.select_option(next(name for name in reversed(names) if name != field.input_value()))
    assert seen.redrawn(page.locator(f"{DATA} .chart"), before)


def test_a_wrong_key_is_refused_in_words(open_visit: OpenVisit, site: Site) -> None:
    seen = open_visit()
    seen.refused.add(401)
    page = seen.page
    page.goto(f"{site.url}/catalog/flow")
    page.get_by_label("API key").fill("ap_live_0000000000000000_not-a-key")
    page.get_by_role("button", name="Send the request").click()
    page.locator(ANSWER).wait_for()
    assert "not accepted" in page.locator(STATUS).inner_text()
    assert "401" in page.locator(ANSWER).inner_text()
    assert page.locator(DATA).is_hidden()


def test_the_demo_key_does_not_open_what_is_not_preview(open_visit: OpenVisit, site: Site) -> None:
    seen = open_visit()
    seen.refused.add(403)
    page = seen.page
    page.goto(f"{site.url}/catalog/ohlcv")
    page.get_by_role("button", name=f"Use {DEMO_KEY}").click()
    page.locator("#t-interval").select_option("1h")
    assert "/data/ohlcv?" in page.locator("[data-line]").inner_text()
    page.get_by_role("button", name="Send the request").click()
    page.locator(ANSWER).wait_for()
    assert "plan" in page.locator(STATUS).inner_text()
    assert page.locator(DATA).is_hidden()


def test_the_key_stays_in_the_browser(open_visit: OpenVisit, site: Site) -> None:
    key = make_key(site.settings)
    seen = open_visit()
    asked: list[str] = []
    seen.page.on("request", lambda request: asked.append(f"{request.url} {request.post_data or ''}"))
    seen.open("/catalog/flow")
    seen.page.get_by_label("API key").fill(key)
    seen.page.get_by_role("button", name="Send the request").click()
    seen.page.locator(TABLE).wait_for()
    seen.open("/catalog/funding")
    assert seen.page.get_by_label("API key").input_value() == key
    assert not any(key in request for request in asked)
    assert seen.page.context.cookies() == []
    assert seen.page.evaluate("JSON.stringify(localStorage)").find(key) < 0


def test_signing_up_from_the_form_makes_a_key_that_works(open_visit: OpenVisit, site: Site) -> None:
    seen = open_visit()
    page = seen.page
    page.goto(f"{site.url}/catalog/l2_imbalance")
    page.get_by_role("button", name="Get a free key").click()
    note = page.locator("[data-key-note] code")
    note.wait_for()
    key = note.inner_text()
    assert page.get_by_label("API key").input_value() == key
    page.get_by_role("button", name="Send the request").click()
    page.locator(TABLE).wait_for()


def test_the_charts_follow_interval_clock_and_venue(open_visit: OpenVisit, each_width: int) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    seen.open("/charts?metric=flow&field=flow_entropy")
    page.locator("[data-stack] canvas").first.wait_for()
    if each_width == PHONE:
        page.locator("[data-choices] summary").click()
    drawn = page.locator("[data-stack]").screenshot()
    with page.expect_response(lambda response: "interval=5m" in response.url) as answered:
        page.get_by_role("button", name="5m", exact=True).click()
    body = json.loads(answered.value.body())
    assert body["seconds"] == 300
    assert seen.redrawn(page.locator("[data-stack]"), drawn)
    assert "interval=5m" in page.url
    with page.expect_response(lambda response: "timestamp=true" in response.url):
        page.get_by_role("button", name="both", exact=True).click()
    with page.expect_response(lambda response: "exchange=okx-perps" in response.url):
        page.get_by_label("Compare with").select_option("okx-perps")
    linked = page.url
    page.get_by_role("button", name="Show as table").click()
    page.locator("#chart-table thead th").nth(5).wait_for()
    assert page.locator("#chart-table thead th").count() == 6
    assert seen.overflow() <= 0
    seen.open(linked.removeprefix(seen.url))
    assert page.get_by_label("Compare with").input_value() == "okx-perps"


def test_switching_the_interval_on_a_datasets_page_draws_it_anew(open_visit: OpenVisit) -> None:
    seen = open_visit()
    seen.open("/catalog/flow")
    chart = seen.page.locator("[data-candles]")
    before = chart.screenshot()
    with seen.page.expect_response(lambda response: "interval=15m" in response.url):
        seen.page.locator("[data-explorer]").get_by_role("button", name="15m").click()
    assert seen.redrawn(chart, before)


def test_a_key_is_rotated(open_visit: OpenVisit, site: Site) -> None:
    old = make_key(site.settings, "pro")
    seen = open_visit()
    page = seen.page
    seen.open("/account")
    page.get_by_label("API key").fill(old)
    page.get_by_role("button", name="Sign in").click()
    page.locator("[data-account]").wait_for()
    assert "pro" in page.locator("[data-facts]").inner_text()
    assert "raw (of no use until the plan includes it)" in page.locator("[data-facts]").inner_text()
    assert "not included" in page.locator("[data-plan]").inner_text()
    page.get_by_role("button", name="Rotate the key …").click()
    page.get_by_role("button", name="Yes, make the new key").click()
    page.locator("[data-new-key] code").first.wait_for()
    new = page.locator("[data-new-key] [data-code] code").inner_text()
    assert new != old
    for key in (old, new):
        answer = page.request.get(f"{site.api.url}/account", headers={"X-API-KEY": key})
        assert answer.status == 200
        told = answer.json()
        assert told["plan"]["name"] == "pro"
        assert (told["replaced_by"] is not None) == (key == old)
    assert seen.serious() == []
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_label("API key").input_value() == ""


def test_a_wrong_key_does_not_sign_in(open_visit: OpenVisit, site: Site) -> None:
    seen = open_visit()
    seen.refused.add(401)
    page = seen.page
    page.goto(f"{site.url}/account")
    page.get_by_label("API key").fill("ap_live_0000000000000000_not-a-key")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("This key is not known here").wait_for()
    assert page.locator("[data-account]").is_hidden()


def test_the_theme_is_kept(open_visit: OpenVisit) -> None:
    seen = open_visit()
    seen.open("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    bright = seen.page.evaluate(ground)
    seen.page.get_by_role("button", name="Switch between dark and light").click()
    dark = seen.page.evaluate(ground)
    assert dark != bright
    seen.open("/catalog")
    assert seen.page.evaluate(ground) == dark


def tab_to(page: Page, selector: str, most: int = 150) -> None:
    """Press Tab until the focus is on what a selector names."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector) ?? false", selector):
            return
    raise AssertionError(f"{selector} was not reached by keyboard")


@pytest.mark.parametrize("width", [PHONE])
def test_everything_works_by_keyboard_alone(open_visit: OpenVisit, width: int) -> None:
    seen = open_visit(width=width)
    page = seen.page
    seen.open("/catalog")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    tab_to(page, "#q")
    page.keyboard.type("l2_imbalance")
    page.locator("#results").get_by_text("l2_imbalance").first.wait_for()
    seen.settle()
    tab_to(page, "#results a[href^='/catalog/l2_imbalance']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/catalog/l2_imbalance*")
    seen.settle()
    tab_to(page, "#tab-python")
    page.keyboard.press("ArrowRight")
    assert page.locator("#panel-python").is_hidden()
    tab_to(page, "[data-use-demo]")
    page.keyboard.press("Enter")
    tab_to(page, "[data-send]")
    page.keyboard.press("Enter")
    page.locator(TABLE).wait_for()
    tab_to(page, f"{DATA} button")
    with page.expect_download() as csv:
        page.keyboard.press("Enter")
    assert content(csv.value).startswith(b"time,")


def told(minute: int) -> dict[str, object]:
    begin = 1_795_000_020_000_000
    rows = [
        {
            "time": begin + number * 60_000_000,
            **dict.fromkeys(("open", "high", "low", "volume"), 1.0),
            "close": 103_249.5 + number,
            "volume_notional": 1_000_000.0,
            "complete": True,
        }
        for number in range(minute)
    ]
    instruments = [{"exchange": "binance-futures", "symbol": str(BTC), "rows": rows}] if rows else []
    return {"metric": "ohlcv", "now": begin + minute * 60_000_000 + 7_000_000, "instruments": instruments}


@pytest.mark.parametrize("address", ["/", "/catalog/ohlcv"])
def test_a_live_board_shows_the_newest_bars(open_visit: OpenVisit, each_width: int, address: str) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    page.route("**/site/live?metric=ohlcv", lambda route: route.fulfill(json=told(10)))
    seen.open(address)
    board = page.locator("[data-live]")
    board.locator("tbody tr").first.wait_for()
    assert board.is_visible()
    assert "103258.5" in board.inner_text()
    assert "7 s ago" in board.locator("[data-told]").inner_text()
    if address == "/":
        assert "+0.01 %" in board.inner_text()
        assert "9,000,000" in board.inner_text()
    else:
        assert board.locator("tbody tr").count() == 6
    assert seen.overflow() <= 0


def test_without_capture_there_is_no_live_board(open_visit: OpenVisit) -> None:
    seen = open_visit()
    for address in ("/", "/catalog/ohlcv"):
        seen.open(address)
        assert seen.page.locator("[data-live]").is_hidden()


def test_facets_narrow_the_catalog_as_they_are_chosen(open_visit: OpenVisit, each_width: int) -> None:
    seen = open_visit(width=each_width)
    page = seen.page
    seen.open("/catalog")
    cards = page.locator("#results .card")
    assert cards.count() == len(DATASETS)
    page.get_by_label("Category").select_option("derivatives")
    page.wait_for_url("**/catalog?category=derivatives")
    seen.settle()
    assert 0 < cards.count() < len(DATASETS)
    assert page.locator("#results .card .spark").count() == cards.count()
    page.get_by_label("Search datasets, fields, symbols and pages").fill("btcusdt")
    page.locator("#results").get_by_role("link", name="perpetual-BTC-USDT:USDT").first.click()
    page.wait_for_url("**/symbols/**")
    seen.settle()
    assert page.get_by_role("heading", level=1).inner_text() == "perpetual-BTC-USDT:USDT"
