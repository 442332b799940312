"""One data request from the question to the frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aperiodic.client.completeness import Shortfall
from aperiodic.client.frames import assemble, read_frame
from aperiodic.client.progress import progress

if TYPE_CHECKING:
    import polars as pl

    from aperiodic.client.links import FileLink
    from aperiodic.client.request import Account, DataRequest
    from aperiodic.client.types import OnIncomplete, OutputFormat
    from aperiodic.market import Exchange

__all__ = ["Delivery", "fetch_data", "fetch_symbols"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The frame, what it lacks, and how the caller wants both."""

    frame: pl.DataFrame
    shortfall: Shortfall | None
    output: OutputFormat
    on_incomplete: OnIncomplete

    def hand_over(self, stacklevel: int) -> Any:  # noqa: ANN401 (a frame of the library that was asked for)
        """Warn if the caller wants to know, and return the frame in the library that was asked for."""
        if self.shortfall is not None:
            self.shortfall.tell(self.on_incomplete, stacklevel + 1)
        return self.frame.to_pandas() if self.output == "pandas" else self.frame


async def fetch_data(request: DataRequest) -> Delivery:
    """Ask for the links, download the files and join them.

    Raises:
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched or is not what it should be.
        IncompleteDataError: Data is missing and the request does not accept that; nothing was downloaded.
        AperiodicDataError: `server_unreachable`.
    """
    # The HTTP library takes as long to import as the rest of the package; nothing needs it before the first request.
    from aperiodic.client.download import download_all, download_frame, fetch_renewing  # noqa: PLC0415
    from aperiodic.client.links import Links, ask_bars  # noqa: PLC0415
    from aperiodic.client.transport import open_transport  # noqa: PLC0415

    schema = request.dataset.schema
    read = partial(read_frame, schema=schema, start=request.start, end=request.end)
    async with open_transport(request.max_concurrent) as transport:
        links = await Links.ask(partial(ask_bars, transport, request))
        shortfall = Shortfall.of_bars(request, links)
        if shortfall is not None:
            shortfall.refuse(request.on_incomplete)
        files = len(links.files())
        title = f"{request.dataset.id} {request.symbol}"
        with progress(title, files, "file", shown=request.show_progress and files > 0) as advance:

            async def fetch(link: FileLink) -> pl.DataFrame:
                frame = await fetch_renewing(links, link, partial(download_frame, transport, read))
                advance(1)
                return frame

            frames = await download_all(links, request.max_concurrent, fetch)
    return Delivery(assemble(frames, schema), shortfall, request.output, request.on_incomplete)


async def fetch_symbols(account: Account, exchange: Exchange) -> list[str]:
    """Ask which instruments an exchange has.

    Raises:
        APIError: The server answered with an error.
        AperiodicDataError: `server_unreachable`.
    """
    from aperiodic.client.rest import bad_response, get_json  # noqa: PLC0415 (as above)
    from aperiodic.client.transport import open_transport  # noqa: PLC0415

    async with open_transport(max_connections=1) as transport:
        body = await get_json(
            transport,
            f"{account.base_url}/metadata/symbols",
            params={"exchange": exchange.value},
            api_key=account.api_key,
        )
    symbols = body.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise bad_response("The answer lists no symbols.")
    return symbols
