"""What commands say of a store that is away, or of another installation, and how it is taken on purpose."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import MARKET
from tests.cli.test_installation import DAY, found

from aperiodic.lake.presence import MARK

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command


@pytest.fixture
def installed(command: Command) -> Command:
    assert command.run("simulate", *MARKET, *DAY).code == 0
    return command


def drop(command: Command) -> Path:
    """Let the mount of the store drop; return where it is meanwhile."""
    store = command.home / "store"
    away = store.rename(command.home / "mounted")
    store.mkdir()
    return away


def test_commands_say_that_the_store_is_away_and_write_nothing(installed: Command) -> None:
    drop(installed)
    for words in (("build",), ("ledger", "verify"), ("recordings", "list")):
        done = installed.run(*words)
        assert done.code == 1, words
        assert done.err.replace("\n", " ").count("error: The object store is away: the folder "), (words, done.err)
        assert "hint: Mount it again" in done.err, words
    assert not any((installed.home / "store").iterdir())
    for reading in ("status", "keys list", "keys create --plan prime"):
        assert installed.run(*reading.split()).code == 0, "it needs the ledger alone"


def test_the_doctor_says_that_the_store_is_away(installed: Command) -> None:
    assert found(installed)["store"][1].endswith("written and read; the ledger's own")
    drop(installed)
    state, detail, hint = found(installed)["store"]
    assert (state, "holds no mark of this installation" in detail) == ("problem", True)
    assert "ledger take-store" in hint
    assert not any((installed.home / "store").iterdir())


def test_the_doctor_and_others_refuse_the_store_of_another_installation(installed: Command, tmp_path: Path) -> None:
    other = type(installed)(tmp_path / "other")
    assert other.run("simulate", *MARKET, *DAY).code == 0
    installed.env("STORE", str(tmp_path / "other" / "store"))
    assert found(installed)["store"][1].startswith("The object store is that of another installation")
    for words in (("build",), ("status",), ("recordings", "list")):
        done = installed.run(*words)
        assert (done.code, "that of another installation" in done.err) == (1, True), words


def test_a_store_that_was_copied_without_its_mark_is_taken_on_purpose(installed: Command) -> None:
    away = drop(installed)
    store = installed.home / "store"
    shutil.copytree(away, store, dirs_exist_ok=True)
    (store / MARK).unlink()
    assert installed.run("build").code == 1
    asked = installed.run("ledger", "take-store")
    assert asked.code == 0
    assert "the one that is there has no mark" in asked.out
    assert "Nothing was changed; --yes" in asked.out
    assert not (store / MARK).exists()
    taken = installed.run("ledger", "take-store", "--yes")
    assert (taken.code, "hint" in taken.err) == (0, False)
    assert (store / MARK).read_bytes() == (away / MARK).read_bytes()
    assert installed.run("build").code == 0


def test_a_store_whose_loss_is_final_is_begun_anew_and_the_other_does_not_come_back(installed: Command) -> None:
    away = drop(installed)
    refused = installed.run("ledger", "take-store", "--yes")
    assert (refused.code, "comes back by mounting it" in refused.out) == (1, True)
    assert not (installed.home / "store" / MARK).exists()
    taken = installed.run("ledger", "take-store", "--yes", "--lost")
    assert "it has 0." in taken.out
    assert "hint: See what is missing: aperiodic ledger verify" in taken.err
    assert "missing: ticks/" in installed.run("ledger", "verify").out
    shutil.rmtree(installed.home / "store")
    away.rename(installed.home / "store")
    done = installed.run("build")
    assert (done.code, "that of another installation" in done.err) == (1, True)
