"""`aperiodic get`: what the client fetches, from the shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from aperiodic.cli.client_options import add_range, add_server, client_of, new_parser, one_or_several, range_of
from aperiodic.cli.frame_output import add_output, parse_output
from aperiodic.cli.plain_warnings import warnings_in_plain_words

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import polars as pl

    import aperiodic
    from aperiodic.cli.frame_output import FrameOutput

__all__ = ["get", "parser"]


def get(words: Sequence[str]) -> None:
    """Fetch datasets as the Python client does, and print them or write them to a file or a folder.

    Args:
        words: What follows `aperiodic get`.

    Raises:
        AperiodicDataError: As the functions of the client; `bad_output` when the file cannot be written, before
            anything is fetched.
        SystemExit: With 2 when the words cannot be understood.
    """
    asked = parser().parse_args(words)
    output = parse_output(asked, folder=True)
    settings = {"cache": False} if asked.no_cache else {}
    if output.kind == "folder":
        with client_of(asked, **settings) as client:
            _save(client, asked, output)
        return
    with output.open() as write, client_of(asked, **settings) as client:
        write(_fetch(client, asked))


def parser() -> argparse.ArgumentParser:
    """Return what understands the words."""
    made = new_parser(
        "get",
        "Fetch datasets as the Python client does, and print them or write them to a file. The key is "
        "APERIODIC_API_KEY, or that of `aperiodic login`; it is not an option, for options can be read in the list of "
        "processes.",
    )
    add_range(made)
    made.add_argument("--columns", action="append", help="columns beside the time, with commas; by default all")
    made.add_argument("--shape", help="how several series become one table: long (default) or wide")
    made.add_argument("--fill", help="rows of intervals without data: none (default), null or forward")
    made.add_argument(
        "--on-incomplete",
        choices=("warn", "raise", "ignore"),
        default="warn",
        help="when data is known to be missing: warn (default), raise (an error, nothing is written) or ignore",
    )
    add_output(made, folder=True)
    add_server(made)
    made.add_argument("--no-cache", action="store_true", help="neither use nor keep files of before")
    made.add_argument("--quiet", "-q", action="store_true", help="draw no progress bar")
    return made


def _fetch(client: aperiodic.Client, asked: argparse.Namespace) -> pl.DataFrame:
    import aperiodic  # noqa: PLC0415 (not for --help)

    try:
        with warnings_in_plain_words():
            frame: pl.DataFrame = client.get_metrics(**_options(asked))
            return frame
    except aperiodic.IncompleteDataError as error:
        raise _accept_the_rest(error) from error


def _save(client: aperiodic.Client, asked: argparse.Namespace, output: FrameOutput) -> None:
    import aperiodic  # noqa: PLC0415 (as above)

    if asked.shape is not None:
        raise aperiodic.InvalidInputError(
            "A folder holds the server's files, a series each.", code="bad_output", hint="Leave out --shape."
        )
    try:
        with warnings_in_plain_words():
            paths = client.download_metrics(to=output.path, **_options(asked))
    except aperiodic.IncompleteDataError as error:
        raise _accept_the_rest(error) from error
    sys.stderr.write(f"{len(paths):,} file{'' if len(paths) == 1 else 's'} and a manifest are in {output.path}.\n")


def _options(asked: argparse.Namespace) -> dict[str, Any]:
    options = {**range_of(asked), "on_incomplete": asked.on_incomplete}
    columns = one_or_several(asked.columns)
    given = {"columns": [columns] if isinstance(columns, str) else columns, "shape": asked.shape, "fill": asked.fill}
    return options | {name: value for name, value in given.items() if value is not None}


def _accept_the_rest(error: aperiodic.IncompleteDataError) -> aperiodic.IncompleteDataError:
    hint = "Ask for days that exist, or accept the rest with --on-incomplete warn or ignore."
    return type(error)(error.message, code=error.code, hint=hint)
