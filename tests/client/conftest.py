from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.client.mock_api import FakeApi, MockServer

from aperiodic.client import names, retry

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _quick_and_isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr(names, "_answers", {})  # the next test may get the port of this one's server
    for name in ("APERIODIC_API_KEY", "APERIODIC_API_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fake() -> Iterator[FakeApi]:
    with MockServer() as api, MockServer() as store:
        yield FakeApi(api, store)
