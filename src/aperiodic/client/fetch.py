"""One data request from the question to the frame."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from aperiodic.catalog import DATASETS, TIME_COLUMN
from aperiodic.client.columns import Columns
from aperiodic.client.completeness import Remarks, Shortfall
from aperiodic.client.forks import refuse_after_fork
from aperiodic.client.frames import join, read_frame, unique_times
from aperiodic.client.progress import progress
from aperiodic.client.request import Account, DataRequest, parse_name
from aperiodic.market import Exchange

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]  # need not be installed

    from aperiodic.client.links import FileLink
    from aperiodic.client.types import Day, OnIncomplete, OutputFormat

__all__ = ["Delivery", "fetch_bars", "fetch_symbols"]


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


async def fetch_bars(
    metric: str,
    *,
    family: tuple[str, ...] | None = None,
    api_key: str | None,
    timestamp: str,
    interval: str,
    exchange: str,
    symbol: str,
    start_date: Day,
    end_date: Day,
    base_url: str | None,
    show_progress: bool,
    max_concurrent: int,
    output: OutputFormat,
    preview: bool,
    on_incomplete: OnIncomplete,
) -> Delivery:
    """Check the request, ask for the links, download the files and join them.

    Args:
        metric: Dataset, known here or to the server.
        family: Streams of which one has to drive the dataset, or None when any dataset will do.
        api_key: As of the public functions, like all that follow.
        timestamp: Clock.
        interval: Bar length.
        exchange: Venue.
        symbol: Instrument.
        start_date: First UTC day.
        end_date: Last UTC day, included.
        base_url: Address of the API.
        show_progress: Draw a progress bar.
        max_concurrent: Downloads at the same time.
        output: Library of the returned frame.
        preview: Ask for the free sample.
        on_incomplete: What to do when data is missing.

    Raises:
        InvalidInputError: A value is missing or not valid.
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched or is not what it should be.
        IncompleteDataError: Data is missing and the request does not accept that; nothing was downloaded.
        AperiodicDataError: `server_unreachable`, or `unexpected_schema` when the files do not fit together.
    """
    # The HTTP library takes as long to import as the rest of the package; nothing needs it before the first request.
    from aperiodic.client.download import download_all, download_frame, fetch_renewing  # noqa: PLC0415
    from aperiodic.client.links import Links, ask_bars  # noqa: PLC0415
    from aperiodic.client.names import ServerNames  # noqa: PLC0415
    from aperiodic.client.transport import open_transport  # noqa: PLC0415

    request = DataRequest.parse(
        metric,
        family=family,
        api_key=api_key,
        timestamp=timestamp,
        interval=interval,
        exchange=exchange,
        symbol=symbol,
        start_date=start_date,
        end_date=end_date,
        base_url=base_url,
        show_progress=show_progress,
        max_concurrent=max_concurrent,
        output=output,
        preview=preview,
        on_incomplete=on_incomplete,
    )
    refuse_after_fork()
    midnight = datetime.combine(request.start, time.min)
    read = partial(read_frame, column=TIME_COLUMN, start=midnight, days=request.end - request.start)
    async with open_transport(request.max_concurrent) as transport:
        names = ServerNames(transport, request.account.base_url)
        await names.check_metric(request.metric, request.family)
        await names.check_interval(request.interval)
        await names.check_exchange(request.exchange)
        columns = Columns(
            DATASETS[request.metric].schema if request.metric in DATASETS else pl.Schema(),
            partial(names.metric_columns, request.metric),
        )
        links = await Links.ask(partial(ask_bars, transport, request))
        shortfall = Shortfall.of_bars(request, links)
        remarks = Remarks.of(request.series, links.files(), shortfall, request.on_incomplete)
        files = len(links.files())
        title = f"{request.metric} {request.symbol}"
        with progress(title, files, "file", shown=request.show_progress and files > 0) as advance:

            async def fetch(link: FileLink) -> pl.DataFrame:
                frame = await fetch_renewing(links, link, partial(download_frame, transport, read))
                await columns.check(frame.schema, link)
                advance(1)
                return frame

            frames = await download_all(links, request.max_concurrent, fetch)
        frame = unique_times(join(frames, await columns.of(frames)))
    return Delivery(frame, remarks, request.output)


async def fetch_symbols(api_key: str | None, exchange: str, base_url: str | None) -> list[str]:
    """Ask which instruments an exchange has.

    Raises:
        InvalidInputError: A value is missing or not valid.
        APIError: The server answered with an error.
        AperiodicDataError: `server_unreachable`.
    """
    from aperiodic.client.names import ServerNames  # noqa: PLC0415 (as above)
    from aperiodic.client.rest import bad_response, get_json  # noqa: PLC0415
    from aperiodic.client.transport import open_transport  # noqa: PLC0415

    name = parse_name("exchange", exchange, Exchange)
    account = Account.parse(api_key, base_url)
    async with open_transport(max_connections=1) as transport:
        await ServerNames(transport, account.base_url).check_exchange(name)
        body = await get_json(
            transport, f"{account.base_url}/metadata/symbols", params={"exchange": name}, api_key=account.api_key
        )
    symbols = body.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise bad_response("The answer lists no symbols.")
    return symbols
