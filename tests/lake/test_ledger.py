from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, insert, inspect, select, text, update
from sqlalchemy.exc import OperationalError

from aperiodic.lake import LakeError
from aperiodic.lake.ledger import begin_write, open_ledger
from aperiodic.lake.schema import SCHEMA_REVISION, accounts, api_keys, metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new" / "ledger.sqlite"


@pytest.fixture
def opening(file: Path) -> Iterator[Callable[[], Engine]]:
    """Opens the ledger, as often as asked."""
    opened: list[Engine] = []

    def open_again() -> Engine:
        opened.append(open_ledger(f"sqlite:///{file}"))
        return opened[-1]

    yield open_again
    for engine in opened:
        engine.dispose()


@pytest.fixture
def engine(opening: Callable[[], Engine]) -> Engine:
    return opening()


def add_key(connection: Connection, public_id: str) -> None:
    account = {"name": public_id, "plan": "pro", "origin": "operator", "created_at": 1}
    connection.execute(insert(accounts).values(account))
    held_by = connection.execute(select(accounts.c.id).where(accounts.c.name == public_id)).scalar_one()
    row = {
        "account_id": held_by,
        "public_id": public_id,
        "secret_hash": "0",
        "scopes": [],
        "label": "0",
        "created_at": 1,
    }
    connection.execute(insert(api_keys), [row])


def key_ids(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(select(api_keys.c.public_id)).scalars())


def migrations(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("aperiodic.lake") / "migrations"))
    config.attributes["connection"] = connection
    return config


def declarations(engine: Engine) -> dict[str, list[str]]:
    """Every table and index of a database: the words of its declaration, in any order."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%'")).all()
    return {
        name: sorted((sql or "").replace('"', "").replace(",", " ").replace("(", " ( ").split()) for name, sql in rows
    }


def at_once(*actions: Callable[[], object]) -> list[BaseException]:
    """Run actions in threads of their own, begun together; return what they raised."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> None:
        barrier.wait()
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - handed back to the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_a_ledger_opens_fresh_and_again_with_what_it_holds(opening: Callable[[], Engine]) -> None:
    for name in ("first", "second"):
        with begin_write(opening()) as connection:
            add_key(connection, name)
    assert key_ids(opening()) == ["first", "second"]


