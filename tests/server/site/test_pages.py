"""What every page has in common: headers, caching, compression, errors, and text that is never taken for HTML."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.server.in_process import application

from aperiodic.catalog import DATASETS
from aperiodic.lake.store import Store
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.site.market import Market

PAGES = ("/", "/catalog", "/catalog/flow", "/charts", "/status", "/account", "/plans", "/faq", "/api-docs")
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def directives(answer: httpx.Response) -> dict[str, str]:
    policy = answer.headers["Content-Security-Policy"]
    return dict(part.strip().partition(" ")[::2] for part in policy.split(";"))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_allows_nothing_but_this_hosts_own_files(market: Market, path: str) -> None:
    answer = httpx.get(f"{market.url}{path}")
    allowed = directives(answer)
    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == allowed["style-src"] == allowed["connect-src"] == "'self'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "Set-Cookie" not in answer.headers
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\bon[a-z]+=", answer.text)
    for address in re.findall(r'<(?:script|link|img)[^>]*?(?:src|href)="([^"]+)"', answer.text):
        assert address.startswith(("/", market.url)), address


def test_pages_without_data_say_so(tmp_path: Path) -> None:
    with application(tmp_path / "home") as app:
        for path in ("/", "/catalog", "/charts", "/status", *(f"/catalog/{metric}" for metric in DATASETS)):
            answer = app.client.get(path)
            assert answer.status_code == 200, path
        assert "No preview yet" in app.client.get("/").text
        assert "Nothing of this dataset is published here yet" in app.client.get("/catalog/flow").text


def test_data_may_come_from_the_hosts_of_links(tmp_path: Path) -> None:
    hosts = {"ohlcv": "https://ohlcv.example.com/x", "trade-metrics": "https://trades.example.com"}
    with application(tmp_path / "home", public_url="https://data.example.com/base", link_hosts=hosts) as app:
        allowed = directives(app.client.get("/catalog"))
    assert set(allowed["connect-src"].split()) == {
        "'self'",
        "https://data.example.com",
        "https://ohlcv.example.com",
        "https://trades.example.com",
    }


def test_the_operator_is_named_where_the_settings_do(tmp_path: Path) -> None:
    with application(
        tmp_path / "home",
        operator_name="A & B <Desk>",
        operator_contact="mailto:desk@example.com",
        operator_privacy="https://example.com/privacy?a=1",
        operator_channels=("https://www.example.com/desk", "mailto:news@example.com"),
    ) as app:
        page = app.client.get("/faq").text
    assert "Run by A &amp; B &lt;Desk&gt;." in page
    assert '<a href="mailto:desk@example.com">Contact</a>' in page
    assert '<a href="https://example.com/privacy?a=1">Privacy</a>' in page
    assert '<a href="https://www.example.com/desk">example.com</a>' in page
    assert '<a href="mailto:news@example.com">news@example.com</a>' in page
    assert ">Terms</a>" not in page
    with application(tmp_path / "other") as app:
        assert "Company" not in app.client.get("/faq").text
    with pytest.raises(ValueError, match="operator_terms"):
        ServerSettings(operator_terms="javascript:alert(1)")


def test_data_may_come_from_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr(Store, "sizes", lambda *_: iter(()))  # nobody is at that address
    monkeypatch.setattr("aperiodic.lake.lake.take_up", lambda *_: None)
    store = "s3://bucket?endpoint=https://inside.example.com&public_endpoint=https://files.example.com&region=eu-west-1"
    with application(tmp_path / "home", store=store) as app:
        assert directives(app.client.get("/account"))["connect-src"] == "'self' https://files.example.com"


def test_what_a_browser_has_is_not_sent_again(market: Market) -> None:
    first = httpx.get(f"{market.url}/faq")
    again = httpx.get(f"{market.url}/faq", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_pages_are_compressed_for_those_who_take_it(market: Market) -> None:
    plain = httpx.get(f"{market.url}/faq", headers={"Accept-Encoding": "identity"})
    with httpx.stream("GET", f"{market.url}/faq", headers={"Accept-Encoding": "gzip"}) as answer:
        sent = b"".join(answer.iter_raw())
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(sent) == plain.content
    assert len(sent) < len(plain.content) / 2


def test_assets_are_kept_for_ever_under_a_name_of_their_content(market: Market) -> None:
    page = httpx.get(f"{market.url}/").text
    addresses = set(re.findall(r'"(/assets/[^"]+)"', page))
    assert len(addresses) >= 4
    for address in addresses:
        answer = httpx.get(f"{market.url}{address}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    stale = re.sub(r"/assets/[^/]+/", "/assets/0000000000000000/", addresses.pop())
    assert httpx.get(f"{market.url}{stale}").status_code == 404


@pytest.mark.parametrize("path", [*PAGES, "/robots.txt", "/sitemap.xml", "/favicon.ico"])
def test_what_is_at_an_address_can_be_asked_without_its_body(market: Market, path: str) -> None:
    whole, head = httpx.get(f"{market.url}{path}"), httpx.head(f"{market.url}{path}")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Type", "ETag", "Content-Security-Policy", "Content-Length"):
        assert head.headers.get(name) == whole.headers.get(name), name
    assert httpx.head(f"{market.url}/nothing", headers=BROWSER).status_code == 404
    known = httpx.head(f"{market.url}/faq", headers={"If-None-Match": httpx.get(f"{market.url}/faq").headers["ETag"]})
    assert known.status_code == 304


@pytest.mark.parametrize("path", [*PAGES, "/robots.txt", "/sitemap.xml", "/client", "assets"])
def test_a_content_type_names_its_charset_once(market: Market, path: str) -> None:
    addresses = re.findall(r'"(/assets/[^"]+)"', httpx.get(f"{market.url}/").text) if path == "assets" else [path]
    for address in addresses:
        told = httpx.get(f"{market.url}{address}").headers["Content-Type"]
        assert told.count("charset") == told.startswith("text/"), (address, told)


def test_crawlers_are_told_of_every_page(market: Market) -> None:
    robots = httpx.get(f"{market.url}/robots.txt").text
    assert robots.splitlines()[-1] == f"Sitemap: {market.url}/sitemap.xml"
    assert "Disallow: /api/" in robots
    addresses = re.findall("<loc>([^<]+)</loc>", httpx.get(f"{market.url}/sitemap.xml").text)
    assert len(addresses) == len(set(addresses))
    assert {f"{market.url}/catalog/{metric}" for metric in DATASETS} < set(addresses)
    for address in addresses:
        assert address.startswith(market.url)
        assert httpx.head(address, headers=BROWSER).status_code == 200, address


def test_an_icon_and_a_picture_for_previews_are_there(market: Market) -> None:
    assert httpx.get(f"{market.url}/favicon.ico").content.startswith(b"\0\0\1\0")
    page = httpx.get(f"{market.url}/catalog/flow").text
    told = dict(re.findall(r'<meta property="og:([a-z:_]+)" content="([^"]+)"', page))
    assert told["url"] == f"{market.url}/catalog/flow"
    assert told.keys() >= {"title", "description", "type", "site_name", "image", "image:alt"}
    picture = httpx.get(told["image"])
    assert picture.headers["Content-Type"] == "image/png"
    assert picture.content[16:24] == (1200).to_bytes(4, "big") + (630).to_bytes(4, "big")


@pytest.mark.parametrize("path", ["/nothing", "/catalog/nothing", "/catalog/..%2f..%2fetc", "/families/nothing"])
def test_a_page_that_is_not_there_is_told_to_people_as_a_page(market: Market, path: str) -> None:
    answer = httpx.get(f"{market.url}{path}", headers=BROWSER)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<h1>" in answer.text


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", "/files/nothing", "/site/nothing", "/assets/nothing"])
def test_programs_are_told_as_json(market: Market, path: str) -> None:
    headers = {} if path == "/nothing" else BROWSER
    answer = httpx.get(f"{market.url}{path}", headers=headers)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["code"]


def test_a_dataset_with_a_near_name_is_offered(market: Market) -> None:
    assert "l1_imbalance" in httpx.get(f"{market.url}/catalog/l1_imbalanc", headers=BROWSER).text


@pytest.mark.parametrize(
    "path",
    [
        "/catalog?q=<script>alert(1)</script>",
        "/catalog/flow?symbol=<script>alert(1)</script>",
        "/charts?metric=<script>alert(1)</script>",
        "/status?exchange=<script>alert(1)</script>&symbol=\"'><script>alert(1)</script>",
        "/<script>alert(1)</script>",
    ],
)
def test_text_of_visitors_is_never_taken_for_html(market: Market, path: str) -> None:
    answer = httpx.get(f"{market.url}{path}", headers=BROWSER)
    assert answer.status_code < 500
    assert "<script>alert" not in answer.text


def test_the_parameters_of_a_sample_are_those_of_the_address(market: Market) -> None:
    chosen = "interval=15m&timestamp=true&exchange=okx-perps&symbol=perpetual-ETH-USDT:USDT"
    page = market.page(f"/catalog/flow?{chosen}&start_date=2025-01-02&end_date=2025-01-03")
    for text in ("15m", "okx-perps", "perpetual-ETH-USDT:USDT", "2025-01-02", "2025-01-03"):
        assert page.count(text) > 3, text
    wrong = market.page("/catalog/flow?interval=7m&symbol=nonsense&start_date=tomorrow")
    assert "nonsense" not in wrong
    assert "tomorrow" not in wrong


def test_a_search_finds_datasets_and_fields(market: Market) -> None:
    found = market.page("/catalog?q=entropy")
    assert "flow_entropy" in found
    assert "/catalog/open_interest" not in found
    spread = market.page("/catalog?q=spread")
    assert "/catalog/l1_liquidity#field-spread_bps" in spread
    assert "/catalog/l1_liquidity#field-bid_depth" not in spread
    assert "#field-" not in market.page("/catalog")
    assert "Nothing here is called" in market.page("/catalog?q=zzzzzz")
    assert "19 datasets" in market.page("/catalog")


def test_the_old_address_of_a_dataset_works(market: Market) -> None:
    assert "flow_entropy" in market.page("/catalog?metric=flow")


def test_pages_answer_while_the_ledger_is_gone(tmp_path: Path) -> None:
    with application(tmp_path / "home") as app:
        app.lake.engine.dispose()
        (tmp_path / "home" / "ledger.sqlite").rename(tmp_path / "gone")
        (tmp_path / "home" / "ledger.sqlite").mkdir()
        answer = app.client.get("/catalog/flow", headers=BROWSER)
        assert answer.status_code == 503
        assert answer.headers["Content-Type"].startswith("text/html")
        assert int(answer.headers["Retry-After"]) > 0
        assert app.client.get("/faq", headers=BROWSER).status_code == 200
