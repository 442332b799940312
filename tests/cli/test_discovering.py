from __future__ import annotations

import io
import json
import signal
import stat
import threading
import time
from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.cli.conftest import Shell
from tests.client.mock_api import FakeApi, MockServer, Reply
from tests.servers import Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BTC, ETH = "perpetual-BTC-USDT:USDT", "perpetual-ETH-USDT:USDT"
DAYS = ("--start", "2025-05-01", "--end", "2025-05-01")
RANGE = ("--interval", "1h", "--exchange", "binance-futures", "--symbol", BTC, *DAYS)
TWO = ("--interval", "1h", "--exchange", "binance-futures", "--symbol", f"{BTC},{ETH}", *DAYS)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("home")
    shell = Shell(home)
    for symbol in (BTC, ETH):
        chosen = ("--exchange", "binance-futures", "--symbol", symbol, *DAYS, "--seed", "1")
        assert shell.run("simulate", *chosen, "--trades-per-day", "1000", "--stream", "trades").returncode == 0
    assert shell.run("build", "--workers", "0").returncode == 0
    with serving(home) as running:
        yield running


@pytest.fixture
def shell(api: Api, tmp_path: Path) -> Shell:
    return Shell(tmp_path, {"APERIODIC_API_URL": api.url, "APERIODIC_API_KEY": api.key})


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def run_piped(shell: Shell, *words: str) -> tuple[int, bytes, str]:
    """Run the command in a process of its own, whose output are bytes."""
    process = shell.start(*words)
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        out = process.stdout.buffer.read()  # type: ignore[attr-defined]
        err = process.stderr.read()
    return process.returncode, out, err


def test_symbols_and_coverage_are_lists(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("symbols")
    assert done.returncode == 0, done.stderr
    assert [line.split()[:4] for line in done.stdout.splitlines()[1:]] == [
        [symbol, "binance-futures", "2025-05-01", "2025-05-01"] for symbol in (BTC, ETH)
    ]
    file = tmp_path / "coverage.jsonl"
    assert shell.run("coverage", "--exchange", "binance-futures", "--metric", "flow", "-o", str(file)).returncode == 0
    told = lines(file.read_text(encoding="utf-8"))
    assert [(entry["symbol"], entry["metric"], entry["source"]) for entry in told] == [
        (BTC, "flow", "simulated"),
        (ETH, "flow", "simulated"),
    ]
    months = shell.run("coverage", "--exchange", "binance-futures", "--symbol", BTC, "--by", "month")
    assert "2025-05" in months.stdout


def test_an_estimate_is_text_or_a_list_of_files(shell: Shell, tmp_path: Path) -> None:
    done = shell.run("estimate", "flow,ohlcv", *TWO)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 series (all complete), 4 files, ")
    file = tmp_path / "files.csv"
    assert shell.run("estimate", "flow", *RANGE, "--out", str(file)).returncode == 0
    row = pl.read_csv(file).row(0, named=True)
    assert (row["period"], row["rows"] > 0, row["bytes"] > 0, row["revision"]) == ("2025-05", True, True, 1)


def test_the_catalog_needs_no_server(tmp_path: Path) -> None:
    alone = Shell(tmp_path, {"APERIODIC_API_URL": "http://127.0.0.1:9/api/v1"})
    assert "l2_liquidity" in alone.run("catalog").stdout
    assert "Formula" in alone.run("describe", "flow.flow_entropy").stdout
    assert alone.run("search", "order", "book", "imbalnce").stdout.splitlines()[1].split()[0] == "l2_imbalance"
    nothing = alone.run("search", "zzzzzzzz")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "Nothing fits.\n")
    wrong = alone.run("describe", "flow.flow_entrpy")
    assert wrong.returncode == 1
    assert "Did you mean 'flow.flow_entropy'" in wrong.stderr


