"""Raw ticks in memory, and what there is of them."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from aperiodic.client.columns import Columns
from aperiodic.client.fetch import Delivery
from aperiodic.client.forks import refuse_after_fork
from aperiodic.client.frames import join, read_frame
from aperiodic.client.progress import progress
from aperiodic.market import Stream, tick_schema

if TYPE_CHECKING:
    from aperiodic.client.links import FileLink
    from aperiodic.client.raw_request import RawRequest
    from aperiodic.client.transport import Transport

__all__ = ["fetch_coverage", "fetch_raw"]

_TIME: Final = "exchange_timestamp"
_OPTIONAL: Final = frozenset({"sequence"})  # a server may leave it out
_GIB: Final = 1024**3
_LARGE_BYTES: Final = 2 * _GIB


async def fetch_raw(transport: Transport, request: RawRequest) -> Delivery:
    """Ask for the links, download the files and join them.

    Raises:
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched or is not what it should be.
        IncompleteDataError: Data is missing and the request does not accept that; nothing was downloaded.
        AperiodicDataError: `server_unreachable`, or `unexpected_schema` when the files do not fit together.
    """
    # As in `fetch_bars`.
    from aperiodic.client.bodies import Bodies  # noqa: PLC0415
    from aperiodic.client.download import download_all, download_frame, fetch_renewing  # noqa: PLC0415
    from aperiodic.client.names import ServerNames  # noqa: PLC0415
    from aperiodic.client.raw_links import raw_links  # noqa: PLC0415

    refuse_after_fork()
    midnight = datetime.combine(request.start, time.min, UTC)
    read = partial(read_frame, column=_TIME, start=midnight, days=request.end - request.start)
    names = ServerNames(transport, request.account.base_url)
    await names.check_ticks(request.dataset)
    await names.check_exchange(request.exchange)
    columns = Columns(
        tick_schema(Stream(request.dataset)) if request.dataset in list(Stream) else pl.Schema(),
        partial(names.tick_columns, request.dataset),
        optional=_OPTIONAL,
    )
    links, remarks = await raw_links(transport, request)
    total = sum(link.size or 0 for link in links.files())
    if total > _LARGE_BYTES:
        warnings.warn(
            f"The ticks of this range are {total / _GIB:.1f} GiB of files, and several times that in memory. "
            "download_raw() keeps them on disk.",
            stacklevel=1,
        )
    bodies = Bodies()
    with progress(request.title, total, "B", shown=request.show_progress and total > 0) as advance:

        async def fetch(link: FileLink) -> pl.DataFrame:
            frame = await fetch_renewing(links, link, partial(download_frame, transport, bodies, read))
            await columns.check(frame.schema, link)
            advance(link.size or 0)
            return frame

        frames = await download_all(links, request.max_concurrent, fetch)
    frame = join(frames, await columns.of(frames))
    return Delivery(frame, remarks, request.output)


async def fetch_coverage(transport: Transport, base_url: str) -> dict[str, Any]:
    """Ask which raw ticks there are.

    Raises:
        APIError: The server answered with an error.
        AperiodicDataError: `server_unreachable`.
    """
    from aperiodic.client.rest import get_json  # noqa: PLC0415 (as above)

    return await get_json(transport, f"{base_url}/metadata/raw", params={}, api_key=None)
