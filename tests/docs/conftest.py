from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.server.site.market import Market, market_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with market_of_its_own(tmp_path_factory, "docs") as running:
        yield running


@pytest.fixture
def access(market: Market) -> dict[str, str]:
    return {"APERIODIC_API_URL": f"{market.url}/api/v1", "APERIODIC_API_KEY": market.key}
