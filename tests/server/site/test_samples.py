"""Every request that a page shows as code is run as a visitor would run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from aperiodic import IncompleteDataWarning
from aperiodic.catalog import DATASETS
from aperiodic.server.site.families import FAMILIES

if TYPE_CHECKING:
    from tests.server.site.market import Market

KINDS = {"python", "curl", "cli", "duckdb"}
PAGES = ["/", "/get-started", *(f"/families/{name}" for name in FAMILIES)]
SOME = ["ohlcv", "flow"]
"""One that the preview has, and one that needs a key."""


def run_python(code: str) -> tuple[dict[str, Any], str]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with redirect_stdout(StringIO()) as printed, warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteDataWarning)  # the small market has one day of the month
        exec(code, namespace)  # noqa: S102 - running what the page shows is the test
    return namespace, printed.getvalue()


def run_shell(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-euc", code],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


@pytest.mark.parametrize("name", DATASETS)
def test_the_python_of_a_dataset_gives_its_frame(market: Market, name: str) -> None:
    namespace, printed = run_python(market.samples(f"/catalog/{name}")["python"])
    frame = namespace["df"]
    assert frame.schema == DATASETS[name].schema
    assert frame.height > 0
    assert "shape:" in printed


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_other_pages_runs(market: Market, page: str) -> None:
    samples = market.samples(page)
    assert samples.keys() == KINDS
    namespace, _ = run_python(samples["python"])
    assert namespace["df"].height > 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", [*PAGES, *(f"/catalog/{name}" for name in SOME)])
def test_curl_gets_links(market: Market, tmp_path: Path, page: str) -> None:
    (entry,) = json.loads(run_shell(market.samples(page)["curl"], tmp_path).stdout)["files"]
    assert entry["rows"] > 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_what_is_shown_to_agents_runs(market: Market, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APERIODIC_API_URL", f"{market.url}/api/v1")
    monkeypatch.setenv("APERIODIC_API_KEY", market.key)
    request, *programs = market.code("/for-agents")
    assert json.loads(run_shell(request, tmp_path).stdout)["files"]
    for program in programs:
        _, printed = run_python(program)
        assert printed


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_request_on_the_page_of_plans_makes_a_key(market: Market, tmp_path: Path) -> None:
    request = next(code for code in market.code("/plans") if code.startswith("curl"))
    assert json.loads(run_shell(request, tmp_path).stdout)["plan"] == "free"


@pytest.mark.parametrize("name", SOME)
def test_the_command_line_writes_a_file(market: Market, tmp_path: Path, name: str) -> None:
    run_shell(market.samples(f"/catalog/{name}")["cli"], tmp_path)
    assert pl.read_parquet_schema(tmp_path / f"{name}.parquet") == DATASETS[name].schema


@pytest.mark.parametrize("name", SOME)
def test_duckdb_reads_the_files(market: Market, tmp_path: Path, name: str) -> None:
    with chdir(tmp_path):
        _, printed = run_python(market.samples(f"/catalog/{name}")["duckdb"])
    assert "rows" in printed
    assert (tmp_path / f"{name}-2025-05.parquet").exists()


def test_chosen_parameters_are_those_of_the_samples(market: Market) -> None:
    samples = market.samples("/catalog/flow?interval=15m&timestamp=true&start_date=2025-05-01&end_date=2025-05-01")
    for kind in KINDS:
        days = ("date(2025, 5, 1)", "date(2025, 5, 31)") if kind == "python" else ("2025-05-01", "2025-05-31")
        for word in ("15m", "true", days[0]):
            assert word in samples[kind]
        assert days[1] not in samples[kind]
