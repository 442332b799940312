"""Pages that the search finds besides datasets, fields and symbols."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from aperiodic.server.site.families import FAMILIES
from aperiodic.server.site.navigation import FOOTER, NAVIGATION
from aperiodic.server.site.notebooks.model import NOTEBOOKS, notebook
from aperiodic.server.site.searching import MAX_LETTERS, fit, split_words

__all__ = ["SitePage", "find_pages", "site_pages"]

_WORDS: Final = {
    "/charts": "candles plot graph compare venues panes",
    "/symbols": "instruments tickers contracts coins markets pairs universe",
    "/api-docs": "REST endpoints parameters errors openapi websocket stream live curl raw ticks",
    "/notebooks": "examples jupyter tutorial research",
    "/plans": "price pricing cost tiers limits rate subscription key",
    "/status": "coverage gaps completeness revisions health uptime incidents missing days",
    "/status/incidents.atom": "RSS atom feed alerts",
    "/get-started": "install quick start pip first steps python client",
    "/for-agents": "LLM MCP machine readable",
    "/llms.txt": "LLM agents",
    "/faq": "questions help licence cite units nulls clocks simulated real",
    "/account": "sign in up API key usage rotate scopes",
    "/changelog": "versions releases news history",
    "/roadmap": "plans future next",
}
"""What people call a page besides its name."""

_OF_TITLE, _OF_WORDS = 2.0, 1.0


@dataclass(frozen=True, slots=True)
class SitePage:
    """A page that can be found.

    Attributes:
        path: Its address.
        title: Its name.
        words: What else it is found by.
    """

    path: str
    title: str
    words: str


@cache
def site_pages() -> tuple[SitePage, ...]:
    """Return the pages that are the same in every installation, each once."""
    linked = dict((*NAVIGATION, *(link for _, links in FOOTER for link in links)))
    pages = [SitePage(path, title, _WORDS.get(path, "")) for path, title in linked.items()]
    families = [SitePage(f"/families/{name}", page.title, page.question) for name, page in FAMILIES.items()]
    notebooks = [SitePage(f"/notebooks/{name}", f"Notebook: {notebook(name).title}", name) for name in NOTEBOOKS]
    return tuple({page.path: page for page in (*pages, *families, *notebooks)}.values())


def find_pages(text: str, most: int) -> list[SitePage]:
    """Return the pages that hold every word of a text, the best first, at most `most`."""
    words = split_words(text[:MAX_LETTERS])
    if not words:
        return []
    scored = [(score, page) for page in site_pages() if (score := _score(words, page))]
    return [page for _, page in sorted(scored, key=lambda item: -item[0])[:most]]


def _score(words: list[str], page: SitePage) -> float:
    title, other = split_words(page.title), split_words(page.words)
    best = [max(_OF_TITLE * fit(word, title), _OF_WORDS * fit(word, other)) for word in words]
    return sum(best) if all(best) else 0.0
