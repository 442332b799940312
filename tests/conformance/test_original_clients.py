"""The clients that the original service published get from our server what our own client gets."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import date
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.conformance import original_client
from tests.lakes import BTC, VENUE
from tests.servers import Api, make_key, serving

import aperiodic
from aperiodic.engine.build import build
from aperiodic.lake import Lake, Settings
from aperiodic.market import Stream
from aperiodic.simulate import MarketSpec, simulate_into

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.conformance

ROOT: Final = Path(__file__).parents[2]
FIRST, LAST = date(2025, 4, 29), date(2025, 5, 3)
INSIDE: Final = {"start_date": "2025-04-30", "end_date": "2025-05-02"}
# 3.1.1 cuts by a column that no file holds, so it delivers whole months whatever it was asked for.
WHOLE_MONTHS: Final = {"start_date": "2025-04-01", "end_date": "2025-05-31"}
BARS: Final = tuple(product(("exchange", "true"), ("1m", "1h", "1d")))


@dataclass(frozen=True)
class Call:
    function: str
    arguments: dict[str, str]

    @property
    def name(self) -> str:
        """Also the name of a file."""
        chosen = (self.arguments.get(part) for part in ("metric", "timestamp", "interval"))
        return "-".join([self.function, *filter(None, chosen)])


@dataclass(frozen=True)
class Service:
    """A running server with two months of simulated trades; each month holds a few days."""

    api: Api
    starter_key: str


def series(function: str, clock: str, interval: str, days: dict[str, str], metric: str | None = None) -> Call:
    arguments = {
        **({} if metric is None else {"metric": metric}),
        "timestamp": clock,
        "interval": interval,
        "exchange": str(VENUE),
        "symbol": str(BTC),
        **days,
    }
    return Call(function, arguments)


FRAMES: Final = {
    "3.1.1": [
        call
        for clock, interval in BARS
        for call in (
            series("get_ohlcv", clock, interval, WHOLE_MONTHS),
            series("get_trade_metrics", clock, interval, WHOLE_MONTHS, "flow"),
            series("get_trade_metrics", clock, interval, WHOLE_MONTHS, "vtwap"),
        )
    ],
    "4.3.1": [
        call
        for clock, interval in (*BARS, ("true", "15s"))
        for call in (
            series("get_ohlcv", clock, interval, INSIDE),
            series("get_vwap", clock, interval, INSIDE),
            series("get_twap", clock, interval, INSIDE),
            series("get_metrics", clock, interval, INSIDE, "flow"),
            series("get_metrics", clock, interval, INSIDE, "vtwap"),
        )
    ],
}
METRICS_FUNCTION: Final = {"3.1.1": "get_trade_metrics", "4.3.1": "get_metrics"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("home")
    lake = Lake.open(Settings(home=home))
    simulate_into(lake, MarketSpec(VENUE, BTC, 1, 3_000), FIRST, LAST, (Stream.TRADES,))
    build(lake)
    lake.close()
    with serving(home) as api:
        yield Service(api, make_key(home, "starter"))


@dataclass(frozen=True)
class OriginalClient:
    """One published version, in the environment that `make conformance` sets up for it."""

    version: str
    service: Service
    folder: Path

    def outcomes(self, calls: list[tuple[str, Call]]) -> dict[str, dict[str, Any]]:
        """Make calls, each with a key, in one process."""
        python = ROOT / f".venv-client-{self.version}" / "bin" / "python"
        task = [
            {"name": call.name, "function": call.function, "arguments": {"api_key": key, **call.arguments}}
            for key, call in calls
        ]
        done = subprocess.run(
            [python, "-I", original_client.__file__, self.service.api.url, self.folder],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["version"] == self.version
        outcomes: dict[str, dict[str, Any]] = answer["outcomes"]
        return outcomes

    def outcome(self, key: str, call: Call) -> dict[str, Any]:
        return self.outcomes([(key, call)])[call.name]


@pytest.fixture(scope="module", params=list(FRAMES))
def client(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> OriginalClient:
    if not (ROOT / f".venv-client-{request.param}" / ".done").exists():
        pytest.skip(f"client {request.param} is not installed: run make conformance")
    return OriginalClient(request.param, service, tmp_path_factory.mktemp("frames"))


def test_their_frames_are_our_frames(client: OriginalClient) -> None:
    api = client.service.api
    calls = FRAMES[client.version]
    outcomes = client.outcomes([(api.key, call) for call in calls])
    for call in calls:
        theirs = pl.read_parquet(outcomes[call.name]["file"])
        ours = getattr(aperiodic, call.function)(
            api.key, **call.arguments, base_url=api.url, show_progress=False, on_incomplete="ignore"
        )
        assert_frame_equal(theirs, ours, check_exact=True)
        first, last = (FIRST, LAST) if client.version == "3.1.1" else (date(2025, 4, 30), date(2025, 5, 2))
        days = theirs["time"].dt.date()
        assert (days.min(), days.max()) == (first, last), call.name


def test_their_symbols_are_our_symbols(client: OriginalClient) -> None:
    outcome = client.outcome(client.service.api.key, Call("get_symbols", {"exchange": str(VENUE)}))
    assert outcome == {"answer": [str(BTC)]}


def test_an_unknown_key_is_401(client: OriginalClient) -> None:
    outcome = client.outcome("ap_live_unknown", series("get_ohlcv", "exchange", "1h", INSIDE))
    assert outcome["status_code"] == 401


def test_a_plan_without_sub_minute_bars_is_403(client: OriginalClient) -> None:
    outcome = client.outcome(client.service.starter_key, series("get_ohlcv", "true", "15s", INSIDE))
    assert outcome["status_code"] == 403


def test_an_unknown_metric_is_404(client: OriginalClient) -> None:
    unknown = series(METRICS_FUNCTION[client.version], "exchange", "1h", INSIDE, "no_such_metric")
    assert client.outcome(client.service.api.key, unknown)["status_code"] == 404


def test_a_bad_parameter_is_400_with_our_words(client: OriginalClient) -> None:
    inverted = {"start_date": INSIDE["end_date"], "end_date": INSIDE["start_date"]}
    outcome = client.outcome(client.service.api.key, series("get_ohlcv", "exchange", "1h", inverted))
    assert outcome["status_code"] == 400
    assert "2025-04-30" in " ".join([outcome["message"], *outcome["details"]])
