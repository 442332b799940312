from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.server.site.market import Market, build_market, running_market
from tests.shared import built_once

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    home = tmp_path_factory.mktemp("docs") / "home"
    shutil.copytree(built_once(tmp_path_factory, "market", build_market), home)
    with running_market(home) as running:
        yield running


@pytest.fixture
def access(market: Market) -> dict[str, str]:
    return {"APERIODIC_API_URL": f"{market.url}/api/v1", "APERIODIC_API_KEY": market.key}
