"""Kernels are compiled once in an installation, whichever of its parts is there first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aperiodic.cli.console import print_line
from aperiodic.engine.compiling import compile_ahead

if TYPE_CHECKING:
    import threading
    from pathlib import Path

__all__ = ["compile_once"]

_FILE: Final = "compiling.lock"
_LOOK_EVERY_S: Final = 0.2


def compile_once(home: Path, over: threading.Event) -> None:
    """Compile what was never compiled, or wait until another part has done so; end early when `over` is set.

    Args:
        home: Folder of the installation.
        over: Set when the program is to end.
    """
    import fcntl  # noqa: PLC0415 - who only imports this may be on a system without it

    with (home / _FILE).open("wb") as file:
        while not over.is_set():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                over.wait(_LOOK_EVERY_S)
                continue
            compile_ahead(
                over.is_set,
                lambda done, total: print_line(f"compiling ({done} of {total} done), once per installation"),
            )
            return
