from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import MARKET
from tests.engine.importing.frames import trade, write

from aperiodic.cli import doctor
from aperiodic.lake import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command

READING = [
    ("status",),
    ("status", "--json"),
    ("build",),
    ("usage",),
    ("serve", "--port", "0"),
    ("quarantine", "list"),
    ("quarantine", "show", "x"),
    ("ledger", "verify"),
    ("ledger", "backup", "copy.sqlite"),
    ("keys", "list"),
    ("keys", "create", "--plan", "prime"),
    ("plans", "list"),
]
DAY = ("--start", "2025-05-01", "--end", "2025-05-01", "--trades-per-day", "10", "--stream", "trades")


@pytest.mark.parametrize("arguments", READING, ids=lambda arguments: " ".join(arguments[:2]))
def test_a_mistyped_home_is_an_error_and_is_not_made(
    command: Command, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command.run(*arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: There is no installation in {command.home}.\nhint: Check APERIODIC_HOME")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("status",), ("build",), ("quarantine", "list")], ids=" ".join)
def test_a_folder_that_holds_something_else_is_no_installation(command: Command, arguments: tuple[str, ...]) -> None:
    command.home.mkdir()
    assert command.run(*arguments).code == 1
    assert list(command.home.iterdir()) == []


def test_a_mounted_empty_folder_is_begun_by_what_a_server_needs_and_said(command: Command) -> None:
    command.home.mkdir()
    done = command.run("keys", "create", "--plan", "prime")
    assert (done.code, done.err) == (0, f"New installation in {command.home}\n")
    assert command.run("plans", "list").err == ""


def test_a_command_that_begins_an_installation_says_so(command: Command) -> None:
    done = command.run("simulate", *MARKET, *DAY)
    assert (done.code, done.err.splitlines()[0]) == (0, f"New installation in {command.home}")
    assert "New installation" not in command.run("simulate", *MARKET, *DAY).err


def test_the_store_may_be_given_as_a_plain_path(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command.env("STORE", "plain store")
    assert command.run("simulate", *MARKET, *DAY).code == 0
    assert list((tmp_path / "plain store").rglob("*.parquet"))
    assert Settings(store="s3://bucket/x?region=eu").store_url == "s3://bucket/x?region=eu"


def test_status_as_json_has_all_that_the_table_has(command: Command, tmp_path: Path) -> None:
    command.run(
        "import", "recording", "--exchange", "binance-futures", write(tmp_path / "a", trade(1), trade(5), b"x\n")
    )
    done = command.run("status", "--json")
    told = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    (series,) = told["series"]
    assert series == {
        "exchange": "binance-futures",
        "symbol": "perpetual-BTC-USDT:USDT",
        "stream": "trades",
        "days": 1,
        "first_day": "2023-04-04",
        "last_day": "2023-04-04",
        "rows": 2,
        "sources": ["recording"],
        "gaps": len(told["gaps"]),
        "months": 0,
    }
    assert [gap["missing_numbers"] for gap in told["gaps"] if gap["cause"] == "sequence_break"] == [3]
    assert told["rejected"] == {"malformed": 1}
    assert json.loads(command.run("status", "--json", "--exchange", "binance").out) == {
        "series": [],
        "gaps": [],
        "rejected": {},
    }


def found(command: Command) -> dict[str, tuple[str, str, str]]:
    done = command.run("doctor", "--json")
    told = {each["check"]: (each["state"], each["detail"], each["hint"]) for each in json.loads(done.out)}
    assert done.code == any(state == "problem" for state, _, _ in told.values())
    assert all((state == "ok") == (not hint) for state, _, hint in told.values())
    return told


def test_the_doctor_finds_a_sound_installation_sound(command: Command) -> None:
    command.run("simulate", *MARKET, *DAY)
    (command.home / "ledger.sqlite").chmod(0o600)
    told = found(command)
    for check in ("versions", "clock", "worker processes", "home", "ledger", "store", "mode of ledger.sqlite"):
        assert told[check][0] == "ok", told[check]
    assert [path.name for path in (command.home / "store").iterdir()] == ["ticks"]
    done = command.run("doctor")
    assert "ok       ledger: sqlite, version " in done.out


def test_the_doctor_says_what_is_wrong(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    told = found(command)
    assert told["home"][0] == told["ledger"][0] == told["store"][0] == "problem"
    assert "There is no installation" in told["home"][1]
    assert not command.home.exists()

    command.run("simulate", *MARKET, *DAY)
    (command.home / "secret").write_text("x" * 64)
    (command.home / "secret").chmod(0o644)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    monkeypatch.setattr(time, "time", lambda: 1e9)
    monkeypatch.setattr(doctor, "now_us", lambda: 10**15)
    monkeypatch.setattr(multiprocessing, "get_context", _fail)
    monkeypatch.setattr(doctor, "_SITE_FILES", ("none.js",))
    command.env("STORE", "/dev/null/store")
    told = found(command)
    problems = ["clock", "worker processes", "disk space", "clock and ledger", "store"]
    assert [check for check, (state, _, _) in told.items() if state == "problem"] == problems
    assert "Mount /dev/shm" in told["worker processes"][2]
    assert told["mode of secret"][2] == f"chmod 600 {command.home / 'secret'}"
    assert told["site libraries"][0] == "warning"


def test_the_doctor_says_when_a_setting_is_not_valid(command: Command) -> None:
    command.env("PORT", "eighty")
    done = command.run("doctor")
    assert done.code == 1
    assert "APERIODIC_PORT" in done.out


def _fail(_name: str) -> None:
    raise OSError(38, "Function not implemented")
