"""The `aperiodic` command: one sub-command a verb."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line.

    Help, the version and the commands of the client need neither the packages of a server nor the time to load them;
    every other command is in `cli.app`.
    """
    from aperiodic.cli.commands import dispatch  # noqa: PLC0415 (an import of the package loads nothing)

    dispatch(sys.argv[1:])
