from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from litestar.testing import TestClient

from aperiodic.accounts.keys import create_key, list_keys, public_id_of, revoke_key
from aperiodic.accounts.plans import find_plan
from aperiodic.accounts.usage import Issued, UsageKey, add_usage
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import accounts
from aperiodic.market.time import now_us
from aperiodic.server import Secrets, create_app
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx
    from litestar import Litestar

    from aperiodic.lake import Lake

SIGNUP = "/api/v1/signup"
ACCOUNT = "/api/v1/account"
ROTATE = "/api/v1/account/rotate"
HOUR = timedelta(hours=1)


@pytest.fixture
def start(tmp_path: Path, lake: Lake) -> Iterator[Callable[..., TestClient[Litestar]]]:
    started: list[TestClient[Litestar]] = []

    def start_one(**settings: Any) -> TestClient[Litestar]:
        client = TestClient(create_app(lake, ServerSettings(home=tmp_path / "home", **settings)))
        client.__enter__()
        started.append(client)
        return client

    yield start_one
    for client in started:
        client.__exit__(None, None, None)


@pytest.fixture
def client(start: Callable[..., TestClient[Litestar]]) -> TestClient[Litestar]:
    return start()


def new_key(lake: Lake, plan: str = "pro", **options: Any) -> str:
    with begin_write(lake.engine) as connection:
        return create_key(connection, Secrets.load(ServerSettings(home=lake.home)).pepper, plan, "desk", **options)


def held(key: str) -> dict[str, str]:
    return {"X-API-KEY": key}


def code(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"error", "details", "code", "hint", "request_id"}
    return answer.status_code, body["code"]


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def test_a_visitor_signs_up_and_has_a_key_of_the_free_plan(client: TestClient[Litestar], lake: Lake) -> None:
    answer = client.post(SIGNUP)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"key", "public_id", "plan", "request_id"}
    assert body["plan"] == "free"
    assert body["key"].startswith(f"ap_live_{body['public_id']}_")
    account = client.get(ACCOUNT, headers=held(body["key"])).json()
    assert account["account"] == f"signup-{body['public_id']}"
    assert account["plan"]["name"] == "free"
    with lake.engine.connect() as connection:
        assert connection.execute(accounts.select()).mappings().one()["origin"] == "signup"


def test_a_label_may_be_given(client: TestClient[Litestar], lake: Lake) -> None:
    assert client.post(SIGNUP, json={"label": "notebook"}).status_code == 201
    with lake.engine.connect() as connection:
        assert [key.label for key in list_keys(connection)] == ["notebook"]


@pytest.mark.parametrize("path", [SIGNUP, ROTATE])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"plan": "prime"}', (400, "bad_body")),
        (b'{"label": 7, "overlap_hours": "24"}', (400, "bad_body")),
        (b"[]", (400, "bad_body")),
        (b"null", (400, "bad_body")),
        (b"{", (400, "bad_body")),
        (b"\xff\xfe", (400, "bad_body")),
        (b'{"label": "\xff"}', (400, "bad_body")),
        (b"label=x", (400, "bad_body")),
        (b" " * 4097, (413, "body_too_large")),
        (b"x" * 20_000_000, (413, "body_too_large")),
    ],
    ids=["field", "type", "list", "null", "json", "utf8", "text", "form", "large", "huge"],
)
def test_a_body_that_cannot_be_read_makes_nothing(
    client: TestClient[Litestar], lake: Lake, path: str, content: bytes, expected: tuple[int, str]
) -> None:
    key = new_key(lake)
    answer = client.post(path, content=content, headers=held(key))
    assert code(answer) == expected
    assert len(answer.text) < 1000
    with lake.engine.connect() as connection:
        assert [(known.public_id, known.replaced_by) for known in list_keys(connection)] == [(public_id_of(key), None)]


