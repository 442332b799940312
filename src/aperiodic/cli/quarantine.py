"""`aperiodic quarantine`: the lines that became no tick, with their bytes and the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import polars as pl
from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.markup import escape
from rich.table import Table

from aperiodic.cli.console import errors, out, print_line
from aperiodic.cli.installation import open_lake
from aperiodic.cli.parameters import ExchangeName
from aperiodic.engine.importing.files import printable
from aperiodic.lake import Lake, LakeError, ObjectKey
from aperiodic.lake.imports import ImportRecord, read_imports
from aperiodic.market import Exchange, InvalidInputError
from aperiodic.market.time import time_at

__all__ = ["app"]

app = App(name="quarantine", help="The lines that became no tick: list, show, export.")

_ID: Final = 12
_SHOWN_BYTES: Final = 300
_LIST_MOST: Final = 100
_CODES: Final = 4
_Json = Annotated[bool, Parameter(name="--json", negative=())]
_Count = Annotated[int, Parameter(validator=Number(gte=1, lte=1_000_000))]


@app.command(name="list")
def list_all(*, exchange: ExchangeName | None = None, limit: _Count = _LIST_MOST, as_json: _Json = False) -> None:
    """List the files of which lines were kept aside, the last imported first.

    Args:
        exchange: Only files of this exchange.
        limit: At most so many files.
        as_json: Print a JSON array instead of a table.
    """
    with open_lake() as lake:
        found = _with_rejects(lake, exchange)
    shown = found[:limit]
    if as_json:
        out.print_json(json.dumps([_facts(record) for record in shown]))
    elif not shown:
        print_line("Nothing was kept aside.")
    else:
        table = Table("Id", "File", "Exchange", "Source", "Imported", "Lines", "Reasons", box=None)
        for record in shown:
            table.add_row(
                record.sha256[:_ID],
                escape(record.name),
                record.exchange,
                record.source,
                f"{time_at(record.finished_at):%Y-%m-%d %H:%M}",
                f"{sum(record.rejected.values()):,}",
                _reasons(record.rejected),
            )
        out.print(table)
    if len(found) > limit:
        errors.print(f"… and {len(found) - limit:,} more files (--limit)", highlight=False, soft_wrap=True)


@app.command
def show(file: str, *, code: str | None = None, limit: _Count = 20, as_json: _Json = False) -> None:
    """Show lines of a file that were kept aside: number, arrival, code, reason, and what they begin with.

    Args:
        file: The file's name, or the first digits of its id, as list shows them.
        code: Only lines with this code.
        limit: At most so many lines.
        as_json: Print JSON lines, with the whole of each line, instead of text.
    """
    with open_lake() as lake:
        record, lines = _lines_of(lake, file, code)
    shown = lines.head(limit)
    for number, local, kind, reason, frame in shown.rows():
        moment = "" if local is None else local.isoformat()
        if as_json:
            text = frame.decode(errors="backslashreplace")
            facts = {"line": number, "local_timestamp": moment or None, "code": kind, "reason": reason, "frame": text}
            print_line(json.dumps(facts))
            continue
        print_line(f"line {number:,}  {moment or 'no receive time'}  {kind}: {reason}")
        print_line(f"    {_begin(frame)}")
    if lines.height > limit and not as_json:
        command = f"aperiodic quarantine export {record.sha256[:_ID]} FILE"
        more = f"… and {lines.height - limit:,} more lines (--limit, or all: {command})"
        errors.print(more, highlight=False, soft_wrap=True)


@app.command
def export(file: str, target: Path, *, code: str | None = None, force: bool = False) -> None:
    """Write the lines of a file that were kept aside into a file, byte by byte as they were, one a line.

    Repaired, it can be imported like any other.

    Args:
        file: The file's name, or the first digits of its id, as list shows them.
        target: Where the lines go.
        code: Only lines with this code.
        force: Replace the target if it is there.
    """
    if target.exists() and not force:
        raise InvalidInputError(
            f"{target} is there already.", code="file_exists", hint="Choose another name, or add --force."
        )
    with open_lake() as lake:
        _, lines = _lines_of(lake, file, code)
    with target.open("wb") as written:
        written.writelines(frame + b"\n" for frame in lines["frame"])
    print_line(f"Wrote {lines.height:,} lines to {target}.")


def _with_rejects(lake: Lake, exchange: str | None = None) -> list[ImportRecord]:
    with lake.engine.connect() as connection:
        return [record for record in reversed(read_imports(connection, exchange)) if record.rejected]


def _lines_of(lake: Lake, name: str, code: str | None) -> tuple[ImportRecord, pl.DataFrame]:
    """Return a file's record and the lines kept aside.

    Raises:
        InvalidInputError: `unknown_file` when no file or several have that name or id, `unknown_code`.
        LakeError: The object cannot be read.
    """
    known = _with_rejects(lake)
    named = [record for record in known if record.name == name or Path(name).name == record.name]
    found = named or [record for record in known if record.sha256.startswith(name.lower())]
    if len(found) != 1 or not name:
        raise InvalidInputError(
            f"{len(found) or 'No'} files with lines kept aside are called {name[:100]!r}.",
            code="unknown_file",
            hint="See their names and ids: aperiodic quarantine list",
        )
    (record,) = found
    held = lake.find(ObjectKey.quarantine(Exchange(record.exchange), record.sha256))
    if held is None:
        raise LakeError(
            f"The lines of {record.name} are not in the store any more.",
            code="object_missing",
            hint="Import the file once more with --again.",
        )
    lines = lake.store.read_parquet(held.path)
    if code is not None:
        if code not in record.rejected:
            raise InvalidInputError(
                f"No line of {record.name} has the code {code[:100]!r}.",
                code="unknown_code",
                hint=f"There are: {', '.join(record.rejected)}.",
            )
        lines = lines.filter(pl.col("code") == code)
    return record, lines


def _facts(record: ImportRecord) -> dict[str, object]:
    return {
        "id": record.sha256,
        "file": record.name,
        "exchange": record.exchange,
        "source": record.source,
        "imported_at": time_at(record.finished_at).isoformat(),
        "rejected": record.rejected,
    }


def _reasons(rejected: dict[str, int]) -> str:
    """Return the most frequent codes with their counts."""
    most = sorted(rejected.items(), key=lambda item: (-item[1], item[0]))
    listed = ", ".join(f"{code} {count:,}" for code, count in most[:_CODES])
    return listed + (f" and {len(most) - _CODES} more" if len(most) > _CODES else "")


def _begin(frame: bytes) -> str:
    """Return the first bytes of a line as text that a terminal can show."""
    text = printable(frame[:_SHOWN_BYTES].decode(errors="surrogateescape"))
    return f"{text} … ({len(frame):,} bytes)" if len(frame) > _SHOWN_BYTES else text
