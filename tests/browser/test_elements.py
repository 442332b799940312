"""What a data platform's pages are expected to hold: catalog, dataset, header and footer, element by element."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from tests.browser.visits import PHONE, WIDE

from aperiodic.catalog import DATASETS, Category

if TYPE_CHECKING:
    from tests.browser.conftest import OpenVisit

_FOOTER: Final = (
    "Catalog",
    "Plans",
    "API docs",
    "Notebooks",
    "Roadmap",
    "Changelog",
    "FAQ",
    "For AI agents",
    "LLM? Read this.",
)
_FAMILIES: Final = ("Order flow", "L1 and L2", "Market data", "Derivatives")


def words(text: str | None) -> str:
    return " ".join((text or "").split())


@pytest.mark.parametrize("width", [PHONE, WIDE])
def test_the_header_and_the_footer_lead_everywhere(open_visit: OpenVisit, width: int) -> None:
    seen = open_visit(width=width)
    page = seen.page
    seen.open("/")
    top = page.get_by_role("navigation", name="Main")
    assert page.get_by_role("banner").get_by_role("link", name="Aperiodic").is_visible()
    assert top.get_by_role("link", name="Get started").is_visible()
    top.locator("summary").click()
    menu = [words(text) for text in page.locator("[data-menu] a").all_inner_texts()]
    assert menu == ["Catalog", "Symbols", "Order Flow", "L1 & L2", "Derivatives", "Market Data"]
    bottom = page.get_by_role("contentinfo")
    for name in (*_FOOTER, *_FAMILIES):
        assert bottom.get_by_role("link", name=name, exact=True).is_visible(), name
    assert "investment advice" in words(bottom.text_content())


def test_the_catalog_tells_what_there_is_and_what_is_free(open_visit: OpenVisit) -> None:
    seen = open_visit()
    page = seen.page
    seen.open("/catalog")
    assert page.get_by_role("heading", level=1).inner_text() == "Catalog"
    lead = words(page.locator(".lead").first.inner_text())
    assert "19 datasets" in lead
    assert lead.startswith("Browse market data across exchanges")
    headings = [words(text) for text in page.locator("#results h2").all_inner_texts()]
    assert [next(c for c in Category if heading.startswith(c)) for heading in headings] == list(Category)
    preview = page.locator("#preview")
    assert "no subscription required" in words(preview.inner_text())
    assert "preview=True" in words(preview.inner_text())
    assert "/data/preview/" in words(preview.inner_text())
    row = words(preview.locator("tbody tr").first.inner_text())
    for part in ("Candlesticks", "binance-futures", "perpetual-BTC-USDT:USDT", "5m", "exchange"):
        assert part in row
    assert re.search(r"\d{4}-\d\d-\d\d — \d{4}-\d\d-\d\d", row)


def test_a_dataset_has_its_highlights_facts_and_fields(open_visit: OpenVisit) -> None:
    seen = open_visit()
    page = seen.page
    declared = DATASETS["flow"]
    seen.open("/catalog/flow")
    assert page.get_by_role("heading", level=1).inner_text() == declared.name
    assert words(page.locator(".lead").first.inner_text()) == declared.description
    for name in ("Code", "API docs", "Try it"):
        assert page.locator("main .buttons").first.get_by_role("link", name=name).is_visible()
    cards = page.locator(".highlight").all()
    assert [card.locator("code").first.inner_text() for card in cards] == [field.name for field in declared.highlights]
    for card, field in zip(cards, declared.highlights, strict=True):
        assert card.locator("h3").inner_text() == field.label
        told = [words(text) for text in card.locator("p:not(.small)").all_inner_texts()]
        assert told == [field.own_description.replace("`", ""), (field.highlight or "").replace("`", "")]
    facts = words(page.locator("#facts + *").inner_text())
    for part in (
        "/api/v1/data/flow",
        "Trades",
        "1m 5m 15m 30m 1h 4h 1d",
        "Requires Prime and timestamp=true: 1s 15s 30s",
    ):
        assert part in facts
    for venue in ("binance-futures", "okx-perps", "hyperliquid-perps"):
        assert venue in facts
    assert words(page.locator("#fields").inner_text()) == "Fields 36"
    shown = words(page.locator("#field-taker_buy_small_order_percentage").inner_text())
    assert "taker_buy_small_order_volume / taker_buy_volume, bucket: v < 100" in shown


def test_a_dataset_has_code_parameters_and_the_answer(open_visit: OpenVisit) -> None:
    seen = open_visit()
    page = seen.page
    seen.open("/catalog/l2_imbalance")
    code = page.locator("#panel-python code").inner_text()
    assert "get_metrics(" in code
    assert re.search(r"start_date=date\(2025, 5, 1\)", code)
    assert "print(df.head())" in code
    named = [words(text) for text in page.locator("#parameters + details ul .field-name > code").all_inner_texts()]
    assert named == ["timestamp", "interval", "exchange", "symbol", "start_date", "end_date", "as_of"]
    assert "required · string<date>" in words(page.locator("#parameters + details ul").inner_text())
    answer = page.locator("#response ~ details ul").first
    for path in ("files[].year", "files[].month", "files[].url", "missing"):
        assert answer.get_by_text(path, exact=True).is_visible()
    assert "Successful response with download URLs for each monthly file" in words(page.locator("main").inner_text())
    example = page.get_by_role("group", name="Answer, by example").inner_text()
    assert example.count('"url"') == 2
    assert ("/l2_imbalance/" in example, "/ohlcv/" in example) == (True, False)
    errors = page.locator("#errors ~ details .codes").first
    assert (
        errors.get_by_role("link", name="metric_not_in_plan").get_attribute("href")
        == "/api-docs#error-metric_not_in_plan"
    )


def test_trying_needs_a_key_and_says_where_the_answer_comes(open_visit: OpenVisit) -> None:
    seen = open_visit()
    page = seen.page
    seen.open("/catalog/ohlcv#try")
    form = page.locator("[data-try]")
    assert "An API key is required" in words(form.inner_text())
    assert form.get_by_role("button", name="Get a free key").is_visible()
    assert "GET /api/v1/data/preview/ohlcv?" in form.locator("[data-line]").inner_text()
    assert form.locator("[data-try-status]").inner_text() == "The response will appear here."
    form.get_by_label("Symbol").fill("perpetual-ANY-USDT:USDT")
    assert "symbol=perpetual-ANY-USDT:USDT" in form.locator("[data-line]").inner_text()


def test_values_are_exact_in_tables_and_what_legends_round_is_marked(open_visit: OpenVisit) -> None:
    seen = open_visit()
    page = seen.page
    seen.open("/catalog/flow")
    shown = page.locator("table", has_text="first rows").locator("tbody tr").first.locator("td").all_inner_texts()
    assert len(shown) == len(DATASETS["flow"].fields) + 1
    assert any(len(value.replace(".", "").lstrip("-0")) > 8 for value in shown)
    with page.expect_response("**/site/series?*") as answered:
        page.reload()
    values = answered.value.json()["fields"]["volume_delta_notional"]
    last = next(value for value in reversed(values) if value is not None)
    seen.settle()
    legend = page.locator(".legend b").last.inner_text()
    number = float(legend.removeprefix("≈").replace(",", ""))
    assert number == pytest.approx(last, rel=1e-7)
    assert legend.startswith("≈") == (number != last)
