"""Every Python sample of the pages is accepted by the type checkers, as a reader copies it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest
from tests.docs.samples import PAGES_WITH_PYTHON, ROOT, samples

if TYPE_CHECKING:
    from pathlib import Path

SOURCES: Final = ROOT / "src"
WRONG: Final = "import aperiodic\n\naperiodic.get_ohlcv(interval=5)\n"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Samples of a page in one module each: later ones go on with what earlier ones made."""
    folder = tmp_path / "copied"
    folder.mkdir()
    for name, page in PAGES_WITH_PYTHON.items():
        module = name.removesuffix(".md").replace("/", "_")
        (folder / f"{module}.py").write_text("\n\n".join(samples(page)), encoding="utf-8")
    return folder


def pyright(folder: Path) -> subprocess.CompletedProcess[str]:
    settings = {"typeCheckingMode": "basic", "extraPaths": [str(SOURCES)], "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    words = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--project", str(folder)]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder)


def mypy(folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(folder / ".cache")]
    environment = os.environ | {"MYPYPATH": str(SOURCES)}
    return subprocess.run(
        [*words, str(folder)], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


@pytest.mark.skipif(importlib.util.find_spec("pyright") is None, reason="Pyright is not installed")
def test_pyright_accepts_the_samples(copied: Path) -> None:
    done = pyright(copied)
    assert done.returncode == 0, done.stdout
    (copied / "wrong.py").write_text(WRONG, encoding="utf-8")
    assert pyright(copied).returncode == 1


@pytest.mark.timeout(300)
def test_mypy_accepts_the_samples(copied: Path) -> None:
    done = mypy(copied)
    assert done.returncode == 0, done.stdout
    (copied / "wrong.py").write_text(WRONG, encoding="utf-8")
    assert mypy(copied).returncode == 1
