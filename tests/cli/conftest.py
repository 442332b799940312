from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from aperiodic.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND = Path(sys.executable).with_name("aperiodic")
MARKET = ("--exchange", "binance-futures", "--symbol", "perpetual-BTC-USDT:USDT", "--seed", "1")


@dataclass(frozen=True)
class Shell:
    """The installed command, over an installation of its own."""

    home: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "APERIODIC_HOME": str(self.home), "COLUMNS": "200", **self.env},
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    home = tmp_path / "home"
    home.mkdir()
    return Shell(home)


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Command:
    """The command line in this process, which takes no time to start; `run` takes what follows `aperiodic`."""

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.home = home
        self._capture = capture
        self._patch = patch
        patch.setenv("APERIODIC_HOME", str(home))

    def run(self, *arguments: str | Path) -> Done:
        self._patch.setattr(sys, "argv", ["aperiodic", *map(str, arguments)])
        self._capture.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        return Done(int(str(code or 0)), *self._capture.readouterr())

    def env(self, name: str, value: str) -> None:
        self._patch.setenv(f"APERIODIC_{name}", value)


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command line over an installation that is not there yet."""
    return Command(tmp_path / "home", capsys, monkeypatch)


@dataclass(frozen=True)
class Market:
    """An installation with three simulated days, one missing between them, and what the commands said."""

    shell: Shell
    simulated: subprocess.CompletedProcess[str]
    built: subprocess.CompletedProcess[str]


def simulate(shell: Shell, start: str, end: str) -> subprocess.CompletedProcess[str]:
    options = ("--trades-per-day", "500", "--stream", "trades")
    return shell.run("simulate", *MARKET, "--start", start, "--end", end, *options)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Market:
    shell = Shell(tmp_path_factory.mktemp("home"))
    simulate(shell, "2025-05-01", "2025-05-01")
    simulated = simulate(shell, "2025-05-03", "2025-05-04")
    return Market(shell, simulated, shell.run("build", "--workers", "2"))
