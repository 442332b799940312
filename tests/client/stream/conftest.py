from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.mock_api import API_KEY
from tests.client.stream.stream_server import CHANNEL, StreamServer

import aperiodic
from aperiodic.client import stream_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_session, "FIRST_DELAY_SECONDS", 0.0)
    for name in ("APERIODIC_API_KEY", "APERIODIC_API_URL", "APERIODIC_STREAM_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[StreamServer]:
    with StreamServer() as running:
        yield running


@pytest.fixture
def opened(server: StreamServer) -> Callable[..., aperiodic.Stream]:
    """Opens a stream of one channel, unless others are named."""

    def open_stream(**changes: Any) -> aperiodic.Stream:
        return aperiodic.stream(**{"api_key": API_KEY, "channels": [CHANNEL], "stream_url": server.url, **changes})

    return partial(open_stream)
