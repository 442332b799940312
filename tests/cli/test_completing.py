from __future__ import annotations

import subprocess
from typing import Final

import pytest

from aperiodic.catalog import DATASETS
from aperiodic.cli.commands import CLIENT_COMMANDS, SERVER_COMMANDS
from aperiodic.cli.completing import SHELLS, script
from aperiodic.market import Interval

ASK: Final = """
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_aperiodic
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words: str) -> list[str]:
    """Return what bash offers for the last word."""
    command = ["bash", "--norc", "-c", script("bash") + ASK, "bash", "aperiodic", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_are_completed() -> None:
    assert set(complete("")) == {*CLIENT_COMMANDS, *SERVER_COMMANDS, "--help", "--version"}
    assert complete("est") == ["estimate"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("get", "l2_"), ["l2_imbalance", "l2_liquidity"]),
        (("get", "flow", "--int"), ["--interval"]),
        (("get", "flow", "--interval", ""), list(Interval)),
        (("coverage", "--exchange", "okx"), ["okx-perps"]),
        (("get", "flow", "--on-incomplete", "r"), ["raise"]),
        (("completion", "f"), ["fish"]),
        (("describe", "ohl"), ["ohlcv"]),
        (("watch", "--ex"), ["--exchange"]),
        (("login", "--re"), ["--remove"]),
    ],
)
def test_options_and_names_are_completed(words: tuple[str, ...], offered: list[str]) -> None:
    assert complete(*words) == offered


def test_where_no_names_are_known_files_are_offered(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("files")
    (folder / "bars.csv").touch()
    assert complete("get", "flow", "--out", f"{folder}/ba") == [f"{folder}/bars.csv"]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_names_every_command_and_dataset(shell: str) -> None:
    text = script(shell)
    for name in (*CLIENT_COMMANDS, *SERVER_COMMANDS, *DATASETS):
        assert name in text
    assert ("bashcompinit" in text) is (shell == "zsh")
    assert "/" not in text.replace("--", "") or shell != "bash", "no path of the machine that made it"
