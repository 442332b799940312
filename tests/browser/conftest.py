"""A served site over simulated days, and a browser to visit it with."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, Protocol

import pytest
from tests.browser.visits import AXE, PHONE, WIDE, Visit, chromium, visit
from tests.lakes import BTC, VENUE, preview_of
from tests.servers import Api, serving
from tests.shared import built_once

from aperiodic.engine.build import build
from aperiodic.lake import Lake
from aperiodic.market import Exchange, Stream
from aperiodic.server.settings import ServerSettings
from aperiodic.simulate import MarketSpec, simulate_into

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from tests.browser.visits import Theme

FIRST, LAST = date(2025, 5, 1), date(2025, 5, 2)
_TRADES_PER_DAY: Final = 2_000


@dataclass(frozen=True)
class Site:
    """A running site.

    Attributes:
        url: Its address, without a slash at the end.
        settings: Of the installation.
        api: Its API, with a key of a large plan.
    """

    url: str
    settings: ServerSettings
    api: Api


class OpenVisit(Protocol):
    """Opens a window; its faults are looked at when the test ends."""

    def __call__(self, *, width: int = WIDE, theme: Theme = "light") -> Visit: ...


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> ServerSettings:
    """Two simulated days on two venues."""
    return _settings(built_once(tmp_path_factory, "site", _build))


@pytest.fixture(scope="session")
def site(installation: ServerSettings) -> Iterator[Site]:
    with serving(installation) as api:
        yield Site(api.url.removesuffix("/api/v1"), installation, api)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium of the system.

    Not for the whole session: while Playwright runs, so does its event loop, and other tests have loops of their own.
    """
    path = chromium()
    if path is None:
        pytest.skip("Chromium is not installed: install the package chromium, or set APERIODIC_CHROMIUM")
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run make site")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: run make install")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def open_visit(browser: Browser, site: Site) -> Iterator[OpenVisit]:
    """Open windows in a test; none may have met an error or asked another host for anything."""
    visits: list[Visit] = []
    with ExitStack() as windows:

        def opened(*, width: int = WIDE, theme: Theme = "light") -> Visit:
            visits.append(windows.enter_context(visit(browser, site.url, width=width, theme=theme)))
            return visits[-1]

        yield opened
        assert [fault for made in visits for fault in made.faults] == []
        assert [url for made in visits for url in made.outside] == []


@pytest.fixture(params=[PHONE, WIDE], ids=["phone", "wide"])
def each_width(request: pytest.FixtureRequest) -> int:
    """The narrowest and a usual window, px."""
    width: int = request.param
    return width


def _build(home: Path) -> None:
    with closing(Lake.open(_settings(home))) as lake:
        for venue, streams in ((VENUE, tuple(Stream)), (Exchange.OKX_PERPS, (Stream.TRADES,))):
            simulate_into(lake, MarketSpec(venue, BTC, 1, _TRADES_PER_DAY), FIRST, LAST, streams)
        build(lake)


def _settings(home: Path) -> ServerSettings:
    return ServerSettings(
        home=home,
        preview=preview_of(("ohlcv", "l2_imbalance"), FIRST, LAST),
        signups_per_hour=100,
        address_requests_per_minute=100_000,
    )
