from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from tests.cli.conftest import MARKET, Shell
from tests.servers import Api, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = ("--start", "2025-05-01", "--end", "2025-05-01")
SERIES = ("--interval", "1h", *MARKET[:4], *DAY)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("home")
    shell = Shell(home)
    streams = ("trades", "mark-price", "index-price")
    chosen = [word for stream in streams for word in ("--stream", stream)]
    assert shell.run("simulate", *MARKET, *DAY, "--trades-per-day", "500", *chosen).returncode == 0
    assert shell.run("build", "--workers", "0").returncode == 0
    with serving(home) as running:
        yield running


@pytest.fixture
def shell(api: Api, tmp_path: Path) -> Shell:
    return Shell(tmp_path, {"APERIODIC_API_URL": api.url, "APERIODIC_API_KEY": api.key})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("metric", "ending", "read"),
    [("flow", "parquet", pl.read_parquet), ("ohlcv", "csv", pl.read_csv), ("basis", "ndjson", pl.read_ndjson)],
)
def test_a_dataset_is_written_to_a_file(
    shell: Shell, tmp_path: Path, metric: str, ending: str, read: type[object]
) -> None:
    file = tmp_path / f"bars.{ending}"
    done = shell.run("get", metric, *SERIES, "--output", str(file))
    assert done.returncode == 0, done.stderr
    written: pl.DataFrame = read(file)  # type: ignore[call-arg,assignment]
    assert written.height == 24
    assert written.columns[0] == "time"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("bars")) == [file.name]


def test_without_a_file_a_table_is_printed(shell: Shell) -> None:
    done = shell.run("fetch", "vtwap", *SERIES)  # its former name
    assert done.returncode == 0, done.stderr
    assert "2025-05-01 23:00:00" in done.stdout


def test_mistakes_are_named_before_anything_is_fetched(shell: Shell, tmp_path: Path) -> None:
    assert "Did you mean 'flow'" in shell.run("get", "flw", *SERIES).stderr
    wrong = shell.run("get", "flow", *SERIES, "-o", str(tmp_path / "bars.xls"))
    assert wrong.returncode == 1
    assert ".parquet, .csv, .arrow, .jsonl, .ndjson" in wrong.stderr
    lost = shell.run("get", "flow", *SERIES, "-o", str(tmp_path / "no" / "bars.csv"))
    assert lost.returncode == 1
    assert "bars.csv cannot be written: No such file or directory.\n" in lost.stderr
    unreachable = ("--url", "http://127.0.0.1:9/api/v1")  # the file is looked at before anything is fetched
    folder = shell.run("get", "flow", *SERIES, *unreachable, "-o", str(_folder(tmp_path / "bars.csv")))
    assert "bars.csv cannot be written: Is a directory.\n" in folder.stderr


def test_warnings_are_a_line_each_without_what_is_for_programmers(shell: Shell) -> None:
    days = ("--interval", "1h", *MARKET[:4], "--start", "2025-05-01", "--end", "2025-05-02")
    told = [line for line in shell.run("get", "flow", *days).stderr.splitlines() if "data is" in line]
    simulated, incomplete = told
    assert simulated.startswith("warning: The data is simulated: ")
    assert incomplete.startswith("warning: The data is not complete: ")
    assert ".py" not in incomplete
    assert not incomplete.endswith('"ignore".')
    assert "not complete" not in shell.run("get", "flow", *days, "--on-incomplete", "ignore").stderr
    refused = shell.run("get", "flow", *days, "--on-incomplete", "raise")
    assert refused.returncode == 1
    assert "hint: Ask for days that exist, or accept the rest with --on-incomplete warn or ignore." in refused.stderr


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
