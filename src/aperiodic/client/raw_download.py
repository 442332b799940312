"""Raw ticks on disk: where each file lies, and when it has to be fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aperiodic.client.download import download_all
from aperiodic.client.files import Meter
from aperiodic.client.names import ServerNames
from aperiodic.client.progress import progress
from aperiodic.client.raw_links import raw_links
from aperiodic.client.saving import path_part, save_file

if TYPE_CHECKING:
    from pathlib import Path

    from aperiodic.client.completeness import Remarks
    from aperiodic.client.links import FileLink
    from aperiodic.client.raw_request import RawRequest
    from aperiodic.client.transport import Transport

__all__ = ["save_raw"]


async def save_raw(
    transport: Transport, request: RawRequest, folder: Path, *, overwrite: bool
) -> tuple[list[Path], Remarks]:
    """Fetch the files of a request into a folder; return where they are, in order of time, and what to know of them.

    Args:
        transport: Fetches them.
        request: What to fetch.
        folder: Where the tree of files begins; made when it is not there.
        overwrite: Fetch also what is there already.

    Raises:
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched or written, or is not what it should be.
        IncompleteDataError: Data is missing and the request does not accept that; nothing was downloaded.
        AperiodicDataError: `server_unreachable`.
    """
    names = ServerNames(transport, request.account.base_url)
    await names.check_ticks(request.dataset)
    await names.check_exchange(request.exchange)
    links, remarks = await raw_links(transport, request)
    total = sum(link.size or 0 for link in links.files())
    with progress(request.title, total, "B", shown=request.show_progress and total > 0) as advance:

        async def fetch(link: FileLink) -> Path:
            path = _path(folder, request, link)
            meter = Meter(advance, link.size or 0)
            await save_file(transport, links, link, path, meter.reach, anew=overwrite)
            meter.end()
            return path

        paths = await download_all(links, request.max_concurrent, fetch)
    return paths, remarks


def _path(folder: Path, request: RawRequest, link: FileLink) -> Path:
    """Where a file lies: Hive partitions, as in the server's store."""
    symbol = path_part(str(request.symbol))
    year, month, day = link.key
    parts = [request.dataset, f"exchange={request.exchange}", f"symbol={symbol}", f"year={year}", f"month={month:02d}"]
    return folder.joinpath(*parts, *([f"day={day:02d}"] if day else []), "data.parquet")
