"""Puts the commands of a server together and turns errors into plain words and exit codes."""

from __future__ import annotations

import sys

from cyclopts import App

from aperiodic._version import __version__
from aperiodic.cli.commands import SERVER_COMMANDS, SUMMARY
from aperiodic.cli.errors import run_command

__all__ = ["app", "run"]

app = App(
    name="aperiodic",
    help=SUMMARY,
    version=__version__,
    suppress_keyboard_interrupt=False,
)

for _name, (_target, _words) in SERVER_COMMANDS.items():
    app.command(_target, name=_name, help=_words)


def run() -> None:
    """Run one command; see `cli.errors` for the exit codes."""
    run_command(lambda: app(sys.argv[1:]))
