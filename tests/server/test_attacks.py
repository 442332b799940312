"""What somebody may try against a server on the internet: each try is refused, gives nothing away and breaks nothing."""

from __future__ import annotations

import hmac
import json
import re
import socket
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.server.attacks import ATTACKS, HOST, HUGE, SIGNUP, Attack, Prey, encoded, post, send
from tests.server.conftest import DATA, add_tick_days, expire, publish, start_server
from tests.statements import trace_statements

from aperiodic.accounts.keys import create_key, public_id_of, revoke_key, rotate_key, verify_key
from aperiodic.lake import Lake
from aperiodic.lake.ledger import begin_write
from aperiodic.server import Secrets
from aperiodic.server.errors import RequestError
from aperiodic.server.links.signing import check_link, make_link
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def prey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prey]:
    settings = ServerSettings(home=tmp_path_factory.mktemp("home"))
    lake = Lake.open(settings)
    publish(lake, date(2025, 4, 1))
    publish(lake, date(2025, 6, 1))
    add_tick_days(lake, date(2025, 4, 1), 3)
    secrets = Secrets.load(settings)
    with begin_write(lake.engine) as connection:
        made = {
            name: create_key(connection, secrets.pepper, "pro", name) for name in ("good", "other", "revoked", "old")
        }
        made["expired"] = create_key(connection, secrets.pepper, "pro", "expired")
        expire(connection, made["expired"])
        revoke_key(connection, public_id_of(made["revoked"]))
        rotate_key(connection, secrets.pepper, public_id_of(made["old"]), 0)
    lake.close()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("APERIODIC_ADDRESS_REQUESTS_PER_MINUTE", "1000")
        environment.setenv("APERIODIC_SIGNUPS_PER_HOUR", "1")
        running = start_server(settings.home)
    private = [(settings.home / "secret").read_text().strip(), str(settings.home), *made.values()]
    reading = (
        f"GET {DATA}?{encoded()} HTTP/1.1\r\nHost: {HOST}\r\nX-API-KEY: {made['good']}\r\nConnection: close\r\n\r\n"
    )
    files = json.loads(running.send(reading.encode())[2])["files"]
    april, june = (file["url"].removeprefix(f"http://{HOST}") for file in files)
    # The one key that this address may make.
    assert running.send(post(SIGNUP))[0] == 201
    yield Prey(running, (april, june), made, secrets, tuple(text.encode() for text in private))
    running.process.terminate()
    _, errors = running.process.communicate(timeout=20)
    assert running.process.returncode == 0
    assert not errors, errors


GIVES_AWAY = (b"PAR1", b"Traceback", b'File "', b"sqlalchemy", b"sqlite", b"site-packages", b"SELECT", b"api_keys")


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_is_refused_and_gives_nothing_away(prey: Prey, attack: Attack) -> None:
    status, headers, body = prey.server.send(attack.request(prey))
    assert status == attack.status, body[:500]
    answer = json.loads(body)
    assert answer["code"] == attack.code
    assert set(answer) == {"error", "details", "code", "hint", "request_id"}
    assert headers["x-request-id"] == answer["request_id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert len(body) < 4_000
    assert "x-evil" not in headers
    given = [secret for secret in (*GIVES_AWAY, *prey.private) if secret in body or secret in repr(headers).encode()]
    assert given == []
    assert prey.server.send(send(prey.link))[0] == 200
    assert prey.server.send(send(f"{DATA}?{encoded()}", f"X-API-KEY: {prey.keys['good']}"))[0] == 200


def test_the_attacks_are_many() -> None:
    assert len(ATTACKS) >= 45


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (f"bytes={','.join(f'{n}-{n}' for n in range(1000))}", 200),
        (f"bytes={','.join(['0-'] * 1000)}", 200),
        ("bytes=0-,-1,0-0", 200),
        (f"bytes={HUGE}-", 200),
        (f"bytes=0-{HUGE}", 200),
        (f"bytes=-{HUGE}", 200),
        ("bytes=999999999999999999-", 416),
        ("bytes=0-999999999999999999", 206),
        ("bytes=5--3", 200),
        ("bytes=-1--1", 200),
        ("bytes=0x0-0xff", 200),
        (f"lines=0-{'1' * 60_000}", 200),
    ],
    ids=[
        *("a thousand", "a thousand times all", "overlapping", "huge begin", "huge end", "huge suffix", "outside"),
        *("past the end", "negative end", "negative ends", "hexadecimal", "60 KB"),
    ],
)
def test_no_range_makes_an_answer_larger_than_its_file(prey: Prey, wanted: str, status: int) -> None:
    whole = prey.server.send(send(prey.link))[2]
    found, headers, body = prey.server.send(send(prey.link, f"Range: {wanted}"))
    assert found == status
    assert int(headers["content-length"]) == len(body)
    assert body == (whole if status != 416 else body)
    assert status != 416 or json.loads(body)["code"] == "range_not_satisfiable"


