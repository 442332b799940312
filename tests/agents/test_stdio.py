"""A client of the SDK starts the command and asks a real server through it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from mcp import Client, StdioServerParameters
from tests.agents.conftest import DAY, SERIES, ask, refused
from tests.servers import Api

if TYPE_CHECKING:
    from tests.server.site.market import Market

PAGE: Final = (Path(__file__).parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")
CONFIGURATION: Final = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])["mcpServers"]["aperiodic"]
BARS: Final = {"metric": "flow", "interval": "1m", **SERIES, **DAY}


def started(market: Market, **environment: str) -> StdioServerParameters:
    """The command as the page says to start it, with the address and the key of this market."""
    assert CONFIGURATION["command"] == "aperiodic"
    values = {"APERIODIC_API_URL": f"{market.url}/api/v1", "APERIODIC_API_KEY": market.key, "APERIODIC_CACHE": "0"}
    assert set(CONFIGURATION["env"]) <= set(values)
    return StdioServerParameters(
        command=str(Path(sys.executable).with_name(CONFIGURATION["command"])),
        args=CONFIGURATION["args"],
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), **values, **environment},
    )


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_every_tool_answers_over_stdio(market: Market, mode: str) -> None:
    async with Client(started(market), mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == ["catalog", "search", "describe", "symbols", "coverage", "slice", "statistics"]
        assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(tools)
        assert all(tool.description and tool.annotations and tool.annotations.read_only_hint for tool in tools.values())
        described = [value["description"] for value in tools["slice"].input_schema["properties"].values()]
        assert all(described)

        assert (await ask(client, "catalog"))["found"] == 19
        assert (await ask(client, "search", text="imbalence"))["rows"][0][0].startswith("l")
        field = await ask(client, "describe", name="flow.flow_entropy")
        assert field["rows"][0][field["columns"].index("null")]
        assert (await ask(client, "symbols", exchange="binance-futures", contains="btc"))["rows"] == [
            [SERIES["symbol"]]
        ]
        covered = await ask(client, "coverage", **SERIES, metric="flow")
        assert covered["rows"][0][covered["columns"].index("source")] == "simulated"
        bars = await ask(client, "slice", **BARS, limit=3)
        assert len(bars["rows"]) == 3
        told = await ask(client, "statistics", **BARS, columns=["taker_buy_volume"])
        assert told["rows"][0][0] == "taker_buy_volume"
        assert (await refused(client, "slice", **{**BARS, "metric": "flw"}))["code"] == "unknown_metric"


async def test_a_slice_is_what_the_client_fetches_and_says_how_to_go_on(market: Market) -> None:
    api = Api(f"{market.url}/api/v1", market.key)
    days = {"start_date": DAY["start"], "end_date": DAY["end"]}
    expected = api.metrics("flow", interval="1m", **SERIES, **days)
    rows: list[list[Any]] = []
    asked = dict(BARS)
    async with Client(started(market)) as client:
        while True:
            answer = await ask(client, "slice", **asked, limit=200)
            rows += answer["rows"]
            if answer["cut"] is None:
                break
            assert answer["cut"]["rows_shown"] == len(answer["rows"])
            asked |= answer["cut"]["continue_with"]
        assert any("simulated" in note for note in answer["notes"])
        backwards: list[list[Any]] = []
        asked = dict(BARS)
        while True:
            answer = await ask(client, "slice", **asked, limit=200, newest=True)
            backwards = answer["rows"] + backwards
            if answer["cut"] is None:
                break
            asked |= answer["cut"]["continue_with"]
    assert answer["columns"] == expected.columns
    plain = [[f"{row[0].isoformat()}Z", *row[1:]] for row in expected.rows()]
    assert len(plain) > 200
    assert rows == plain
    assert backwards == plain


def test_the_sample_of_the_page_runs(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    [sample] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    folder = Path(sys.executable).parent
    environment = {**(started(market).env or {}), "PATH": f"{folder}:{os.environ['PATH']}"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-c", sample], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [line.split("'")[1] for line in done.stdout.splitlines()] == ["taker_buy_volume", "taker_sell_volume"]


async def test_without_a_key_what_needs_none_is_answered_and_the_rest_says_what_is_missing(market: Market) -> None:
    async with Client(started(market, APERIODIC_API_KEY="")) as client:
        assert (await ask(client, "catalog"))["rows"]
        assert (await refused(client, "coverage", **SERIES))["code"] == "missing_api_key"
        assert (await refused(client, "slice", **BARS))["code"] == "missing_api_key"
    async with Client(started(market, APERIODIC_API_KEY="not-a-key-of-this-server")) as client:
        error = await refused(client, "slice", **BARS)
        assert error["status"] == 401
        assert "not-a-key" not in json.dumps(error)