@pytest.mark.parametrize("label", ["x" * 101, "a\nb"])
def test_a_label_that_cannot_be_kept_makes_nothing(client: TestClient[Litestar], lake: Lake, label: str) -> None:
    assert code(client.post(SIGNUP, json={"label": label})) == (400, "bad_label")
    with lake.engine.connect() as connection:
        assert list_keys(connection) == []
        assert connection.execute(accounts.select()).first() is None


def test_signing_up_can_be_closed(start: Callable[..., TestClient[Litestar]], lake: Lake) -> None:
    closed = start(signup=False)
    assert code(closed.post(SIGNUP)) == (403, "signup_closed")
    with lake.engine.connect() as connection:
        assert list_keys(connection) == []


def test_an_address_makes_only_so_many_keys_an_hour(start: Callable[..., TestClient[Litestar]], lake: Lake) -> None:
    client = start(signups_per_hour=2, trusted_proxies=1)
    one, other = {"X-Forwarded-For": "198.51.100.1"}, {"X-Forwarded-For": "198.51.100.2"}
    answers = [client.post(SIGNUP, headers=headers) for headers in (one, one, one, other)]
    assert [answer.status_code for answer in answers] == [201, 201, 429, 201]
    assert 1 < int(answers[2].headers["retry-after"]) <= 1800
    assert answers[2].headers["ratelimit-limit"] == "2"
    rotating = client.post(ROTATE, headers=held(new_key(lake)) | one)
    assert code(rotating) == (429, "rate_limited")


def test_refused_sign_ups_and_rotations_use_up_no_key(start: Callable[..., TestClient[Litestar]], lake: Lake) -> None:
    client = start(signups_per_hour=1)
    for _ in range(3):
        refused = client.post(SIGNUP, json={"label": "\n"})
        assert code(refused) == (400, "bad_label")
        assert refused.headers["ratelimit-remaining"] == "1"
        assert code(client.post(ROTATE, headers=held(new_key(lake)), json={"overlap_hours": -1})) == (
            400,
            "bad_overlap",
        )
    assert client.post(SIGNUP).status_code == 201
    assert code(client.post(SIGNUP)) == (429, "rate_limited")


def test_an_account_tells_all_that_its_key_may_do(client: TestClient[Litestar], lake: Lake) -> None:
    key = new_key(lake, "prime", account="acme", scopes=["bars"], expires_at=now_us() + 86_400_000_000)
    sibling = public_id_of(new_key(lake, "prime", account="acme"))
    today = datetime.now(UTC).date()
    issued = {
        UsageKey(day.isoformat(), name, "data", "ohlcv"): Issued(2, 3, 4)
        for day in (today, today - timedelta(days=29), today - timedelta(days=30))
        for name in (public_id_of(key), sibling, "000000000000")
    }
    with begin_write(lake.engine) as connection:
        add_usage(connection, issued)
        plan = find_plan(connection, "prime")
    answer = client.get(ACCOUNT, headers=held(key))
    body = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert key not in answer.text
    assert (body["public_id"], body["account"], body["label"]) == (public_id_of(key), "acme", "desk")
    assert body["scopes"] == ["bars"]
    assert body["plan"] == {
        "name": "prime",
        "tier": 3,
        "sub_minute": True,
        "raw": False,
        "live": plan.live,
        "requests_per_minute": plan.requests_per_minute,
    }
    assert abs(moment(body["expires_at"]) - datetime.now(UTC) - 24 * HOUR) < HOUR
    assert body["usage"] == [
        {"day": (today - timedelta(days=29)).isoformat(), "requests": 4, "files": 6, "bytes": 8},
        {"day": today.isoformat(), "requests": 4, "files": 6, "bytes": 8},
    ]
    assert body["limits"]["remaining"] == plan.requests_per_minute - 1 == int(answer.headers["ratelimit-remaining"])


