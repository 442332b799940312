"""A browser that visits a running site and writes down what went wrong."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page, Request, Response

__all__ = ["AXE", "PAGES", "PHONE", "TABLET", "WIDE", "Visit", "chromium", "visit"]

Theme = Literal["light", "dark"]

PHONE: Final = 360
TABLET: Final = 768
WIDE: Final = 1440
"""Widths of windows, px."""

_HEIGHT: Final = 900

AXE: Final = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"

_LEFT: Final = "net::ERR_ABORTED"
_LOOKS: Final = 50
_LOOK_MS: Final = 100

_TWO_FRAMES: Final = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
_RUN_AXE: Final = """
async rules => {
    const only = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
    return (await axe.run({resultTypes: ["violations"], ...only})).violations;
}
"""

PAGES: Final = {
    "home": "/",
    "catalog": "/catalog",
    "search": "/catalog?q=spread",
    "dataset": "/catalog/flow",
    "book-dataset": "/catalog/l2_imbalance",
    "charts": "/charts",
    "api-docs": "/api-docs",
    "status": "/status",
    "symbols": "/symbols",
    "symbol": "/symbols/binance-futures/perpetual-BTC-USDT:USDT",
    "account": "/account",
    "plans": "/plans",
    "order-flow": "/families/order-flow",
    "l1-l2": "/families/l1-l2",
    "derivatives": "/families/derivatives",
    "market-data": "/families/market-data",
    "notebooks": "/notebooks",
    "get-started": "/get-started",
    "changelog": "/changelog",
    "roadmap": "/roadmap",
    "faq": "/faq",
    "for-agents": "/for-agents",
    "missing": "/nothing-here",
}
"""Every kind of page: a name and an address."""


@dataclass
class Visit:
    """A page in a browser, and what the browser complained about.

    Attributes:
        page: Playwright's page.
        url: Where the site is.
        faults: Console errors, script errors and requests that failed.
        outside: Requests to other hosts.
        refused: Statuses of refusals that this visit expects; the console's lines about them are no faults.
    """

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    _loading: set[Request] = field(default_factory=set)

    def open(self, address: str) -> Response | None:
        """Go to an address of the site and wait until nothing is loaded any more."""
        response = self.page.goto(f"{self.url}{address}")
        self.settle()
        return response

    def settle(self) -> None:
        """Wait until nothing is loaded any more: what a page asks for, it asks for as it is drawn or answered."""
        self.page.wait_for_load_state("load")
        for _ in range(_LOOKS * _LOOK_MS):
            self.page.evaluate(_TWO_FRAMES)
            if not self._loading:
                return
        raise AssertionError(f"still loading: {[request.url for request in self._loading]}")

    def look(self, *, width: int, theme: Theme) -> None:
        """Change the width of the window and the theme of the page that is open."""
        self.page.set_viewport_size({"width": width, "height": _HEIGHT})
        self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        self.settle()

    def watch(self) -> None:
        """Begin to write down faults."""
        self.page.on("console", lambda message: self._heard(message.type, message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._requested)
        self.page.on("requestfinished", self._finished)
        self.page.on("requestfailed", self._failed)

    def redrawn(self, part: Locator, before: bytes) -> bool:
        """Wait a while until a part of the page looks different from a picture of it; whether it does."""
        for _ in range(_LOOKS):
            if part.screenshot() != before:
                return True
            self.page.wait_for_timeout(_LOOK_MS)
        return False

    def serious(self, *rules: str) -> list[str]:
        """Return what axe-core finds on the page that is serious or worse, by these rules or by all."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found: list[dict[str, Any]] = self.page.evaluate(_RUN_AXE, list(rules))
        return [
            f"{violation['id']}: {node['html'][:200]}"
            for violation in found
            if violation["impact"] in {"serious", "critical"}
            for node in violation["nodes"]
        ]

    def overflow(self) -> int:
        """Return by how many px the page is wider than its window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width

    def _heard(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not any(f"status of {status}" in text for status in self.refused):
            self.faults.append(f"{kind}: {text}")

    def _finished(self, request: Request) -> None:
        self._loading.discard(request)

    def _failed(self, request: Request) -> None:
        self._finished(request)
        if request.failure == _LEFT:  # the page was left, or asks for something else by now
            return
        self.faults.append(f"{request.url}: {request.failure}")

    def _requested(self, request: Request) -> None:
        self._loading.add(request)
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and parts.netloc != urlsplit(self.url).netloc:
            self.outside.append(request.url)


def chromium() -> str | None:
    """Return the path of the browser: `APERIODIC_CHROMIUM`, else what the system has."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("APERIODIC_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@contextmanager
def visit(browser: Browser, url: str, *, width: int = WIDE, theme: Theme = "light") -> Iterator[Visit]:
    """Open a window with nothing kept from earlier ones."""
    context = browser.new_context(
        viewport={"width": width, "height": _HEIGHT}, color_scheme=theme, accept_downloads=True, reduced_motion="reduce"
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    made = Visit(context.new_page(), url)
    made.watch()
    try:
        yield made
    finally:
        context.close()
