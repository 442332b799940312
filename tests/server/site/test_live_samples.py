"""The samples of docs/live.md run as they stand."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.server.site.live_rows import BTC, live_rows
from tests.server.site.market import Market, build_market, running_market
from tests.shared import built_once

import aperiodic

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = Path(__file__).parents[3] / "docs" / "live.md"
SAMPLES: Final = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
_ETH: Final = "perpetual-ETH-USDT:USDT"
"""Not in the market of these tests."""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    home = tmp_path_factory.mktemp("live") / "home"
    shutil.copytree(built_once(tmp_path_factory, "market", build_market), home)
    with running_market(home) as running, live_rows(home, seconds=1500):
        yield running


def test_the_samples_of_the_page_run(
    market: Market, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(SAMPLES) >= 5
    monkeypatch.setenv("APERIODIC_API_URL", f"{market.url}/api/v1")
    monkeypatch.setenv("APERIODIC_API_KEY", market.key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", aperiodic.IncompleteDataWarning)  # the small market has one day
        for sample in SAMPLES:
            exec(compile(sample.replace(_ETH, BTC), str(PAGE), "exec"), {"__name__": "__main__"})  # noqa: S102
            assert capsys.readouterr().out.strip(), sample
