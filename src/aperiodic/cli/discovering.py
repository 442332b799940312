"""The commands that tell what there is: catalog, describe, search, symbols, coverage and estimate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aperiodic.cli.client_options import add_range, add_server, client_of, new_parser, one_or_several, range_of
from aperiodic.cli.frame_output import FrameOutput, add_output, parse_output, print_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import polars as pl

__all__ = ["PARSERS", "catalog", "coverage", "describe", "estimate", "search", "symbols"]


def catalog(words: Sequence[str]) -> None:
    """List all datasets.

    Args:
        words: What follows `aperiodic catalog`.
    """
    asked = _catalog().parse_args(words)
    output = parse_output(asked)
    import aperiodic  # noqa: PLC0415 (not for --help)

    described = aperiodic.describe()
    _tell(output, described.frame, str(described))


def describe(words: Sequence[str]) -> None:
    """Say what a dataset or a field is.

    Args:
        words: What follows `aperiodic describe`.

    Raises:
        InvalidInputError: `unknown_name`.
    """
    asked = _describe().parse_args(words)
    output = parse_output(asked)
    with client_of(asked) as client:
        described = client.describe(asked.name)
    _tell(output, described.frame, str(described))


def search(words: Sequence[str]) -> None:
    """Find datasets and fields by words.

    Args:
        words: What follows `aperiodic search`.

    Raises:
        AperiodicDataError: As `aperiodic.search`.
    """
    asked = _search().parse_args(words)
    output = parse_output(asked)
    with client_of(asked) as client:
        found = client.search(" ".join(asked.text), limit=asked.limit, server=asked.server)
    if output.kind == "table" and found.is_empty():
        sys.stderr.write("Nothing fits.\n")
        return
    _tell(output, found if output.kind != "table" else found.select("name", "label", "unit", "description"))


def symbols(words: Sequence[str]) -> None:
    """List instruments with their days and datasets.

    Args:
        words: What follows `aperiodic symbols`.

    Raises:
        AperiodicDataError: As `aperiodic.symbols`.
    """
    asked = _symbols().parse_args(words)
    output = parse_output(asked)
    with client_of(asked) as client:
        _tell(output, client.symbols(one_or_several(asked.exchange)))


def coverage(words: Sequence[str]) -> None:
    """Tell what is published, and whether to trust it.

    Args:
        words: What follows `aperiodic coverage`.

    Raises:
        AperiodicDataError: As `aperiodic.coverage`.
    """
    asked = _coverage().parse_args(words)
    output = parse_output(asked)
    with client_of(asked) as client:
        frame = client.coverage(
            one_or_several(asked.exchange), one_or_several(asked.symbol), one_or_several(asked.metric), by=asked.by
        )
    if output.kind == "table" and asked.by == "series":
        frame = frame.drop("source", "missing_months", "intervals_exchange", "intervals_true")
    _tell(output, frame)


def estimate(words: Sequence[str]) -> None:
    """Tell how much `aperiodic get` would fetch.

    Args:
        words: What follows `aperiodic estimate`.

    Raises:
        AperiodicDataError: As `aperiodic.estimate`.
    """
    asked = _estimate().parse_args(words)
    output = parse_output(asked)
    with client_of(asked) as client:
        estimated = client.estimate(**range_of(asked))
    _tell(output, estimated.frame, str(estimated))


def _tell(output: FrameOutput, frame: pl.DataFrame, text: str | None = None) -> None:
    """Write the frame; where a table is asked for, the text that says the same better."""
    if output.kind != "table":
        with output.open() as write:
            write(frame)
    elif text is not None:
        sys.stdout.write(text)
    else:
        print_table(frame, whole=True)


def _catalog() -> argparse.ArgumentParser:
    parser = new_parser("catalog", "List all datasets that this version knows; no server is asked.")
    add_output(parser)
    return parser


def _describe() -> argparse.ArgumentParser:
    parser = new_parser(
        "describe",
        "Say what a dataset or a field is: words, unit, formula, null rule. A server is asked only for names that this "
        "version does not know. `aperiodic explain FIELD` shows an example worked through.",
    )
    parser.add_argument("name", help="dataset (flow), field of a dataset (flow.flow_entropy), or field (volume)")
    add_output(parser)
    add_server(parser)
    return parser


def _search() -> argparse.ArgumentParser:
    parser = new_parser("search", "Find datasets and fields by words of their names and descriptions.")
    parser.add_argument("text", nargs="+", help="what to look for, for example imbalance")
    parser.add_argument("--limit", type=int, default=20, help="how many to show at most (20)")
    parser.add_argument("--server", action="store_true", help="also look in the catalog of the server")
    add_output(parser)
    add_server(parser)
    return parser


def _symbols() -> argparse.ArgumentParser:
    parser = new_parser("symbols", "List the instruments of venues, with first and last day and datasets.")
    parser.add_argument("--exchange", action="append", help="venue, or several; by default all")
    add_output(parser)
    add_server(parser)
    return parser


def _coverage() -> argparse.ArgumentParser:
    parser = new_parser("coverage", "Tell what is published of a venue, and whether to trust it.")
    parser.add_argument("--exchange", required=True, action="append", help="venue, or several")
    parser.add_argument("--symbol", action="append", help="instrument, or several; by default all")
    parser.add_argument("--metric", action="append", help="dataset, or several; by default all")
    parser.add_argument(
        "--by", choices=("series", "month", "gap"), default="series", help="what a line is (series by default)"
    )
    add_output(parser)
    add_server(parser)
    return parser


def _estimate() -> argparse.ArgumentParser:
    parser = new_parser(
        "estimate", "Tell how many files, rows and bytes `aperiodic get` would fetch, and what is missing."
    )
    add_range(parser)
    add_output(parser)
    add_server(parser)
    return parser


PARSERS = {
    "catalog": _catalog,
    "describe": _describe,
    "search": _search,
    "symbols": _symbols,
    "coverage": _coverage,
    "estimate": _estimate,
}
"""What understands the words of each command."""
