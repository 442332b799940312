"""Files of bars on disk, with a manifest of what they are."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aperiodic._version import __version__
from aperiodic.client.download import all_of
from aperiodic.client.fetch import remarks_of
from aperiodic.client.files import Meters
from aperiodic.client.saving import path_part, save_file
from aperiodic.client.series import find_series
from aperiodic.market import AperiodicDataError, InvalidInputError

if TYPE_CHECKING:
    from aperiodic.client.bars_request import BarsRequest
    from aperiodic.client.completeness import Remarks
    from aperiodic.client.links import FileLink
    from aperiodic.client.series import Series
    from aperiodic.client.session import Session

__all__ = ["MANIFEST", "save_bars"]

MANIFEST: Final = "manifest.json"
"""Name of the file that says what the others are."""


async def save_bars(session: Session, request: BarsRequest, folder: Path) -> tuple[list[Path], Remarks]:
    """Fetch the files of a request into a folder, whole; return where they are, and what to know of them.

    Files that are there and are those of the server stay; what an earlier call left unfinished is continued. The
    manifest is written last, and keeps what it told of other files.

    Args:
        session: What to fetch with.
        request: Which series.
        folder: Where the tree of files begins; made when it is not there.

    Raises:
        InvalidInputError: The server does not know a name; `columns_of_files` when columns were chosen,
            `unknown_fill` when rows were to be made up.
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched or written, or is not what it should be.
        IncompleteDataError: Data is missing and the request does not accept that; nothing was downloaded.
        AperiodicDataError: `server_unreachable`, or `manifest_unwritable`.
    """
    if request.columns is not None:
        raise InvalidInputError(
            "Files are fetched whole.",
            code="columns_of_files",
            hint="Leave out columns, or write some with scan_metrics(…).sink_parquet(…).",
        )
    request.refuse_fill()
    found = await find_series(session, request)
    remarks = remarks_of(found)
    meters = Meters([link for series in found for link in series.links.files()])
    with meters.drawn(request.title, shown=request.first.show_progress):

        async def fetch(series: Series, link: FileLink) -> tuple[Path, dict[str, Any]]:
            path = folder / _place(series, link)
            meter = meters.of(link)
            async with session.slots:
                newest = series.links.current(link.key)
                await save_file(session.transport, series.links, newest, path, meter.reach)
            meter.end()
            return path, _entry(series, link, path)

        saved = await all_of(fetch(series, link) for series in found for link in series.links.files())
    missing = {series.request.series: list(series.links.missing or ()) for series in found}
    entries = {_place_text(folder, path): entry for path, entry in saved}
    await asyncio.to_thread(_write_manifest, folder, entries, missing)
    return [path for path, _ in saved], remarks


def _place(series: Series, link: FileLink) -> Path:
    """Where a file lies: Hive partitions, which Polars, DuckDB and pandas read as columns."""
    request = series.request
    year, month, day = link.key
    names = {
        "exchange": request.exchange,
        "symbol": path_part(str(request.symbol)),
        "interval": request.interval,
        "timestamp": request.clock.value,
        "year": str(year),
        "month": f"{month:02d}",
        **({"day": f"{day:02d}"} if day else {}),
    }
    return Path(request.metric, *(f"{name}={value}" for name, value in names.items()), "data.parquet")


def _place_text(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _entry(series: Series, link: FileLink, path: Path) -> dict[str, Any]:
    request = series.request
    return {
        "metric": request.metric,
        "exchange": request.exchange,
        "symbol": str(request.symbol),
        "interval": request.interval,
        "timestamp": request.clock.value,
        "period": link.period,
        "bytes": path.stat().st_size,
        "sha256": link.sha256,
        "complete": link.complete,
        "gaps": link.gaps,
        "source": link.source,
    }


def _write_manifest(folder: Path, entries: dict[str, dict[str, Any]], missing: dict[str, list[str]]) -> None:
    path = folder / MANIFEST
    before: Any = None
    with suppress(OSError, ValueError):
        before = json.loads(path.read_bytes())
    files, absent = (before.get(name) if isinstance(before, dict) else None for name in ("files", "missing"))
    body = {
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "client": f"aperiodic {__version__}",
        "files": dict(sorted(((files if isinstance(files, dict) else {}) | entries).items())),
        "missing": dict(sorted(((absent if isinstance(absent, dict) else {}) | missing).items())),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".manifest-", delete=False) as file:
            name = Path(file.name)
            file.write(json.dumps(body, indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        name.replace(path)
    except OSError as error:
        raise AperiodicDataError(
            f"The manifest could not be written: {error.strerror or error}.",
            code="manifest_unwritable",
            hint="The files are there and whole. Make room (or the folder writable) and call it again.",
        ) from error