def test_headers_of_proxies_that_nobody_trusts_get_into_no_link(prey: Prey) -> None:
    forged = ("X-Forwarded-Host: evil.example", "X-Forwarded-Proto: gopher", "Forwarded: host=evil.example")
    status, _, body = prey.server.send(send(f"{DATA}?{encoded()}", f"X-API-KEY: {prey.keys['good']}", *forged))
    assert status == 200
    assert [file["url"].split("/files/")[0] for file in json.loads(body)["files"]] == [f"http://{HOST}"] * 2


@pytest.mark.parametrize("head", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_client_that_goes_away_is_no_defect_of_the_server(prey: Prey, head: str) -> None:
    address = urlsplit(prey.server.url)
    with closing(socket.create_connection((address.hostname, address.port))) as connection:
        connection.sendall(f"POST {SIGNUP} HTTP/1.1\r\nHost: {HOST}\r\n{head}\r\n\r\n5\r\nab".encode())
    deadline = time.monotonic() + 5
    while 'status="400"' not in (counted := requests_of(prey, SIGNUP)):
        assert time.monotonic() < deadline, counted
        time.sleep(0.02)
    assert 'status="500"' not in counted


def requests_of(prey: Prey, route: str) -> str:
    """What the server has counted of a route."""
    counters = prey.server.send(send("/metrics"))[2].decode()
    return "\n".join(line for line in counters.splitlines() if f'route="{route}"' in line)


@dataclass
class Work:
    """What a check did that takes time."""

    compared: list[tuple[str, str]]
    done: Counter[str]


@pytest.fixture
def work(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Work:
    found = Work([], Counter())
    compare, digest = hmac.compare_digest, hmac.new

    def compared(one: str, other: str) -> bool:
        found.compared.append((one, other))
        return compare(one, other)

    def digested(*arguments: Any) -> Any:
        found.done["hash"] += 1
        return digest(*arguments)

    monkeypatch.setattr(hmac, "compare_digest", compared)
    monkeypatch.setattr(hmac, "new", digested)
    trace_statements(lake.engine, lambda statement: found.done.update([re.sub(r"'[^']*'", "?", statement)]))
    return found


def test_an_unknown_key_and_a_wrong_secret_take_the_same_work(lake: Lake, work: Work) -> None:
    with begin_write(lake.engine) as connection:
        key = create_key(connection, b"pepper", "pro", "")
    unknown = f"ap_live_{'0' * 12}_{key[-40:]}"
    wrong = f"{key[:-40]}{'x' * 40}"
    work_of: list[Counter[str]] = []
    with lake.engine.begin() as connection:
        for tried in (unknown, wrong):
            work.done.clear()
            assert verify_key(connection, b"pepper", tried) is None
            work_of.append(work.done.copy())
    assert work_of[0] == work_of[1]
    assert work_of[0]["hash"] == 1
    assert work_of[0].total() == 2
    assert [(len(one), len(other)) for one, other in work.compared] == [(64, 64)] * 2


@pytest.mark.parametrize("same", [True, False])
def test_only_the_comparison_in_constant_time_decides_on_a_key(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    with begin_write(lake.engine) as connection:
        key = create_key(connection, b"pepper", "pro", "")
    monkeypatch.setattr(hmac, "compare_digest", lambda *_: same)
    with lake.engine.connect() as connection:
        for tried in (key, f"{key[:-40]}{'x' * 40}"):
            assert (verify_key(connection, b"pepper", tried) is not None) is same
        assert verify_key(connection, b"pepper", f"ap_live_{'0' * 12}_{'x' * 40}") is None


@pytest.mark.parametrize("same", [True, False])
def test_only_the_comparison_in_constant_time_decides_on_a_link(monkeypatch: pytest.MonkeyPatch, same: bool) -> None:
    link = make_link(b"key", f"http://{HOST}", "bars/a.parquet", time.time()).removeprefix(f"http://{HOST}")
    path, sent = link.encode().split(b"?")
    wrong = sent[:-64] + b"0" * 64
    monkeypatch.setattr(hmac, "compare_digest", lambda *_: same)
    for tried in (sent, wrong):
        if same:
            assert check_link(b"key", HOST, path, tried, time.time()) == "bars/a.parquet"
        else:
            with pytest.raises(RequestError, match="not valid"):
                check_link(b"key", HOST, path, tried, time.time())
