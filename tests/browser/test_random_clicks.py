"""Clicks at random, anywhere on the site: whatever is done in whatever order, no page complains."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.browser.visits import PAGES, PHONE, TABLET, WIDE
from tests.soak import SOAK, time_is_up

if TYPE_CHECKING:
    from playwright.sync_api import ElementHandle
    from tests.browser.conftest import OpenVisit
    from tests.browser.visits import Visit

_CLICKS: Final = 50
_RUNS: Final = 20 if SOAK > 1 else 3
_FIRST: Final = int(os.environ.get("APERIODIC_CLICKS_SEED", "0"))
"""Seed of the first run, to do one again."""

_PATIENCE_MS: Final = 2_000
_REFUSALS: Final = frozenset({400, 401, 403, 404, 422, 429})
"""What may be answered to a form that was filled in at random: the page says so, and so does the console."""

"""What the browser says of a request whose page was left, and of a link that is a download."""

_PAGES_ON_THE_WAY: Final = 5
_BACK: Final = 0.06
_ELSEWHERE: Final = 0.04

_PICK: Final = """
chance => {
    const usable = thing => thing.checkVisibility({visibilityProperty: true}) && !thing.disabled
        && thing.getBoundingClientRect().width > 1
        && !(thing.tagName === "A" && new URL(thing.href).host !== location.host);
    const things = [...document.querySelectorAll("a[href], button, summary, select, input")].filter(usable);
    return things[Math.floor(chance * things.length)] ?? null;
}
"""
_ABOUT: Final = """
thing => ({
    tag: thing.tagName.toLowerCase(),
    type: thing.type ?? "",
    words: (thing.getAttribute("href") ?? thing.name ?? "") + " " + thing.textContent.trim().slice(0, 30),
    values: [...(thing.options ?? [])].map(option => option.value),
})
"""
_CHOOSE: Final = "(thing, value) => { thing.value = value; thing.dispatchEvent(new Event('change', {bubbles: true})); }"
_DAYS: Final = ("2025-05-01", "2025-05-02", "2025-05-31", "2024-02-29", "9999-12-31", "")
_WORDS: Final = ("", "spread", "ap_live_nothing", "perpetual-BTC-USDT:USDT", "<b>", "2025-05", "7", "🙂", "x" * 200)


@pytest.mark.parametrize("seed", range(_FIRST, _FIRST + _RUNS))
def test_clicks_in_any_order_break_nothing(open_visit: OpenVisit, seed: int) -> None:
    if time_is_up():
        pytest.skip("the time of this soak is used up")
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    seen = open_visit(width=chance.choice([PHONE, TABLET, WIDE]), theme=chance.choice(["light", "dark"]))
    seen.refused |= _REFUSALS
    done: list[str] = []
    go(seen, chance, done)
    for _ in range(_CLICKS):
        step(seen, chance, done)
        assert seen.faults == [], f"seed {seed}: {' · '.join(done[-12:])}"
    assert len(set(done)) > _CLICKS // 2


def go(seen: Visit, chance: random.Random, done: list[str]) -> None:
    """Go to any kind of page by its address."""
    address = chance.choice(list(PAGES.values()))
    done.append(address)
    seen.open(address)


def step(seen: Visit, chance: random.Random, done: list[str]) -> None:
    """Do one thing that a visitor can do: click, choose, type, go back, go elsewhere."""
    what = chance.random()
    if what < _ELSEWHERE:
        go(seen, chance, done)
        return
    if what < _ELSEWHERE + _BACK:
        done.append("back")
        seen.page.go_back()
        if not seen.page.url.startswith(seen.url):
            go(seen, chance, done)
        calm(seen)
        return
    thing = seen.page.evaluate_handle(_PICK, chance.random()).as_element()
    if thing is None:  # a file of text, an XML feed
        go(seen, chance, done)
        return
    act(seen, thing, chance, done)
    calm(seen)


def calm(seen: Visit) -> None:
    """Wait until nothing is loaded any more, on the page to which an action leads."""
    from playwright.sync_api import Error  # noqa: PLC0415 - not installed everywhere

    for _ in range(_PAGES_ON_THE_WAY):
        try:
            seen.settle()
        except Error as left:
            if "context was destroyed" not in left.message:
                raise
        else:
            return
    raise AssertionError(f"no page comes to rest: {seen.page.url}")


def act(seen: Visit, thing: ElementHandle, chance: random.Random, done: list[str]) -> None:
    """Use a part of the page as what it is."""
    from playwright.sync_api import TimeoutError as TookTooLong  # noqa: PLC0415 - not installed everywhere

    about: dict[str, Any] = thing.evaluate(_ABOUT)
    done.append(f"{about['tag']} {about['words']}")
    try:
        if about["tag"] == "select":
            thing.select_option(chance.choice(about["values"]), timeout=_PATIENCE_MS)
        elif about["tag"] == "input" and about["type"] == "date":
            thing.evaluate(_CHOOSE, chance.choice(_DAYS))
        elif about["tag"] == "input" and about["type"] not in {"checkbox", "radio", "submit"}:
            thing.fill(chance.choice(_WORDS), timeout=_PATIENCE_MS)
            if chance.random() < 0.5:
                seen.page.keyboard.press("Enter")
        else:
            thing.click(timeout=_PATIENCE_MS)
    except TookTooLong:  # something lies over it, or the page moved on
        done[-1] += " (not reached)"
