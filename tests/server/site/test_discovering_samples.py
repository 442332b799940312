"""The samples of docs/discovering.md and docs/cli.md run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.server.site.market import Market, build_market, running_market
from tests.shared import built_once

import aperiodic
from aperiodic.cli.commands import CLIENT_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS: Final = Path(__file__).parents[3] / "docs"
PYTHON: Final = re.findall(r"```python\n(.*?)```", (DOCS / "discovering.md").read_text(encoding="utf-8"), re.DOTALL)
COMMANDS: Final = (DOCS / "cli.md").read_text(encoding="utf-8")
SHELL: Final = re.findall(r"```sh\n(.*?)```", COMMANDS, re.DOTALL)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    home = tmp_path_factory.mktemp("discovering") / "home"
    shutil.copytree(built_once(tmp_path_factory, "market", build_market), home)
    with running_market(home) as running:
        yield running


@pytest.fixture
def access(market: Market) -> dict[str, str]:
    return {"APERIODIC_API_URL": f"{market.url}/api/v1", "APERIODIC_API_KEY": market.key}


def test_the_samples_of_the_page_run(
    access: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(PYTHON) == 3
    for name, value in access.items():
        monkeypatch.setenv(name, value)
    names: dict[str, Any] = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", aperiodic.IncompleteDataWarning)
        for sample in PYTHON:
            exec(compile(sample, "docs/discovering.md", "exec"), names)  # noqa: S102
            assert capsys.readouterr().out.strip(), sample
    assert names["estimate"].files == 2
    assert all(months == ("2025-06",) for months in names["estimate"].missing.values())


def test_the_commands_of_the_page_run(access: dict[str, str], tmp_path: Path) -> None:
    assert len(SHELL) == 4
    folder = Path(sys.executable).parent
    env = {**os.environ, **access, "APERIODIC_CONFIG": str(tmp_path / "config.toml")}
    env["PATH"] = f"{folder}{os.pathsep}{env['PATH']}"
    for block in SHELL:
        script = f"set -e -o pipefail\n{block}".replace("| head -n 3", "| cat")
        done = subprocess.run(
            ["bash", "--norc", "-c", script],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=env,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert "error" not in done.stderr
        assert access["APERIODIC_API_KEY"] not in done.stdout + done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"bars.parquet", "data", "config.toml"}


def test_the_page_names_every_command_of_the_client() -> None:
    assert {name for name in CLIENT_COMMANDS if f"`aperiodic {name}`" not in COMMANDS} == set()
