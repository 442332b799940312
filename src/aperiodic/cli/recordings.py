"""`aperiodic recordings`: what captures recorded, on this disk and in the store, and bringing it back from there."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter
from rich.markup import escape
from rich.table import Table

from aperiodic.capture.settings import CaptureSettings
from aperiodic.cli.console import bytes_read, out, print_line
from aperiodic.cli.errors import FAILED, say_error
from aperiodic.cli.installation import Begin, open_store, read_settings, require_installation, store_is_there
from aperiodic.cli.parameters import ExchangeName, Moment
from aperiodic.engine.importing import Progress
from aperiodic.lake import LakeError, Settings
from aperiodic.lake.checkpoints import read_checkpoints
from aperiodic.lake.imports import is_imported
from aperiodic.lake.ledger import is_unused, open_ledger
from aperiodic.lake.recording_store import Held, fetch, list_stored_sizes
from aperiodic.lake.recordings import is_cut, list_recordings, order_of, read_sidecar
from aperiodic.market import InvalidInputError, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from aperiodic.cli.parameters import Time
    from aperiodic.lake.checkpoints import Checkpoint
    from aperiodic.lake.recordings import Recording, Sidecar

__all__ = ["app"]

app = App(name="recordings", help="What captures recorded: list it, and fetch it from the store.")

_NS: Final = 1_000_000_000
_BUSY_S: Final = 5.0
_GO_ON: Final = frozenset({"busy", "recording_damaged", "recording_differs", "recording_missing"})
"""Errors about one recording, after which the others are fetched all the same."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A recording, as it is listed.

    Attributes:
        exchange: Venue.
        name: Name of its file.
        start: When it was begun.
        end: When the last of it was received; None while it is open, or nothing tells.
        size: Bytes, as it was sealed.
        size_on_disk: Bytes that this disk has of it; None where it has none. They differ where it was cut.
        size_in_store: Bytes that the store has of it; None likewise.
        frames: Frames of the venue; None likewise.
        where: `disk`, `store` or `both`; `open` for what is being recorded.
        ticks: Whether its ticks are made: `yes`, `part`, `no`; None without a ledger.
    """

    exchange: str
    name: str
    start: str
    end: str | None
    size: int
    size_on_disk: int | None
    size_in_store: int | None
    frames: int | None
    where: str
    ticks: str | None


@app.command(name="list")
def list_all(
    *,
    exchange: ExchangeName | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """List recordings: when they were received, their size, whether they lie on this disk or in the store, and whether their ticks are made.

    Args:
        exchange: Only of this venue.
        start: Only those with something received from this time on: a day, or a time in UTC (2025-05-01T12:00).
        end: Only those with something received before this time; a day is included.
        as_json: Print a JSON array instead of a table.
    """
    first, last = _range(start, end)
    settings = read_settings(Settings)
    if not store_is_there(settings):
        require_installation(settings)
    found = list_stored_sizes(open_store(settings), settings.home, exchange, start_ns=first, end_ns=last)
    stored = {held.recording.key: held for held, _ in found}
    sizes = {held.recording.key: size for held, size in found}
    local = {recording.key: recording for recording in list_recordings(settings.home, exchange)}
    with _ledger(settings) as connection:
        checkpoints = {} if connection is None else read_checkpoints(connection)
        rows = []
        for key in sorted({*stored, *local}, key=lambda each: local.get(each) or stored[each].recording):
            recording, sidecar = _known(key, stored, local)
            ended = recording.start_ns if sidecar is None else max(sidecar.last_ns, recording.start_ns)
            if (last is not None and recording.start_ns >= last) or (sidecar is not None and ended < first):
                continue
            ticks = None if connection is None else _ticks(connection, checkpoints, recording, sidecar)
            rows.append(_row(recording, sidecar, ticks, is_here=key in local, in_store=sizes.get(key)))
    if as_json:
        out.print_json(json.dumps([asdict(row) for row in rows]))
    elif not rows:
        print_line("No recordings.")
    else:
        table = Table("Exchange", "Recording", "From", "To", "Bytes", "Frames", "Where", "Ticks", box=None)
        for row in rows:
            frames = "" if row.frames is None else f"{row.frames:,}"
            times = row.start[:19], (row.end or "")[:19]
            table.add_row(
                row.exchange, escape(row.name), *times, _sizes(row), frames, row.where, row.ticks or "not known"
            )
        out.print(table)


@app.command(name="fetch")
def fetch_all(
    *,
    exchange: ExchangeName,
    start: Moment | None = None,
    end: Moment | None = None,
    without_ticks: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Bring recordings from the store to this disk, compared with their digests, so that `normalise` or `import recording` can read them.

    What is here already is left as it is, what is here in part is replaced, and a transfer that was cut is gone on with.

    Args:
        exchange: Venue.
        start: Only those with something received from this time on: a day, or a time in UTC (2025-05-01T12:00).
        end: Only those with something received before this time; a day is included.
        without_ticks: Only those whose ticks are not made, and those that `normalise` needs to go on from there.
    """
    first, last = _range(start, end)
    settings = read_settings(CaptureSettings)
    store = open_store(settings)
    # What was cut is among them, and told when it is fetched.
    wanted = [held for held, _ in list_stored_sizes(store, settings.home, exchange, start_ns=first, end_ns=last)]
    if not wanted:
        print_line("The store has none of these recordings.")
        return
    if without_ticks:
        with _ledger(settings) as connection:
            wanted = wanted if connection is None else _needed(connection, wanted)
        if not wanted:
            print_line("The ticks of these recordings are all made.")
            return
    require_installation(settings, Begin.ANYWHERE)
    fetched = size = refused = 0
    with bytes_read() as progress:
        for held in wanted:
            recording, sidecar = held
            told = partial(_tell, progress, recording.path.name, sidecar.size)
            try:
                _require_room(settings, held)
                is_new = asyncio.run(fetch(store, recording, sidecar, told))
            except LakeError as error:
                if error.code not in _GO_ON:
                    raise
                refused += 1
                say_error(error, heading="refused")
                continue
            fetched += is_new
            size += sidecar.size if is_new else 0
    here = len(wanted) - fetched - refused
    print_line(f"Fetched {fetched:,} recordings ({size:,} bytes); here before {here:,}; refused {refused:,}.")
    if fetched:
        print_line("Next: aperiodic normalise")
    if refused:
        raise SystemExit(FAILED)


