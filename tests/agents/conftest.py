from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from mcp import Client
from tests.server.site.market import BTC, Market, build_market, running_market
from tests.shared import built_once

from aperiodic.client import names, retry
from aperiodic.mcp.answers import MOST_BYTES, MOST_ROWS
from aperiodic.mcp.server import build_server

if TYPE_CHECKING:
    from collections.abc import Iterator

SERIES: Final = {"exchange": "binance-futures", "symbol": str(BTC)}
DAY: Final = {"start": "2025-05-01", "end": "2025-05-01"}


@pytest.fixture(autouse=True)
def _quick_and_isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr(names, "_answers", {})


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with running_market(built_once(tmp_path_factory, "market", build_market)) as running:
        yield running


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that must not fail; its answer keeps to the bounds, whatever it is."""
    answer, failed = await call(client, tool, **arguments)
    assert not failed, answer
    assert len(answer["rows"]) <= MOST_ROWS
    assert all(len(row) == len(answer["columns"]) for row in answer["rows"])
    return answer


async def refused(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that must fail, and return the error."""
    answer, failed = await call(client, tool, **arguments)
    assert failed, answer
    error: dict[str, Any] = answer["error"]
    assert error["code"]
    assert error["message"]
    assert error["hint"]
    return error


async def call(client: Client, tool: str, **arguments: Any) -> tuple[dict[str, Any], bool]:
    result = await client.call_tool(tool, arguments)
    assert len(result.model_dump_json(by_alias=True).encode()) <= MOST_BYTES
    [content] = result.content
    assert content.type == "text"
    answer: dict[str, Any] = json.loads(content.text)
    return answer, result.is_error


def in_process(url: str) -> Client:
    """Return a client of a server in this process, which asks the API at this address."""
    return Client(build_server(url))