def test_an_empty_file_becomes_a_ledger(file: Path, opening: Callable[[], Engine]) -> None:
    file.parent.mkdir()
    file.touch()
    assert set(inspect(opening()).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_several_programs_may_open_a_new_ledger_at_once(opening: Callable[[], Engine]) -> None:
    assert at_once(*[opening] * 6) == []
    assert key_ids(opening()) == []


def test_opening_waits_for_another_program_that_is_making_the_ledger(file: Path, opening: Callable[[], Engine]) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE unrelated (x)")
        release = threading.Timer(0.3, lambda: other.execute("COMMIT"))
        release.start()
        begin = time.monotonic()
        engine = opening()
        waited = time.monotonic() - begin
        release.join()
    assert waited >= 0.25
    assert inspect(engine).has_table("objects")


def test_the_migrations_make_exactly_the_declared_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    straight = create_engine("sqlite://")
    metadata.create_all(straight)
    assert declarations(engine) == declarations(straight)
    straight.dispose()


def test_the_schema_names_the_last_migration(engine: Engine) -> None:
    with begin_write(engine) as connection:
        assert ScriptDirectory.from_config(migrations(connection)).get_heads() == [SCHEMA_REVISION]
        assert MigrationContext.configure(connection).get_current_revision() == SCHEMA_REVISION


def test_downgrading_removes_everything_and_the_next_opening_upgrades(
    engine: Engine, opening: Callable[[], Engine]
) -> None:
    complete = declarations(engine)
    with begin_write(engine) as connection:
        command.downgrade(migrations(connection), "base")
    assert declarations(engine) == {}
    assert declarations(opening()) == complete


def test_an_upgrade_that_fails_leaves_nothing_behind(file: Path, opening: Callable[[], Engine]) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE spans (x)")
    with pytest.raises(LakeError) as caught:
        opening()
    assert caught.value.code == "ledger_unavailable"
    with closing(sqlite3.connect(file)) as other:
        assert [row[0] for row in other.execute("SELECT name FROM sqlite_master")] == ["spans"]


def test_a_ledger_of_a_newer_version_is_refused_untouched(engine: Engine, opening: Callable[[], Engine]) -> None:
    before = declarations(engine)
    with begin_write(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LakeError, match="newer version") as caught:
        opening()
    assert caught.value.code == "ledger_newer"
    assert caught.value.hint == "Run the version that wrote it, or a newer one."
    assert declarations(engine) == before


def test_a_file_that_is_no_database_is_refused(file: Path, opening: Callable[[], Engine]) -> None:
    file.parent.mkdir()
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(LakeError) as caught:
        opening()
    assert caught.value.code == "ledger_unavailable"
    assert file.read_bytes() == b"no database" * 1000


@pytest.mark.parametrize(
    "url",
    ["nonsense", "nodatabase://user:hunter2@host/x", "oracle://user:hunter2@host/x", "sqlite:////dev/null/x/y.sqlite"],
)
def test_a_url_that_cannot_be_opened_is_a_plain_error_without_the_password(url: str) -> None:
    with pytest.raises(LakeError, match="cannot be opened") as caught:
        open_ledger(url)
    assert caught.value.code == "ledger_unavailable"
    assert caught.value.hint is not None
    assert "APERIODIC_LEDGER" in caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_a_committed_write_is_synced_and_does_not_shut_out_readers(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    with begin_write(engine) as connection:
        add_key(connection, "unseen")
        assert key_ids(engine) == []
    assert key_ids(engine) == ["unseen"]


def test_an_error_within_a_write_undoes_it(engine: Engine) -> None:
    def fail() -> None:
        with begin_write(engine) as connection:
            add_key(connection, "undone")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert key_ids(engine) == []


def test_writers_that_read_first_neither_deadlock_nor_lose_an_update(opening: Callable[[], Engine]) -> None:
    engines = [opening(), opening()]
    with begin_write(engines[0]) as connection:
        add_key(connection, "counter")

    def count(engine: Engine) -> None:
        for _ in range(25):
            with begin_write(engine) as connection:
                label = connection.execute(select(api_keys.c.label)).scalar_one()
                connection.execute(update(api_keys).values(label=str(int(label) + 1)))

    assert at_once(*(lambda engine=engine: count(engine) for engine in (*engines, engines[0]))) == []
    with engines[0].connect() as connection:
        assert connection.execute(select(api_keys.c.label)).scalar_one() == "75"


def test_a_ledger_that_others_hold_is_given_up_after_as_long_as_was_said(
    opening: Callable[[], Engine], file: Path
) -> None:
    holder = opening()
    hasty = open_ledger(f"sqlite:///{file}", busy_s=0.2)
    with begin_write(holder):
        began = time.monotonic()
        with pytest.raises(OperationalError, match="locked"), begin_write(hasty):
            pass
        assert 0.15 < time.monotonic() - began < 2
        assert key_ids(hasty) == [], "a writer does not shut out readers"
    with begin_write(hasty):
        pass
    hasty.dispose()


def test_a_ledger_that_is_gone_is_an_error_and_not_an_empty_one_until_it_is_back(engine: Engine, file: Path) -> None:
    with begin_write(engine) as connection:
        add_key(connection, "held")
    away = file.parent.parent / "away"
    file.parent.rename(away)
    file.parent.mkdir()
    for _ in range(2):
        with pytest.raises(OperationalError, match="unable to open"):
            key_ids(engine)
    assert list(file.parent.iterdir()) == []
    file.parent.rmdir()
    away.rename(file.parent)
    assert key_ids(engine) == ["held"]


def test_a_ledger_that_was_restored_is_read_without_opening_it_again(engine: Engine, file: Path) -> None:
    with begin_write(engine) as connection:
        add_key(connection, "before the copy")
    copy = file.with_name("copy")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    with begin_write(engine) as connection:
        add_key(connection, "after it")
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink()
    copy.replace(file)
    assert key_ids(engine) == ["before the copy"]
