"""A server, and in the place of the builder the test itself, which tells it rows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.servers import Api, serving

from aperiodic.engine.live import LiveHub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def hub(home: Path) -> Iterator[LiveHub]:
    with LiveHub(home) as made:
        yield made


@pytest.fixture(scope="module")
def api(home: Path, hub: LiveHub) -> Iterator[Api]:
    with serving(home) as running:
        deadline = time.monotonic() + 30
        while not hub.readers and time.monotonic() < deadline:
            time.sleep(0.02)
        yield running
