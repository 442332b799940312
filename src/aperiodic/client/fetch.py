"""Requests for bars, from the question to the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aperiodic.catalog import DATASETS
from aperiodic.catalog.carrying import carried_fields
from aperiodic.client.completeness import Remarks
from aperiodic.client.request import parse_name
from aperiodic.client.shapes import combine
from aperiodic.market import Exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]  # need not be installed
    import polars as pl

    from aperiodic.client.bars_request import BarsRequest
    from aperiodic.client.cache import Cache
    from aperiodic.client.request import Account
    from aperiodic.client.series import Series
    from aperiodic.client.session import Session
    from aperiodic.client.transport import Transport
    from aperiodic.client.types import Fill, OutputFormat

__all__ = ["Delivery", "fetch_bars", "fetch_once", "fetch_symbols", "remarks_of"]


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
    from aperiodic.client.files import Meters  # noqa: PLC0415
    from aperiodic.client.held_frames import hold_frames  # noqa: PLC0415
    from aperiodic.client.series import find_series  # noqa: PLC0415

    found = await find_series(session, request)
    remarks = remarks_of(found)
    meters = Meters([link for one in found for link in one.links.files()])
    with meters.drawn(request.title, shown=request.first.show_progress):
        frames = await all_of(one.frame(meters) for one in found)
    grid = request.grid()
    if grid is not None:
        frames = [
            grid.fill(frame, _carried(one.request.metric, request.fill))
            for one, frame in zip(found, frames, strict=True)
        ]
    frame = combine([one.request for one in found], frames, request.keys, wide=request.shape == "wide")
    if grid is None and request.shape != "wide" and request.first.output != "pandas":  # those have values of their own
        hold_frames(frame, [part for one in found for part in one.parts])
    return Delivery(frame, remarks, request.first.output)


def _carried(metric: str, fill: Fill) -> dict[str, str]:
    return carried_fields(DATASETS[metric]) if fill == "forward" and metric in DATASETS else {}


def remarks_of(found: Sequence[Series]) -> Remarks:
    """Return what to know of some series.

    Raises:
        IncompleteDataError: They lack something, and the caller does not accept that.
    """
    return Remarks.of_all([one.request for one in found], [one.links for one in found])


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
