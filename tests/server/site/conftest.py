from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.server.site.market import Market, simulated_market

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with simulated_market(tmp_path_factory.mktemp("market")) as running:
        yield running
