"""The `aperiodic` command: one sub-command a verb."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; say plainly what to install where only the SDK is present."""
    try:
        from aperiodic.cli.app import run  # noqa: PLC0415 - the SDK alone comes without what this needs

        run()
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("aperiodic"):
            raise
        sys.stderr.write(
            f"error: the command line needs the package {missing.name!r}, which is not installed.\n"
            "hint: pip install 'aperiodic[server]'\n"
        )
        raise SystemExit(1) from None
