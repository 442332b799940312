"""Ledgers that earlier versions wrote, with data in every table, opened by this version and taken back again."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from alembic import command
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from tests.lake.test_ledger import migrations
from tests.postgres import PostgresServer, postgres_server
from tests.servers import serving

from aperiodic.accounts.keys import list_keys, verify_key
from aperiodic.lake import Settings, Store
from aperiodic.lake.ledger import begin_write, open_ledger
from aperiodic.server import Secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine

PEPPER: Final = b"p" * 32
PLANS: Final = ("free", "starter", "pro", "prime", "prime-raw")
DATA: Final = b"the bytes of a month"
SHA256: Final = hashlib.sha256(DATA).hexdigest()
PATH: Final = (
    "bars/ohlcv/timestamp=exchange/interval=5m/exchange=binance-futures/symbol=perpetual-BTC-USDT:USDT/"
    f"year=2025/month=05/data-{SHA256[:16]}.parquet"
)
BARS: Final = {
    "kind": "bars",
    "dataset": "ohlcv",
    "exchange": "binance-futures",
    "symbol": "perpetual-BTC-USDT:USDT",
    "clock": "exchange",
    "interval": "5m",
    "period": "2025-05",
}
TICKS: Final = {**BARS, "kind": "ticks", "dataset": "trades", "clock": "", "interval": "", "period": "2025-05-01"}
GONE: Final = {**BARS, "period": "2025-04"}
OBJECTS: Final = (
    # key, revision, is current, made at
    (BARS, 1, False, 100),
    (TICKS, 1, True, 110),
    (GONE, 1, False, 120),
    (GONE, 2, False, 150),
    (BARS, 2, False, 200),
    (BARS, 3, True, 300),
)
RETIRED: Final = [200, None, 150, 150, 300, None]
"""When each of `OBJECTS` was retired: as the next revision was made, else not known better than as it was made."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A ledger as version 0001 left it."""
    if request.param == "sqlite":
        made = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        made = server.new_database()
    make_0001(made, PEPPER)
    return made


@pytest.fixture
def upgraded(url: str) -> Iterator[Engine]:
    engine = open_ledger(url)
    yield engine
    engine.dispose()


def make_0001(url: str, pepper: bytes) -> None:
    """Make and fill a ledger with the first migration and plain SQL alone, as the program of that time did."""
    engine = create_engine(url)
    with engine.begin() as connection:
        command.upgrade(migrations(connection), "0001")
        add(connection, "objects", [an_object(*row) for row in OBJECTS])
        add(connection, "api_keys", [a_key(number, pepper) for number in range(len(PLANS))])
        add(
            connection,
            "imports",
            [
                {
                    "source": "recording",
                    "exchange": "okx-perps",
                    "sha256": "1" * 64,
                    "name": "file.gz",
                    "size": 2**40,
                    "version": 1,
                    "lines": 5,
                    "first_received": 1,
                    "last_received": None,
                    "ticks": '{"trades": 4}',
                    "rejected": '{"bad_json": 1}',
                    "notes": "[]",
                    "finished_at": 9,
                }
            ],
        )
        series = {"exchange": "okx-perps", "symbol": "perpetual-BTC-USDT:USDT", "stream": "trades"}
        times = {"first_time": 10, "last_time": 20}
        add(connection, "spans", [{**series, **times, "after_sequence": 1, "last_sequence": 2**60, "begins": "x"}])
        add(connection, "gaps", [{**series, **times, "after_sequence": 2, "before_sequence": 2**61, "cause": "y"}])
    engine.dispose()


