from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, insert, select
from tests.lake.test_ledger import migrations
from tests.postgres import PostgresServer, postgres_server

from aperiodic.accounts.accounts import create_account
from aperiodic.accounts.keys import create_key, list_keys, verify_key
from aperiodic.completeness.gaps import Span, add_spans
from aperiodic.completeness.recorded import add_recorded, whole_days
from aperiodic.lake import LakeError, ObjectKey, backup
from aperiodic.lake.archive_files import ArchivedFile, record_archived
from aperiodic.lake.backup import back_up, restore
from aperiodic.lake.checkpoints import Checkpoint, write_checkpoint
from aperiodic.lake.imports import ImportRecord, record_import
from aperiodic.lake.instruments import remember_instruments
from aperiodic.lake.ledger import begin_write, open_ledger
from aperiodic.lake.objects import ObjectRecord, replace_object
from aperiodic.lake.schema import SCHEMA_REVISION, archive_files, leases, metadata, own_store, plans, pruned, usage
from aperiodic.market import Clock, Exchange, Interval, Stream, Symbol
from aperiodic.market.instrument import Instrument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BTC = Symbol.parse("perpetual-BTC-USDT:USDT")
PEPPER = b"p" * 32
LIVES_LONG = 4_000_000_000_000_000

_RUN = """
import sys
from pathlib import Path
from aperiodic.lake import backup
from aperiodic.lake.ledger import open_ledger
backup._PAGES, backup._ROWS = 5, 500
def progress(*step):
    print(*step, flush=True)
    sys.stdin.readline()
def back_up(url, file):
    backup.back_up(url, Path(file), replace=True, progress=progress)
def restore(url, file):
    backup.restore(open_ledger(url), Path(file), progress=progress)
globals()[sys.argv[1]](*sys.argv[2:])
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def new_url(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Gives the URL of a new, empty database of a kind."""
    made: list[str] = []

    def make(kind: str) -> str:
        if kind == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres")
            return server.new_database()
        made.append(kind)
        return f"sqlite:///{tmp_path / f'ledger-{len(made)}.sqlite'}"

    return make


@pytest.fixture
def opening() -> Iterator[Callable[[str], Engine]]:
    opened: list[Engine] = []

    def open_it(url: str) -> Engine:
        opened.append(open_ledger(url))
        return opened[-1]

    yield open_it
    for engine in opened:
        engine.dispose()


@pytest.fixture
def filled(new_url: Callable[[str], str], opening: Callable[[str], Engine]) -> str:
    """A SQLite ledger with rows in every table."""
    url = new_url("sqlite")
    fill(opening(url))
    return url


def fill(engine: Engine) -> str:
    """Put something into every table, and return an API key."""
    month = ObjectKey.bars("flow", Clock.TRUE, Interval.S1, Exchange.BINANCE_FUTURES, BTC, date(2025, 5, 1))
    with begin_write(engine) as connection:
        for revision in (1, 2):
            replace_object(connection, an_object(month, revision))
        span = Span(1, 2**62, 10, 20, "not_recorded")
        add_spans(
            connection, Exchange.BINANCE_FUTURES, BTC, Stream.TRADES, [span, Span(2**62 + 5, 2**62 + 9, 30, 40, "x")]
        )
        record_import(connection, an_import())
        key = create_key(
            connection, PEPPER, "pro", "ünïcode", LIVES_LONG, account="Café “Zürich” \N{GRINNING FACE}", scopes=["raw"]
        )
        create_key(connection, PEPPER, "free", "")
        add_recorded(connection, Exchange.BINANCE_FUTURES, {(str(BTC), Stream.TRADES): [whole_days(10, 2**62)]})
        day = ("2025-05-01", "vision", "a.zip", "imported", "0" * 64, 2**40, "", 7, 10)
        record_archived(connection, [ArchivedFile(Exchange.BINANCE_FUTURES, str(BTC), Stream.TRADES, *day)])
        coin = Instrument("BTCUSDT", BTC, Fraction(1, 3), Decimal("0.10"))
        remember_instruments(connection, Exchange.BINANCE_FUTURES, [coin], 10, whole=True)
        connection.execute(insert(usage).values(issued("2025-05-01")))
        write_checkpoint(
            connection, Checkpoint("binance", "host-s0", "a.zst", 2**40, "a.zst", 7, 2**50, {"open": {"a1": []}}, 9)
        )
        file = {"day": "2025-05-01", "archive": "vision", "path": "a.zip", "state": "taken", "sha256": "0" * 64}
        counts = {"size": 2**40, "etag": "", "rows": 5, "finished_at": 9}
        series = {"exchange": "binance", "symbol": str(BTC), "stream": "trades"}
        connection.execute(insert(archive_files).values(series | file | counts))
        connection.execute(insert(pruned).values(kind="bars", before=2**50))
        connection.execute(insert(own_store).values(id="5" * 32, is_marked=True))
        connection.execute(plans.update().where(plans.c.name == "pro").values(requests_per_minute=7))
        connection.execute(plans.insert().values({**plan_row("pro-bono"), "position": 9}))
    return key


