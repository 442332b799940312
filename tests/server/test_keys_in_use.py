"""Keys and plans as a running application treats them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from litestar.testing import TestClient
from tests.server.conftest import DATA, Installation, RunningServer, publish, query

from aperiodic.accounts.accounts import set_plan
from aperiodic.accounts.keys import create_key, find_key, public_id_of, revoke_key, rotate_key
from aperiodic.accounts.plans import Plan, change_plan, create_plan
from aperiodic.accounts.usage import read_usage
from aperiodic.lake import Lake
from aperiodic.lake.ledger import begin_write
from aperiodic.market.time import now_us
from aperiodic.server import Secrets, create_app, service
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from litestar import Litestar

HOUR_S = 3600
SYMBOLS = "/api/v1/metadata/symbols"
VENUE = {"exchange": "binance-futures"}
LIMIT_HEADERS = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")


@dataclass(frozen=True)
class Local:
    """An application in this process, with a plan `two` of two requests a minute."""

    lake: Lake
    pepper: bytes
    client: TestClient[Litestar]

    def key(self, plan: str, **options: Any) -> str:
        with begin_write(self.lake.engine) as connection:
            return create_key(connection, self.pepper, plan, "test", **options)

    def symbols(self, key: str | None, **headers: str) -> httpx.Response:
        sent = headers if key is None else {"X-API-KEY": key, **headers}
        return self.client.get(SYMBOLS, params=VENUE, headers=sent)

    def data(self, key: str, **changes: str | None) -> httpx.Response:
        return self.client.get(DATA, params=query(**changes), headers={"X-API-KEY": key})


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Local]]:
    open_clients: list[TestClient[Litestar]] = []

    def started(**settings: Any) -> Local:
        chosen = ServerSettings(home=tmp_path, **settings)
        client = TestClient(create_app(lake, chosen))
        client.__enter__()
        open_clients.append(client)
        return Local(lake, Secrets.load(chosen).pepper, client)

    with closing(Lake.open(ServerSettings(home=tmp_path))) as lake:
        publish(lake, date(2025, 4, 1))
        with begin_write(lake.engine) as connection:
            create_plan(connection, Plan("two", 9, 1, sub_minute=False, raw=False, live=0, requests_per_minute=2))
        yield started
        for client in open_clients:
            client.__exit__(None, None, None)


@pytest.fixture
def local(start: Callable[..., Local]) -> Local:
    return start()


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    ("plan", "changes", "expected"),
    [
        ("free", {}, (403, "metric_not_in_plan")),
        ("starter", {}, None),
        ("starter", {"interval": "1s", "timestamp": "true"}, (403, "interval_not_in_plan")),
        ("pro", {"interval": "30s", "timestamp": "true"}, (403, "interval_not_in_plan")),
        ("prime", {"interval": "1s", "timestamp": "true"}, None),
        ("two", {}, None),
    ],
)
def test_a_plan_opens_what_it_includes(
    local: Local, plan: str, changes: dict[str, str], expected: tuple[int, str] | None
) -> None:
    answer = local.data(local.key(plan), **changes)
    if expected is None:
        assert answer.status_code == 200, answer.text
    else:
        assert code(answer) == expected


def test_another_plan_holds_from_the_next_request_on(local: Local) -> None:
    key = local.key("free")
    assert code(local.data(key)) == (403, "metric_not_in_plan")
    with begin_write(local.lake.engine) as connection:
        set_plan(connection, public_id_of(key), "starter")
    assert local.data(key).status_code == 200
    with begin_write(local.lake.engine) as connection:
        change_plan(connection, Plan("starter", 1, 0, sub_minute=False, raw=False, live=0, requests_per_minute=300))
    assert code(local.data(key)) == (403, "metric_not_in_plan")


def test_a_key_made_beside_a_running_server_works_and_ends_when_revoked(
    server: RunningServer, installation: Installation
) -> None:
    key = installation.key("pro")
    with httpx.Client(base_url=server.url, headers={"X-API-KEY": key}) as client:
        assert client.get(SYMBOLS, params=VENUE).status_code == 200
        with begin_write(installation.lake.engine) as connection:
            revoke_key(connection, public_id_of(key))
        assert code(client.get(SYMBOLS, params=VENUE)) == (401, "revoked_key")


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let seconds pass for the server."""

    def pass_by(seconds: int) -> None:
        monkeypatch.setattr(service, "now_us", lambda: now_us() + seconds * 1_000_000)

    return pass_by


def test_a_key_ends_when_it_expires(local: Local, wait: Callable[[int], None]) -> None:
    key = local.key("pro", expires_at=now_us() + HOUR_S * 1_000_000)
    wait(HOUR_S - 60)
    assert local.symbols(key).status_code == 200
    wait(HOUR_S)
    assert code(local.symbols(key)) == (401, "expired_key")


def test_both_keys_work_while_they_overlap_and_then_only_the_new_one(local: Local, wait: Callable[[int], None]) -> None:
    old = local.key("pro")
    with begin_write(local.lake.engine) as connection:
        made = rotate_key(connection, local.pepper, public_id_of(old), 1)
    for seconds in (0, HOUR_S - 60):
        wait(seconds)
        assert [local.symbols(key).status_code for key in (old, made.key)] == [200, 200]
    wait(HOUR_S)
    assert code(local.symbols(old)) == (401, "expired_key")
    assert local.symbols(made.key).status_code == 200


