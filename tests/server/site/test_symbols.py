"""Pages of instruments: what is held, since when, what the venue says, and the list of them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from tests.lakes import preview_of
from tests.server.in_process import App, application

from aperiodic.catalog import DATASETS, Category
from aperiodic.engine.build import build
from aperiodic.lake import NewObject, ObjectKind
from aperiodic.lake.instruments import remember_instruments
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Exchange, Source, Stream, Symbol
from aperiodic.market.instrument import Instrument
from aperiodic.server.site.found_pages import find_pages, site_pages
from aperiodic.server.site.known_symbols import KnownSymbol, fitting
from aperiodic.simulate import MarketSpec, simulate_into

if TYPE_CHECKING:
    from collections.abc import Iterator

BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
ETH = Symbol.parse("perpetual-ETH-USDT:USDT")
NEW = Symbol.parse("perpetual-SOL-USDT:USDT")
VENUE, OTHER = Exchange.BINANCE_FUTURES, Exchange.OKX_PERPS
FIRST, LAST = date(2025, 5, 1), date(2025, 5, 3)
SAID, AGAIN = 1_746_000_000_000_000, 1_747_000_000_000_000
PAGE = f"/symbols/{VENUE}/{BTC}"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Three days of BTC without the one between, ETH's trades on another venue, and SOL, which is only listed."""
    preview = preview_of(("ohlcv",), FIRST, LAST)
    with application(tmp_path_factory.mktemp("home"), preview=preview) as made:
        for day in (FIRST, LAST):
            simulate_into(made.lake, MarketSpec(VENUE, BTC, 1, 1_000), day, day, tuple(Stream))
        simulate_into(made.lake, MarketSpec(OTHER, ETH, 1, 500), FIRST, FIRST, (Stream.TRADES,))
        build(made.lake)
        listed = Instrument("BTCUSDT", BTC, None, Decimal("0.10"), Decimal("0.001"), SAID - 1)
        other = Instrument("SOL-USDT-SWAP", NEW, Fraction(1), Decimal("0.01"), Decimal(1), SAID - 1)
        with begin_write(made.lake.engine) as connection:
            remember_instruments(connection, VENUE, [listed], SAID, whole=True)
            changed = Instrument("BTCUSDT", BTC, None, Decimal("0.50"), Decimal("0.001"), SAID - 1)
            remember_instruments(connection, VENUE, [changed], AGAIN, whole=True)
            remember_instruments(connection, OTHER, [other], SAID, whole=True)
        yield made


def read(app: App, path: str, status: int = 200) -> str:
    answer = app.client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    return answer.text


def test_the_page_of_an_instrument_tells_all_that_is_held(app: App) -> None:
    text = read(app, PAGE)
    for metric in DATASETS:
        assert f'href="/catalog/{metric}"' in text
    for stream in Stream:
        assert f"stream={stream}#days" in text
    assert "2025-05-01" in text
    assert "0 of 1 complete" in text
    assert "BTCUSDT" in text
    assert "0.5 USDT" in text
    assert '<td class="number">0.1</td>' in text  # the price step before it was changed
    assert "changed" in text
    assert f"/charts?exchange={VENUE}&amp;symbol=perpetual-BTC-USDT%3AUSDT" in text
    assert "get_metrics" in text


def test_the_last_values_are_those_of_the_preview(app: App) -> None:
    answer = app.client.get("/site/series?metric=ohlcv&fields=close&interval=1h")
    last = answer.json()["fields"]["close"][-1]
    assert f'<span class="date">{last}</span>' in read(app, PAGE)


def test_an_instrument_outside_of_the_preview_shows_no_values(app: App) -> None:
    text = read(app, f"/symbols/{OTHER}/{ETH}")
    assert "Last values" not in text
    assert "are read with a key" in text
    assert "Nothing that okx-perps says of it is known here." in text


def test_what_is_listed_only_has_a_page_too(app: App) -> None:
    text = read(app, f"/symbols/{OTHER}/{NEW}")
    assert "No bars of this instrument are published." in text
    assert "No ticks of this instrument are held." in text
    assert "SOL-USDT-SWAP" in text
    assert "1 SOL" in text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"/symbols/{VENUE}/perpetual-BTC-USDC:USDC", "Did you mean perpetual-BTC-USDT:USDT?"),
        (f"/symbols/{VENUE}/btc", "is not an Atlas symbol"),
        (f"/symbols/{VENUE}/..%2f..%2fledger.sqlite", ""),
        (f"/symbols/{VENUE}/%3Cscript%3E", "&lt;script&gt;"),
        (f"/symbols/{VENUE}/{'x' * 5_000}", "is not an Atlas symbol"),
        (f"/symbols/nowhere/{BTC}", "Unknown exchange"),
    ],
)
def test_what_is_not_held_is_said_in_words(app: App, path: str, words: str) -> None:
    text = read(app, path, 404)
    assert "Page not found" in text
    assert words in text
    assert "<script>" not in text


def test_the_list_is_of_what_is_held(app: App) -> None:
    text = read(app, "/symbols")
    assert PAGE in text
    assert f"/symbols/{OTHER}/{ETH}" in text
    assert f"/symbols/{OTHER}/{NEW}" not in text
    assert PAGE not in read(app, f"/symbols?exchange={OTHER}")
    assert f"/symbols/{OTHER}/{ETH}" in read(app, "/symbols?q=ethusdt")
    assert "No instrument fits" in read(app, "/symbols?q=%3Cb%3Ezz")
    for page in ("0", "-1", "99999999999999999999", "x", "²"):
        assert PAGE in read(app, f"/symbols?page={page}")


