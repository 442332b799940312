from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.server.site.market import Market, build_market, running_market
from tests.shared import built_once

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with running_market(built_once(tmp_path_factory, "market", build_market)) as running:
        yield running
