"""The ledger on PostgreSQL, where several hosts share it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import date
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, insert, inspect, select, text, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from tests.servers import environment_of

from aperiodic.lake import Lake, LakeError, NewObject, ObjectKey, Settings
from aperiodic.lake.ledger import begin_write, open_ledger
from aperiodic.lake.schema import SCHEMA_REVISION, accounts, leases, metadata, objects
from aperiodic.market import Exchange, Source, Stream, Symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.postgres import PostgresServer

KEY = ObjectKey.ticks(
    Stream.TRADES, Exchange.BINANCE_FUTURES, Symbol.parse("perpetual-BTC-USDT:USDT"), date(2025, 5, 9)
)
HOLD = """
import sys
from contextlib import closing
from aperiodic.lake import Lake, Settings
with closing(Lake.open(Settings())) as lake, lake.writing():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def hosts(tmp_path: Path, url: str) -> Iterator[list[Lake]]:
    """Two hosts with a folder each for their own, one ledger and one store."""
    settings = [
        Settings(home=tmp_path / name, ledger=url, store=(tmp_path / "store").as_uri()) for name in ("one", "two")
    ]
    lakes = [Lake.open(each) for each in settings]
    yield lakes
    for lake in lakes:
        lake.close()


def put(lake: Lake, data: bytes) -> None:
    batch = lake.batch()
    batch.put(NewObject(key=KEY, rows=1, source=Source.RECORDING, fingerprint="f", reason="test"), data)
    batch.commit()


def content(lake: Lake) -> bytes | None:
    found = lake.find(KEY)
    return None if found is None else lake.store.read(found.path)


def at_once(action: Callable[[], object], times: int) -> list[Exception]:
    """Run an action in threads of their own, begun together; return what they raised."""
    errors: list[Exception] = []
    barrier = threading.Barrier(times)

    def run() -> None:
        barrier.wait()
        try:
            action()
        except Exception as error:  # noqa: BLE001 - handed back to the test
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_the_migrations_make_exactly_the_declared_schema_and_remove_it_again(url: str) -> None:
    engine = open_ledger(url)
    with begin_write(engine) as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == SCHEMA_REVISION
        assert compare_metadata(context, metadata) == []
        config = Config()
        config.set_main_option("script_location", str(resources.files("aperiodic.lake") / "migrations"))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()
    again = open_ledger(url)
    with again.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    again.dispose()


def test_programs_that_open_a_new_ledger_at_once_all_find_it_made(url: str) -> None:
    def open_and_read() -> None:
        engine = open_ledger(url)
        with engine.connect() as connection:
            assert connection.execute(select(func.count()).select_from(objects)).scalar_one() == 0
        engine.dispose()

    assert at_once(open_and_read, 6) == []


def test_a_key_has_one_current_revision_whoever_writes(hosts: list[Lake]) -> None:
    def write() -> None:
        for lake in hosts * 5:
            put(lake, f"{lake.home} {time.monotonic_ns()}".encode())

    assert at_once(write, 2) == []
    with hosts[0].engine.connect() as connection:
        rows = connection.execute(select(objects.c.revision).where(objects.c.is_current)).all()
        highest = connection.execute(select(func.max(objects.c.revision))).scalar_one()
    assert [row.revision for row in rows] == [highest]
    assert content(hosts[0]) == content(hosts[1]) is not None


def test_writers_that_read_first_lose_no_update(hosts: list[Lake]) -> None:
    with begin_write(hosts[0].engine) as connection:
        row = {"name": "counter", "plan": "pro", "origin": "operator", "created_at": 0}
        connection.execute(insert(accounts).values(row))

    def count() -> None:
        for lake in hosts * 5:
            with begin_write(lake.engine) as connection:
                before = connection.execute(select(accounts.c.created_at)).scalar_one()
                connection.execute(update(accounts).values(created_at=before + 1))

    assert at_once(count, 3) == []
    with hosts[0].engine.connect() as connection:
        assert connection.execute(select(accounts.c.created_at)).scalar_one() == 30


def test_one_writer_on_all_hosts_and_the_next_one_after_it(hosts: list[Lake]) -> None:
    one, two = hosts
    with one.writing():
        with pytest.raises(LakeError, match="Another import or build") as caught, two.writing():
            pass
        assert caught.value.code == "busy"
        put(one, b"built")
    with pytest.raises(RuntimeError, match="stop"), two.writing():
        raise RuntimeError("stop")
    with one.writing(), pytest.raises(LakeError), one.writing():
        pass
    with two.writing():
        pass
    assert content(two) == b"built"


def test_writers_of_different_installations_do_not_wait_for_each_other(
    hosts: list[Lake], postgres: PostgresServer, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "other", ledger=postgres.new_database())
    with closing(Lake.open(settings)) as other, hosts[0].writing(), other.writing():
        pass


def test_a_writer_that_is_killed_lets_go_of_its_lease(hosts: list[Lake], url: str) -> None:
    environment = environment_of(Settings(home=hosts[0].home, ledger=url, store=hosts[0].store.url))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LakeError) as caught, hosts[1].writing():
            pass
        assert caught.value.code == "busy"
        other.kill()
        other.wait()
    deadline = time.monotonic() + 5
    while True:
        try:
            with hosts[1].writing():
                break
        except LakeError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_writer_whose_lease_ended_enters_nothing(hosts: list[Lake]) -> None:
    one, two = hosts
    with one.writing():
        put(one, b"before")
        with begin_write(two.engine) as connection:
            connection.execute(update(leases).values(expires_at=1))
        with two.writing():
            put(two, b"other writer")
            with pytest.raises(LakeError) as caught:
                put(one, b"after")
    assert caught.value.code == "lease_lost"
    assert content(one) == b"other writer"
    put(one, b"without a lease nothing is asked for")


def test_a_statement_that_takes_too_long_is_given_up(url: str) -> None:
    engine = open_ledger(url, busy_s=0.3)
    began = time.monotonic()
    with pytest.raises(OperationalError), engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(20)"))
    assert time.monotonic() - began < 8
    with engine.connect() as connection:
        assert connection.execute(select(1)).scalar_one() == 1
    engine.dispose()


def test_a_writer_waits_no_longer_than_it_was_told(url: str) -> None:
    patient, hasty = open_ledger(url), open_ledger(url, busy_s=0.3)
    with begin_write(patient), pytest.raises(SQLAlchemyError), begin_write(hasty):
        pass
    with begin_write(hasty):
        pass
    patient.dispose()
    hasty.dispose()


def test_a_server_that_was_restarted_is_used_again(hosts: list[Lake], postgres: PostgresServer) -> None:
    put(hosts[0], b"content")
    postgres.stop()
    with pytest.raises(SQLAlchemyError):
        hosts[0].find(KEY)
    with pytest.raises(LakeError) as caught:
        open_ledger(f"{postgres.url}/postgres")
    assert caught.value.code == "ledger_unavailable"
    postgres.start()
    assert content(hosts[0]) == b"content"


def test_a_password_is_not_told(postgres: PostgresServer) -> None:
    with pytest.raises(LakeError) as caught:
        open_ledger(f"postgresql://tests:hunter2@127.0.0.1:{postgres.port}/nothing")
    assert caught.value.code == "ledger_unavailable"
    assert "hunter2" not in str(caught.value)
