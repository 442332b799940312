"""Programs that tests start and that end with them, even when the tests are killed."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Ends the program once its own input ends, which it does even when the tests are killed.
_GUARD = """
import subprocess, sys
with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr) as program:
    print(program.pid, flush=True)
    sys.stdin.read()
    program.kill()
"""


class Guarded:
    """A program that runs until it is ended.

    Args:
        command: The program and its arguments.
        log: Receives what it says.
        environment: Of the program; that of the tests if not given.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _GUARD, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=None if environment is None else dict(environment),
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def end(self) -> None:
        """End it at once, as a crash would."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
