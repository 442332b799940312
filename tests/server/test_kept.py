"""What is read for requests is kept until the ledger changes, whoever changes it, and never longer."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.server.conftest import BTC, DATA, add_tick_days, publish, query
from tests.server.in_process import App, application
from tests.statements import trace_statements

from aperiodic.accounts.keys import create_key, public_id_of, revoke_key
from aperiodic.accounts.plans import Plan, change_plan
from aperiodic.completeness import judgement
from aperiodic.completeness.recorded import Recorded, add_recorded
from aperiodic.lake import Lake
from aperiodic.lake.generation import Generation
from aperiodic.lake.ledger import begin_write
from aperiodic.market import Exchange, Stream
from aperiodic.market.time import day_start_us, now_us
from aperiodic.server import Secrets, service
from aperiodic.server.links import signing
from aperiodic.server.queries.reading import Kept, Reading
from aperiodic.server.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

APRIL = date(2025, 4, 1)
PUBLISH = """
import sys
from contextlib import closing
from datetime import date
from pathlib import Path
from tests.server.conftest import publish
from aperiodic.lake import Lake
from aperiodic.server.settings import ServerSettings
with closing(Lake.open(ServerSettings(home=Path(sys.argv[1]), ledger=sys.argv[2] or None))) as lake:
    publish(lake, date.fromisoformat(sys.argv[3]))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def app(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[App]:
    ledger = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else None
    with application(tmp_path / "a home", ledger=ledger) as made:
        publish(made.lake, APRIL)
        yield made


def months(app: App, headers: dict[str, str], **asked: Any) -> list[int]:
    answer = app.client.get(DATA, params=query(**asked), headers=headers)
    assert answer.status_code == 200, answer.text
    return [entry["month"] for entry in answer.json()["files"]]


def test_a_month_that_another_process_publishes_is_in_the_next_answer(app: App) -> None:
    headers = app.headers("pro")
    assert [months(app, headers) for _ in range(3)] == [[4]] * 3
    made = [str(app.settings.home), app.settings.ledger or "", "2025-06-01"]
    subprocess.run([sys.executable, "-c", PUBLISH, *made], check=True)
    assert [months(app, headers) for _ in range(3)] == [[4, 6]] * 3


def test_a_symbol_that_was_unknown_is_known_with_its_first_month(app: App) -> None:
    asked = query(exchange="okx-perps")
    headers = app.headers("pro")
    assert [app.client.get(DATA, params=asked, headers=headers).status_code for _ in range(2)] == [404, 404]
    publish(app.lake, APRIL, exchange=Exchange.OKX_PERPS)
    assert app.client.get(DATA, params=asked, headers=headers).status_code == 200


def test_what_is_known_of_the_ticks_changes_the_next_answer(app: App) -> None:
    headers = app.headers("pro")

    def complete() -> bool:
        return bool(app.client.get(DATA, params=query(), headers=headers).json()["files"][0]["complete"])

    assert not complete()
    add_tick_days(app.lake, APRIL, 30)
    assert complete()


def test_a_key_ends_with_the_request_after_it_was_revoked_and_a_plan_with_its_change(app: App) -> None:
    headers, other = app.headers("pro"), app.headers("starter")
    assert months(app, headers) == months(app, headers) == months(app, other) == [4]
    with begin_write(app.lake.engine) as connection:
        revoke_key(connection, public_id_of(headers["X-API-KEY"]))
    answer = app.client.get(DATA, params=query(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "revoked_key")
    assert months(app, other) == [4]
    with begin_write(app.lake.engine) as connection:
        change_plan(connection, Plan("starter", 1, 0, sub_minute=False, raw=False, live=0, requests_per_minute=60))
    answer = app.client.get(DATA, params=query(), headers=other)
    assert (answer.status_code, answer.json()["code"]) == (403, "metric_not_in_plan")


def test_a_key_expires_though_nothing_is_written(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    with begin_write(app.lake.engine) as connection:
        pepper = Secrets.load(app.settings).pepper
        key = create_key(connection, pepper, "pro", "test", now_us() + 3_600_000_000)
    headers = {"X-API-KEY": key}
    assert months(app, headers) == months(app, headers) == [4]
    monkeypatch.setattr(service, "now_us", lambda: now_us() + 3_600_000_001)
    answer = app.client.get(DATA, params=query(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "expired_key")


def test_links_are_valid_from_each_answer_on(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = app.headers("pro")

    def expires() -> int:
        link = app.client.get(DATA, params=query(), headers=headers).json()["files"][0]["url"]
        return int(parse_qs(urlsplit(link).query)["expires"][0])

    began = expires()
    monkeypatch.setattr(signing, "time", SimpleNamespace(time=lambda: time.time() + 200))
    assert 199 <= expires() - began <= 260


def test_every_answer_counts_and_has_its_own_id(app: App) -> None:
    headers = app.headers("pro")
    answers = [app.client.get(DATA, params=query(), headers=headers) for _ in range(4)]
    left = [int(answer.headers["RateLimit-Remaining"]) for answer in answers]
    assert left == sorted(left, reverse=True)
    assert left[0] - left[3] >= 2
    assert len({answer.json()["request_id"] for answer in answers}) == 4


def test_what_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    with application(tmp_path) as app:
        publish(app.lake, APRIL)
        headers = app.headers("pro")
        assert months(app, headers) == [4]
        asked = trace_statements(app.lake.engine)
        assert months(app, headers) == [4]
        assert [statement for statement in asked if "FROM objects" in statement] == []


def test_the_last_days_are_judged_anew_since_time_tells_too(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = app.headers("pro")
    today = datetime.now(UTC).date()
    month = today.replace(day=1)
    publish(app.lake, month)
    add_tick_days(app.lake, month, today.day)
    begin = day_start_us(month)
    with begin_write(app.lake.engine) as connection:
        recorded = Recorded(begin, now_us(), begin, now_us())
        add_recorded(connection, Exchange.BINANCE_FUTURES, {(str(BTC), Stream.TRADES): [recorded]})

    def complete() -> bool:
        asked = query(start_date=month.isoformat(), end_date=today.isoformat())
        return bool(app.client.get(DATA, params=asked, headers=headers).json()["files"][0]["complete"])

    monkeypatch.setattr(judgement, "now_us", lambda: begin + 1)
    assert complete()
    monkeypatch.setattr(judgement, "now_us", lambda: now_us() + 3_600_000_000)
    assert not complete()


class Counter:
    """A number in the ledger that others raise."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.raised = 0

    def read(self, ledger: Reading) -> int:
        def now() -> int:
            found: int = ledger.connection.exec_driver_sql("SELECT live FROM plans WHERE name = 'pro'").scalar_one()
            return found

        return ledger.once("live", now, lambda _: 1)

    def rise(self) -> None:
        with begin_write(self._engine) as connection:
            connection.exec_driver_sql(f"UPDATE plans SET live = {self.raised + 1} WHERE name = 'pro'")
        self.raised += 1


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_no_thread_reads_what_was_true_before_it_asked(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    ledger = request.getfixturevalue("postgres").new_database() if database == "postgresql" else None
    with closing(Lake.open(ServerSettings(home=tmp_path, ledger=ledger))) as lake:
        generation, kept, number, done = Generation(lake.engine), Kept(), Counter(lake.engine), Event()
        number.rise()

        def look() -> int:
            looks = 0
            while not done.is_set() or not looks:
                least = number.raised
                with Reading(lake.engine, generation, kept) as reading:
                    assert number.read(reading) >= least
                looks += 1
            return looks

        with ThreadPoolExecutor(4) as threads:
            looking = [threads.submit(look) for _ in range(4)]
            for _ in range(50):
                number.rise()
            done.set()
            assert all(each.result() for each in looking)
        generation.close()


def test_memory_is_bounded_and_what_was_asked_for_last_stays() -> None:
    kept = Kept(most_bytes=100)
    for key in range(10):
        kept.put("now", key, f"value {key}", 10)
    assert kept.get("now", 0) == "value 0"
    kept.put("now", 10, "value 10", 10)
    assert [key for key in range(11) if kept.get("now", key) is None] == [1]
    kept.put("now", 11, "large", 95)
    assert [key for key in range(12) if kept.get("now", key) is not None] == [11]
    kept.put("now", 12, "larger than all", 101)
    assert [key for key in range(13) if kept.get("now", key) is not None] == []


def test_a_value_of_another_generation_is_none() -> None:
    kept = Kept()
    kept.put("first", "key", 1, 10)
    assert kept.get("second", "key") is None
    kept.put("second", "key", 2, 10)
    assert (kept.get("first", "key"), kept.get("second", "key")) == (None, 2)
    kept.put("first", "key", 1, 10)  # by one who began before
    assert kept.get("second", "key") is None


def test_another_file_in_the_place_of_the_ledger_is_read_at_once(tmp_path: Path) -> None:
    with application(tmp_path / "one") as app, application(tmp_path / "other") as other:
        publish(app.lake, APRIL)
        headers = app.headers("pro")
        assert months(app, headers) == [4]
        publish(other.lake, APRIL)
        other.lake.close()
        for end in ("", "-wal", "-shm"):
            file = tmp_path / "other" / f"ledger.sqlite{end}"
            target = tmp_path / "one" / f"ledger.sqlite{end}"
            target.unlink(missing_ok=True)
            if file.exists():
                file.rename(target)
        answer = app.client.get(DATA, params=query(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unknown_key")