def an_object(key: ObjectKey, revision: int) -> ObjectRecord:
    return ObjectRecord(
        key=key,
        path=key.path(f"{revision:064x}"),
        revision=revision,
        size=2**40,
        sha256=f"{revision:064x}",
        rows=0,
        first_exchange=None,
        last_exchange=-1,
        first_local=None,
        last_local=None,
        source="recording",
        fingerprint="f",
        reason="test",
        created_at=1_000 + revision,
    )


def an_import() -> ImportRecord:
    return ImportRecord(
        source="recording",
        exchange="binance-futures",
        sha256="0" * 64,
        name="file.gz",
        size=1,
        version=1,
        lines=2,
        first_received=None,
        last_received=3,
        ticks={"trades": 2},
        rejected={},
        notes=["a note"],
        finished_at=9,
    )


def issued(day: str, public_id: str = "0123456789ab") -> dict[str, Any]:
    return {
        "day": day,
        "public_id": public_id,
        "endpoint": "data",
        "dataset": "flow",
        "requests": 1,
        "files": 2,
        "bytes": 2**50,
    }


def plan_row(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "position": 1,
        "tier": 2,
        "sub_minute": True,
        "raw": False,
        "live": 0,
        "requests_per_minute": 1,
    }


def held(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables but the leases, which belong to running programs."""
    with engine.connect() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]
            for table in metadata.sorted_tables
            if table is not leases
        }


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, which nobody else uses."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def is_empty(engine: Engine) -> bool:
    return all(not rows for name, rows in held(engine).items() if name != "plans")


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
def test_what_is_restored_is_what_was_backed_up(
    source: str, target: str, new_url: Callable[[str], str], opening: Callable[[str], Engine], tmp_path: Path
) -> None:
    url = new_url(source)
    original = opening(url)
    key = fill(original)
    before = held(original)
    assert all(before.values()), "a table without rows would prove nothing"

    counts = back_up(url, tmp_path / "backup")
    restored = opening(new_url(target))
    assert restore(restored, tmp_path / "backup") == counts == {name: len(rows) for name, rows in before.items()}

    assert held(restored) == before
    assert held(original) == before
    with begin_write(restored) as connection:
        assert verify_key(connection, PEPPER, key) is not None
        create_key(connection, PEPPER, "pro-bono", "made after the restore")
        assert len(list_keys(connection)) == 3


def test_a_ledger_moves_from_sqlite_to_postgresql_and_back_unchanged(
    filled: str, new_url: Callable[[str], str], opening: Callable[[str], Engine], tmp_path: Path
) -> None:
    there, back = new_url("postgresql"), new_url("sqlite")
    back_up(filled, tmp_path / "there")
    restore(opening(there), tmp_path / "there")
    back_up(there, tmp_path / "back")
    restore(opening(back), tmp_path / "back")
    assert held(opening(back)) == held(opening(filled))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_is_one_sound_file_for_its_owner_only(
    kind: str, new_url: Callable[[str], str], opening: Callable[[str], Engine], tmp_path: Path
) -> None:
    url = new_url(kind)
    fill(opening(url))
    folder = tmp_path / "backups"
    folder.mkdir()
    back_up(url, folder / "backup")
    assert [path.name for path in folder.iterdir()] == ["backup"]
    assert (folder / "backup").stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(folder / "backup")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(SCHEMA_REVISION,)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_is_of_one_moment_whatever_is_written_meanwhile(
    kind: str,
    new_url: Callable[[str], str],
    opening: Callable[[str], Engine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backup, "_PAGES", 1)
    url = new_url(kind)
    engine = opening(url)
    fill(engine)
    before = held(engine)
    written: list[int] = []

    def write(_what: str, _done: int, _total: int) -> None:
        written.append(len(written))
        with begin_write(engine) as connection:
            create_account(connection, f"late {len(written)}", "pro")
            connection.execute(insert(usage).values(issued("2025-06-01", f"{len(written):012d}")))

    back_up(url, tmp_path / "backup", progress=write)
    assert len(written) > 5
    assert len(held(engine)["usage"]) == 1 + len(written)
    restored = opening(new_url("sqlite"))
    restore(restored, tmp_path / "backup")
    assert held(restored) == before


def test_a_file_that_is_there_is_kept_unless_it_is_to_be_replaced(filled: str, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_text("precious")
    with pytest.raises(LakeError) as caught:
        back_up(filled, file)
    assert caught.value.code == "backup_exists"
    assert file.read_text() == "precious"
    back_up(filled, file, replace=True)
    assert file.read_bytes().startswith(b"SQLite format 3\0")


def test_a_file_that_comes_up_during_the_backup_is_kept(filled: str, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    with pytest.raises(LakeError) as caught:
        back_up(filled, file, progress=lambda *_: file.write_text("faster"))  # type: ignore[arg-type] # what it returns is not used
    assert caught.value.code == "backup_exists"
    assert file.read_text() == "faster"


@pytest.mark.parametrize("fault", ["no ledger", "no database", "no folder", "no server"])
def test_a_backup_that_fails_says_why_and_leaves_nothing(fault: str, filled: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    if fault != "no folder":
        folder.mkdir()
    (tmp_path / "text.sqlite").write_text("no database" * 1000)
    url = {
        "no ledger": f"sqlite:///{tmp_path / 'absent.sqlite'}",
        "no database": f"sqlite:///{tmp_path / 'text.sqlite'}",
        "no server": "postgresql+psycopg://user:hunter2@127.0.0.1:1/ledger",
    }.get(fault, filled)
    with pytest.raises(LakeError) as caught:
        back_up(url, folder / "backup")
    assert caught.value.code == ("ledger_unavailable" if fault == "no server" else "backup_failed")
    assert "hunter2" not in str(caught.value)
    assert not folder.exists() or not list(folder.iterdir())
    assert not (tmp_path / "absent.sqlite").exists()


def test_a_ledger_that_holds_something_is_not_restored_into(
    filled: str, new_url: Callable[[str], str], opening: Callable[[str], Engine], tmp_path: Path
) -> None:
    back_up(filled, tmp_path / "backup")
    engine = opening(new_url("sqlite"))
    with begin_write(engine) as connection:
        create_account(connection, "somebody", "pro")
    before = held(engine)
    with pytest.raises(LakeError, match="rows in accounts") as caught:
        restore(engine, tmp_path / "backup")
    assert caught.value.code == "ledger_not_empty"
    assert held(engine) == before


@pytest.mark.parametrize("fault", ["absent", "text", "another database", "cut off", "a row changed hands"])
def test_what_is_no_backup_is_refused(
    fault: str, filled: str, new_url: Callable[[str], str], opening: Callable[[str], Engine], tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    if fault == "text":
        file.write_text("no database" * 1000)
    elif fault == "another database":
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE objects (id)")
    elif fault != "absent":
        back_up(filled, file)
    if fault == "cut off":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    if fault == "a row changed hands":
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE api_keys SET account_id = 999")
    engine = opening(new_url("sqlite"))
    with pytest.raises(LakeError, match="cannot be restored") as caught:
        restore(engine, file)
    assert caught.value.code == "not_a_backup"
    assert is_empty(engine)


def test_a_backup_of_this_version_is_read_where_it_is(
    filled: str, new_url: Callable[[str], str], opening: Callable[[str], Engine], tmp_path: Path, temporary: Path
) -> None:
    back_up(filled, tmp_path / "backup")
    before = (tmp_path / "backup").read_bytes()
    copies: list[list[Path]] = []
    restore(opening(new_url("sqlite")), tmp_path / "backup", progress=lambda *_: copies.append([*temporary.iterdir()]))
    assert copies
    assert not any(copies)
    assert (tmp_path / "backup").read_bytes() == before


def older_backup(url: str, file: Path) -> None:
    old = create_engine(url)
    with old.begin() as connection:
        command.upgrade(migrations(connection), "0001")
        connection.exec_driver_sql(
            "INSERT INTO api_keys (public_id, secret_hash, plan, label, created_at) VALUES ('0123456789ab', 'h', 'pro', '', 5)"
        )
    old.dispose()
    assert back_up(url, file)["api_keys"] == 1


def test_a_backup_of_an_older_version_is_upgraded_in_a_copy(
    new_url: Callable[[str], str], opening: Callable[[str], Engine], tmp_path: Path, temporary: Path
) -> None:
    older_backup(new_url("sqlite"), tmp_path / "backup")
    before = (tmp_path / "backup").read_bytes()

    engine = opening(new_url("sqlite"))
    restore(engine, tmp_path / "backup")
    with engine.connect() as connection:
        assert [(key.public_id, key.plan.name) for key in list_keys(connection)] == [("0123456789ab", "pro")]
    assert (tmp_path / "backup").read_bytes() == before
    assert list(temporary.iterdir()) == []


def test_a_restore_that_fails_leaves_no_copy_behind(
    filled: str, new_url: Callable[[str], str], opening: Callable[[str], Engine], tmp_path: Path, temporary: Path
) -> None:
    older_backup(new_url("sqlite"), tmp_path / "backup")
    with pytest.raises(LakeError) as caught:
        restore(opening(filled), tmp_path / "backup")
    assert caught.value.code == "ledger_not_empty"
    assert list(temporary.iterdir()) == []


def test_a_backup_of_a_newer_version_is_refused(
    filled: str, new_url: Callable[[str], str], opening: Callable[[str], Engine], tmp_path: Path
) -> None:
    back_up(filled, tmp_path / "backup")
    with closing(sqlite3.connect(tmp_path / "backup")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    engine = opening(new_url("sqlite"))
    with pytest.raises(LakeError, match="newer version") as caught:
        restore(engine, tmp_path / "backup")
    assert caught.value.code == "ledger_newer"
    assert is_empty(engine)


def test_a_server_ledger_of_another_version_is_not_backed_up_by_this_one(
    new_url: Callable[[str], str], opening: Callable[[str], Engine], tmp_path: Path
) -> None:
    url = new_url("postgresql")
    with begin_write(opening(url)) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(LakeError) as caught:
        back_up(url, tmp_path / "backup")
    assert caught.value.code == "ledger_other_version"
    assert not (tmp_path / "backup").exists()


@pytest.mark.crash
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_backup_that_is_killed_leaves_the_file_as_it_was(
    steps: int, filled: str, opening: Callable[[str], Engine], tmp_path: Path
) -> None:
    add_usage(opening(filled), 5_000)
    file = tmp_path / "backup"
    file.write_text("the one before")
    kill_after(steps, "back_up", filled, str(file))
    assert file.read_text() == "the one before"
    back_up(filled, file, replace=True)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM usage").fetchone() == (5_001,)


@pytest.mark.crash
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_restore_that_is_killed_leaves_the_ledger_empty_and_can_be_repeated(
    kind: str, filled: str, new_url: Callable[[str], str], opening: Callable[[str], Engine], tmp_path: Path
) -> None:
    source = opening(filled)
    add_usage(source, 5_000)
    back_up(filled, tmp_path / "backup")
    url = new_url(kind)
    # Past the pages and the smaller tables, in the middle of the last one.
    kill_after(
        lambda line: line.startswith("usage ") and int(line.split()[1]) > 2_000,
        "restore",
        url,
        str(tmp_path / "backup"),
    )
    engine = opening(url)
    assert is_empty(engine)
    restore(engine, tmp_path / "backup")
    assert held(engine) == held(source)


def add_usage(engine: Engine, rows: int) -> None:
    with begin_write(engine) as connection:
        connection.execute(insert(usage), [issued("2025-06-01", f"{number:012d}") for number in range(rows)])


def kill_after(moment: int | Callable[[str], bool], *arguments: str) -> None:
    """Run a step of `_RUN` and kill it when it has told of so many steps, or of the right one."""
    command = [sys.executable, "-c", _RUN, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number, line in enumerate(process.stdout, 1):
            if number == moment or (callable(moment) and moment(line)):
                break
            process.stdin.write("\n")
            process.stdin.flush()
        else:
            pytest.fail("it ended before it was killed")
        process.kill()


def test_a_full_disk_is_said_in_plain_words(filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(LakeError, match=r"The backup failed: No space left on device\.") as caught:
        back_up(filled, tmp_path / "backup")
    assert caught.value.code == "backup_failed"
    assert not (tmp_path / "backup").exists()
