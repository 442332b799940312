from __future__ import annotations

import json
import multiprocessing
import shutil
import socket
import time
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import MARKET
from tests.engine.importing.frames import trade, write

from aperiodic.cli import doctor
from aperiodic.lake import Lake, Scope, Settings
from aperiodic.lake.ledger import open_ledger
from aperiodic.lake.recordings import new_recording
from aperiodic.market import Exchange

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
        "open_days": [],
        "lags": {"arrival_to_tick": None, "minute_end_to_bar": None, "socket_to_file": {}},
        "uploads": [],
        "unreadable_open_days": [],
        "strange_recordings": [],
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
    assert {path.name for path in (command.home / "store").iterdir()} == {"ticks", "aperiodic-store.json"}
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


BESIDE_A_FULL_STORE = [arguments for arguments in READING if arguments[0] != "quarantine"]


def lose_ledger(home: Path) -> None:
    for file in home.glob("ledger.sqlite*"):
        file.unlink()


@pytest.mark.parametrize("how", ["missing", "made anew"])
def test_a_lost_ledger_is_told_by_every_command_and_the_doctor_and_not_made(
    command: Command, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command.run("simulate", *MARKET, *DAY)
    lose_ledger(command.home)
    if how == "made anew":
        open_ledger(Settings(home=command.home).ledger_url).dispose()
    for arguments in BESIDE_A_FULL_STORE:
        done = command.run(*arguments)
        assert (done.code, done.out) == (1, ""), arguments
        assert done.err.startswith("error: The store holds data, but the ledger"), arguments
    told = found(command)
    assert {check for check, (state, _, _) in told.items() if state == "problem"} == {"ledger"}
    assert told["ledger"][1].startswith("The store holds data, but the ledger that belongs to it is missing")
    assert (command.home / "ledger.sqlite").exists() == (how == "made anew")
    assert not (tmp_path / "copy.sqlite").exists()


def test_an_import_that_broke_off_before_its_first_commit_blocks_nothing(command: Command) -> None:
    command.run("simulate", *MARKET, *DAY)
    lose_ledger(command.home)
    scope = Scope("binance-futures", "perpetual-BTC-USDT:USDT", "ticks")
    with closing(Lake.open(Settings(home=command.home), to_restore=True)) as lake, lake.writing(scope):
        pass
    assert command.run("status").code == 0
    assert command.run("keys", "create", "--plan", "prime").code == 0
    assert command.run("simulate", *MARKET, *DAY).code == 0


def test_verify_says_that_it_compared_sizes_only(command: Command) -> None:
    command.run("simulate", *MARKET, *DAY)
    said = "Only sizes were compared; --deep compares contents."
    assert command.run("ledger", "verify").out.splitlines()[-1] == said
    assert said not in command.run("ledger", "verify", "--deep").out


def test_damaged_ticks_are_told_with_the_import_that_mends_them(command: Command, tmp_path: Path) -> None:
    file = write(tmp_path / "a", trade(1), trade(2))
    take = ("import", "recording", "--exchange", "binance-futures", file)
    command.run(*take)
    (ticks,) = (command.home / "store" / "ticks").rglob("*.parquet")
    ticks.write_bytes(ticks.read_bytes()[:-1] + b"?")
    for arguments in (("build", "--workers", "0"), take):
        done = command.run(*arguments)
        assert (done.code, "nothing to do" in done.out) == (1, False)
        assert "is damaged" in done.err
        assert "aperiodic import … --again" in done.err
    assert command.run(*take, "--again").code == 0
    assert "nothing to do" in command.run(*take).out


def test_the_doctor_looks_at_hosts_captures_and_recordings(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    command.run("simulate", *MARKET, *DAY)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        for host in ("PUBLIC", "MARKET"):
            monkeypatch.setenv(f"APERIODIC_WS_BINANCE_FUTURES_{host}", f"ws://127.0.0.1:{port}")
        monkeypatch.setenv("APERIODIC_REST_BINANCE_FUTURES", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("APERIODIC_WS_OKX_PERPS_PUBLIC", "ws://127.0.0.1:9")
        told = found(command)
    assert told["hosts of binance-futures"][:2] == ("ok", "1 can be reached")
    assert told["hosts of okx-perps"][0] == "warning"
    assert "127.0.0.1" in told["hosts of okx-perps"][1]
    assert "recordings" not in told

    home = command.home
    recording = new_recording(home, Exchange.BINANCE, "up", 1_700_000_000_000_000_000)
    recording.path.write_bytes(b"")
    state = {"exchange": "binance", "time": time.time(), "frames": 5, "dropped_frames": 0, "clock_offset_us": 2_000_000}
    (home / "capture").mkdir()
    for name, changes in (
        ("clock", {"connections": []}),
        ("old", {"connections": [], "time": 1.0}),
        ("quiet", {"connections": [{"silent": ["btcusdt@trade"]}]}),
    ):
        (home / "capture" / f"{name}.json").write_text(json.dumps(state | changes))
    (home / "capture" / "cut.json").write_text("{")
    told = {
        check: item for check, item in found_without_hosts(command).items() if "capture" in check or "record" in check
    }
    assert {check: item[0] for check, item in told.items()} == dict.fromkeys(told, "warning")
    assert "2.0 s apart" in told["capture clock"][1]
    assert "told nothing" in told["capture old"][1]
    assert "btcusdt@trade" in told["capture quiet"][1]
    assert "not sealed" in told["recordings"][1]
    assert "aperiodic normalise" in told["ticks of recordings"][2]


def found_without_hosts(command: Command) -> dict[str, tuple[str, str, str]]:
    done = command.run("doctor", "--json", "--no-hosts")
    told = {each["check"]: (each["state"], each["detail"], each["hint"]) for each in json.loads(done.out)}
    assert not any(check.startswith("hosts") for check in told)
    return told


def test_the_doctor_names_a_folder_of_recordings_that_belongs_to_no_exchange(command: Command) -> None:
    command.run("simulate", *MARKET, *DAY)
    (command.home / "recordings" / "foo-venue").mkdir(parents=True)
    state, detail, hint = found_without_hosts(command)["folders of recordings"]
    assert state == "warning"
    assert "foo-venue" in detail
    assert hint


def test_where_no_name_is_found_the_doctor_says_nothing_of_countries(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", nameless)
    told = found(command)
    for check in ("hosts of binance-futures", "hosts of okx-perps"):
        state, detail, hint = told[check]
        assert state == "warning"
        assert "its name is not found" in detail
        assert "DNS" in hint
        assert "country" not in hint
