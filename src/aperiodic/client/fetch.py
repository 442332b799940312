"""One data request from the question to the frame."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aperiodic.client.completeness import Shortfall
from aperiodic.client.frames import assemble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from aperiodic.client.request import Account, DataRequest
    from aperiodic.market import Exchange

__all__ = ["Delivery", "fetch_data", "fetch_symbols"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The frame, and what it lacks."""

    request: DataRequest
    frame: pl.DataFrame
    shortfall: Shortfall | None

    def hand_over(self, stacklevel: int) -> Any:  # noqa: ANN401 (a frame of the library that was asked for)
        """Warn if the caller wants to know, and return the frame in the library that was asked for."""
        if self.shortfall is not None and self.request.on_incomplete == "warn":
            self.shortfall.warn(stacklevel + 1)
        return self.frame.to_pandas() if self.request.output == "pandas" else self.frame


async def fetch_data(request: DataRequest) -> Delivery:
    """Ask for the links, download the files and join them.

    Raises:
        APIError: The server answered with an error.
        DownloadError: A file could not be fetched or is not what it should be.
        IncompleteDataError: Data is missing and the request does not accept that; nothing was downloaded.
        AperiodicDataError: `server_unreachable`.
    """
    # The HTTP library takes as long to import as the rest of the package; nothing needs it before the first request.
    from aperiodic.client.download import download_frames  # noqa: PLC0415
    from aperiodic.client.links import Links  # noqa: PLC0415
    from aperiodic.client.transport import open_transport  # noqa: PLC0415

    async with open_transport(request.max_concurrent) as transport:
        links = await Links.ask(transport, request)
        shortfall = Shortfall.of(request, links)
        if shortfall is not None and request.on_incomplete == "raise":
            raise shortfall.error()
        with _progress(request, len(links.files())) as advance:
            frames = await download_frames(transport, links, request, advance)
    return Delivery(request, assemble(frames, request.dataset.schema), shortfall)


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


@contextmanager
def _progress(request: DataRequest, files: int) -> Iterator[Callable[[], object]]:
    if not request.show_progress or not files:
        yield lambda: None
        return
    # The plain bar, not tqdm.auto: in a notebook this runs in a thread of its own, where widgets do not draw.
    from tqdm import tqdm  # noqa: PLC0415 (only those who watch pay for the import)

    with tqdm(total=files, desc=f"{request.dataset.id} {request.symbol}", unit="file") as bar:
        yield bar.update
