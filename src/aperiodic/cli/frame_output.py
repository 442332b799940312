"""Where a frame goes: a table on the terminal, standard output in a format, a file, or a folder."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal

from aperiodic.market.errors import InvalidInputError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    import polars as pl

__all__ = ["FrameOutput", "add_output", "parse_output", "print_table"]

Format = Literal["parquet", "csv", "arrow", "jsonl"]

_ENDINGS: Final[dict[str, Format]] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".arrow": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_FORMATS: Final = tuple(dict.fromkeys(_ENDINGS.values()))
_BINARY: Final = frozenset({"parquet", "arrow"})
_STANDARD_OUTPUT: Final = "-"
_WIDTH_OF_A_PIPE: Final = 200
_LONGEST_TEXT: Final = 80


@dataclass(frozen=True, slots=True)
class FrameOutput:
    """Where a frame goes.

    Attributes:
        kind: `table` on standard output, `stream` of a format on standard output, a `file`, or a `folder`.
        path: The file or the folder.
        format: Of a stream or a file.
    """

    kind: Literal["table", "stream", "file", "folder"]
    path: Path = Path()
    format: Format = "csv"

    @contextmanager
    def open(self) -> Iterator[Callable[[pl.DataFrame], None]]:
        """Yield what takes the frame; a file is whole at its name or not there, whatever ends the command.

        Raises:
            InvalidInputError: `bad_output` when it cannot be written; on entry, as far as that can be told.
        """
        if self.kind == "table":
            yield print_table
            return
        if self.kind == "stream":
            if self.format in _BINARY and sys.stdout.isatty():
                raise _bad_output("A terminal cannot show this format.", "Send it to a program or a file, or use csv.")
            yield self._send
            return
        with _in_words(self.path):
            target = self.path.resolve()  # a link to a file elsewhere stays one
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            special = target.exists() and not target.is_file()  # a device or a pipe must not give way to a file
            draft = target if special else target.with_name(f".{target.name}.{os.getpid()}.part")
            file = draft.open("wb")
        try:
            yield lambda frame: self._fill(frame, file, draft, target)
        finally:
            with suppress(OSError):  # of a file that was closed before, or that could not be
                file.close()
            if not special:
                draft.unlink(missing_ok=True)

    def _send(self, frame: pl.DataFrame) -> None:
        sys.stdout.flush()
        try:
            _write(frame, sys.stdout.buffer, self.format, streamed=True)
        except OSError as error:
            # Polars writes by itself, and tells the system's error in words only.
            if error.errno is None and f"os error {errno.EPIPE}" in str(error):
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from error
            raise

    def _fill(self, frame: pl.DataFrame, file: IO[bytes], draft: Path, target: Path) -> None:
        with _in_words(self.path):
            _write(frame, file, self.format, streamed=False)
            file.close()
            if draft != target:
                draft.replace(target)
        sys.stderr.write(f"Wrote {frame.height:,} rows to {self.path}.\n")


def add_output(parser: argparse.ArgumentParser, *, folder: bool = False) -> None:
    """Add where the result goes.

    Args:
        parser: Of a command.
        folder: Whether it may be a folder.
    """
    parser.add_argument(
        *("--out", "-o", "--output"),
        metavar="FILE|DIR|-" if folder else "FILE|-",
        help=f"file to write, by its ending {', '.join(_ENDINGS)}; - for standard output; by default a table is printed"
        + ("; a folder for the server's files and a manifest" if folder else ""),
    )
    parser.add_argument("--format", choices=_FORMATS, help="format of the file or of standard output (there: csv)")


def parse_output(asked: argparse.Namespace, *, folder: bool = False) -> FrameOutput:
    """Return where the result goes.

    Args:
        asked: Has what `add_output` adds.
        folder: Whether it may be a folder.

    Raises:
        InvalidInputError: `bad_output`.
    """
    text, chosen = asked.out, asked.format
    if text is None and chosen is None:
        return FrameOutput("table")
    if text is None or text == _STANDARD_OUTPUT:
        return FrameOutput("stream", format=chosen or "csv")
    path = Path(text)
    known = chosen or _ENDINGS.get(path.suffix.lower())
    named_folder = text.endswith(("/", os.sep)) or (path.suffix.lower() not in _ENDINGS and path.is_dir())
    if folder and (named_folder or (known is None and not path.suffix)):
        if chosen not in {None, "parquet"}:
            raise _bad_output("A folder holds the server's files.", "They are parquet: leave out --format.")
        return FrameOutput("folder", path)
    if known is None:
        what = f"The ending {path.suffix!r} is not known." if path.suffix else "The file has no ending."
        raise _bad_output(what, f"Write to a file that ends in {', '.join(_ENDINGS)}, or give --format.")
    return FrameOutput("file", path, known)


def print_table(frame: pl.DataFrame, *, whole: bool = False) -> None:
    """Print a frame.

    Args:
        frame: What to print.
        whole: Print all rows and columns without types; by default as Polars shows a frame.
    """
    import polars as pl  # noqa: PLC0415 (loaded with the frame already)

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH_OF_A_PIPE
    if not whole:
        with pl.Config(tbl_width_chars=width):
            sys.stdout.write(f"{frame}\n")
        return
    with pl.Config(
        tbl_width_chars=width,
        tbl_rows=-1,
        tbl_cols=-1,
        fmt_str_lengths=_LONGEST_TEXT,
        tbl_formatting="NOTHING",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
    ):
        sys.stdout.write(f"{_without_lists(frame)}\n")


def _write(frame: pl.DataFrame, file: Any, kind: Format, *, streamed: bool) -> None:  # noqa: ANN401 (a binary file)
    if kind == "parquet":
        frame.write_parquet(file)
    elif kind == "csv":
        _without_lists(frame).write_csv(file)
    elif kind == "jsonl":
        frame.write_ndjson(file)
    elif streamed:
        frame.write_ipc_stream(file)
    else:
        frame.write_ipc(file)
    file.flush()


def _without_lists(frame: pl.DataFrame) -> pl.DataFrame:
    """Write lists as words, which CSV and a table can hold."""
    import polars as pl  # noqa: PLC0415 (as above)

    return frame.with_columns(pl.col(pl.List(pl.String)).list.join(" "))


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Say what the system refuses in plain words."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _bad_output(f"{path} cannot be written: {error.strerror or error}.", "Choose another file.") from error


def _bad_output(message: str, hint: str) -> InvalidInputError:
    return InvalidInputError(message, code="bad_output", hint=hint)
