"""The functions of the SDK for raw ticks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aperiodic.client.functions import RAISES, public_pair
from aperiodic.client.raw_fetch import fetch_coverage, fetch_raw
from aperiodic.client.raw_request import RawRequest
from aperiodic.client.request import REQUIRED, parse_base_url
from aperiodic.client.sync import run_blocking
from aperiodic.market import InvalidInputError

if TYPE_CHECKING:
    import os

    from aperiodic.client.completeness import Shortfall
    from aperiodic.client.fetch import Delivery
    from aperiodic.client.signatures import DownloadAsync, DownloadBlocking, RawAsync, RawBlocking
    from aperiodic.client.types import Day, Exchange, OnIncomplete, OutputFormat, RawDataset

__all__ = [
    "download_raw",
    "download_raw_async",
    "get_raw",
    "get_raw_async",
    "get_raw_coverage",
    "get_raw_coverage_async",
]

_WHAT: Final = """\
    api_key: Your key, of a plan with raw data; by default APERIODIC_API_KEY, or the public demo key with preview=True.
    dataset: Kind of ticks: "trades", "quotes", "book", "mark_price", "index_price", "funding_rate" or "open_interest".
    exchange: Venue, for example "binance-futures".
    symbol: Instrument in the Atlas symbology, for example "perpetual-BTC-USDT:USDT".
    start_date: First day of exchange time, in UTC: a date, a datetime (an aware one is converted to UTC) or an
        ISO 8601 string.
    end_date: Last day, included. The server takes 366 days at a time; a longer range is asked for in parts."""

_HOW: Final = """\
    base_url: Address of the API; by default APERIODIC_API_URL, else https://aperiodic.io/api/v1.
    show_progress: Draw a progress bar of bytes.
    max_concurrent: Downloads at the same time, 1 to 100."""

_LACK: Final = """\
    preview: Ask for the free sample, of which the range selects days.
    on_incomplete: What to do when part of the data does not exist: "warn" (IncompleteDataWarning), "raise"
        (IncompleteDataError, before any download) or "ignore"."""

_GET: Final = f"""Load raw ticks into a frame; `download_raw` is for ranges too large for memory.

Args:
{_WHAT}
{_HOW}
    output: Library of the returned frame, "polars" or "pandas".
{_LACK}

Returns:
    A frame with one row per event, in the venue's order: `exchange_timestamp` and `local_timestamp` (arrival; both
    timezone-aware UTC, microseconds), the dataset's columns, and `sequence`, the venue's number of the event (null
    where it gives none). Cut to the range on `exchange_timestamp`. Without data it is empty, with all columns.

Raises:
{RAISES}
"""

_DOWNLOAD: Final = f"""Keep raw ticks on disk, file by file, as the server has them.

A file lies at `output_dir/<dataset>/exchange=…/symbol=…/year=…/month=…[/day=…]/data.parquet`, so that
`polars.scan_parquet(f"{{output_dir}}/**/*.parquet")` reads them all. It is written as `data.parquet.part`, verified,
then renamed; what an interrupted call left is continued by the next. Files are whole: the one of a month may reach
beyond the range.

Args:
{_WHAT}
    output_dir: Folder to write to; made when it is not there.
    overwrite: Fetch also files that are there already. By default those whose size and SHA-256 are what the server
        says stay as they are.
{_HOW}
{_LACK}

Returns:
    The paths of all files of the range, in order of time, fetched or there already.

Raises:
{RAISES}
"""


async def _deliver_frame(
    api_key: str | None = None,
    *,
    dataset: RawDataset = REQUIRED,
    exchange: Exchange = REQUIRED,
    symbol: str = REQUIRED,
    start_date: Day = REQUIRED,
    end_date: Day = REQUIRED,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 10,
    output: OutputFormat = "polars",
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> Delivery:
    return await fetch_raw(
        RawRequest.parse(
            api_key=api_key,
            dataset=dataset,
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
    )


async def _deliver_files(
    api_key: str | None = None,
    *,
    dataset: RawDataset = REQUIRED,
    exchange: Exchange = REQUIRED,
    symbol: str = REQUIRED,
    start_date: Day = REQUIRED,
    end_date: Day = REQUIRED,
    output_dir: str | os.PathLike[str] = REQUIRED,
    overwrite: bool = False,
    base_url: str | None = None,
    show_progress: bool = True,
    max_concurrent: int = 4,
    preview: bool = False,
    on_incomplete: OnIncomplete = "warn",
) -> _SavedFiles:
    from aperiodic.client.raw_download import save_raw  # noqa: PLC0415 (brings the HTTP library, see `fetch_data`)

    request = RawRequest.parse(
        api_key=api_key,
        dataset=dataset,
        exchange=exchange,
        symbol=symbol,
        start_date=start_date,
        end_date=end_date,
        base_url=base_url,
        show_progress=show_progress,
        max_concurrent=max_concurrent,
        output="polars",
        preview=preview,
        on_incomplete=on_incomplete,
    )
    if output_dir is REQUIRED or not output_dir:
        raise InvalidInputError("output_dir was not given.", code="missing_output_dir", hint="Pass output_dir=….")
    paths, shortfall = await save_raw(request, Path(output_dir), overwrite=overwrite)
    return _SavedFiles(paths, shortfall, on_incomplete)


@dataclass(frozen=True, slots=True)
class _SavedFiles:
    """Where the files are, and what they lack."""

    paths: list[Path]
    shortfall: Shortfall | None
    on_incomplete: OnIncomplete

    def hand_over(self, stacklevel: int) -> list[Path]:
        """Warn if the caller wants to know, and return the paths."""
        if self.shortfall is not None:
            self.shortfall.tell(self.on_incomplete, stacklevel + 1)
        return self.paths


get_raw: RawBlocking
get_raw_async: RawAsync
get_raw, get_raw_async = public_pair("get_raw", _deliver_frame, _GET, "polars.DataFrame | pandas.DataFrame")

download_raw: DownloadBlocking
download_raw_async: DownloadAsync
download_raw, download_raw_async = public_pair("download_raw", _deliver_files, _DOWNLOAD, "list[pathlib.Path]")


def get_raw_coverage(*, base_url: str | None = None) -> dict[str, Any]:
    """Tell which raw ticks there are; needs no key.

    Args:
        base_url: Address of the API; by default APERIODIC_API_URL, else https://aperiodic.io/api/v1.

    Returns:
        The server's answer: `datasets` with their columns, `summary` with a row per dataset and venue, and `coverage`,
        by dataset, exchange and symbol.

    Raises:
        InvalidInputError: `bad_base_url`; nothing was sent.
        APIError: The server answered with an error.
        AperiodicDataError: The server could not be reached (`server_unreachable`). Base of all the above.
    """
    return run_blocking(get_raw_coverage_async(base_url=base_url))


async def get_raw_coverage_async(*, base_url: str | None = None) -> dict[str, Any]:
    """Tell which raw ticks there are, as `get_raw_coverage` does."""
    return await fetch_coverage(parse_base_url(base_url))
