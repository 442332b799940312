"""Puts the commands together and turns errors into plain words and exit codes."""

from __future__ import annotations

from cyclopts import App
from rich.markup import escape

from aperiodic._version import __version__
from aperiodic.cli.console import errors
from aperiodic.market import AperiodicDataError

__all__ = ["app", "run"]

app = App(
    name="aperiodic",
    help="Recorded exchange data in, microstructure metrics out. Settings: APERIODIC_HOME, APERIODIC_PORT.",
    version=__version__,
)

# By name, so that a command loads only what it needs itself.
app.command("aperiodic.cli.importing:app", name="import", help="Read recorded or bought files into ticks.")
app.command("aperiodic.cli.building:build", help="Compute the metrics that are out of date, and publish them.")
app.command("aperiodic.cli.serving:serve", help="Serve the REST API and the files behind its links.")
app.command("aperiodic.cli.fetching:fetch", help="Fetch a dataset and print it or write it to a file.")
app.command("aperiodic.cli.keys:app", name="keys", help="API keys: create, list, rotate, revoke, set-plan.")
app.command("aperiodic.cli.plans:app", name="plans", help="Plans: what accounts may read, and how often.")
app.command("aperiodic.cli.usage:usage", name="usage", help="Show what was issued to whom.")
app.command("aperiodic.cli.ledger:app", name="ledger", help="The ledger: back up, restore, compare with the store.")
app.command("aperiodic.cli.simulating:simulate", help="Generate ticks of a simulated market.")
app.command("aperiodic.cli.explaining:explain", help="Say what a field means, with an example.")
app.command("aperiodic.cli.status:status", help="Show what is held, what is missing, what was rejected.")
app.command("aperiodic.cli.demo:demo", help="Simulate, build, serve and fetch: the whole path at once.")

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
