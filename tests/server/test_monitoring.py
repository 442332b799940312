from __future__ import annotations

from contextlib import asynccontextmanager, closing
from datetime import date
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from tests.lakes import BTC, VENUE
from tests.server.conftest import DATA, publish, query

from aperiodic.accounts.keys import create_key
from aperiodic.engine.days_told import tell
from aperiodic.lake import Lake, LakeError
from aperiodic.lake.delays import Delays
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.store import Store
from aperiodic.server import Secrets, create_app
from aperiodic.server.middleware import prometheus
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

LOCAL: Final = ("127.0.0.1", 50_000)
ELSEWHERE: Final = ("203.0.113.7", 50_000)
TOKEN: Final = "a-long-token-of-the-operator"  # noqa: S105 - made up here


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with closing(Lake.open(ServerSettings(home=tmp_path))) as opened:
        publish(opened, date(2025, 4, 1))
        yield opened


@pytest.fixture
def key(lake: Lake, tmp_path: Path) -> str:
    with begin_write(lake.engine) as connection:
        return create_key(connection, Secrets.load(ServerSettings(home=tmp_path)).pepper, "pro", "")


@asynccontextmanager
async def client(
    lake: Lake, home: Path, token: str | None = None, peer: tuple[str, int] = LOCAL
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application in this process, as seen from an address."""
    app = create_app(lake, ServerSettings(home=home, metrics_token=None if token is None else SecretStr(token)))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=peer)  # type: ignore[arg-type]
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://data.example") as opened:
        yield opened


def counters(text: str) -> dict[tuple[str, ...], float]:
    """Samples by name and label values, in the order of the label names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_instruments_without_bars_are_counted_by_who_tells_of_them(lake: Lake, tmp_path: Path) -> None:
    async with client(lake, tmp_path) as api:
        assert "aperiodic_instruments_without_bars" not in (await api.get("/metrics")).text
        lost = {(VENUE, BTC): LakeError("The object x is gone.", code="object_missing")}
        tell(tmp_path, "live", (), lost)
        tell(tmp_path, "build", (), {})
        found = counters((await api.get("/metrics")).text)
    assert found["aperiodic_instruments_without_bars", "live"] == 1
    assert found["aperiodic_instruments_without_bars", "build"] == 0


async def test_requests_are_counted_by_route_and_never_by_what_they_name(lake: Lake, tmp_path: Path, key: str) -> None:
    async with client(lake, tmp_path) as api:
        answer = await api.get(DATA, params=query(), headers={"X-API-KEY": key})
        link = answer.json()["files"][0]
        file = await api.get(link["url"])
        await api.get("/nothing/perpetual-XYZ")
        await api.get(DATA, params=query(), headers={"X-API-KEY": "ap_live_guess"})
        await api.request("BREW", "/healthz")
        text = (await api.get("/metrics")).text
    seen = counters(text)
    assert seen["aperiodic_requests_total", "GET", "/api/v1/data/{metric}", "200"] == 1
    assert seen["aperiodic_requests_total", "GET", "/api/v1/data/{metric}", "401"] == 1
    assert seen["aperiodic_requests_total", "GET", "other", "404"] == 1
    assert seen["aperiodic_requests_total", "other", "other", "405"] == 1
    assert seen["aperiodic_request_duration_seconds_count", "/api/v1/data/{metric}"] == 2
    assert seen["aperiodic_refused_total", "unknown_key", "401"] == 1
    assert seen["aperiodic_links_issued_total", "data"] == 1
    assert seen["aperiodic_file_bytes_total",] == len(file.content) == link["size"]
    assert seen["aperiodic_requests_in_flight",] == 1, "the request for the counters itself"
    assert any(name[0] == "aperiodic_build_info" for name in seen)
    assert any(name[0] == "process_resident_memory_bytes" for name in seen)
    for secret in (key, key.split("_")[2], "XYZ", "BTC", "BREW", "ap_live", link["sha256"][:16]):
        assert secret not in text


async def test_how_late_ticks_and_bars_are_is_told_and_a_ledger_that_is_down_takes_no_counter_away(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(lake, tmp_path) as api:
        assert "aperiodic_delay_seconds{" not in (await api.get("/metrics")).text
        found = Delays(ticks=[0.5, 1.5, 2.5], bars=[])
        monkeypatch.setattr(prometheus, "read_delays", lambda *_: found)
        seen = counters((await api.get("/metrics")).text)
        assert seen["aperiodic_delay_seconds", "ticks", "0.5"] == 1.5
        assert seen["aperiodic_delay_seconds", "ticks", "0.99"] == 2.5
        assert not any(name[1:2] == ("bars",) for name in seen)

        def fail(*_: object) -> None:
            raise LakeError("down", code="ledger_unavailable")

        monkeypatch.setattr(prometheus, "read_delays", fail)
        answer = await api.get("/metrics")
    assert answer.status_code == 200
    assert "aperiodic_requests_total" in answer.text
    assert "aperiodic_delay_seconds" not in answer.text


async def test_a_part_that_is_down_is_counted(
    lake: Lake, tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LakeError("down", code="store_unavailable")

    async with client(lake, tmp_path) as api:
        link = (await api.get(DATA, params=query(), headers={"X-API-KEY": key})).json()["files"][0]["url"]
        monkeypatch.setattr(Store, "size", fail)
        assert (await api.head(link)).status_code == 503
        with begin_write(lake.engine) as connection:
            connection.exec_driver_sql("drop table api_keys")
        assert (await api.get(DATA, params=query(), headers={"X-API-KEY": key})).status_code == 503
        seen = counters((await api.get("/metrics")).text)
    assert seen["aperiodic_part_failures_total", "store"] == 1
    assert seen["aperiodic_part_failures_total", "ledger"] == 1


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        (LOCAL, {}, 200),
        (("::1", 50_000), {}, 200),
        (ELSEWHERE, {}, 403),
        (("testclient", 50_000), {}, 403),
        (LOCAL, {"X-Forwarded-For": "203.0.113.7"}, 403),
        (LOCAL, {"Forwarded": "for=203.0.113.7"}, 403),
    ],
)
async def test_without_a_token_only_programs_of_this_host_see_the_counters(
    lake: Lake, tmp_path: Path, peer: tuple[str, int], headers: dict[str, str], status: int
) -> None:
    async with client(lake, tmp_path, peer=peer) as api:
        assert (await api.get("/metrics", headers=headers)).status_code == status


@pytest.mark.parametrize("peer", [LOCAL, ELSEWHERE])
@pytest.mark.parametrize(
    ("given", "status"),
    [(f"Bearer {TOKEN}", 200), (None, 401), ("Bearer ", 401), (TOKEN, 401), (f"Bearer {TOKEN}x", 401), ("é", 401)],
)
async def test_with_a_token_everybody_needs_it(
    lake: Lake, tmp_path: Path, peer: tuple[str, int], given: str | None, status: int
) -> None:
    headers = {} if given is None else {b"Authorization": given.encode()}
    async with client(lake, tmp_path, TOKEN, peer) as api:
        answer = await api.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert (answer.headers.get("www-authenticate") is not None) == (status == 401)
    assert TOKEN not in answer.text


async def test_two_applications_count_apart(lake: Lake, tmp_path: Path) -> None:
    async with client(lake, tmp_path) as first, client(lake, tmp_path) as second:
        await first.get("/healthz")
        assert ("aperiodic_requests_total", "GET", "/healthz", "200") not in counters(
            (await second.get("/metrics")).text
        )
