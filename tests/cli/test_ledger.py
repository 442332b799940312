from __future__ import annotations

import re
import shutil
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import httpx
import pytest
from sqlalchemy import update
from tests.cli.conftest import MARKET, Market, Shell

import aperiodic
from aperiodic.lake import Lake, NewObject, ObjectKind, Settings
from aperiodic.lake.ledger import begin_write
from aperiodic.lake.schema import objects
from aperiodic.market import DAY_US, Source
from aperiodic.market.time import now_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl

ETH = ("--exchange", "binance-futures", "--symbol", "perpetual-ETH-USDT:USDT", "--seed", "2")


@pytest.fixture
def shell(market: Market, tmp_path: Path) -> Shell:
    """An installation of its own with three simulated and built days of BTC."""
    home = tmp_path / "home"
    shutil.copytree(market.shell.home, home)
    return Shell(home)


@contextmanager
def serving(shell: Shell) -> Iterator[str]:
    process = shell.start("serve", "--port", "0")
    assert process.stderr is not None
    with process:
        try:
            found = re.search(r"http://127\.0\.0\.1:\d+/api/v1", process.stderr.readline())
            assert found is not None
            yield found[0]
        finally:
            process.terminate()


def fetch(url: str, key: str) -> pl.DataFrame:
    return aperiodic.get_ohlcv(
        key,
        interval="1m",
        exchange="binance-futures",
        symbol=MARKET[3],
        start_date="2025-05-01",
        end_date="2025-05-04",
        base_url=url,
        show_progress=False,
        on_incomplete="ignore",
    )


class Visitors:
    """Requests one after the other, for as long as the `with` block lasts."""

    def __init__(self, url: str, key: str) -> None:
        self.statuses: list[int] = []
        self._url = f"{url}/metadata/symbols?exchange=binance-futures"
        self._key = key
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._visit)

    def _visit(self) -> None:
        with httpx.Client(headers={"X-API-KEY": self._key}) as client:
            while not self._over.wait(0.1):
                self.statuses.append(client.get(self._url).status_code)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def restored(shell: Shell, file: Path, home: Path, secret: Path | None) -> Shell:
    """A new installation on the same store, with the ledger of a backup."""
    home.mkdir()
    if secret is not None:
        shutil.copy(secret, home / "secret")
    new = Shell(home, {"APERIODIC_STORE": (shell.home / "store").as_uri()})
    done = new.run("ledger", "restore", str(file))
    assert done.returncode == 0, done.stderr
    assert re.match(r"Restored [\d,]+ rows of \d+ tables from ", done.stdout)
    assert ("There is no secret at" in done.stderr) == (secret is None)
    return new


def test_a_running_installation_is_backed_up_and_comes_back_whole(shell: Shell, tmp_path: Path) -> None:
    key = shell.run("keys", "create", "--plan", "prime").stdout.strip()
    days = ("--start", "2025-05-01", "--end", "2025-05-06", "--trades-per-day", "2000", "--stream", "trades")
    assert shell.run("simulate", *ETH, *days).returncode == 0
    file = tmp_path / "ledger.backup"
    with serving(shell) as url, Visitors(url, key) as visitors:
        before = fetch(url, key)
        backups = 0
        with shell.start("build", "--workers", "1") as building:
            while building.poll() is None:
                done = shell.run("ledger", "backup", str(file), "--force")
                assert done.returncode == 0, done.stderr
                backups += 1
            assert building.wait() == 0
        assert backups
        assert re.match(r"Backed up [\d,]+ rows of \d+ tables to ", done.stdout)
        assert str(shell.home / "secret") in done.stderr
    assert set(visitors.statuses) == {200}
    assert before.height > 100

    new = restored(shell, file, tmp_path / "new", shell.home / "secret")
    checked = new.run("ledger", "verify", "--deep")
    assert (
        checked.returncode,
        checked.stdout.splitlines()[-1].endswith("0 missing, 0 damaged; 0 in the store that the ledger does not know."),
    ) == (0, True)
    with serving(new) as url:
        assert fetch(url, key).equals(before)


def test_without_the_secret_a_restored_key_is_unknown_and_it_is_said_so(shell: Shell, tmp_path: Path) -> None:
    key = shell.run("keys", "create", "--plan", "prime").stdout.strip()
    file = tmp_path / "ledger.backup"
    assert shell.run("ledger", "backup", str(file)).returncode == 0
    new = restored(shell, file, tmp_path / "new", None)
    with serving(new) as url, pytest.raises(aperiodic.APIError, match="not known here") as caught:
        fetch(url, key)
    assert (caught.value.status_code, caught.value.code) == (401, "unknown_key")

    (new.home / "secret").unlink()
    given = replace(new, env={**new.env, "APERIODIC_SECRET": (shell.home / "secret").read_text().strip()})
    with serving(given) as url:
        assert fetch(url, key).height > 100


