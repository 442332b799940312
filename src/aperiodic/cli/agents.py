"""`aperiodic mcp`: the datasets as tools for agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.cli.client_options import new_parser

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

__all__ = ["mcp", "parser"]


def mcp(words: Sequence[str]) -> None:
    """Answer agents over standard input and output, until that ends.

    Args:
        words: What follows `aperiodic mcp`.

    Raises:
        AperiodicDataError: `package_missing`, or settings that are not valid.
        SystemExit: With 2 when the words cannot be understood.
    """
    asked = parser().parse_args(words)
    from aperiodic.market import AperiodicDataError  # noqa: PLC0415 (not for --help)

    try:
        from aperiodic.mcp.server import serve_agents  # noqa: PLC0415 (as above)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "aperiodic":
            raise
        raise AperiodicDataError(
            f"This command needs the package {package!r}, which is not installed.",
            code="package_missing",
            hint="Install with: pip install mcp.",
        ) from error
    serve_agents(asked.url)


def parser() -> argparse.ArgumentParser:
    """Return what understands the words of the command."""
    reader = new_parser(
        "mcp",
        "Serve the datasets as tools for agents, by the Model Context Protocol over standard input and "
        "output: an agent's program starts this command. The key is APERIODIC_API_KEY; it is not an option, for options "
        "can be read in the list of processes.",
    )
    reader.add_argument("--url", help="address of the API; by default APERIODIC_API_URL, else that of the profile")
    return reader
