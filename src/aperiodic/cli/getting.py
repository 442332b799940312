"""`aperiodic get`: what the client fetches, from the shell."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aperiodic.cli.plain_warnings import warnings_in_plain_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

__all__ = ["get"]

_TABLE_WIDTH: Final = 120


def get(words: Sequence[str]) -> None:
    """Fetch a dataset as the Python client does, and print it or write it to a file.

    Args:
        words: What follows `aperiodic get`.

    Raises:
        AperiodicDataError: As the functions of the client; `bad_output` when the file cannot be written, before anything is fetched.
        SystemExit: With 2 when the words cannot be understood.
    """
    asked = _parser().parse_args(words)
    if asked.output is None:
        _print(_fetch(asked))
        return
    write = _writer(asked.output)
    with _writing(asked.output):
        draft = _begin_draft(asked.output)
    try:
        frame = _fetch(asked)
        with _writing(asked.output):
            write(frame, draft)
            draft.replace(asked.output)
    finally:
        draft.unlink(missing_ok=True)
    sys.stderr.write(f"Wrote {frame.height:,} rows to {asked.output}.\n")


def _fetch(asked: argparse.Namespace) -> pl.DataFrame:
    import aperiodic  # noqa: PLC0415 (not for --help)

    try:
        with warnings_in_plain_words():
            return aperiodic.get_metrics(
                metric=asked.metric,
                timestamp=asked.timestamp,
                interval=asked.interval,
                exchange=asked.exchange,
                symbol=asked.symbol,
                start_date=asked.start,
                end_date=asked.end,
                base_url=asked.url,
                preview=asked.preview,
                on_incomplete=asked.on_incomplete,
            )
    except aperiodic.IncompleteDataError as error:
        hint = "Ask for days that exist, or accept the rest with --on-incomplete warn or ignore."
        raise aperiodic.IncompleteDataError(error.message, code=error.code, hint=hint) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "aperiodic get",
        description="Fetch a dataset as the Python client does, and print it or write it to a file. The key is "
        "APERIODIC_API_KEY; it is not an option, for options can be read in the list of processes.",
        allow_abbrev=False,
    )
    parser.add_argument("metric", help="dataset, for example flow")
    parser.add_argument("--interval", required=True, help="bar length, 1s to 1d")
    parser.add_argument("--exchange", required=True, help="venue, for example binance-futures")
    parser.add_argument("--symbol", required=True, help="symbol in Atlas symbology (perpetual-BTC-USDT:USDT)")
    parser.add_argument("--start", required=True, metavar="DAY", help="first day (UTC), YYYY-MM-DD")
    parser.add_argument("--end", required=True, metavar="DAY", help="last day, included")
    parser.add_argument("--timestamp", default="exchange", metavar="CLOCK", help="exchange (default) or true")
    parser.add_argument("--preview", action="store_true", help="ask for the free sample; no key is needed")
    parser.add_argument(
        "--on-incomplete",
        choices=("warn", "raise", "ignore"),
        default="warn",
        help="when data is known to be missing: warn (default), raise (an error, nothing is written) or ignore",
    )
    parser.add_argument("--url", help="address of the API; by default APERIODIC_API_URL")
    parser.add_argument(
        *("--output", "-o"),
        metavar="FILE",
        type=Path,
        help="file to write, by its ending .parquet, .csv or .ndjson; by default a table is printed",
    )
    return parser


def _print(frame: pl.DataFrame) -> None:
    import polars as pl  # noqa: PLC0415 (loaded with the frame already)

    with pl.Config(tbl_width_chars=_TABLE_WIDTH):
        sys.stdout.write(f"{frame}\n")


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    """Say what the system refuses in plain words."""
    from aperiodic.market.errors import InvalidInputError  # noqa: PLC0415 (as above)

    try:
        yield
    except OSError as error:
        raise InvalidInputError(
            f"{file} cannot be written: {error.strerror or error}.", code="bad_output", hint="Choose another file."
        ) from error


def _begin_draft(file: Path) -> Path:
    """Make an empty file beside the one to write, which takes its place at the end: it is whole or not there."""
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    draft = file.with_name(f".{file.name}.part")
    draft.touch()
    return draft


def _writer(file: Path) -> Callable[[pl.DataFrame, Path], object]:
    writers: dict[str, Callable[[pl.DataFrame, Path], object]] = {
        ".parquet": lambda frame, path: frame.write_parquet(path),
        ".csv": lambda frame, path: frame.write_csv(path),
        ".ndjson": lambda frame, path: frame.write_ndjson(path),
    }
    try:
        return writers[file.suffix]
    except KeyError:
        from aperiodic.market.errors import InvalidInputError  # noqa: PLC0415 (as above)

        raise InvalidInputError(
            f"The ending {file.suffix!r} is not known.",
            code="bad_output",
            hint=f"Write to a file that ends in {', '.join(writers)}.",
        ) from None
