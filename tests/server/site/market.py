"""A simulated market behind a real server, and the samples of its pages as a visitor copies them."""

from __future__ import annotations

import html
import re
import shutil
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import httpx
from tests.servers import make_key, serving
from tests.shared import built_once

from aperiodic.engine.build import build
from aperiodic.lake import Lake
from aperiodic.market import Exchange, Stream, Symbol
from aperiodic.server.settings import ServerSettings
from aperiodic.simulate import MarketSpec, simulate_into

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

BTC: Final = Symbol.parse("perpetual-BTC-USDT:USDT")
DAY: Final = date(2025, 5, 1)
_PANEL: Final = re.compile(r'<section id="panel-(\w+)".*?<code>(.*?)</code>', re.DOTALL)
_BLOCK: Final = re.compile(
    r'<figure class="code" data-code data-language="(\w+)">\s*<figcaption><span>(.*?)</span>.*?<code>(.*?)</code>',
    re.DOTALL,
)
_TAG: Final = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class Block:
    """Code of a page: its language, what stands above it, and the text as it is copied."""

    language: str
    label: str
    text: str


@dataclass(frozen=True)
class Market:
    """A running server, a key that opens all of it, and where its data lies."""

    url: str
    key: str
    home: Path

    def page(self, path: str) -> str:
        return httpx.get(f"{self.url}{path}", timeout=30).raise_for_status().text

    def samples(self, path: str) -> dict[str, str]:
        """The code that a page shows, by the name of its tab; the placeholder of a key is replaced by the key."""
        return {name: self._copied(code) for name, code in _PANEL.findall(self.page(path))}

    def blocks(self, path: str) -> list[Block]:
        """All the code that a page shows to be copied, in order; what two places show is here once."""
        found = _BLOCK.findall(self.page(path))
        return list(dict.fromkeys(Block(kind, html.unescape(label), self._copied(code)) for kind, label, code in found))

    def _copied(self, code: str) -> str:
        return html.unescape(_TAG.sub("", code)).replace("YOUR-KEY", self.key)


def build_market(home: Path) -> None:
    """Simulate one day of every stream; the rest of the month that the pages ask for is missing."""
    with closing(Lake.open(ServerSettings(home=home))) as lake:
        simulate_into(lake, MarketSpec(Exchange.BINANCE_FUTURES, BTC, 1, 2_000), DAY, DAY, tuple(Stream))
        build(lake)


@contextmanager
def running_market(home: Path) -> Iterator[Market]:
    """Serve what `build_market` made."""
    settings = ServerSettings(home=home)
    with serving(settings) as api:
        yield Market(api.url.removesuffix("/api/v1"), make_key(settings, "prime-raw"), home)


@contextmanager
def market_of_its_own(factory: pytest.TempPathFactory, name: str) -> Iterator[Market]:
    """Serve a copy, for tests that change what they ask."""
    home = factory.mktemp(name) / "home"
    shutil.copytree(built_once(factory, "market", build_market), home)
    with running_market(home) as running:
        yield running
