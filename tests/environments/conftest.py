"""A server with one day of data, and the frame that every way to ask for it has to give."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from tests.server.site.market import BTC, market_of_its_own

import aperiodic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.site.market import Market

_PREAMBLE: Final = """
import warnings
import aperiodic
warnings.filterwarnings("ignore", "The data is simulated")
REQUEST = {request!r}
"""


@dataclass(frozen=True)
class Place:
    """Where to ask, what for, and what comes.

    Attributes:
        url: Address of the API.
        key: A key.
        cache: Folder of the cache, empty at first.
        frame: The answer.
    """

    url: str
    key: str
    cache: Path
    frame: pl.DataFrame

    @property
    def request(self) -> dict[str, Any]:
        """Options of `get_metrics`."""
        days = {"start_date": "2025-05-01", "end_date": "2025-05-01"}
        return {"interval": "1m", "exchange": "binance-futures", "symbol": str(BTC), "on_incomplete": "ignore", **days}

    def client(self, **options: Any) -> aperiodic.Client:
        return aperiodic.Client(self.key, base_url=self.url, cache=self.cache, show_progress=False, **options)

    def get(self, client: aperiodic.Client, metric: str = "ohlcv") -> pl.DataFrame:
        frame: pl.DataFrame = client.get_metrics(metric, **self.request)
        return frame

    def async_client(self, **options: Any) -> aperiodic.AsyncClient:
        return aperiodic.AsyncClient(self.key, base_url=self.url, cache=self.cache, show_progress=False, **options)

    @property
    def environment(self) -> dict[str, str]:
        """For another process: address, key and cache."""
        names = {"API_URL": self.url, "API_KEY": self.key, "CACHE": "1", "CACHE_DIR": str(self.cache)}
        return os.environ | {f"APERIODIC_{name}": value for name, value in names.items()}

    def code(self, code: str) -> str:
        """Return code to which `aperiodic` and `REQUEST` are known."""
        return _PREAMBLE.format(request=self.request) + code

    def run(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a module of Python's."""
        return subprocess.run(
            [sys.executable, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=self.environment,
            cwd=cwd,
        )

    def is_right(self, path: Path) -> bool:
        """Whether a process has written the frame there."""
        return pl.read_parquet(path).equals(self.frame)

    def fetched(self) -> int:
        """How many files the cache holds."""
        return len(list(self.cache.glob("files/*/*.parquet")))


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with market_of_its_own(tmp_path_factory, "environments") as running:
        yield running


@pytest.fixture
def place(market: Market, tmp_path: Path) -> Place:
    url = f"{market.url}/api/v1"
    empty = Place(url, market.key, tmp_path / "cache", pl.DataFrame())
    with aperiodic.Client(market.key, base_url=url, cache=False, show_progress=False) as client:
        frame = client.get_metrics("ohlcv", **empty.request)
    assert frame.height > 100
    return Place(url, market.key, tmp_path / "cache", frame)