def test_several_series_become_one_table(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "both.parquet"
    chosen = ("--columns", "volume_delta,ohlcv.close", "--clock", "true", "--out", str(file))
    done = shell.run("get", "flow,ohlcv", *TWO, *chosen, "--symbol", "perpetual-BTC-USDT:USDT")
    assert done.returncode == 0, done.stderr
    frame = pl.read_parquet(file)
    assert frame.columns == ["symbol", "time", "volume_delta", "close"]
    assert frame["symbol"].unique(maintain_order=True).to_list() == [BTC, ETH]
    shown = ("--columns", "close", "--shape", "wide", "--fill", "null", "--out", str(file))
    assert shell.run("get", "ohlcv", *TWO, *shown).returncode == 0
    assert pl.read_parquet(file).shape == (24, 3)


@pytest.mark.parametrize(
    ("chosen", "read"), [("csv", pl.read_csv), ("jsonl", pl.read_ndjson), ("arrow", pl.read_ipc_stream)]
)
def test_standard_output_takes_every_format(shell: Shell, chosen: str, read: type[object]) -> None:
    code, out, err = run_piped(
        shell, "get", "ohlcv", *RANGE, "--out", "-", "--format", chosen, "--on-incomplete", "ignore"
    )
    assert code == 0, err
    frame: pl.DataFrame = read(io.BytesIO(out))  # type: ignore[call-arg,assignment]
    assert frame.height == 24
    assert "rows" not in err


def test_a_folder_gets_the_files_and_a_manifest(shell: Shell, tmp_path: Path) -> None:
    for _ in range(2):
        done = shell.run("get", "ohlcv", *TWO, "--out", str(tmp_path / "data"))
        assert done.returncode == 0, done.stderr
    assert "2 files and a manifest" in done.stderr
    assert len(list((tmp_path / "data").rglob("*.parquet"))) == 2
    assert (tmp_path / "data" / "manifest.json").is_file()
    for option in (("--shape", "wide"), ("--columns", "close"), ("--format", "csv"), ("--fill", "null")):
        assert shell.run("get", "ohlcv", *TWO, *option, "--out", f"{tmp_path}/other/").returncode == 1
    assert not (tmp_path / "other").exists()


def test_a_file_keeps_its_old_content_when_fetching_fails(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text("before")
    assert (
        shell.run("get", "flow", *RANGE[:-1], "2025-06-01", "--on-incomplete", "raise", "-o", str(file)).returncode == 1
    )
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir() if "bars" in path.name] == ["bars.csv"]


def test_a_link_and_a_pipe_stay_what_they_are(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert shell.run("get", "ohlcv", *RANGE, "-o", str(tmp_path / "link.csv")).returncode == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert pl.read_csv(tmp_path / "real.csv").height == 24
    assert shell.run("get", "ohlcv", *RANGE, "-o", "/dev/null", "--format", "csv").returncode == 0
    assert stat.S_ISCHR((tmp_path / "/dev/null").stat().st_mode)


def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    never = threading.Event()
    with MockServer() as api, MockServer() as store:
        fake = FakeApi(api, store)
        fake.reply(Reply(wait=never))
        shell = Shell(tmp_path, {"APERIODIC_API_URL": fake.base_url, "APERIODIC_API_KEY": "key"})
        process = shell.start("get", "ohlcv", *RANGE, "-o", str(tmp_path / "bars.csv"))
        while not api.asked:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        never.set()
    assert process.returncode == 130
    assert said.endswith("run the same command to carry on.\n")
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("catalog",), 0),
        (("catalog", "--by", "x"), 2),
        (("search",), 2),
        (("estimate", "flow"), 2),
        (("describe", "flw"), 1),
        (("symbols", "--exchange", "binance-futurs"), 1),
        (("coverage", "--exchange", "binance-futures", "--symbol", "BTC"), 1),
        (("get", "flow", *RANGE, "-o", "bars.xls"), 1),
        (("get", "flow", *RANGE, "--shape", "tall"), 1),
        (("completion", "tcsh"), 2),
        (("symbols", "--profile", "nobody"), 1),
    ],
)
def test_exit_codes_tell_how_a_command_ended(shell: Shell, words: tuple[str, ...], code: int) -> None:
    changed = Shell(shell.home, {**shell.env, "APERIODIC_API_URL": ""}) if "--profile" in words else shell
    assert changed.run(*words).returncode == code


def test_who_reads_no_further_ends_it_with_141(shell: Shell) -> None:
    with shell.start("catalog", "--format", "csv") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 141


def test_a_terminal_is_no_place_for_bytes(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("tests.cli.conftest.StringIO", Terminal)
    done = shell.run("catalog", "--format", "parquet")
    assert done.returncode == 1
    assert "A terminal cannot show this format." in done.stderr