def add(connection: Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    columns = list(rows[0])
    statement = f"INSERT INTO {table} ({', '.join(f'{name!r}' for name in columns)})".replace("'", '"')
    connection.execute(text(f"{statement} VALUES ({', '.join(f':{name}' for name in columns)})"), rows)


def an_object(key: dict[str, str], revision: int, is_current: bool, created_at: int) -> dict[str, Any]:
    return {
        **key,
        "revision": revision,
        "is_current": is_current,
        "path": PATH,
        "size": len(DATA),
        "sha256": SHA256,
        "rows": 3,
        "first_exchange": 1,
        "last_exchange": 2,
        "first_local": None,
        "last_local": None,
        "source": "recording",
        "fingerprint": "f",
        "reason": "test",
        "created_at": created_at,
    }


def api_key(number: int) -> str:
    return f"ap_live_{number:012x}_{'s' * 40}"


def a_key(number: int, pepper: bytes) -> dict[str, Any]:
    return {
        "public_id": f"{number:012x}",
        "secret_hash": hmac.new(pepper, api_key(number).encode(), hashlib.sha256).hexdigest(),
        "plan": PLANS[number],
        "label": f"label {number}",
        "created_at": 50 + number,
        "expires_at": 4_000_000_000_000_000 if number == 1 else None,
        "revoked_at": 60 if number == 2 else None,
    }


def rows(engine: Engine, table: str, columns: str = "*") -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [
            dict(row) for row in connection.execute(text(f"SELECT {columns} FROM {table} ORDER BY 1")).mappings().all()
        ]


def test_nothing_is_lost(url: str) -> None:
    old = create_engine(url)
    before = {table: rows(old, table) for table in ("objects", "imports", "spans", "gaps")}
    old.dispose()
    engine = open_ledger(url)
    after = {table: rows(engine, table) for table in before}
    assert [row.pop("retired_at") for row in after["objects"]] == RETIRED
    assert after == before
    engine.dispose()


def test_every_key_still_opens_what_it_opened(upgraded: Engine) -> None:
    with upgraded.connect() as connection:
        for number, plan in enumerate(PLANS):
            known = verify_key(connection, PEPPER, api_key(number))
            assert known is not None
            assert (known.plan.name, known.label, known.scopes) == (plan, f"label {number}", ("bars", "raw"))
            assert (known.created_at, known.last_used_at, known.replaced_by) == (50 + number, None, None)
            assert (known.revoked_at == 60, known.expires_at is not None) == (number == 2, number == 1)
        assert verify_key(connection, b"another secret" * 3, api_key(0)) is None
        assert len({key.account for key in list_keys(connection)}) == len(PLANS)


def test_references_and_uniqueness_hold_in_what_was_upgraded(upgraded: Engine) -> None:
    found = inspect(upgraded)
    references = {
        (table, *key["constrained_columns"], key["referred_table"], *key["referred_columns"])
        for table in ("accounts", "api_keys")
        for key in found.get_foreign_keys(table)
    }
    assert references == {("accounts", "plan", "plans", "name"), ("api_keys", "account_id", "accounts", "id")}
    assert {index["name"] for index in found.get_indexes("objects")} == {
        "ix_objects_current",
        "ix_objects_history",
        "ix_objects_newest",
        "ix_objects_parts",
        "ix_objects_path",
        "ix_objects_retired",
        "ix_objects_revised",
        "ix_objects_stray",
    }
    for statement in (
        "UPDATE api_keys SET account_id = 999",
        "UPDATE accounts SET plan = 'no plan'",
        "UPDATE api_keys SET public_id = 'the same'",
        "UPDATE accounts SET name = 'the same'",
        "UPDATE objects SET is_current = (1 = 1)",
        "DELETE FROM plans",
    ):
        with pytest.raises(IntegrityError), begin_write(upgraded) as connection:
            connection.execute(text(statement))


def test_going_back_gives_every_key_its_plan_again(upgraded: Engine) -> None:
    with begin_write(upgraded) as connection:
        connection.execute(text("UPDATE accounts SET plan = 'prime' WHERE name = 'key-000000000000'"))
        command.downgrade(migrations(connection), "0001")
    keys = rows(upgraded, "api_keys", "public_id, plan, label, created_at, expires_at, revoked_at, secret_hash")
    expected = [a_key(number, PEPPER) for number in range(len(PLANS))]
    expected[0]["plan"] = "prime"  # as it was at the end, not as it began
    assert keys == expected
    assert set(inspect(upgraded).get_table_names()) == {
        *("alembic_version", "api_keys", "gaps", "imports", "objects", "spans")
    }
    assert "retired_at" not in rows(upgraded, "objects")[0]
    assert len(rows(upgraded, "objects")) == len(OBJECTS)


@pytest.fixture
def url_of_0002(url: str) -> str:
    """A ledger as version 0002 left it: with what 0001 wrote, and rows in the tables that it had not."""
    engine = create_engine(url)
    with engine.begin() as connection:
        command.upgrade(migrations(connection), "0002")
        issued = {"day": "2025-05-01", "public_id": f"{0:012x}", "endpoint": "data", "dataset": "ohlcv"}
        add(connection, "usage", [{**issued, "requests": 1, "files": 2, "bytes": 2**40}])
    engine.dispose()
    return url


def test_0003_changes_no_row_and_lets_imports_be_found_by_when_they_were_received(url_of_0002: str) -> None:
    old = create_engine(url_of_0002)
    tables = [name for name in inspect(old).get_table_names() if name != "alembic_version"]
    before = {table: rows(old, table) for table in tables}
    assert all(before.values()), "a table without rows would prove nothing"
    assert inspect(old).get_indexes("imports") == uniques(old)
    old.dispose()
    engine = open_ledger(url_of_0002)
    assert {table: rows(engine, table) for table in tables} == before
    (made,) = (index for index in inspect(engine).get_indexes("imports") if index not in uniques(engine))
    assert (made["name"], made["column_names"]) == (
        "ix_imports_received",
        ["exchange", "last_received", "first_received"],
    )
    with begin_write(engine) as connection:
        command.downgrade(migrations(connection), "0002")
    assert inspect(engine).get_indexes("imports") == uniques(engine)
    assert {table: rows(engine, table) for table in tables} == before
    engine.dispose()


def uniques(engine: Engine) -> list[Any]:
    """Indexes of imports that come with its constraints, which PostgreSQL lists as well."""
    return [index for index in inspect(engine).get_indexes("imports") if index.get("unique")]


def test_a_server_on_the_upgraded_ledger_answers_an_old_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    make_0001(settings.ledger_url, Secrets.load(settings).pepper)
    store = Store(settings.store_url)
    store.make()
    store.put(PATH, DATA)
    with serving(tmp_path) as api:
        query = {name: BARS[name] for name in ("interval", "exchange", "symbol")}
        dates = {"start_date": "2025-04-01", "end_date": "2025-05-31"}
        answers = {
            plan: httpx.get(
                f"{api.url}/data/ohlcv",
                params={**query, **dates, "timestamp": "exchange"},
                headers={"X-API-KEY": api_key(number)},
            )
            for number, plan in enumerate(PLANS)
        }
        assert {plan: answer.status_code for plan, answer in answers.items()} == {
            "free": 403,
            "starter": 200,
            "pro": 401,
            "prime": 200,
            "prime-raw": 200,
        }
        assert answers["pro"].json()["code"] == "revoked_key"
        found = answers["prime"].json()
        assert (found["missing"], [file["revision"] for file in found["files"]]) == (["2025-04"], [3])
        assert httpx.get(found["files"][0]["url"]).content == DATA