def test_pages_of_instruments_are_linked(app: App) -> None:
    linked = f"/symbols/{VENUE}/perpetual-BTC-USDT%3AUSDT"
    assert linked in read(app, f"/status?exchange={VENUE}&symbol={BTC}")
    assert linked in read(app, "/catalog/flow")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("btc", f"{VENUE} {BTC}"),
        ("BTCUSDT", f"{VENUE} {BTC}"),
        ("okx btc", f"{OTHER} {BTC}"),
        ("ETH/USDT", f"{OTHER} {ETH}"),
        ("perpetual-ETH-USDT:USDT", f"{OTHER} {ETH}"),
    ],
)
def test_instruments_are_found_by_what_people_call_them(text: str, first: str) -> None:
    known = [
        KnownSymbol(exchange, str(symbol), published=True, streams=1, first=None, last=None, source=None)
        for exchange, symbol in ((VENUE, BTC), (OTHER, BTC), (OTHER, ETH))
    ]
    found = fitting(text, known)
    assert f"{found[0].exchange} {found[0].symbol}" == first
    assert fitting("zzz", known) == []
    assert fitting("-/:", known) == []


def test_the_search_finds_symbols_and_pages_too(app: App) -> None:
    symbols = read(app, "/catalog?q=btcusdt")
    assert PAGE in symbols
    assert "Nothing here is called" not in symbols
    assert 'href="/status"' in read(app, "/catalog?q=gaps").partition('id="pages"')[2].partition("</section>")[0]
    assert 'id="pages"' not in read(app, "/catalog")
    assert "Nothing here is called" in read(app, "/catalog?q=zzzz")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("pricing", "/plans"),
        ("coverage", "/status"),
        ("websocket", "/api-docs"),
        ("install", "/get-started"),
        ("order flow", "/families/order-flow"),
        ("tickers", "/symbols"),
        ("two clocks", "/notebooks/two-clocks"),
    ],
)
def test_pages_are_found_by_what_people_call_them(text: str, path: str) -> None:
    assert path in [page.path for page in find_pages(text, 3)]


def test_other_words_of_pages_are_of_pages_that_exist(app: App) -> None:
    for page in site_pages():
        assert app.client.get(page.path).status_code == 200, page.path
    assert find_pages("", 3) == find_pages("zzzz", 3) == []


@pytest.mark.parametrize(
    ("query", "datasets"),
    [
        ("", 19),
        ("?category=derivatives", sum(each.category is Category.DERIVATIVES for each in DATASETS.values())),
        (f"?venue={OTHER}", len([each for each in DATASETS.values() if set(each.streams) == {Stream.TRADES}])),
        ("?tier=1", sum(each.tier == 1 for each in DATASETS.values())),
        ("?have=preview", 1),
        ("?have=live", 0),
        ("?category=nothing&venue=x&tier=9&have=y", 19),
        ("?category=derivatives&have=preview", 0),
    ],
)
def test_facets_narrow_the_catalog(app: App, query: str, datasets: int) -> None:
    text = read(app, f"/catalog{query}")
    assert text.count('class="card"') == datasets
    assert ("is in all of the chosen groups" in text) is (datasets == 0)


def test_a_card_shows_a_picture_coverage_and_how_fresh_it_is(app: App) -> None:
    card = read(app, "/catalog?q=flow_entropy").partition('class="card"')[2].partition("</li>\n")[0]
    assert 'class="spark"' in card
    assert "2025-05: 29 days without ticks" in card
    assert "To <time" in card
    assert "2025-05-03" in card
    with_script = app.client.get("/catalog?q=flow", headers={"HX-Request": "true"}).text
    assert "<html" not in with_script
    assert 'class="spark"' in with_script


def test_the_first_revision_of_a_month_says_that_it_is_the_first(app: App) -> None:
    (record,) = app.lake.current(ObjectKind.BARS, dataset="ohlcv", exchange=OTHER, interval="1d", clock="exchange")
    assert (record.revision, record.reason) == (1, "first build")
    again = NewObject(record.key, 1, Source.SIMULATED, "other", "inputs changed", first_reason="first build")
    batch = app.lake.batch()
    batch.put(again, b"other rows")
    batch.commit()
    (record,) = app.lake.current(ObjectKind.BARS, dataset="ohlcv", exchange=OTHER, interval="1d", clock="exchange")
    assert (record.revision, record.reason) == (2, "inputs changed")


def test_what_says_nothing_does_not_stay_in_the_address(app: App) -> None:
    plain = app.client.get("/catalog?q=&category=derivatives&venue=&tier=&have=", follow_redirects=False)
    assert (plain.status_code, plain.headers["location"]) == (303, "/catalog?category=derivatives")
    assert app.client.get("/catalog?q=&tier=", follow_redirects=False).headers["location"] == "/catalog"
    assert app.client.get("/catalog?q=a%26b&tier=2", follow_redirects=False).status_code == 200
    part = app.client.get("/catalog?q=CVD+a%26b&category=&tier=2", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-push-url"]) == (200, "/catalog?q=CVD+a%26b&tier=2")
