"""The samples of docs/cli.md run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.docs.samples import ROOT, samples

from aperiodic.cli.commands import CLIENT_COMMANDS

PAGE: Final = ROOT / "docs" / "cli.md"
COMMANDS: Final = PAGE.read_text(encoding="utf-8")
SHELL: Final = samples(PAGE, "sh")


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
