"""The site brings its own text face: small, with figures of one width, and nothing moves when it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.browser.visits import PHONE, WIDE

from aperiodic.server.site.assets import assets

if TYPE_CHECKING:
    from playwright.sync_api import Route
    from tests.browser.conftest import OpenVisit

_FACE: Final = "vendor/inter-latin-wght-normal.woff2"
_SHIFTS: Final = """
window.shifted = 0;
new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""
_SOON: Final = (
    "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 200))))"
)
_WIDTHS: Final = """
() => {
    const cell = document.querySelector("td.number");
    const pen = document.createElement("span");
    cell.append(pen);
    return Object.fromEntries(["1111", "8888", "0505"].map(text => [text, (pen.textContent = text, pen.getBoundingClientRect().width)]));
}
"""


def test_the_face_is_small_and_has_its_licence() -> None:
    if _FACE not in assets():
        pytest.skip("the face is not bundled: run make site")
    assert len(assets()[_FACE].body) <= 60_000
    assert b"SIL Open Font License" in assets()["vendor/inter.LICENSE.txt"].body


def test_figures_are_of_one_width(open_visit: OpenVisit) -> None:
    seen = open_visit()
    seen.open("/catalog/ohlcv")
    seen.page.evaluate("document.fonts.ready")
    assert seen.page.evaluate(
        """[...document.fonts].some(face => face.family.includes("Inter Variable") && face.status === "loaded")"""
    )
    widths = seen.page.evaluate(_WIDTHS)
    assert len(set(widths.values())) == 1, widths


@pytest.mark.parametrize("width", [PHONE, WIDE])
def test_nothing_moves_when_the_face_comes_late(open_visit: OpenVisit, width: int) -> None:
    def late(route: Route) -> None:
        route.request.frame.evaluate(_SOON)
        route.continue_()

    seen = open_visit(width=width)
    seen.page.add_init_script(_SHIFTS)
    seen.page.route("**/*.woff2", late)
    for address in ("/", "/catalog", "/catalog/flow", "/charts", "/faq"):
        seen.page.goto(f"{seen.url}{address}", wait_until="domcontentloaded")
        seen.settle()
        seen.page.evaluate("document.fonts.ready")
        seen.settle()
        assert seen.page.evaluate("window.shifted") < 0.05, address
