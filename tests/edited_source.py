"""The package with some of its source edited, to try what CONTRIBUTING says about changing it.

Folders without an edit are links to the real ones, so compiled kernels are found where they were compiled before.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aperiodic

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE: Final = Path(aperiodic.__file__).parent
PROJECT: Final = Path(__file__).parent.parent


def edited_package(target: Path, edits: Mapping[str, tuple[str, str]]) -> Path:
    """Lay out an edited package below a folder, and return what to put on the path.

    Args:
        target: An empty folder.
        edits: For files, relative to the package: a text that is there once, and what takes its place.
    """
    _lay_out(PACKAGE, target / "aperiodic", {Path(name): edit for name, edit in edits.items()})
    return target


def run_edited(path: Path, program: str, *arguments: str) -> str:
    """Run a program on an edited package in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(PROJECT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _lay_out(source: Path, target: Path, edits: Mapping[Path, tuple[str, str]]) -> None:
    target.mkdir(parents=True)
    for entry in source.iterdir():
        name = Path(entry.name)
        inside = {path.relative_to(name): edit for path, edit in edits.items() if path.parts[0] == entry.name}
        if not inside:
            (target / name).symlink_to(entry)
        elif entry.is_dir():
            _lay_out(entry, target / name, inside)
        else:
            ((before, after),) = inside.values()
            text = entry.read_text(encoding="utf-8")
            assert text.count(before) == 1, f"{before!r} is in {entry} {text.count(before)} times"
            (target / name).write_text(text.replace(before, after), encoding="utf-8")