def test_the_demo_key_is_of_the_free_plan(local: Local) -> None:
    assert local.symbols("DEMO-KEY").status_code == 200
    assert code(local.data("DEMO-KEY")) == (403, "metric_not_in_plan")
    for wrong in ("demo-key", "DEMO-KEY ", "DEMO-KEYS"):
        assert local.symbols(f"x{wrong}").status_code == 401


def test_another_demo_key_or_none_can_be_set(start: Callable[..., Local]) -> None:
    other = start(demo_key="try-me")
    assert other.symbols("try-me").status_code == 200
    assert code(other.symbols("DEMO-KEY")) == (401, "unknown_key")
    none = start(demo_key="")
    assert code(none.symbols("DEMO-KEY")) == (401, "unknown_key")
    assert code(none.symbols("")) == (401, "missing_key")


def test_what_is_issued_and_when_a_key_was_used_is_recorded(start: Callable[..., Local]) -> None:
    local = start()
    key = local.key("pro", account="acme")
    with TestClient(create_app(local.lake, ServerSettings(home=local.lake.home))) as client:
        for _ in range(3):
            assert client.get(DATA, params=query(), headers={"X-API-KEY": key}).status_code == 200
        assert client.get(DATA, params=query(symbol="x"), headers={"X-API-KEY": key}).status_code == 400
    with local.lake.engine.connect() as connection:
        rows = read_usage(connection, date(2020, 1, 1), date(2100, 1, 1), "acme")
        used = find_key(connection, public_id_of(key))
    assert [(row.endpoint, row.requests, row.files) for row in rows] == [("data", 3, 3)]
    assert rows[0].bytes > 300
    assert used is not None
    assert abs((used.last_used_at or 0) - now_us()) < 60_000_000


def test_a_key_that_asks_too_often_is_told_when_to_come_back(local: Local) -> None:
    key = local.key("two")
    first, second, third = (local.symbols(key) for _ in range(3))
    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
    assert [first.headers[name] for name in LIMIT_HEADERS] == ["2", "1", "30"]
    assert code(third) == (429, "rate_limited")
    assert third.headers["ratelimit-remaining"] == "0"
    assert 1 <= int(third.headers["retry-after"]) <= 30
    assert local.symbols(local.key("two")).status_code == 200


def test_the_rate_is_checked_last_and_only_answers_count(local: Local) -> None:
    key = local.key("two")
    for _ in range(3):
        assert code(local.data(key, interval="nonsense"))[0] == 400
        assert code(local.data(key, interval="1s", timestamp="true"))[0] == 403
    assert [local.data(key).status_code for _ in range(3)] == [200, 200, 429]
    assert code(local.data(key, interval="nonsense"))[0] == 400
    assert code(local.data(key, interval="1s", timestamp="true"))[0] == 403


def test_a_page_in_a_browser_may_read_the_limits(local: Local) -> None:
    exposed = local.symbols(local.key("pro"), Origin="https://notebook.example").headers[
        "access-control-expose-headers"
    ]
    assert set(LIMIT_HEADERS) | {"retry-after"} <= {name.strip().lower() for name in exposed.split(",")}


def test_an_address_that_guesses_keys_is_limited_and_its_neighbours_are_not(start: Callable[..., Local]) -> None:
    local = start(address_requests_per_minute=3)
    key = local.key("pro")
    guesses = [None, "x", f"ap_live_{'0' * 12}_{'x' * 40}", f"{key[:-4]}aaaa", None]
    answers = [local.symbols(guess) for guess in guesses]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert int(answers[3].headers["retry-after"]) >= 1
    assert [answers[0].headers[name] for name in LIMIT_HEADERS] == ["3", "2", "20"]
    assert code(local.symbols("DEMO-KEY")) == (429, "rate_limited")
    assert local.symbols(key).status_code == 200


def test_the_demo_key_is_limited_by_address(start: Callable[..., Local]) -> None:
    local = start(address_requests_per_minute=2, trusted_proxies=1)
    one, other = {"X-Forwarded-For": "198.51.100.1"}, {"X-Forwarded-For": "198.51.100.2"}
    statuses = [local.symbols("DEMO-KEY", **headers).status_code for headers in (one, one, one, other)]
    assert statuses == [200, 200, 429, 200]


def test_a_forwarded_address_is_not_believed_unless_a_proxy_is_trusted(start: Callable[..., Local]) -> None:
    local = start(address_requests_per_minute=2)
    statuses = [local.symbols(None, **{"X-Forwarded-For": f"198.51.100.{n}"}).status_code for n in range(4)]
    assert statuses == [401, 401, 429, 429]
    behind = start(address_requests_per_minute=2, trusted_proxies=1)
    statuses = [behind.symbols(None, **{"X-Forwarded-For": f"10.0.0.{n}, 198.51.100.1"}).status_code for n in range(4)]
    assert statuses == [401, 401, 429, 429]
