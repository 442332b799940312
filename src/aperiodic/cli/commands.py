"""The names of all commands, and the way to each: those of the client start without the packages of a server."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from aperiodic._version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SERVER_COMMANDS", "SUMMARY", "dispatch"]

SUMMARY: Final = "Recorded exchange data in, microstructure metrics out. Settings: APERIODIC_HOME, APERIODIC_PORT."

CLIENT_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "get": ("aperiodic.cli.getting:get", "Fetch datasets and print them or write them to files."),
    "watch": ("aperiodic.cli.watching:watch", "Show rows live, the moment their bars close."),
    "estimate": ("aperiodic.cli.discovering:estimate", "Tell how much get would fetch, and what is missing."),
    "symbols": ("aperiodic.cli.discovering:symbols", "List instruments, with their days and datasets."),
    "coverage": ("aperiodic.cli.discovering:coverage", "Tell what is published, and whether to trust it."),
    "catalog": ("aperiodic.cli.discovering:catalog", "List all datasets."),
    "describe": ("aperiodic.cli.discovering:describe", "Say what a dataset or a field is."),
    "search": ("aperiodic.cli.discovering:search", "Find datasets and fields by words."),
    "explain": ("aperiodic.cli.explaining:explain", "Say what a field means, with an example."),
    "mcp": ("aperiodic.cli.agents:mcp", "Serve the datasets as tools for agents."),
    "login": ("aperiodic.cli.logging_in:login", "Keep an address and a key for the client and its commands."),
    "completion": ("aperiodic.cli.completing:completion", "Print a script for bash, zsh or fish."),
}
"""By name: where the command is, and what it does."""

SERVER_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "import": ("aperiodic.cli.importing:app", "Read recorded or bought files into ticks."),
    "capture": ("aperiodic.cli.capturing:capture", "Record what an exchange sends, or try out whether it does."),
    "backfill": ("aperiodic.cli.backfilling:backfill", "Fetch days gone by from public archives into ticks."),
    "normalise": ("aperiodic.cli.normalising:normalise", "Make ticks of recordings, also while they grow."),
    "recordings": ("aperiodic.cli.recordings:app", "What was recorded: list it, and fetch it from the store."),
    "build": ("aperiodic.cli.building:build", "Compute the metrics that are out of date, and publish them."),
    "live": ("aperiodic.cli.live:live", "Make rows of bars the moment they are over, for the stream."),
    "up": ("aperiodic.cli.up:up", "Collect, build and serve: everything at once, until Ctrl-C."),
    "serve": ("aperiodic.cli.serving:serve", "Serve the REST API and the files behind its links."),
    "replay": ("aperiodic.cli.replaying:replay", "Serve a stretch of the past as the live stream."),
    "keys": ("aperiodic.cli.keys:app", "API keys: create, list, rotate, revoke, set-plan."),
    "plans": ("aperiodic.cli.plans:app", "Plans: what accounts may read, and how often."),
    "usage": ("aperiodic.cli.usage:usage", "Show what was issued to whom."),
    "ledger": ("aperiodic.cli.ledger:app", "The ledger: back up, restore, compare with the store."),
    "simulate": ("aperiodic.cli.simulating:simulate", "Generate ticks of a simulated market."),
    "mock-exchange": ("aperiodic.cli.mocking:mock_exchange", "Serve the exchanges' own interfaces here, for trials."),
    "instruments": ("aperiodic.cli.instruments:instruments", "List what the exchanges trade, and ask them for it."),
    "status": ("aperiodic.cli.status:status", "Show what is held, what is missing, what was rejected."),
    "quarantine": ("aperiodic.cli.quarantine:app", "The lines that became no tick: list, show, export."),
    "doctor": ("aperiodic.cli.doctor:doctor", "Check this machine and the installation, and say what to do."),
    "demo": ("aperiodic.cli.demo:demo", "Simulate, build, serve and fetch: the whole path at once."),
}
"""By name: where the command is, so that it loads only what it needs itself, and what it does."""

_IN_ONE_THREAD: Final = frozenset({"live", "normalise"})
"""Commands whose frames are many and small: threads of Polars would cost them more than they bring."""

_FORMER_NAMES: Final = {"fetch": "get"}
_MISUSED: Final = 2


def dispatch(words: Sequence[str]) -> None:
    """Run the command that the words name.

    Args:
        words: What follows `aperiodic` on the command line.

    Raises:
        SystemExit: With the exit code, when that is not 0.
    """
    name = words[0] if words else "--help"
    name = _FORMER_NAMES.get(name, name)
    if name in {"--help", "-h"}:
        sys.stdout.write(_help())
    elif name == "--version":
        sys.stdout.write(f"{__version__}\n")
    elif name in CLIENT_COMMANDS:
        _run_client_command(CLIENT_COMMANDS[name][0], words[1:])
    elif name in SERVER_COMMANDS:
        if name in _IN_ONE_THREAD:
            os.environ.setdefault("POLARS_MAX_THREADS", "1")  # read when Polars is imported
        _run_server_command()
    else:
        _refuse(name)


def _help() -> str:
    width = max(map(len, SERVER_COMMANDS))
    client = [f"  {name:{width}}  {words}" for name, (_, words) in CLIENT_COMMANDS.items()]
    server = [f"  {name:{width}}  {words}" for name, (_, words) in SERVER_COMMANDS.items()]
    lines = ["Usage: aperiodic COMMAND", "", SUMMARY, "", "Commands of the client:", *client]
    lines += ["", "Commands of a server, which need its packages:", *server]
    lines += ["", "aperiodic COMMAND --help tells what a command takes, aperiodic --version the version."]
    lines += [
        "Exit codes: 0 done, 1 refused or failed, 2 command line not understood, 75 disk full while capturing, 130 interrupted."
    ]
    lines += ["APERIODIC_DEBUG=1 shows the traceback of an error."]
    return "\n".join(lines) + "\n"


def _run_client_command(target: str, words: Sequence[str]) -> None:
    from importlib import import_module  # noqa: PLC0415 (each command loads its own)

    from aperiodic.cli.errors import run_command  # noqa: PLC0415

    module, _, function = target.partition(":")
    run_command(lambda: getattr(import_module(module), function)(words))


def _run_server_command() -> None:
    from aperiodic.cli.errors import run_command  # noqa: PLC0415

    def load_and_run() -> None:
        from aperiodic.cli.app import run  # noqa: PLC0415 (the client alone comes without what this needs)

        run()

    run_command(load_and_run)


def _refuse(name: str) -> None:
    from aperiodic.market.errors import unknown_value  # noqa: PLC0415 (only for who mistypes)

    error = unknown_value("command", name, [*CLIENT_COMMANDS, *SERVER_COMMANDS])
    sys.stderr.write(f"error: {error.message}\nhint: {error.hint}\n")
    raise SystemExit(_MISUSED)
