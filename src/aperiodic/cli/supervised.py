"""A command as a part of `aperiodic up`: it ends when the program that started it does, however that ends."""

from __future__ import annotations

import os
import signal
import sys
import threading

__all__ = ["main"]


def main() -> None:
    """Run the command line; standard input is a pipe that closes when the supervisor is gone."""
    threading.Thread(target=_wait_for_end, daemon=True).start()
    from aperiodic.cli import main as run  # noqa: PLC0415 (what it loads takes time, and the thread is to run before)

    run()


def _wait_for_end() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
