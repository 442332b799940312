from __future__ import annotations

import os
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from aperiodic.cli import main
from aperiodic.lake import Lake, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND = Path(sys.executable).with_name("aperiodic")
MARKET = ("--exchange", "binance-futures", "--symbol", "perpetual-BTC-USDT:USDT", "--seed", "1")
SERVES = frozenset({"serve", "demo"})
"""Commands that need a process of their own."""


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """The command over an installation of its own: in this process, for starting one takes longer than most commands."""

    home: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def start(self, *arguments: str, program: Path = COMMAND) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self._environment()},
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        if arguments[0] in SERVES:
            return self._ended(self.start(*arguments))
        done = self.run_here(*arguments)
        return subprocess.CompletedProcess(arguments, done.code, done.out, done.err)

    def run_python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python with the environment of the command."""
        return self._ended(self.start(*arguments, program=Path(sys.executable)))

    @staticmethod
    def _ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        output, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def run_here(self, *arguments: str | Path) -> Done:
        """Run a command in this process, whichever it is."""
        code: object = 0
        with (
            pytest.MonkeyPatch.context() as patch,
            warnings.catch_warnings(),
            redirect_stdout(StringIO()) as output,
            redirect_stderr(StringIO()) as errors,
        ):
            for name, value in self._environment().items():
                patch.setenv(name, value)
            warnings.simplefilter("default")  # as in a process of its own
            patch.setattr(sys, "argv", ["aperiodic", *map(str, arguments)])
            try:
                main()
            except SystemExit as ended:
                code = ended.code
        return Done(int(str(code or 0)), output.getvalue(), errors.getvalue())

    def _environment(self) -> dict[str, str]:
        return {"APERIODIC_HOME": str(self.home), "COLUMNS": "200", **self.env}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """The command over an empty installation."""
    home = tmp_path / "home"
    Lake.open(Settings(home=home)).close()
    return Shell(home)


class Command:
    """A command line over an installation that is not there yet."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._env: dict[str, str] = {}

    def run(self, *arguments: str | Path) -> Done:
        return Shell(self.home, self._env).run_here(*arguments)

    def env(self, name: str, value: str) -> None:
        self._env[f"APERIODIC_{name}"] = value


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path / "home")


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
    return Market(shell, simulated, shell.run("build", "--workers", "0"))
