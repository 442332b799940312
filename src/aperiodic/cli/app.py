"""Puts the commands together and turns errors into plain words and exit codes."""

from __future__ import annotations

from cyclopts import App

from aperiodic._version import __version__
from aperiodic.cli import building, demo, importing, keys, serving, simulating, status
from aperiodic.cli.console import errors
from aperiodic.market import AperiodicDataError

__all__ = ["app", "run"]

app = App(
    name="aperiodic",
    help="Recorded exchange data in, microstructure metrics out. Settings: APERIODIC_HOME, APERIODIC_PORT.",
    version=__version__,
)
app.command(importing.app)
app.command(building.build)
app.command(serving.serve)
app.command(keys.app)
app.command(simulating.simulate)
app.command(status.status)
app.command(demo.demo)

_INTERRUPTED = 130


def run() -> None:
    """Run one command; exit 1 with a message and a hint on a known error, 130 when interrupted."""
    try:
        app()
    except AperiodicDataError as error:
        errors.print(f"[bold red]error:[/] {error.message}", highlight=False)
        if error.hint:
            errors.print(f"[bold]hint:[/] {error.hint}", highlight=False)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        errors.print("Interrupted. What was finished is kept; run the same command to carry on.")
        raise SystemExit(_INTERRUPTED) from None