def test_the_demo_key_has_no_account(client: TestClient[Litestar], lake: Lake) -> None:
    with begin_write(lake.engine) as connection:
        today = datetime.now(UTC).date().isoformat()
        add_usage(connection, {UsageKey(today, "", "preview", "ohlcv"): Issued(5, 5, 5)})
    body = client.get(ACCOUNT, headers=held("DEMO-KEY")).json()
    assert (body["public_id"], body["account"], body["usage"]) == (None, None, [])
    assert (body["plan"]["name"], body["limits"]["requests_per_minute"]) == ("free", 120)
    assert code(client.post(ROTATE, headers=held("DEMO-KEY"))) == (403, "demo_key")


def test_a_rotated_key_works_beside_the_new_one(client: TestClient[Litestar], lake: Lake) -> None:
    old = new_key(lake, account="acme")
    answer = client.post(ROTATE, json={"overlap_hours": 2}, headers=held(old))
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert (body["plan"], body["replaces"], body["expires_at"]) == ("pro", public_id_of(old), None)
    assert abs(moment(body["replaced_expires_at"]) - datetime.now(UTC) - 2 * HOUR) < HOUR / 2
    before, after = (client.get(ACCOUNT, headers=held(key)).json() for key in (old, body["key"]))
    assert (before["replaced_by"], before["expires_at"]) == (body["public_id"], body["replaced_expires_at"])
    assert (after["account"], after["label"], after["replaced_by"]) == ("acme", "desk", None)
    assert code(client.post(ROTATE, headers=held(old))) == (409, "already_rotated")


def test_without_overlap_the_old_key_ends(client: TestClient[Litestar], lake: Lake) -> None:
    old = new_key(lake)
    made = client.post(ROTATE, json={"overlap_hours": 0}, headers=held(old)).json()["key"]
    assert code(client.get(ACCOUNT, headers=held(old))) == (401, "expired_key")
    assert client.get(ACCOUNT, headers=held(made)).status_code == 200


def test_by_default_they_overlap_for_a_day(client: TestClient[Litestar], lake: Lake) -> None:
    body = client.post(ROTATE, headers=held(new_key(lake))).json()
    assert abs(moment(body["replaced_expires_at"]) - datetime.now(UTC) - 24 * HOUR) < HOUR


@pytest.mark.parametrize("hours", [-1, 168.1, 1e300])
def test_an_overlap_out_of_bounds_is_refused(client: TestClient[Litestar], lake: Lake, hours: float) -> None:
    key = new_key(lake)
    assert code(client.post(ROTATE, json={"overlap_hours": hours}, headers=held(key))) == (400, "bad_overlap")
    assert client.get(ACCOUNT, headers=held(key)).json()["replaced_by"] is None


@pytest.mark.parametrize("path", [ACCOUNT, ROTATE])
def test_only_a_valid_key_opens_an_account(client: TestClient[Litestar], lake: Lake, path: str) -> None:
    method = "GET" if path == ACCOUNT else "POST"
    assert code(client.request(method, path)) == (401, "missing_key")
    key = new_key(lake)
    with begin_write(lake.engine) as connection:
        revoke_key(connection, public_id_of(key))
    assert code(client.request(method, path, headers=held(key))) == (401, "revoked_key")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "https://evil.example/data.example"])
@pytest.mark.parametrize("path", [SIGNUP, ROTATE])
def test_a_page_of_another_site_makes_no_keys(
    start: Callable[..., TestClient[Litestar]], lake: Lake, path: str, origin: str
) -> None:
    client = start(public_url="https://data.example/base")
    key = new_key(lake)
    answer = client.post(path, headers=held(key) | {"Origin": origin})
    assert code(answer) == (403, "cross_site")
    for own in ("https://data.example", "http://testserver.local"):
        assert client.post(SIGNUP, headers={"Origin": own}).status_code == 201
    with lake.engine.connect() as connection:
        assert [known.replaced_by for known in list_keys(connection)] == [None] * 3


@pytest.mark.parametrize("path", [SIGNUP, ROTATE])
def test_a_browser_is_not_told_that_it_may_post_from_elsewhere(client: TestClient[Litestar], path: str) -> None:
    headers = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "X-API-KEY",
    }
    answer = client.options(path, headers=headers)
    assert "POST" not in answer.headers.get("access-control-allow-methods", "")
