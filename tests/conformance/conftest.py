"""A server with simulated data, and the originally published clients in their environments."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest
from tests.lakes import BTC, VENUE, preview_of
from tests.servers import Api, make_key, serving

from aperiodic.accounts.plans import create_plan, find_plan
from aperiodic.engine.build import build
from aperiodic.lake import Lake
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Stream
from aperiodic.server.settings import RawPreviewEntry, ServerSettings
from aperiodic.simulate import MarketSpec, simulate_into

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).parents[2]
CLIENT_PROGRAM: Final = Path(__file__).with_name("original_client.py")
VERSIONS: Final = ("3.1.1", "4.0.2", "4.0.10", "4.3.1")
WITH_RAW: Final = ("4.3.1",)
FIRST, LAST = date(2025, 4, 29), date(2025, 5, 2)
ALL_DAYS: Final = {"start_date": FIRST.isoformat(), "end_date": LAST.isoformat()}
INSTRUMENT: Final = {"exchange": str(VENUE), "symbol": str(BTC)}


@dataclass(frozen=True)
class Call:
    """A call of a published function; the name is also that of a file."""

    name: str
    function: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Service:
    """A running server with two months of simulated ticks; each month holds two days."""

    api: Api
    home: Path
    starter_key: str


@dataclass(frozen=True)
class OriginalClient:
    """One published version, in the environment that `make conformance` sets up for it."""

    version: str
    service: Service
    folder: Path

    def run(self, calls: Sequence[Call], library: Literal["polars", "pandas"] = "polars") -> dict[str, Any]:
        """Make calls in one process; returns all that it tells."""
        python = ROOT / f".venv-client-{self.version}" / "bin" / "python"
        url = {"base_url": self.service.api.url}
        task = [
            {"name": call.name, "function": call.function, "arguments": {**url, **call.arguments}} for call in calls
        ]
        done = subprocess.run(
            [python, "-I", CLIENT_PROGRAM, self.folder, library],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        assert told["version"] == self.version
        return told

    def outcome(self, function: str, **arguments: Any) -> dict[str, Any]:
        """Make one call with a key that may read everything, unless the arguments say otherwise."""
        call = Call(function, function, {"api_key": self.service.api.key, **arguments})
        outcome: dict[str, Any] = self.run([call])["outcomes"][function]
        return outcome


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = ServerSettings(
        home=tmp_path_factory.mktemp("home"),
        preview=preview_of(("ohlcv", "vtwap", "l2_imbalance", "basis"), FIRST, LAST),
        raw_preview=(RawPreviewEntry(exchange=VENUE, symbol=str(BTC), start_date=FIRST, end_date=LAST),),
        address_requests_per_minute=100_000,
    )
    with closing(Lake.open(settings)) as lake:
        simulate_into(lake, MarketSpec(VENUE, BTC, 1, 1_000), FIRST, LAST, tuple(Stream))
        build(lake)
        with begin_write(lake.engine) as connection:
            largest = find_plan(connection, "prime-raw")
            create_plan(connection, replace(largest, name="patient", requests_per_minute=100_000))
            create_plan(connection, replace(largest, name="slow", requests_per_minute=1))
    with serving(settings) as api:
        yield Service(
            Api(api.url, make_key(settings, "patient")),
            settings.home,
            make_key(settings, "starter"),
        )


def original(version: str, service: Service, folder: Path) -> OriginalClient:
    """Return a client, or skip the test where it is not installed."""
    if not (ROOT / f".venv-client-{version}" / ".done").exists():
        pytest.skip(f"client {version} is not installed: run make conformance")
    return OriginalClient(version, service, folder)


@pytest.fixture(scope="module", params=VERSIONS)
def client(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> OriginalClient:
    """Each version in turn."""
    return original(request.param, service, tmp_path_factory.mktemp("frames"))


@pytest.fixture(scope="module")
def newest(service: Service, tmp_path_factory: pytest.TempPathFactory) -> OriginalClient:
    """The version with raw data."""
    return original(WITH_RAW[0], service, tmp_path_factory.mktemp("frames"))
