"""Pictures of every page of the installation in APERIODIC_HOME, to be looked at: `make screenshots`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright
from tests.browser.visits import PAGES, PHONE, TABLET, WIDE, chromium, visit
from tests.servers import serving

from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from tests.browser.visits import Theme, Visit

FOLDER: Final = Path("screenshots")
_VIEWS: Final[tuple[tuple[Theme, int], ...]] = (
    *(("light", width) for width in (WIDE, TABLET, PHONE)),
    *(("dark", width) for width in (WIDE, TABLET, PHONE)),
)


def main() -> None:
    """Serve the installation, visit every page in every view, and write `screenshots/{page}-{theme}-{width}.png`."""
    path = chromium()
    if path is None:
        sys.exit("Chromium is not installed: install the package chromium, or set APERIODIC_CHROMIUM.")
    settings = ServerSettings()
    if not (settings.home / "ledger.sqlite").exists() and settings.ledger is None:
        sys.exit(f"There is no installation in {settings.home}. Make one with `make demo`, or set APERIODIC_HOME.")
    FOLDER.mkdir(exist_ok=True)
    with serving(settings) as api, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for file, seen in _pictures(browser, api.url.removesuffix("/api/v1")):
            seen.page.screenshot(path=FOLDER / file, full_page=True)
            for fault in seen.faults:
                print(f"{file}: {fault}", file=sys.stderr)
            print(FOLDER / file)
        browser.close()


def _pictures(browser: Browser, url: str) -> Iterator[tuple[str, Visit]]:
    for theme, width in _VIEWS:
        for name, address in PAGES.items():
            with visit(browser, url, width=width, theme=theme) as seen:
                seen.open(address)
                yield f"{name}-{theme}-{width}.png", seen
        with visit(browser, url, width=width, theme=theme) as seen:
            seen.open("/catalog/ohlcv")
            seen.page.locator("[data-use-demo]").click()
            seen.page.locator("[data-send]").click()
            seen.page.locator("[data-try-data] canvas").first.wait_for()
            yield f"try-it-{theme}-{width}.png", seen


if __name__ == "__main__":
    main()
