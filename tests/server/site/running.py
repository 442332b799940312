"""Code of pages, run as a visitor runs it; a few words stand for programs and services of the outside."""

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
from typing import TYPE_CHECKING, Any, Final

from aperiodic import IncompleteDataWarning

if TYPE_CHECKING:
    from tests.server.site.market import Block

NEEDED: Final = {"bash": ("bash", "curl", "sha256sum"), "javascript": ("node",)}
"""Programs that the code of a language needs."""

_SHELL: Final = """
curl() { command curl --silent --show-error --fail-with-body "$@"; }
pip() {
    test "$1" = install || return 2
    for package in "${@:2}"; do
        case "$package" in
            jupyterlab) ;; # of the public index, where no test goes
            http://127.0.0.1:*) python -m pip --isolated --disable-pip-version-check install --quiet --no-index \\
                --no-deps --no-compile --target "$PWD/installed" "$package" ;;
            *) return 2 ;;
        esac
    done
}
jupyter() { test "$*" = lab && test -n "$APERIODIC_API_URL" && test -n "$APERIODIC_API_KEY"; }
"""


def lacking(language: str) -> list[str]:
    """Return the programs that are not here."""
    return [program for program in NEEDED.get(language, ()) if shutil.which(program, path=_path()) is None]


def run_block(block: Block, folder: Path, home: Path) -> str:
    """Run code in a folder and return what it printed; whatever fails raises.

    Args:
        block: The code.
        folder: Where it runs.
        home: The installation, for the commands of its operator.
    """
    if block.language == "python":
        with chdir(folder):
            return run_python(block.text)[1]
    if block.language == "json":
        json.loads(block.text)
        return block.text
    if block.language == "javascript":
        (folder / "fetch.mjs").write_text(block.text, encoding="utf-8")
        return run_program(["node", "fetch.mjs"], folder, home)
    assert block.language == "bash", block
    return run_program(["bash", "-euc", _SHELL + block.text], folder, home)


def run_python(code: str) -> tuple[dict[str, Any], str]:
    """Return the names that the code has made, and what it printed."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with redirect_stdout(StringIO()) as printed, warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteDataWarning)  # the small market has one day of the month
        exec(code, namespace)  # noqa: S102 - running what the page shows is the test
    return namespace, printed.getvalue()


def run_program(command: list[str], folder: Path, home: Path) -> str:
    """Return what a program printed."""
    environment = os.environ | {"PATH": _path(), "HOME": str(folder), "APERIODIC_HOME": str(home)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
