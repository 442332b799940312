"""Requests for bars, from the question to the frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.client.columns import Columns
from aperiodic.client.completeness import Remarks
from aperiodic.client.forks import refuse_after_fork
from aperiodic.client.frames import join, unique_times
from aperiodic.client.progress import progress
from aperiodic.client.request import parse_name
from aperiodic.client.shapes import combine
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]  # need not be installed

    from aperiodic.client.bars_request import BarsRequest
    from aperiodic.client.cache import Cache
    from aperiodic.client.files import Meter
    from aperiodic.client.links import FileLink, Links
    from aperiodic.client.names import ServerNames
    from aperiodic.client.request import Account, DataRequest
    from aperiodic.client.session import Session
    from aperiodic.client.transport import Transport
    from aperiodic.client.types import OutputFormat

__all__ = ["Delivery", "fetch_bars", "fetch_once", "fetch_symbols"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The frame, what to know of it, and in which library the caller wants it."""

    frame: pl.DataFrame
    remarks: Remarks
    output: OutputFormat

    def hand_over(self, stacklevel: int) -> pl.DataFrame | pd.DataFrame:
        """Warn if there is reason to, and return the frame in the library that was asked for."""
        self.remarks.tell(stacklevel + 1)
        return self.frame.to_pandas() if self.output == "pandas" else self.frame


async def fetch_once(request: BarsRequest, cache: Cache | None) -> Delivery:
    """Fetch over connections of its own; arguments and errors as of `fetch_bars`."""
    from aperiodic.client.session import Session  # noqa: PLC0415 (as below)

    async with Session.open(request.first.max_concurrent, cache) as session:
        return await fetch_bars(session, request)


async def fetch_bars(session: Session, request: BarsRequest) -> Delivery:
    """Ask for the links of all series, download their files and join them.

    Args:
        session: What to fetch with.
        request: The series.

    Raises:
        InvalidInputError: The server does not know a name.
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched or is not what it should be.
        IncompleteDataError: Data is missing and the request does not accept that; nothing was downloaded.
        AperiodicDataError: `server_unreachable`, or `unexpected_schema` when the files do not fit together.
    """
    # The HTTP library takes as long to import as the rest of the package; nothing needs it before the first request.
    from aperiodic.client.download import all_of  # noqa: PLC0415
    from aperiodic.client.files import Meter  # noqa: PLC0415
    from aperiodic.client.names import ServerNames  # noqa: PLC0415

    refuse_after_fork()
    names = ServerNames(session.transport, request.first.account.base_url)
    await _check_names(names, request)
    if request.columns is not None:
        request = request.narrowed(await names.find_columns(request.columns, request.datasets))
    listed = await all_of(session.links(one) for one in request.each)
    verdict = Remarks.of_all(request.each, listed, request.first.on_incomplete)
    files = [link for links in listed for link in links.files()]
    sizes = [link.size for link in files if link.size is not None]
    known = len(sizes) == len(files)
    total = sum(sizes) if known else len(files)
    with progress(
        request.title, total, "B" if known else "file", shown=request.first.show_progress and bool(files)
    ) as advance:

        def meter(link: FileLink) -> Meter:
            return Meter(advance, link.size or 0 if known else 1)

        frames = await all_of(
            _series(session, one, links, names, meter) for one, links in zip(request.each, listed, strict=True)
        )
    frame = combine(request.each, frames, request.keys, wide=request.shape == "wide")
    return Delivery(frame, verdict, request.first.output)


async def _check_names(names: ServerNames, request: BarsRequest) -> None:
    for metric in request.datasets:
        await names.check_metric(metric, request.first.family)
    await names.check_interval(request.first.interval)
    for exchange in dict.fromkeys(one.exchange for one in request.each):
        await names.check_exchange(exchange)


async def _series(
    session: Session, request: DataRequest, links: Links, names: ServerNames, meter: Callable[[FileLink], Meter]
) -> pl.DataFrame:
    """Return the bars of one series."""
    from aperiodic.client.download import all_of  # noqa: PLC0415 (as above)
    from aperiodic.client.files import Wanted  # noqa: PLC0415

    chosen = None if request.columns is None else (TIME_COLUMN, *request.columns)
    wanted = Wanted(TIME_COLUMN, request.start, request.end, chosen)
    known = DATASETS[request.metric].schema if request.metric in DATASETS else pl.Schema()
    columns = Columns(known, partial(names.metric_columns, request.metric), chosen=chosen)

    async def fetch(link: FileLink) -> pl.DataFrame:
        async with session.slots:
            frame = await session.files.frame(links, links.current(link.key), wanted, meter(link))
        await columns.check(frame.schema, link)
        return frame

    frames = await all_of(fetch(link) for link in links.files())
    return unique_times(join(frames, await columns.of(frames)))


async def fetch_symbols(transport: Transport, account: Account, exchange: str) -> list[str]:
    """Ask which instruments an exchange has.

    Raises:
        InvalidInputError: The value is missing or not valid.
        APIError: The server answered with an error.
        AperiodicDataError: `server_unreachable`.
    """
    from aperiodic.client.names import ServerNames  # noqa: PLC0415 (as above)
    from aperiodic.client.rest import bad_response, get_json  # noqa: PLC0415

    name = parse_name("exchange", exchange, Exchange)
    await ServerNames(transport, account.base_url).check_exchange(name)
    body = await get_json(
        transport, f"{account.base_url}/metadata/symbols", params={"exchange": name}, api_key=account.api_key
    )
    symbols = body.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise bad_response("The answer lists no symbols.")
    return symbols