def test_neither_a_file_nor_a_ledger_is_overwritten_by_accident(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ledger.backup"
    assert shell.run("ledger", "backup", str(file)).returncode == 0
    before = file.read_bytes()
    for arguments, message in (
        (("backup", str(file)), "There is a file"),
        (("restore", str(file)), "The ledger is not empty"),
        (("restore", str(tmp_path / "absent")), "cannot be restored"),
    ):
        done = shell.run("ledger", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr
        assert "hint:" in done.stderr
        assert "Traceback" not in done.stderr
    assert file.read_bytes() == before


def test_a_restore_waits_for_no_build_but_says_that_one_runs(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "ledger.backup"
    assert shell.run("ledger", "backup", str(file)).returncode == 0
    new = Shell(tmp_path / "new")
    with new.start("simulate", *ETH, "--start", "2025-05-01", "--end", "2025-12-31", "--stream", "trades") as busy:
        deadline = time.monotonic() + 60
        while not (new.home / "store" / "ticks").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        done = new.run("ledger", "restore", str(file))
        busy.kill()
    assert done.returncode == 1
    assert "Another import or build is running" in done.stderr


def test_verify_finds_what_is_missing_damaged_and_unknown(shell: Shell) -> None:
    store = shell.home / "store"
    months = sorted(store.glob("bars/**/*.parquet"))
    lost, short, altered = months[0], months[1], months[2]
    lost.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    altered.write_bytes(altered.read_bytes()[:-1] + b"?")
    stray = store / "bars" / "left-over.parquet"
    stray.write_bytes(b"stray")

    quick = shell.run("ledger", "verify")
    assert quick.returncode == 1
    assert "hint: Run: aperiodic ledger verify --repair" in quick.stderr
    named = [line for line in quick.stdout.splitlines() if re.match(r"(missing|damaged|unknown): ", line)]
    assert named == [
        f"missing: {lost.relative_to(store)}",
        f"damaged: {short.relative_to(store)}",
        "unknown: bars/left-over.parquet",
    ]
    deep = shell.run("ledger", "verify", "--deep")
    assert deep.returncode == 1
    assert f"damaged: {altered.relative_to(store)}" in deep.stdout.splitlines()
    assert "1 missing, 2 damaged; 1 in the store that the ledger does not know." in deep.stdout
    repaired = shell.run("ledger", "verify", "--repair", "--workers", "1")
    said = "Computed anew: 3; read again from recordings: 0; still wrong: 0."
    assert (repaired.returncode, said in repaired.stdout) == (0, True)
    assert f"damaged: {altered.relative_to(store)} (computed anew)" in repaired.stdout.splitlines()
    assert shell.run("ledger", "verify", "--deep").returncode == 0


def test_what_a_build_leaves_behind_is_sound_and_strays_alone_are_no_fault(shell: Shell) -> None:
    assert shell.run("ledger", "verify", "--deep").returncode == 0
    (shell.home / "store" / "stray").write_bytes(b"stray")
    done = shell.run("ledger", "verify")
    assert (done.returncode, "hint" in done.stderr) == (0, False)
    assert done.stdout.startswith("unknown: stray\n")


def test_revisions_are_pruned_once_that_is_said(shell: Shell) -> None:
    refused = shell.run("ledger", "prune")
    assert refused.returncode == 1
    assert "APERIODIC_KEEP_REVISIONS_DAYS" in refused.stderr
    told = shell.run("ledger", "prune", "--days", "30").stdout
    assert told.startswith("0 revisions gave way before ")
    assert "Nothing was changed; --yes forgets them." in told
    with closing(Lake.open(Settings(home=shell.home))) as lake:
        record = lake.current(ObjectKind.BARS)[0]
        batch = lake.batch()
        batch.put(NewObject(record.key, 1, Source.SIMULATED, "f", "test"), b"another")
        batch.commit()
        with begin_write(lake.engine) as connection:
            old = now_us() - 31 * DAY_US
            given_way = update(objects).where(objects.c.retired_at.is_not(None))
            connection.execute(given_way.values(retired_at=old, created_at=old))
        assert lake.store.exists(record.path)
        told = shell.run("ledger", "prune", "--days", "30").stdout
        assert told.startswith("1 revisions gave way before ")
        assert lake.store.exists(record.path)
        told = Shell(shell.home, {"APERIODIC_KEEP_REVISIONS_DAYS": "30"}).run("ledger", "prune", "--yes").stdout
        assert "Forgot 1 revisions and deleted 1 files" in told
        assert not lake.store.exists(record.path)