def _tell(progress: Callable[[Progress], None], name: str, size: int, done: int) -> None:
    progress(Progress(name, done, size))


def _range(start: Time | None, end: Time | None) -> tuple[int, int | None]:
    """Return a range in ns; the end is not in it.

    Raises:
        InvalidInputError: `inverted_range`.
    """
    if start is not None and end is not None and end.last <= start.first:
        raise InvalidInputError(
            f"--end {end.text} does not come after --start {start.text}.",
            code="inverted_range",
            hint="Write the earlier time as --start.",
        )
    return (0 if start is None else start.first * 1_000), (None if end is None else end.last * 1_000)


@contextmanager
def _ledger(settings: Settings) -> Iterator[Connection | None]:
    """Open the ledger if there is one."""
    if is_unused(settings.ledger_url):
        yield None
        return
    engine = open_ledger(settings.ledger_url, busy_s=_BUSY_S)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _known(key: str, stored: dict[str, Held], local: dict[str, Recording]) -> tuple[Recording, Sidecar | None]:
    if key not in local:
        return stored[key]
    sidecar = None if local[key].is_open else read_sidecar(local[key])
    return local[key], sidecar or (stored[key].sidecar if key in stored else None)


def _row(
    recording: Recording, sidecar: Sidecar | None, ticks: str | None, *, is_here: bool, in_store: int | None
) -> _Row:
    where = "both" if is_here and in_store is not None else "disk" if is_here else "store"
    on_disk = recording.path.stat().st_size if is_here and recording.path.exists() else None
    return _Row(
        exchange=recording.exchange,
        name=recording.sealed_path.name,
        start=_time(recording.start_ns),
        end=None if sidecar is None else _time(max(sidecar.last_ns, recording.start_ns)),
        size=sidecar.size if sidecar is not None else on_disk or 0,
        size_on_disk=on_disk,
        size_in_store=in_store,
        frames=None if sidecar is None else sidecar.frames,
        where="open" if recording.is_open else where,
        ticks=ticks,
    )


def _sizes(row: _Row) -> str:
    """Return the bytes of a recording, and what of them is where it was cut or is longer."""
    others = (("disk", row.size_on_disk), ("store", row.size_in_store))
    differ = [f"{place} {size:,}" for place, size in others if size is not None and size != row.size]
    return f"{row.size:,}" + (f" ({', '.join(differ)}!)" if differ else "")


def _ticks(
    connection: Connection,
    checkpoints: dict[tuple[str, str], Checkpoint],
    recording: Recording,
    sidecar: Sidecar | None,
) -> str:
    if sidecar is not None and is_imported(connection, Source.RECORDING, recording.exchange, sidecar.sha256):
        return "yes"
    checkpoint = checkpoints.get((recording.exchange, recording.writer))
    at_work = checkpoint is not None and checkpoint.segment == recording.sealed_path.name and checkpoint.offset > 0
    return "part" if at_work else "no"


def _needed(connection: Connection, held: list[Held]) -> list[Held]:
    """Return the recordings whose ticks are not made, and those of the same writers that `normalise` begins again from."""
    checkpoints = read_checkpoints(connection)
    imported = {
        recording.key
        for recording, sidecar in held
        if is_imported(connection, Source.RECORDING, recording.exchange, sidecar.sha256)
    }
    behind = {(recording.exchange, recording.writer) for recording, _ in held if recording.key not in imported}

    def begins_again(recording: Recording) -> bool:
        writer = recording.exchange, recording.writer
        begins = checkpoints[writer].warm_segment if writer in checkpoints else ""
        return writer in behind and begins != "" and recording.start_ns >= order_of(begins)

    return [each for each in held if each.recording.key not in imported or begins_again(each.recording)]


def _require_room(settings: CaptureSettings, held: Held) -> None:
    """Make sure that a capture on the same disk can go on.

    Raises:
        LakeError: `disk_full`.
    """
    recording, sidecar = held
    if recording.path.exists() and not is_cut(recording):
        return
    missing = sidecar.size - (recording.fetched_path.stat().st_size if recording.fetched_path.exists() else 0)
    free = shutil.disk_usage(settings.home if settings.home.exists() else settings.home.absolute().parent).free
    if free - missing < settings.capture_disk_floor_bytes:
        raise LakeError(
            f"There is no room for {recording.path.name} ({sidecar.size:,} bytes): {free >> 20:,} MiB are free, and "
            f"{settings.capture_disk_floor_bytes >> 20:,} MiB stay so.",
            code="disk_full",
            hint="Free some space, or fetch less (--start, --end); what was fetched is kept.",
        )


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns // _NS, UTC).replace(tzinfo=None).isoformat()
