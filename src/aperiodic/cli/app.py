"""Puts the commands of a server together and turns errors into plain words and exit codes."""

from __future__ import annotations

from cyclopts import App
from rich.markup import escape

from aperiodic._version import __version__
from aperiodic.cli.commands import SERVER_COMMANDS, SUMMARY
from aperiodic.cli.console import errors
from aperiodic.market import AperiodicDataError

__all__ = ["app", "run"]

app = App(
    name="aperiodic",
    help=SUMMARY,
    version=__version__,
)

for _name, (_target, _words) in SERVER_COMMANDS.items():
    app.command(_target, name=_name, help=_words)

_INTERRUPTED = 130


def run() -> None:
    """Run one command; exit 1 with a message and a hint on a known error, 130 when interrupted."""
    try:
        app()
    except AperiodicDataError as error:
        errors.print(f"[bold red]error:[/] {escape(error.message)}", highlight=False, soft_wrap=True)
        if error.hint:
            errors.print(f"[bold]hint:[/] {escape(error.hint)}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        errors.print("Interrupted. What was finished is kept; run the same command to carry on.")
        raise SystemExit(_INTERRUPTED) from None
